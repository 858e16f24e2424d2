//! Keeps the policy as new as its file.
//!
//! In: the file, read whenever its content changed (a `ConfigMap` volume swaps links under our feet, so nothing but the
//! content is trusted). Out: a [`PolicyState`] for everyone who waits on it. Never: half a policy, and never a wider one
//! because the new one is broken.

use std::{io, io::Read, path::PathBuf, sync::Arc, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Registry,
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Policy;

/// A `ConfigMap` holds at most 1 MiB.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// The policy in force, and what is wrong with the file, if anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyState {
    /// What counts now. With a problem: the last good one, or the one that refuses everything.
    pub policy: Arc<Policy>,
    /// What a person must mend.
    pub problem: Option<String>,
}

/// The reader of the file. [`PolicyWatch::run`] keeps it going.
#[derive(Debug)]
pub struct PolicyWatch {
    path: Option<PathBuf>,
    last: Option<Content>,
    state: watch::Sender<PolicyState>,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Missing,
    Unreadable(String),
}

impl PolicyWatch {
    /// Reads the file once. Without a path, and while the file is missing, everything is refused.
    pub async fn open(path: Option<PathBuf>) -> Self {
        let mut watch = Self { path, last: None, state: watch::Sender::default() };
        if watch.path.is_none() {
            warn!("no policy file: every target is refused; set --policy");
        }
        watch.look().await;
        watch
    }

    /// Wakes whenever the policy, or what is wrong with it, has changed.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<PolicyState> {
        self.state.subscribe()
    }

    /// Registers `uko_operator_policy_valid`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Validity(self.subscribe())));
    }

    /// Looks again after every pause, until `end`.
    pub async fn run(mut self, pause: Duration, end: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = sleep(pause) => self.look().await,
            }
        }
    }

    async fn look(&mut self) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let shown = path.display().to_string();
        let content = match tokio::task::spawn_blocking(move || read(&path)).await {
            Ok(content) => content,
            Err(fault) => Content::Unreadable(fault.to_string()),
        };
        if self.last.as_ref() == Some(&content) {
            return;
        }
        let state = self.judge(&content, &shown);
        self.last = Some(content);
        self.state.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
    }

    fn judge(&self, content: &Content, file: &str) -> PolicyState {
        let problem = match content {
            Content::Text(text) => match Policy::parse(text) {
                Ok(policy) => {
                    info!(file, rules = policy.rules.len(), "policy loaded");
                    return PolicyState { policy: Arc::new(policy), problem: None };
                }
                Err(fault) => format!("the policy file {file} cannot be used: {fault}"),
            },
            Content::Missing => {
                let problem = format!("the policy file {file} is missing: every target is refused");
                error!(problem);
                return PolicyState { policy: Arc::default(), problem: Some(problem) };
            }
            Content::Unreadable(fault) => {
                format!("the policy file {file} cannot be read: {fault}")
            }
        };
        let kept = self.state.borrow().policy.clone();
        error!(rules_kept = kept.rules.len(), "{problem}");
        PolicyState { policy: kept, problem: Some(problem) }
    }
}

fn read(path: &std::path::Path) -> Content {
    let text = std::fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(SIZE_LIMIT + 1).read_to_string(&mut text)?;
        Ok(text)
    });
    match text {
        Ok(text) if u64::try_from(text.len()).is_ok_and(|size| size <= SIZE_LIMIT) => Content::Text(text),
        Ok(_) => Content::Unreadable("it is larger than 1 MiB".to_owned()),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Content::Missing,
        Err(fault) => Content::Unreadable(fault.to_string()),
    }
}

#[derive(Debug)]
struct Validity(watch::Receiver<PolicyState>);

impl Collector for Validity {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let valid = ConstGauge::new(i64::from(self.0.borrow().problem.is_none()));
        let metric = encoder.encode_descriptor(
            "policy_valid",
            "0 while the policy file is missing or cannot be used and an older or empty policy counts, else 1",
            None,
            valid.metric_type(),
        )?;
        valid.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    const INSTANCE: &str = "aaaaaaaa-0000-0000-0000-000000000000";

    fn allowing() -> String {
        format!("rules:\n- namespaces: [keys]\n  ukoInstances: [{INSTANCE}]\n")
    }

    fn allows(state: &PolicyState) -> bool {
        state.policy.allows_instance("keys", INSTANCE).is_ok()
    }

    #[tokio::test]
    async fn a_swapped_link_is_seen_and_wakes_whoever_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new, link) = (folder.path().join("1"), folder.path().join("2"), folder.path().join("policy.yaml"));
        fs::write(&old, "rules: []").unwrap();
        fs::write(&new, allowing()).unwrap();
        symlink(&old, &link).unwrap();
        let watch = PolicyWatch::open(Some(link.clone())).await;
        let mut states = watch.subscribe();
        assert!(!allows(&states.borrow_and_update()));
        let end = CancellationToken::new();
        let swap = async {
            let fresh = folder.path().join("fresh");
            symlink(&new, &fresh).unwrap();
            fs::rename(&fresh, &link).unwrap();
            states.wait_for(allows).await.unwrap();
            end.cancel();
        };
        let both = async { tokio::join!(watch.run(Duration::from_millis(1), end.clone()), swap) };
        tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    }

    #[tokio::test]
    async fn a_broken_file_keeps_the_last_good_policy_and_a_missing_one_refuses_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        fs::write(&path, allowing()).unwrap();
        let mut watch = PolicyWatch::open(Some(path.clone())).await;
        assert!(allows(&watch.state.borrow()));

        fs::write(&path, "rules: [{namespace: keys}]").unwrap();
        watch.look().await;
        let state = watch.state.borrow().clone();
        assert!(allows(&state));
        assert!(state.problem.unwrap().contains("namespace"));

        fs::remove_file(&path).unwrap();
        watch.look().await;
        let state = watch.state.borrow().clone();
        assert!(!allows(&state));
        assert!(state.problem.unwrap().contains("missing"));

        fs::write(&path, allowing()).unwrap();
        watch.look().await;
        assert_eq!(watch.state.borrow().problem, None);
        assert!(allows(&watch.state.borrow()));
    }

    #[tokio::test]
    async fn only_a_change_of_meaning_wakes_anyone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        fs::write(&path, allowing()).unwrap();
        let mut watch = PolicyWatch::open(Some(path.clone())).await;
        let states = watch.subscribe();
        fs::write(&path, format!("# a comment\n{}", allowing())).unwrap();
        watch.look().await;
        assert!(!states.has_changed().unwrap());
        fs::write(&path, "").unwrap();
        watch.look().await;
        assert!(states.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_broken_file_at_the_start_and_no_file_at_all_refuse_everything() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "rules: 1").unwrap();
        let watch = PolicyWatch::open(Some(file.path().to_owned())).await;
        assert!(!allows(&watch.state.borrow()));
        assert!(watch.state.borrow().problem.is_some());
        let watch = PolicyWatch::open(None).await;
        assert!(!allows(&watch.state.borrow()));
    }
}

//! What a status must say, and the words in which a test tells its story.
//!
//! In: a [`World`] and expectations. Out: the object once everything fits, or a panic with all that did not. Never: a fixed delay.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::World;

/// Kind, the longer word.
pub(crate) const CONNECTION: &str = "AzureKeystoreConnection";
/// The other kind.
pub(crate) const ENDPOINT: &str = "ConnectorEndpoint";
/// Both objects of the samples, and the Key Vault's key, have these names.
pub(crate) const NAME: &str = "payments";
/// The key-encryption key.
pub(crate) const KEK: &str = "EKMF-BYOK-KEK-FOR-IMPORT";
/// The vault of the samples.
pub(crate) const VAULT: &str = "payments-kv";

/// What a condition must say, and what must stand beside it.
#[derive(Clone)]
pub(crate) struct Told {
    kind: &'static str,
    name: String,
    stage: &'static str,
    want: &'static str,
    says: Vec<String>,
    flag: Flag,
    still: Vec<&'static str>,
    ready: Option<&'static str>,
}

/// How kstatus sees the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Reconciling,
    Stalled,
    Neither,
    /// Whatever the rules of kstatus do not fix at this moment; never both.
    Either,
}

/// A stage of the sample's connection.
pub(crate) fn connection(stage: &'static str, want: &'static str) -> Told {
    Told::new(CONNECTION, stage, want)
}

/// A stage of the sample's connector endpoint.
pub(crate) fn endpoint(stage: &'static str, want: &'static str) -> Told {
    Told::new(ENDPOINT, stage, want)
}

impl Told {
    fn new(kind: &'static str, stage: &'static str, want: &'static str) -> Self {
        Self {
            kind,
            name: NAME.to_owned(),
            stage,
            want,
            says: Vec::new(),
            flag: Flag::Either,
            still: Vec::new(),
            ready: None,
        }
    }

    /// Of another object than the sample's.
    pub(crate) fn of(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Words that the message must hold: what is wrong, and what to do.
    pub(crate) fn says(mut self, words: &[&str]) -> Self {
        self.says.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// `Reconciling` is True.
    pub(crate) fn reconciling(mut self) -> Self {
        self.flag = Flag::Reconciling;
        self
    }

    /// `Stalled` is True.
    pub(crate) fn stalled(mut self) -> Self {
        self.flag = Flag::Stalled;
        self
    }

    /// Neither `Reconciling` nor `Stalled`.
    pub(crate) fn at_rest(mut self) -> Self {
        self.flag = Flag::Neither;
        self
    }

    /// These conditions are True all the same.
    pub(crate) fn still(mut self, stages: &[&'static str]) -> Self {
        self.still.extend_from_slice(stages);
        self
    }

    /// What `Ready` says, where it is not what the stage says.
    pub(crate) fn ready(mut self, want: &'static str) -> Self {
        self.ready = Some(want);
        self
    }

    /// Everything that does not fit.
    fn misfits(&self, object: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let generation = object.pointer("/metadata/generation");
        if object.pointer("/status/observedGeneration") != generation {
            wrong.push("status is of an older generation".to_owned());
        }
        match condition(object, self.stage) {
            None => wrong.push(format!("no condition {}", self.stage)),
            Some(stage) => {
                if !says(stage, self.want) {
                    wrong.push(format!("{} is {}", self.stage, brief(stage)));
                }
                let message = text(stage, "/message");
                wrong.extend(
                    self.says
                        .iter()
                        .filter(|word| !message.contains(*word))
                        .map(|word| format!("`{message}` lacks `{word}`")),
                );
            }
        }
        for stage in &self.still {
            let one = condition(object, stage);
            if one.is_none_or(|one| text(one, "/status") != "True") {
                wrong.push(format!("{stage} is {}", one.map_or("absent".to_owned(), brief)));
            }
        }
        wrong.extend(self.misfits_of_ready(object));
        wrong
    }

    fn misfits_of_ready(&self, object: &Value) -> Option<String> {
        let flag = |type_: &str| condition(object, type_).is_some_and(|one| text(one, "/status") == "True");
        let (reconciling, stalled) = (flag("Reconciling"), flag("Stalled"));
        let found = match (reconciling, stalled) {
            (true, true) => return Some("both Reconciling and Stalled".to_owned()),
            (true, false) => Flag::Reconciling,
            (false, true) => Flag::Stalled,
            (false, false) => Flag::Neither,
        };
        let ready = condition(object, "Ready")?;
        if text(ready, "/status") == "True" && found != Flag::Neither {
            return Some(format!("Ready is True beside {found:?}"));
        }
        if self.flag != Flag::Either && self.flag != found {
            return Some(format!("it is {found:?}, not {:?}; Ready is {}", self.flag, brief(ready)));
        }
        let want = self.ready.unwrap_or(self.want);
        (!says(ready, want)).then(|| format!("Ready is {}, not {want}", brief(ready)))
    }
}

impl World {
    /// Waits until an object says it, and returns the object.
    pub(crate) async fn hears(&self, told: Told) -> Value {
        let what = format!("{} {} has {}={}", told.kind, told.name, told.stage, told.want);
        self.eventually(&what, async || {
            let object = self.get(told.kind, &told.name).await.ok_or("no such object")?;
            let wrong = told.misfits(&object);
            if wrong.is_empty() { Ok(object) } else { Err(wrong.join("; ")) }
        })
        .await
    }

    /// Waits until both objects of the samples are Ready, and returns the connection.
    pub(crate) async fn is_ready(&self) -> Value {
        self.hears(endpoint("Ready", "True/EndpointReady").at_rest()).await;
        self.connection_is_ready().await
    }

    /// Waits until the connection is Ready.
    pub(crate) async fn connection_is_ready(&self) -> Value {
        self.hears(connection("Ready", "True/KeysCanFlow").at_rest().still(&STAGES)).await
    }

    /// Changes the spec of the sample's connection.
    pub(crate) async fn change_connection(&self, spec: Value) {
        self.merge(CONNECTION, NAME, &json!({ "spec": spec })).await;
    }

    /// Puts a value into a Secret, or (with null) takes it out.
    pub(crate) async fn put_secret(&self, name: &str, key: &str, value: Option<&str>) {
        use base64::Engine as _;
        let data = value.map(|value| base64::engine::general_purpose::STANDARD.encode(value));
        self.merge("Secret", name, &json!({ "data": { key: data } })).await;
    }

    /// Annotates an object of the samples.
    pub(crate) async fn annotate(&self, kind: &str, annotation: &str, value: &str) {
        let name = format!("uko-operator.io/{annotation}");
        self.merge(kind, NAME, &json!({ "metadata": { "annotations": { name: value } } })).await;
    }

    /// Asks for a look at an object of the samples, and waits for a pass over its kind.
    pub(crate) async fn looks_again(&self, kind: &str) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let before = self.passes_so_far(kind).await;
        self.annotate(kind, "reconcile-requested-at", &format!("look-{}", COUNT.fetch_add(1, Ordering::Relaxed))).await;
        self.passes_reach(kind, before + 1).await;
    }

    /// Waits until the operator made `more` passes over objects of a kind: the evidence that it had the chance to act.
    pub(crate) async fn passes(&self, kind: &str, more: u64) {
        let before = self.passes_so_far(kind).await;
        self.passes_reach(kind, before + more).await;
    }

    async fn passes_reach(&self, kind: &str, wanted: u64) {
        self.eventually(&format!("{wanted} passes over {kind}"), async || {
            let now = self.passes_so_far(kind).await;
            if now >= wanted { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
    }

    /// Sum of `uko_operator_reconciles_total` of a kind.
    pub(crate) async fn passes_so_far(&self, kind: &str) -> u64 {
        let metrics = self.operator.as_ref().unwrap().metrics().await;
        let label = format!("kind=\"{kind}\"");
        metrics
            .lines()
            .filter(|line| line.starts_with("uko_operator_reconciles_total{") && line.contains(&label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// Asserts that no host outside the clouds' list was called and no secret is to be read anywhere.
    pub(crate) async fn is_discreet(&self) {
        let requests = self.cloud.requests_after(0).await;
        let strangers: Vec<&Value> =
            requests.iter().filter(|one| text(one, "/service") == "unknown").map(|one| &one["url"]).collect();
        assert_eq!(strangers, Vec::<&Value>::new(), "a host outside the list was called");
        self.no_secret_anywhere().await;
    }
}

/// The stages of a connection that are True in the samples once everything is Ready.
pub(crate) const STAGES: [&str; 8] = [
    "CredentialsValid",
    "VaultReady",
    "PrivateEndpointReady",
    "ConnectorEndpointReady",
    "ConnectionTested",
    "KeystoreConnected",
    "KeyEncryptionKeyHealthy",
    "NetworkAccessApplied",
];

/// One condition of an object.
pub(crate) fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object.pointer("/status/conditions")?.as_array()?.iter().find(|one| text(one, "/type") == type_)
}

/// Whether a condition has a status, and a reason where one is asked for.
pub(crate) fn says(condition: &Value, want: &str) -> bool {
    let (status, reason) = want.split_once('/').map_or((want, None), |(status, reason)| (status, Some(reason)));
    text(condition, "/status") == status && reason.is_none_or(|reason| text(condition, "/reason") == reason)
}

/// The text at a pointer, or nothing.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn brief(condition: &Value) -> String {
    format!("{}/{} ({})", text(condition, "/status"), text(condition, "/reason"), text(condition, "/message"))
}

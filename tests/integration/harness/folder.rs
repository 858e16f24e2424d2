//! One folder per test process under `target/tmp`, and one in it for each cluster, cloud and operator.
//!
//! In: a name. Out: a folder of one's own, kept for reading after a failure. Never: a folder of a process that lives.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("integration");
    fs::create_dir_all(&all).unwrap();
    for entry in fs::read_dir(&all).unwrap() {
        let path = entry.unwrap().path();
        let owner = path.file_name().unwrap().to_owned();
        if !Path::new("/proc").join(owner).exists() {
            // Another test process may clear the same leftovers at the same time.
            let _already_gone = fs::remove_dir_all(&path);
        }
    }
    let root = all.join(process::id().to_string());
    fs::create_dir_all(&root).unwrap();
    root
});

/// A folder nobody else uses. It outlives the test: its logs are what a person reads after a failure.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes `target/tmp/integration/<process>/<name>-<count>`.
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = ROOT.join(format!("{name}-{count}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// The end of a text file, or why there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    match fs::read(path) {
        Err(error) => format!("({}: {error})", path.display()),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let all: Vec<&str> = text.lines().collect();
            all.iter().skip(all.len().saturating_sub(lines)).copied().collect::<Vec<_>>().join("\n")
        }
    }
}

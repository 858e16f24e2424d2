//! IBM's own Go SDKs, unchanged, against the box as it ships.
//!
//! The Go program does the judging (`sdk/go-ibm`); this test builds it, starts the box and reads its verdict.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running box; it ends with its standard input.
struct Running {
    child: Child,
    dir: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_cloud-in-a-box"))
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
            .args(["--exit-with-stdin", "--dir"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert_eq!(said.next().unwrap().unwrap(), "ready");
        Self { child, dir }
    }

    /// The variables that `DIR/env` exports.
    fn environment(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.dir.path().join("env")).unwrap();
        let exports = text.lines().filter_map(|line| line.strip_prefix("export "));
        let pairs = exports.filter_map(|pair| pair.split_once('='));
        let plain = |(name, value): (&str, &str)| (name.to_owned(), value.trim_matches('\'').into());
        pairs.map(plain).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Builds the Go program before the box's proxy is in the environment: Go must reach its modules.
fn program(into: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/go-ibm");
    let binary = into.join("go-ibm");
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&binary).arg(".").current_dir(source);
    assert!(go.status().unwrap().success(), "the Go program does not build");
    binary
}

#[test]
fn ibms_own_sdks_see_what_they_should() {
    let running = Running::start();
    let mut program = Command::new(program(running.dir.path()));
    let verdict = program.arg(running.dir.path()).envs(running.environment()).output().unwrap();
    let said = String::from_utf8_lossy(&verdict.stdout);
    let complained = String::from_utf8_lossy(&verdict.stderr);
    assert!(verdict.status.success(), "{said}{complained}");
    assert!(said.lines().filter(|line| line.starts_with("ok ")).count() > 60, "{said}");
}

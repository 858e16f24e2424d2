//! The Go tools of the tests: `tests/tools/build.sh` keeps them.
//!
//! In: a name. Out: the command, built now if it has to be. Never: what `PATH` happens to hold.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The path of a tool, such as `helm`. The first time on a machine this takes minutes.
pub(crate) fn tool(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/build.sh");
    let built = Command::new(&script).arg(name).output().unwrap();
    let path = PathBuf::from(String::from_utf8(built.stdout).unwrap().trim());
    assert!(built.status.success() && path.is_file(), "{name}: {}", String::from_utf8_lossy(&built.stderr));
    path
}

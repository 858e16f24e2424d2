//! The README of each chart is what helm-docs makes of its values, and says something of every value.
//!
//! `UPDATE_GENERATED=1 cargo test --test charts readme` writes it anew.

use std::{fs, path::Path, process::Command};

use crate::tools::tool;

#[test]
fn the_readme_of_every_chart_is_in_step_with_its_values() {
    let charts = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts");
    let update = std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1");
    let mut read = 0;
    for entry in fs::read_dir(charts).unwrap() {
        let chart = entry.unwrap().path();
        if !chart.join("README.md.gotmpl").is_file() {
            continue;
        }
        let made = Command::new(tool("helm-docs"))
            .args(["--dry-run", "--sort-values-order", "file", "--log-level", "warn"])
            .current_dir(&chart)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let wanted = format!("{}\n", String::from_utf8(made.stdout).unwrap().trim_end());
        let readme = chart.join("README.md");
        if update {
            fs::write(&readme, &wanted).unwrap();
        }
        let found = fs::read_to_string(&readme).unwrap_or_default();
        assert!(
            found == wanted,
            "{} is not what values.yaml says; run: UPDATE_GENERATED=1 cargo test --test charts readme",
            readme.display()
        );
        let bare: Vec<&str> = wanted.lines().filter(|line| line.starts_with("| ") && line.ends_with("|  |")).collect();
        assert!(bare.is_empty(), "{}: values without a word: {bare:#?}", readme.display());
        read += 1;
    }
    assert!(read >= 1);
}

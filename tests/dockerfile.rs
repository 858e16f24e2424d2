//! `deploy/Dockerfile`, as far as it can be tested where no container engine runs: what it copies exists and reaches the build, it builds
//! the shipped binary from the lock file, and the image has neither a root nor a shell.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{fs, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Instructions of the Dockerfile: word and the rest, with continued lines joined and comments gone.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    joined.lines().filter_map(|line| split(line.trim())).collect()
}

fn all(word: &str) -> Vec<String> {
    instructions().into_iter().filter(|(found, _)| found == word).map(|(_, rest)| rest).collect()
}

#[test]
fn what_is_copied_exists_and_the_ignore_file_lets_it_through() {
    let ignore = fs::read_to_string(root().join("deploy/Dockerfile.dockerignore")).unwrap();
    let allowed: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignore.lines().any(|line| line == "*"), "everything is ignored that is not named");
    let mut copied = Vec::new();
    for copy in all("COPY").iter().filter(|copy| !copy.starts_with("--from=")) {
        let words: Vec<&str> = copy.split_whitespace().collect();
        let (_, sources) = words.split_last().unwrap();
        for source in sources {
            assert!(root().join(source).exists(), "COPY {source}: it is not there");
            assert!(allowed.contains(source), "COPY {source}: .dockerignore hides it");
            copied.push((*source).to_owned());
        }
    }
    for name in allowed {
        assert!(copied.contains(&name.to_owned()), "{name} is let through and never copied");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    for member in members.trim_end_matches(']').split(',').map(|member| member.trim().trim_matches('"')) {
        assert!(member == "." || copied.contains(&member.to_owned()), "cargo needs the workspace member {member}");
    }
}

#[test]
fn the_build_is_that_of_the_makefile_from_the_lock_file_with_the_toolchain_of_the_manifest() {
    let build = all("RUN").into_iter().find(|run| run.contains("build")).unwrap();
    assert_eq!(build, "cargo auditable build --release --locked --bin uko-operator");
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    assert!(
        makefile.contains("cargo build --release --workspace --bins"),
        "the same profile, and this binary among the others"
    );
    assert!(makefile.contains("-f deploy/Dockerfile"), "make image");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    let image = all("ARG").into_iter().find(|one| one.starts_with("BUILD_IMAGE=")).unwrap();
    assert!(image.contains(&format!("rust:{version}-")), "{image} is not of Rust {version}");
    assert!(all("RUN").iter().filter(|run| run.contains("cargo")).all(|run| run.contains("--locked")));
}

#[test]
fn the_image_has_no_root_and_no_shell_and_starts_the_binary_that_was_built() {
    let images = all("FROM");
    assert_eq!(images, ["${BUILD_IMAGE} AS build", "${RUN_IMAGE}"]);
    let base = all("ARG").into_iter().find(|one| one.starts_with("RUN_IMAGE=")).unwrap();
    assert!(base.contains("distroless") && base.ends_with(":nonroot"), "{base}");
    let last = instructions().iter().rposition(|(word, _)| word == "FROM").unwrap();
    let of_the_image: Vec<_> = instructions().into_iter().skip(last).collect();
    let has = |word: &str, rest: &str| of_the_image.contains(&(word.to_owned(), rest.to_owned()));
    assert!(has("USER", "65532:65532"), "runAsNonRoot needs a number, and the chart gives none");
    assert!(has("ENTRYPOINT", "[\"/usr/local/bin/uko-operator\"]"), "no shell reads it");
    assert!(has("COPY", "--from=build /src/target/release/uko-operator /usr/local/bin/uko-operator"));
    assert!(!of_the_image.iter().any(|(word, _)| word == "RUN"), "there is nothing in it that could run");
}

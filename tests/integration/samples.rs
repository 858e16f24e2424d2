//! The samples that users copy: the API server takes each, and they fit the cloud that the tests and the demo use.

use std::{fs, path::Path};

use crate::harness::{Cluster, World, sample};

#[tokio::test]
async fn the_api_server_accepts_every_sample() {
    let cluster = Cluster::with_crds().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples");
    let mut accepted = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let yaml = fs::read(&path).unwrap();
        if path.ends_with("policy.example.yaml") {
            continue; // the operator's own file, not an object
        }
        let answer = cluster.kubectl_apply(&["--dry-run=server", "--validate=strict"], &yaml);
        assert!(answer.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&answer.stderr));
        accepted += 1;
    }
    assert!(accepted >= 7, "only {accepted} samples were found");
}

#[test]
fn every_sample_says_in_two_lines_what_it_is_for() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let comment = text.lines().take_while(|line| line.starts_with("# "));
        assert_eq!(comment.count(), 2, "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!sample(name).is_empty(), "{}", path.display());
    }
}

#[tokio::test]
async fn the_samples_fit_the_cloud_in_a_box() {
    let world = World::without_operator("samples").await;
    world.apply_fixture().await;
    for (kind, name) in [("ConnectorEndpoint", "payments"), ("AzureKeystoreConnection", "payments")] {
        let object = world.get(kind, name).await.unwrap();
        let observed = object.pointer("/status/observedGeneration");
        assert_eq!(observed, Some(&(-1).into()), "nobody looked at it yet");
    }
    assert_eq!(world.list("Secret").await.len(), 3);
}

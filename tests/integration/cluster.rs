//! The control plane itself: it is the version we name, it takes our CRDs, and nothing of it stays behind.

use std::{fs, path::Path, process::Command};

use crate::{
    harness::{Cluster, DEADLINE, eventually},
    refusals,
};

#[tokio::test]
async fn the_cluster_answers_as_v1_37() {
    let cluster = Cluster::shared().await;
    let version = cluster.client().await.apiserver_version().await.unwrap();
    if cluster.is_ours() {
        assert_eq!(version.git_version, "v1.37.2");
    }
    assert_eq!(version.major, "1");
}

#[tokio::test]
async fn every_bad_spec_is_refused_with_its_field_and_its_cure() {
    let cluster = Cluster::with_crds().await;
    refusals::every_refusal_names_field_and_cure(cluster.kubectl_path(), cluster.kubeconfig()).await;
}

#[tokio::test]
async fn a_dropped_cluster_leaves_no_process() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let processes = cluster.processes();
    assert_eq!(processes.len(), 3);
    assert!(processes.iter().all(|id| lives(*id)));
    drop(cluster);
    assert_eq!(still_alive(&processes), Vec::<u32>::new());
}

#[tokio::test]
async fn a_killed_keeper_leaves_no_process() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let processes = cluster.processes();
    let keeper = cluster.keeper().unwrap().to_string();
    let killed = Command::new("bash").args(["-c", "kill -KILL \"$1\"", "kill", &keeper]).status().unwrap();
    assert!(killed.success());
    eventually("no process of the cluster lives", DEADLINE, async || match still_alive(&processes) {
        alive if alive.is_empty() => Ok(()),
        alive => Err(format!("{alive:?}")),
    })
    .await;
}

fn still_alive(processes: &[u32]) -> Vec<u32> {
    processes.iter().copied().filter(|id| lives(*id)).collect()
}

/// A zombie is dead; it only waits for its parent.
fn lives(id: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

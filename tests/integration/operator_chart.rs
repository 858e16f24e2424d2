//! `charts/uko-operator` on a real API server: installed, checked, upgraded, uninstalled.
//!
//! In: the real helm, a cluster of its own. Out: what is there afterwards. No kubelet runs, so a pod is a process of the test.

use serde_json::{Value, json};

use crate::harness::{
    Cluster, Release, World,
    release::RELEASE,
    story::{CONNECTION, ENDPOINT, NAME, text},
};

const CRDS: [&str; 2] = ["azurekeystoreconnections.uko-operator.io", "connectorendpoints.uko-operator.io"];

fn short_names(release: &Release) -> Value {
    release.get(&["crd", CRDS[1]])["spec"]["names"]["shortNames"].clone()
}

/// What must be the same object before and after.
async fn identities(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for kind in [ENDPOINT, CONNECTION] {
        let object = world.get(kind, NAME).await.unwrap();
        found.push(format!("{} {}", text(&object, "/metadata/uid"), object["metadata"]["generation"]));
    }
    found
}

/// Both pods of the Deployment were let in: by quota, by Pod Security, by everything that admits.
async fn has_two_pods(world: &World, release: &Release) {
    world
        .eventually("the namespace takes two pods", async || {
            let pods =
                release.get(&["pods", "--namespace", RELEASE, "--selector", "app.kubernetes.io/component=operator"]);
            let events = || release.get(&["events", "--namespace", RELEASE, "--field-selector", "type=Warning"]);
            if pods["items"].as_array().unwrap().len() == 2 { Ok(()) } else { Err(events().to_string()) }
        })
        .await;
}

#[tokio::test]
async fn a_release_is_checked_and_upgraded_without_a_touch_outside_and_leaves_every_object() {
    let mut world = World::on(Cluster::audited(), "release").await;
    let secrets = json!({"rbac": {"secretNames": {&world.namespace: ["payments-sp", "azure-operator", "ibm-cloud"]}}});
    let release = Release::new(&world, &secrets);
    release.make_namespace();
    let older = release.older_chart("files/crds/uko-operator.io_connectorendpoints.yaml", "- ukoep", "- before");
    let notes = release.helm("install", Some(&older));
    assert!(notes.contains("helm test") && !notes.contains("ERROR"), "{notes}");
    assert_eq!(short_names(&release), json!(["before"]));
    has_two_pods(&world, &release).await;

    let silent = release.check(&["--timeout=10s"]).await;
    let told = String::from_utf8_lossy(&silent.stderr).into_owned();
    assert!(!silent.status.success() && told.contains("look at its pods"), "nobody works yet: {told}");

    world.operator = Some(release.start_operator(&world));
    let check = release.check(&[]).await;
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{}\n{}", String::from_utf8_lossy(&check.stderr), world.diagnosis().await);
    assert!(told.contains("the operator reconciled ConnectorEndpoint uko-operator/uko-operator-check-"), "{told}");
    assert!(
        release.get(&["connectorendpoints.uko-operator.io", "--namespace", RELEASE])["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.cloud.requests_after(0).await, Vec::<Value>::new(), "the check calls no cloud");

    world.apply_fixture().await;
    world.is_ready().await;
    let (before, seen) = (identities(&world).await, world.cloud.last_request().await);
    release.helm("upgrade", None);
    assert_eq!(short_names(&release), json!(["ukoep"]), "an upgrade upgrades the CRDs");
    assert!(world.operator.as_mut().unwrap().stop().await.success());
    world.operator = Some(release.start_operator(&world));
    for kind in [ENDPOINT, CONNECTION] {
        world.passes(kind, 2).await;
    }
    world.is_ready().await;
    assert_eq!(identities(&world).await, before);
    assert_eq!(world.cloud.writes_after(seen).await, [].into(), "nothing is made again, nothing is changed");

    assert!(world.operator.as_mut().unwrap().stop().await.success());
    release.uninstall();
    for crd in CRDS {
        assert_eq!(release.get(&["crd", crd])["metadata"]["name"], crd);
    }
    assert_eq!(identities(&world).await, before);
    let left = release.get(&[
        "deployments,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,roles,rolebindings,clusterroles,clusterrolebindings",
        "--all-namespaces",
        "--selector",
        "app.kubernetes.io/managed-by=Helm,app.kubernetes.io/instance=uko-operator",
    ]);
    let left: Vec<String> = left["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", text(one, "/kind"), text(one, "/metadata/name")))
        .filter(|one| !one.ends_with("-check")) // the test applied the hooks of `helm test` itself
        .collect();
    assert_eq!(left, Vec::<String>::new());

    // And again: the CRDs that stayed belong to the release of this name.
    release.helm("install", None);
    world.operator = Some(release.start_operator(&world));
    world.passes(CONNECTION, 1).await;
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(seen).await, [].into());
    world.is_discreet().await;
}

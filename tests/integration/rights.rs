//! The chart's rights are what the operator needs, and no more: it runs with the token of its ServiceAccount alone, and the API server's
//! audit log is compared with the Roles, both ways.
//!
//! In: a cluster with an audit log for each test. Out: no call refused, no call that something else allowed, no right unused.

use serde_json::{Value, json};

use crate::harness::{
    Cluster, Release, World,
    audit::{calls, rights, unexplained, unused, watches_one_secret},
    release::RELEASE,
    story::{CONNECTION, ENDPOINT, NAME},
};

const USER: &str = "system:serviceaccount:uko-operator:uko-operator";

/// Everything that the operator ever does: it builds, tells the same twice, and takes down what it built.
async fn whole_life(world: &mut World) {
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["deletionPolicy"] = json!("Delete");
    }
    world.apply_fixture().await;
    world.is_ready().await;
    // An event that comes again is counted on the one that is there.
    for suspend in [true, false, true, false] {
        let told = if suspend { "True/Suspended" } else { "True/EndpointReady" };
        world.merge(ENDPOINT, NAME, &json!({"spec": {"suspend": suspend}})).await;
        world.wait_condition(ENDPOINT, NAME, "Ready", told).await;
    }
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
        world
            .eventually(&format!("{kind} is gone"), async || match world.get(kind, NAME).await {
                None => Ok(()),
                Some(object) => Err(object["status"].to_string()),
            })
            .await;
    }
}

/// The Roles of the release that are bound to the operator: not those for people, nor those of its test.
fn roles(release: &Release) -> Vec<Value> {
    let all = release.get(&[
        "clusterroles,roles",
        "--all-namespaces",
        "--selector",
        "app.kubernetes.io/instance=uko-operator",
    ]);
    let ours = |role: &&Value| {
        let name = role["metadata"]["name"].as_str().unwrap();
        !(name.ends_with(":view") || name.ends_with(":edit") || name.ends_with("-check"))
    };
    all["items"].as_array().unwrap().iter().filter(ours).cloned().collect()
}

async fn installed(name: &str, values: impl FnOnce(&World) -> Value) -> (World, Release) {
    let mut world = World::on(Cluster::audited(), name).await;
    let release = Release::new(&world, &values(&world));
    release.make_namespace();
    release.helm("install", None);
    world.operator = Some(release.start_operator(&world));
    (world, release)
}

#[tokio::test]
async fn for_the_whole_cluster_no_right_is_missing_and_none_is_unused() {
    let secrets = |world: &World| json!({"rbac": {"secretNames": {&world.namespace: ["payments-sp", "azure-operator", "ibm-cloud"]}}});
    let (mut world, release) = installed("rights", secrets).await;
    whole_life(&mut world).await;
    let (allowed, refused) = calls(&world.cluster.audit_log(), USER);
    assert!(refused.is_empty(), "not granted: {refused:#?}");
    let granted = rights(&roles(&release));
    assert!(granted.len() > 15, "{granted:#?}");
    assert_eq!(unexplained(&granted, &allowed), [], "allowed by something else than the chart");
    assert_eq!(unused(&granted, &allowed), [], "granted and never used");
    world.is_discreet().await;
}

#[tokio::test]
async fn in_named_namespaces_no_right_is_missing_and_none_is_unused() {
    let values = |world: &World| {
        json!({
            "watchNamespaces": [&world.namespace],
            "settings": {"clusterId": "blue"},
            "rbac": {"readSecretsOfWatchedNamespaces": true},
        })
    };
    let (mut world, release) = installed("rights-named", values).await;
    whole_life(&mut world).await;
    let (allowed, refused) = calls(&world.cluster.audit_log(), USER);
    let refused: Vec<_> = refused.into_iter().filter(|call| !watches_one_secret(call)).collect();
    assert!(refused.is_empty(), "not granted: {refused:#?}");
    let granted = rights(&roles(&release));
    assert_eq!(unexplained(&granted, &allowed), [], "allowed by something else than the chart");
    assert_eq!(unused(&granted, &allowed), [], "granted and never used");

    let may = |question: &[&str]| {
        let asked = world.cluster.kubectl(&[&["auth", "can-i", "--as", USER], question].concat()).output().unwrap();
        String::from_utf8_lossy(&asked.stdout).trim().to_owned()
    };
    let here = world.namespace.as_str();
    assert_eq!(may(&["get", "secrets", "--namespace", here]), "yes");
    assert_eq!(may(&["list", "secrets", "--namespace", here]), "no");
    assert_eq!(may(&["get", "secrets", "--namespace", "default"]), "no");
    assert_eq!(may(&["list", "connectorendpoints.uko-operator.io", "--namespace", "default"]), "no");
    assert_eq!(may(&["get", "secret/other", "--namespace", RELEASE]), "no");
    assert_eq!(may(&["get", "namespace/kube-system"]), "no");
}

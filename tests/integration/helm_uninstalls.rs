//! `helm uninstall` of `charts/keystore-connection`: the operator keeps its rights on the team's Secrets until the objects are gone.
//!
//! In: both charts on a cluster of its own, the operator with the token of its ServiceAccount alone. Out: what is left in cluster and clouds.

use serde_json::json;

use crate::{
    deletion::{is_gone, keystores, members},
    harness::{
        Cluster, Helm, Release, World,
        helm::chart,
        release::RELEASE,
        story::{CONNECTION, ENDPOINT, NAME},
    },
};

const USER: &str = "system:serviceaccount:uko-operator:uko-operator";

/// Both objects Ready as a release of the team's chart; nothing but that chart lets the operator read their Secrets.
async fn installed(name: &str, deletion_policy: &str) -> World {
    let mut world = World::on(Cluster::audited(), name).await;
    let release = Release::new(&world, &json!({}));
    release.make_namespace();
    release.helm("install", None);
    world.operator = Some(release.start_operator(&world));
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["deletionPolicy"] = json!(deletion_policy);
    }
    let values = json!({
        "operator": {"namespace": RELEASE, "serviceAccount": "uko-operator"},
        "connectorEndpoints": {NAME: {"spec": world.fixture.endpoint["spec"]}},
        "azureKeystoreConnections": {NAME: {"spec": world.fixture.connection["spec"]}},
    });
    let chart = chart("keystore-connection");
    let install = ["install", "payments", chart.to_str().unwrap(), "--namespace", &world.namespace];
    let output = Helm::with(&values).run_on(world.cluster, &install);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    world.is_ready().await;
    world
}

/// The release goes, and with it both objects.
async fn uninstall(world: &World) {
    let uninstall = ["uninstall", "payments", "--namespace", &world.namespace];
    let output = Helm::with(&json!({})).bare(&uninstall, world.cluster.kubeconfig());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for kind in [CONNECTION, ENDPOINT] {
        is_gone(world, kind, NAME).await;
    }
}

fn may_read_the_secret(world: &World) -> bool {
    let question = ["auth", "can-i", "--as", USER, "get", "secret/ibm-cloud", "--namespace", &world.namespace];
    world.cluster.kubectl(&question).output().unwrap().status.success()
}

async fn endpoints(world: &World) -> [Vec<String>; 2] {
    [members(world, "/azure/privateEndpoints").await, members(world, "/ibm/endpoints").await]
}

#[tokio::test]
async fn with_delete_everything_that_the_release_made_goes_and_the_rights_go_last() {
    let world = installed("helm-delete", "Delete").await;
    uninstall(&world).await;
    assert_eq!(keystores(&world).await, Vec::<String>::new());
    assert_eq!(endpoints(&world).await, [Vec::<String>::new(), Vec::new()]);

    assert!(may_read_the_secret(&world), "what stays is said in docs/guides/team-chart.md, and how to remove it");
    let remove = ["--namespace", &world.namespace, "delete", "rolebinding,role", "payments-uko-operator"];
    let removed = world.cluster.kubectl(&remove).output().unwrap();
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    assert!(!may_read_the_secret(&world));
    world.is_discreet().await;
}

#[tokio::test]
async fn with_retain_the_objects_go_and_what_they_made_stays() {
    let world = installed("helm-retain", "Retain").await;
    let (before, made) = (keystores(&world).await, endpoints(&world).await);
    assert_eq!(before.len(), 1);
    uninstall(&world).await;
    assert_eq!((keystores(&world).await, endpoints(&world).await), (before, made));
}

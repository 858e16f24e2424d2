//! The stage of one crash: a world with things of others in it, manifests that need every request of the flow, an
//! operator with short timings, and the verdict at the end.
//!
//! In: a name. Out: [`Stage`]. Never: knows where the crash was.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::points::{Does, points};
use crate::harness::{Operator, Options, World, add, at, promptly, set};

/// Name of the UKO vault that the flow makes.
const UKO_VAULT: &str = "crash";
const OBJECTS: [&str; 2] = ["ConnectorEndpoint", "AzureKeystoreConnection"];
const NAME: &str = "payments";

/// A world and what stood in its cloud before anything of ours.
pub(super) struct Stage {
    pub(super) world: World,
    before: Value,
}

impl Stage {
    /// Everything but the objects and the operator.
    pub(super) async fn new(name: &str) -> Self {
        let mut world = World::without_operator(name).await;
        let seed = world.cloud.seed();
        let state = world.cloud.state().await;
        world.cloud.patch(&changes(&seed, &state)).await;
        widen(&mut world, &seed);
        let before = world.cloud.state().await;
        Self { world, before }
    }

    /// Starts an operator; the one before must be dead.
    pub(super) fn start_operator(&mut self) {
        assert!(self.world.operator.is_none(), "one is alive");
        self.world.operator = Some(Operator::start(self.world.cluster, &self.world.cloud, &options(&self.world)));
    }

    /// SIGKILL.
    pub(super) fn kill_operator(&mut self) {
        if let Some(mut operator) = self.world.operator.take() {
            operator.kill();
        }
    }

    /// Waits until a request met a fault.
    pub(super) async fn wait_for_fault(&self) {
        self.wait_for_request("a request meets the fault", |request| !at(request, "/fault").is_null()).await;
    }

    /// Waits until the clouds were asked so often.
    pub(super) async fn wait_for_requests(&self, count: u64) {
        self.wait_for_request("the clouds are asked", |request| at(request, "/seq").as_u64() >= Some(count)).await;
    }

    async fn wait_for_request(&self, what: &str, is: impl Fn(&Value) -> bool) {
        let mut last = 0;
        let met = promptly(what, async || {
            let new = self.world.cloud.requests_after(last).await;
            last = new.iter().filter_map(|request| at(request, "/seq").as_u64()).max().unwrap_or(last);
            if new.iter().any(&is) { Ok(()) } else { Err(format!("{last} requests")) }
        });
        if let Err(message) = met.await {
            panic!("{message}\n{}", self.world.diagnosis().await);
        }
    }

    /// Waits until both objects are Ready.
    pub(super) async fn is_ready(&self) {
        for kind in OBJECTS {
            self.world.wait_condition(kind, NAME, "Ready", "True").await;
        }
    }

    /// Waits until both objects are Ready and a look that was asked for afterwards has found nothing to do.
    pub(super) async fn settles(&self) {
        self.is_ready().await;
        let seq = self.world.cloud.last_request().await;
        let asked = json!({ "metadata": { "annotations": { "uko-operator.io/reconcile-requested-at": "once more" } } });
        for kind in OBJECTS {
            self.world.merge(kind, NAME, &asked).await;
        }
        for kind in OBJECTS {
            self.world
                .eventually(&format!("{kind} handles a request to look"), async || {
                    let object = self.world.get(kind, NAME).await.ok_or("gone")?;
                    let handled = object.pointer("/status/lastHandledReconcileAt") == Some(&json!("once more"));
                    handled.then_some(()).ok_or_else(|| at(&object, "/status").to_string())
                })
                .await;
        }
        let writes = self.world.cloud.writes_after(seq).await;
        assert_eq!(writes, BTreeMap::new(), "a settled world is written to");
    }

    /// Judges the end: everything once, nothing of others touched, all conditions well. `repeated` is the one creation
    /// that was lost before it was carried out, and so had to be sent again.
    pub(super) async fn judge(&self, repeated: Option<&str>) {
        let world = &self.world;
        let state = world.cloud.state().await;
        let requests = world.cloud.requests_after(0).await;
        for point in points().into_iter().filter(|point| point.does == Does::Makes) {
            let sent = requests.iter().filter(|request| point.is(request)).count();
            let allowed = if repeated == Some(point.name) { 2 } else { 1 };
            assert_eq!(sent, allowed, "how often {} was sent", point.name);
        }
        let uko = format!("/ibm/uko/{}", at(&world.cloud.seed(), "/ibm/uko/instanceId").as_str().unwrap());
        for (place, ours) in [
            ("/ibm/endpoints".to_owned(), 1),
            ("/ibm/sources".to_owned(), 1),
            (format!("{uko}/vaults"), 1),
            (format!("{uko}/keystores"), 1),
            ("/azure/privateEndpoints".to_owned(), 1),
        ] {
            let count = |state: &Value| at(state, &place).as_object().unwrap().len();
            assert_eq!(count(&state), count(&self.before) + ours, "{place}: {:#}", at(&state, &place));
        }
        assert_eq!(touched(&self.before, &state), Vec::<String>::new(), "things of others");
        let vault = at(&state, "/azure/vaults/payments-kv");
        assert_eq!(at(vault, "/publicNetworkAccess"), "Disabled");
        assert_eq!(at(vault, "/accessPolicies").as_array().unwrap().len(), 2);
        assert_eq!(at(vault, "/accessPolicies/1/permissions/keys").as_array().unwrap().len(), 10);
        for kind in OBJECTS {
            let object = world.get(kind, NAME).await.unwrap();
            let conditions = at(&object, "/status/conditions").as_array().unwrap();
            let bad: Vec<&Value> = conditions.iter().filter(|one| at(one, "/status") != "True").collect();
            assert!(!conditions.is_empty() && bad.is_empty(), "{kind}: {bad:?}");
            assert_eq!(object.pointer("/status/pendingCreate"), None, "{kind}");
        }
        world.no_secret_anywhere().await;
    }

    /// Both objects lose their status, as after a restore from a backup.
    pub(super) async fn wipe_status(&self) {
        for kind in OBJECTS {
            self.world.wipe_status(kind, NAME).await;
        }
    }

    /// `kubectl replace --force`: both objects are deleted and made again.
    pub(super) async fn replace(&self) {
        let folder = tempfile::tempdir().unwrap();
        for object in [&self.world.fixture.endpoint, &self.world.fixture.connection] {
            let file = folder.path().join("object.json");
            fs::write(&file, object.to_string()).unwrap();
            let arguments = ["--namespace", &self.world.namespace, "replace", "--force", "-f"];
            let mut command = tokio::process::Command::from(self.world.cluster.kubectl(&arguments));
            let output = command.arg(&file).output().await.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// A leader that dies is followed after four seconds; a lost create is repeated after six.
fn options(world: &World) -> Options {
    let short = [
        ("lease-duration", "4s"),
        ("lease-renew-deadline", "3s"),
        ("lease-retry-period", "500ms"),
        ("lost-create-timeout", "6s"),
    ];
    short.into_iter().fold(world.options(), |options, (name, value)| options.flag(name, value))
}

/// The manifests of the samples, with every option that needs a request of its own.
fn widen(world: &mut World, seed: &Value) {
    let fixture = &mut world.fixture;
    let source = at(seed, "/ibm/uko/sourceAddress").as_str().unwrap();
    add(&mut fixture.endpoint, "/spec", "allowedSources", json!([format!("{source}/32")]));
    let connection = &mut fixture.connection;
    add(connection, "/spec/azure", "keyPermissions", json!("Grant"));
    add(connection, "/spec/azure", "publicNetworkAccess", json!("Disabled"));
    set(connection, "/spec/uko/vault", json!({ "name": UKO_VAULT, "create": true }));
}

/// One key permission less, things of others on the same connector and in the same UKO, and a cloud that takes every
/// duplicate, so that nothing but the operator itself can prevent one.
fn changes(seed: &Value, state: &Value) -> Value {
    let connector = at(seed, "/ibm/connector/id").as_str().unwrap();
    let mut policies = at(state, "/azure/vaults/payments-kv/accessPolicies").clone();
    let permissions = policies.pointer_mut("/1/permissions/keys").and_then(Value::as_array_mut).unwrap();
    permissions.retain(|word| word != "purge");
    json!({
        "settings": { "retryAfterSeconds": 0, "vaultLockSeconds": 1, "connectionLagSeconds": 1, "subnetExclusive": true },
        "azure": { "vaults": { "payments-kv": { "accessPolicies": policies } } },
        "ibm": {
            "switches": { "uniqueLinkNames": false, "duplicateNames": "allowed", "pendingChecks": 1 },
            "endpoints": { format!("{connector}_other"): {
                "parent": connector, "connType": "location", "displayName": "theirs", "serverHost": "db.example.com",
                "serverPort": 5432, "clientProtocol": "tcp", "serverProtocol": "tcp", "enabled": true,
                "clientHost": "c-01.private.eu-de.link.satellite.cloud.ibm.com", "clientPort": 40000,
            } },
            "sources": { format!("{connector}-Source-other"): {
                "parent": connector, "kind": "user", "sourceName": "theirs", "addresses": ["10.0.0.0/8"],
            } },
            "uko": { at(seed, "/ibm/uko/instanceId").as_str().unwrap(): { "keystores": { "5b0e7c1a-0000-4000-8000-0000000000aa": {
                "vault": at(seed, "/ibm/uko/vault/id"), "name": "theirs", "connection": {
                    "azureServiceName": at(seed, "/azure/vaults/standard/name"),
                    "azureSubscriptionId": at(seed, "/azure/subscriptionId"), "azureVariant": "standard",
                },
            } } } },
        },
    })
}

/// Every place of `before` that is different in `after`, apart from the Key Vault of the connection and counters.
fn touched(before: &Value, after: &Value) -> Vec<String> {
    let mut places = Vec::new();
    compare("", before, after, &mut places);
    let ours = ["/azure/vaults/payments-kv/", "/azure/counters", "/ibm/nextClientPort", "/azure/operations"];
    places.retain(|place| !ours.iter().any(|ours| place.starts_with(ours)));
    places
}

fn compare(place: &str, before: &Value, after: &Value, places: &mut Vec<String>) {
    match (before.as_object(), after.as_object()) {
        (Some(before), Some(after)) => {
            for (name, value) in before {
                compare(&format!("{place}/{name}"), value, after.get(name).unwrap_or(&Value::Null), places);
            }
        }
        _ if before == after => {}
        _ => places.push(place.to_owned()),
    }
}

#[test]
fn what_belongs_to_others_is_missed_when_it_changes_or_goes() {
    let before = json!({ "ibm": { "sources": { "theirs": { "addresses": ["10.0.0.0/8"] } }, "nextClientPort": 1 } });
    let mut after = before.clone();
    after["ibm"]["nextClientPort"] = json!(2);
    after["ibm"]["sources"]["ours"] = json!({});
    assert_eq!(touched(&before, &after), Vec::<String>::new());
    after["ibm"]["sources"]["theirs"]["addresses"] = json!([]);
    assert_eq!(touched(&before, &after), ["/ibm/sources/theirs/addresses"]);
    after["ibm"]["sources"] = json!({});
    assert_eq!(touched(&before, &after), ["/ibm/sources/theirs"]);
}

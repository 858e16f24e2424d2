//! The stage of one crash: a world with things of others in it, manifests that need every request of the flow, an
//! operator with short timings behind a gate, and what stands at the end.
//!
//! In: a name. Out: [`Stage`], [`End`]. Never: knows where the crash was.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::{end::changes, points::Shape};
use crate::harness::{Gate, Operator, Options, World, add, at, promptly, set, story::text};

/// Name of the UKO vault that the flow makes.
const UKO_VAULT: &str = "crash";
/// Both kinds, the one that the other needs first.
pub(super) const OBJECTS: [&str; 2] = ["ConnectorEndpoint", "AzureKeystoreConnection"];
/// Both objects.
pub(super) const NAME: &str = "payments";

/// A world and what stood in its cloud before anything of ours.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) gate: Gate,
    before: Value,
    password: Option<Value>,
}

/// What a flow left behind.
pub(super) struct End {
    /// Every place of the clouds that is not as before.
    clouds: Vec<String>,
    /// Conditions and finalizers of our objects.
    objects: Vec<String>,
    /// How often each thing was asked for that a second request would make twice.
    pub(super) made: BTreeMap<Shape, usize>,
}

impl Stage {
    /// Everything but the objects and the operator.
    pub(super) async fn new(name: &str) -> Self {
        let mut world = World::without_operator(name).await;
        let seed = world.cloud.seed();
        let state = world.cloud.state().await;
        world.cloud.patch(&peopled(&seed, &state)).await;
        widen(&mut world, &seed);
        let before = world.cloud.state().await;
        let gate = Gate::open(world.cluster.client().await).await;
        Self { world, gate, before, password: None }
    }

    /// Starts an operator; the one before must be dead.
    pub(super) fn start_operator(&mut self) {
        assert!(self.world.operator.is_none(), "one is alive");
        let options = options(&self.world).through(&self.gate);
        self.world.operator = Some(Operator::start(self.world.cluster, &self.world.cloud, &options));
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

    /// Waits until the clouds were asked so often, counted from the first request of all.
    pub(super) async fn wait_for_requests(&self, count: u64) {
        self.wait_for_request("the clouds are asked", |request| at(request, "/seq").as_u64() >= Some(count)).await;
    }

    /// Waits until a write stopped at the gate.
    pub(super) async fn wait_for_gate(&self) {
        let stopped = promptly("a write stops at the gate", async || {
            if self.gate.has_stopped() { Ok(()) } else { Err(format!("{:?}", self.gate.writes())) }
        });
        self.told(stopped.await).await;
    }

    async fn wait_for_request(&self, what: &str, is: impl Fn(&Value) -> bool) {
        let mut last = 0;
        let met = promptly(what, async || {
            let new = self.world.cloud.requests_after(last).await;
            last = new.iter().filter_map(|request| at(request, "/seq").as_u64()).max().unwrap_or(last);
            if new.iter().any(&is) { Ok(()) } else { Err(format!("{last} requests")) }
        });
        self.told(met.await).await;
    }

    async fn told(&self, outcome: Result<(), String>) {
        if let Err(message) = outcome {
            panic!("{message}\n{}", self.world.diagnosis().await);
        }
    }

    /// Waits until both objects are Ready.
    pub(super) async fn are_ready(&self) {
        for kind in OBJECTS {
            self.world.wait_condition(kind, NAME, "Ready", "True").await;
        }
    }

    /// Waits until neither is there any more.
    pub(super) async fn are_gone(&self) {
        for kind in OBJECTS {
            self.world
                .eventually(&format!("{kind} is gone"), async || match self.world.get(kind, NAME).await {
                    Some(object) => Err(object.to_string()),
                    None => Ok(()),
                })
                .await;
        }
    }

    /// Waits until a look that is asked for as `request` has found nothing to do.
    pub(super) async fn settles(&self, request: &str) {
        let seq = self.world.cloud.last_request().await;
        let asked = json!({ "metadata": { "annotations": { "uko-operator.io/reconcile-requested-at": request } } });
        for kind in OBJECTS {
            self.world.merge(kind, NAME, &asked).await;
        }
        for kind in OBJECTS {
            self.world
                .eventually(&format!("{kind} handles a request to look"), async || {
                    let object = self.world.get(kind, NAME).await.ok_or("gone")?;
                    let handled = object.pointer("/status/lastHandledReconcileAt") == Some(&json!(request));
                    handled.then_some(()).ok_or_else(|| at(&object, "/status").to_string())
                })
                .await;
        }
        let writes = self.world.cloud.writes_after(seq).await;
        assert_eq!(writes, BTreeMap::new(), "a settled world is written to");
    }

    /// Waits until status says that UKO uses another password than when the flow began.
    pub(super) async fn has_the_new_password(&self) {
        let fingerprint = "/status/uko/credentials/fingerprint";
        self.world
            .eventually("UKO uses the new password", async || {
                let object = self.world.get(OBJECTS[1], NAME).await.ok_or("gone")?;
                let now = object.pointer(fingerprint).cloned();
                if now.is_some() && now != self.password { Ok(()) } else { Err(format!("fingerprint {now:?}")) }
            })
            .await;
    }

    /// Remembers which password UKO uses.
    pub(super) async fn notes_the_password(&mut self) {
        let object = self.world.get(OBJECTS[1], NAME).await.unwrap();
        self.password = object.pointer("/status/uko/credentials/fingerprint").cloned();
    }

    /// What stands now.
    pub(super) async fn end(&self, first_request: u64) -> End {
        let state = self.world.cloud.state().await;
        let hashes = hashes(&state);
        let short: Vec<&str> = hashes.iter().filter_map(|hash| hash.get(..8)).collect();
        let hidden: Vec<&str> =
            hashes.iter().map(String::as_str).chain(short).chain([&*self.world.namespace]).collect();
        let mut made = BTreeMap::new();
        for request in self.world.cloud.requests_after(first_request).await {
            let shape = Shape::of(&request);
            if shape.makes() {
                *made.entry(shape).or_default() += 1;
            }
        }
        self.world.no_secret_anywhere().await;
        End { clouds: changes(&self.before, &state, &hidden), objects: self.objects().await, made }
    }

    /// # Panics
    /// With what is different, and what the world looks like.
    pub(super) async fn judge(&self, without: &End, with: &End) {
        let differences = without.against(with).join("\n");
        let diagnosis = self.world.diagnosis().await;
        assert!(differences.is_empty(), "without a crash (-) and with it (+):\n{differences}\n{diagnosis}");
    }

    async fn objects(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for kind in OBJECTS {
            for object in self.world.list(kind).await {
                for condition in at(&object, "/status/conditions").as_array().into_iter().flatten() {
                    let [type_, status, reason] = ["/type", "/status", "/reason"].map(|part| text(condition, part));
                    // How far a rotation is known to be is history, which a lost status loses.
                    let reason = if type_ == "CredentialsValid" { "" } else { reason };
                    lines.push(format!("{kind} {type_} {status} {reason}"));
                }
                assert_eq!(object.pointer("/status/pendingCreate"), None, "{kind}");
                let finalizers = object.pointer("/metadata/finalizers").cloned().unwrap_or_default();
                lines.push(format!("{kind} has finalizers {finalizers}"));
            }
        }
        lines.sort();
        lines
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

impl End {
    /// What is different in another end: lines of this one with `-`, of the other with `+`.
    pub(super) fn against(&self, other: &Self) -> Vec<String> {
        let made =
            |end: &Self| end.made.iter().map(|(shape, count)| format!("{count} times {shape}")).collect::<Vec<_>>();
        let mut lines = Vec::new();
        for (ours, theirs) in
            [(&self.clouds, &other.clouds), (&self.objects, &other.objects), (&made(self), &made(other))]
        {
            let mut rest = theirs.clone();
            for line in ours {
                match rest.iter().position(|other| other == line) {
                    Some(place) => drop(rest.remove(place)),
                    None => lines.push(format!("- {line}")),
                }
            }
            lines.extend(rest.into_iter().map(|line| format!("+ {line}")));
        }
        lines
    }
}

/// The owners' hashes that stand in marks.
fn hashes(state: &Value) -> Vec<String> {
    let text = state.to_string();
    let marks = text.split("uko-operator:").skip(1).chain(text.split("\"uko-operator-owner\":\"").skip(1));
    let hash = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    let mut hashes: Vec<String> = marks.map(hash).filter(|hash| hash.len() == 26).collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

/// A leader that dies is followed after nine seconds: a shorter lease is lost on a busy machine. A lost create is repeated
/// after six.
fn options(world: &World) -> Options {
    let short = [
        ("lease-duration", "9s"),
        ("lease-renew-deadline", "7s"),
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
fn peopled(seed: &Value, state: &Value) -> Value {
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

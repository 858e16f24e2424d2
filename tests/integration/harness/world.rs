//! One test's world: a cloud, an operator and a namespace with the Secrets of the samples.
//!
//! In: a name. Out: what a user can do and see. Never: shared with another test, the cluster apart.

use std::{
    process::Output,
    sync::atomic::{AtomicUsize, Ordering},
};

use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    core::DynamicObject,
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Cloud, Cluster, Fixture, Operator, Options, api_resource,
    eventually::{DEADLINE, try_eventually},
    fixture::{at, documents},
    folder::Folder,
    leaks,
    story::{condition, says, text},
};

/// Everything a test needs.
pub(crate) struct World {
    /// The Kubernetes, shared with other tests.
    pub(crate) cluster: &'static Cluster,
    /// The clouds, nobody else's.
    pub(crate) cloud: Cloud,
    /// The operator; `None` once a test took it away.
    pub(crate) operator: Option<Operator>,
    /// The namespace it watches.
    pub(crate) namespace: String,
    /// Secrets, manifests and policy with this cloud's names.
    pub(crate) fixture: Fixture,
    client: Client,
    _place: SemaphorePermit<'static>,
}

/// So many worlds at once: each is two processes, and the machine may have two cores.
static PLACES: Semaphore = Semaphore::const_new(9);

impl World {
    /// Cloud, namespace, Secrets and operator; no object of ours yet.
    pub(crate) async fn start(name: &str) -> Self {
        Self::start_with(name, |options| options).await
    }

    /// The same with other flags for the operator.
    pub(crate) async fn start_with(name: &str, change: impl FnOnce(Options) -> Options) -> Self {
        let mut world = Self::without_operator(name).await;
        let options = change(world.options());
        world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
        world
    }

    /// Cloud, namespace and Secrets only. The cloud answers at once where the real one takes minutes.
    pub(crate) async fn without_operator(name: &str) -> Self {
        Self::on(Cluster::with_crds(), name).await
    }

    /// The same on another cluster, which may have no CRDs yet.
    pub(crate) async fn on(cluster: impl Future<Output = &'static Cluster>, name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let place = PLACES.acquire().await.unwrap();
        let (cluster, cloud) = tokio::join!(cluster, Cloud::start());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let world = Self {
            namespace: format!("{name}-{}-{number}", std::process::id()),
            client: cluster.client().await,
            fixture: Fixture::from_seed(&cloud.seed()),
            operator: None,
            cluster,
            cloud,
            _place: place,
        };
        world.cloud.patch(&json!({"settings": {"operationPolls": 0, "retryAfterSeconds": 0}})).await;
        world.create_namespace().await;
        for secret in &world.fixture.secrets {
            world.apply_value(secret).await.unwrap();
        }
        world
    }

    /// The same for another namespace of this cluster and for an operator that calls it another cluster, all in the clouds of
    /// `self`: its own cloud stays empty.
    pub(crate) async fn twin(&self, name: &str, cluster_id: &str) -> Self {
        let mut twin = Self::without_operator(name).await;
        twin.fixture = Fixture::from_seed(&self.cloud.seed());
        for secret in &twin.fixture.secrets {
            twin.apply_value(secret).await.unwrap();
        }
        let options = twin.options().flag("cluster-id", cluster_id);
        twin.operator = Some(Operator::start(twin.cluster, &self.cloud, &options));
        twin
    }

    /// What the operator of this world is started with.
    pub(crate) fn options(&self) -> Options {
        Options::new(&self.namespace, self.fixture.policy(&self.namespace))
    }

    /// Applies both manifests of the fixture.
    pub(crate) async fn apply_fixture(&self) {
        for object in [&self.fixture.endpoint, &self.fixture.connection] {
            self.apply_value(object).await.unwrap();
        }
    }

    /// Applies every document of a YAML text to this namespace; the error is what kubectl would print.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<(), kube::Error> {
        for document in documents(yaml) {
            self.apply_value(&document).await?;
        }
        Ok(())
    }

    /// Applies one object to this namespace.
    pub(crate) async fn apply_value(&self, object: &Value) -> Result<Value, kube::Error> {
        let kind = at(object, "/kind").as_str().unwrap();
        let name = at(object, "/metadata/name").as_str().unwrap();
        let user = PatchParams::apply("a-user").force();
        let patch = Patch::Apply(object);
        let applied = self.api(kind).patch(name, &user, &patch).await?;
        Ok(serde_json::to_value(applied).unwrap())
    }

    /// kubectl with one object on its standard input, in this namespace.
    pub(crate) fn kubectl_with(&self, arguments: &[&str], object: &Value) -> Output {
        let file = Folder::new("kubectl").join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        let mut command = self.cluster.kubectl(&["--namespace", &self.namespace]);
        // kubectl's own record of what was applied, one line of JSON, is written another way by each of its two ways to apply.
        command.env("KUBECTL_EXTERNAL_DIFF", "diff -u -N --ignore-matching-lines=kind");
        command.args(arguments).arg("--filename").arg(file).output().unwrap()
    }

    /// Merges a patch into an object.
    pub(crate) async fn merge(&self, kind: &str, name: &str, patch: &Value) -> Value {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        serde_json::to_value(patched).unwrap()
    }

    /// The same where the API server may refuse it.
    pub(crate) async fn try_merge(&self, kind: &str, name: &str, patch: &Value) -> Result<(), String> {
        let patched = self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(|error| error.to_string())
    }

    /// Takes an object's status away, as a restore from a backup does.
    pub(crate) async fn wipe_status(&self, kind: &str, name: &str) {
        let nothing = Patch::Merge(json!({ "status": null }));
        self.api(kind).patch_status(name, &PatchParams::default(), &nothing).await.unwrap();
    }

    /// Deletes an object.
    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Deletes the namespace with everything in it.
    pub(crate) async fn delete_namespace(&self) {
        self.namespaces().delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }

    /// How far the namespace is; none once it is gone.
    pub(crate) async fn namespace_phase(&self) -> Option<String> {
        let namespace = self.namespaces().get_opt(&self.namespace).await.unwrap()?;
        Some(namespace.data.to_string())
    }

    fn namespaces(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &api_resource("Namespace"))
    }

    /// An object as it is now.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let object = self.api(kind).get_opt(name).await.unwrap();
        object.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Every object of a kind in this namespace.
    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        let all = self.api(kind).list(&ListParams::default()).await.unwrap();
        all.items.iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// One condition of an object.
    pub(crate) async fn condition(&self, kind: &str, name: &str, type_: &str) -> Option<Value> {
        condition(&self.get(kind, name).await?, type_).cloned()
    }

    /// Waits until a condition says `want` of the object's present generation: `True`, or with a reason `False/Denied`.
    ///
    /// # Panics
    /// After [`DEADLINE`], with the object, its events and the logs of operator and cloud.
    pub(crate) async fn wait_condition(&self, kind: &str, name: &str, type_: &str, want: &str) -> Value {
        let what = format!("{kind} {name} has {type_}={want}");
        self.eventually(&what, async || {
            let object = self.get(kind, name).await.ok_or("no such object")?;
            let condition = condition(&object, type_).ok_or("no such condition")?.clone();
            let current = condition.get("observedGeneration") == object.pointer("/metadata/generation");
            if current && says(&condition, want) { Ok(condition) } else { Err(condition.to_string()) }
        })
        .await
    }

    /// Waits for anything, and says on failure what the world looks like.
    pub(crate) async fn eventually<T>(&self, what: &str, attempt: impl AsyncFnMut() -> Result<T, String>) -> T {
        match try_eventually(what, DEADLINE, attempt).await {
            Ok(value) => value,
            Err(message) => panic!("{message}\n{}", self.diagnosis().await),
        }
    }

    /// Events about objects of this namespace, oldest first: `Type Reason object: message`.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut events = self.list("Event").await;
        events.sort_by_key(|event| text(event, "/metadata/creationTimestamp").to_owned());
        events
            .iter()
            .map(|event| {
                format!(
                    "{} {} {}/{}: {}",
                    text(event, "/type"),
                    text(event, "/reason"),
                    text(event, "/involvedObject/kind"),
                    text(event, "/involvedObject/name"),
                    text(event, "/message")
                )
            })
            .collect()
    }

    /// The names of the secrets and tokens that stand in a text, in no place that the world knows of by itself.
    pub(crate) async fn secrets_in(&self, place: &str, text: &str) -> Vec<String> {
        let requests = self.cloud.requests_after(0).await;
        leaks::found_in(&self.secrets(&requests), place, text)
    }

    fn secrets(&self, requests: &[Value]) -> Vec<leaks::Secret> {
        let secrets = leaks::secrets(&self.cloud.seed(), requests);
        assert!(!secrets.is_empty(), "the seed holds no secret to look for");
        secrets
    }

    /// Asserts that no secret of the seed and no token stands in a log, event, object, metric, or in a request where it
    /// has no business.
    pub(crate) async fn no_secret_anywhere(&self) {
        let requests = self.cloud.requests_after(0).await;
        let secrets = self.secrets(&requests);
        let mut leaks = leaks::found_in_requests(&secrets, &requests);
        for kind in ["ConnectorEndpoint", "AzureKeystoreConnection", "Event", "ConfigMap"] {
            let objects = Value::from(self.list(kind).await).to_string();
            leaks.extend(leaks::found_in(&secrets, kind, &objects));
        }
        if let Some(operator) = &self.operator {
            leaks.extend(leaks::found_in(&secrets, "the log", &operator.log()));
            leaks.extend(leaks::found_in(&secrets, "the metrics", &operator.metrics().await));
        }
        assert_eq!(leaks, Vec::<String>::new());
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &api_resource(kind))
    }

    async fn create_namespace(&self) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let object = serde_json::from_value(namespace).unwrap();
        self.namespaces().create(&PostParams::default(), &object).await.unwrap();
    }

    /// What the world looks like, for a failed test.
    pub(crate) async fn diagnosis(&self) -> String {
        let mut parts = Vec::new();
        for kind in ["ConnectorEndpoint", "AzureKeystoreConnection"] {
            for object in self.list(kind).await {
                let name = text(&object, "/metadata/name");
                let status = object.get("status").cloned().unwrap_or_default();
                parts.push(format!("--- status of {kind} {name}\n{status:#}"));
            }
        }
        parts.push(format!("--- events\n{}", self.events().await.join("\n")));
        if let Some(operator) = &self.operator {
            let end = operator.log_tail(60);
            parts.push(format!("--- end of the operator's log\n{end}"));
        }
        let end = self.cloud.log_tail(30);
        parts.push(format!("--- end of the cloud's log\n{end}"));
        parts.join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.operator = None; // before the cloud, or it complains about a dead proxy
        if !self.cluster.is_ours() {
            let _left = self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]).output();
        }
    }
}

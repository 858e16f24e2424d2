//! Makes the two controllers and hands them to the supervisor.
//!
//! In: what a leading process has. Out: named tasks that end when the process does. Never: decides.

use std::sync::Arc;

use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use kube::runtime::events::{Recorder, Reporter};

use super::run::Operator;
use crate::{
    api::v1alpha1::crds,
    clouds::{
        Clouds, hosts,
        http::{CloudMetrics, HttpSettings, ProxySettings},
    },
    connector_endpoint::{ConnectorEndpoints, EndpointMetrics},
    keystore_connection::{ConnectionMetrics, KeystoreConnections, Operations},
    process::{
        settings::{LinkScope, Settings},
        supervise::Supervisor,
    },
    reconcile::{
        announce::Announced,
        driver::{self, Shared},
        locks::Locks,
        look::FullLooks,
        metrics::Metrics,
        pace::PaceSettings,
        prices::Prices,
        release::Retained,
        secrets, status,
        wake::Wakes,
    },
};

/// Starts everything that works for resources.
///
/// # Errors
/// The clouds' HTTP stack cannot be built from the flags.
pub(super) fn start(operator: Operator, prices: Prices, supervise: &mut Supervisor) -> anyhow::Result<()> {
    let settings = Arc::clone(&operator.settings);
    let cloud_metrics = operator.metrics.register(CloudMetrics::register);
    let clouds = Clouds::new(&http(&settings), &cloud_metrics, link_scope(settings.flags.link_scope))
        .context("cannot prepare the connection to the clouds")?;
    let wakes = Arc::new(Wakes::default());
    let shared = Arc::new(Shared {
        kube: operator.kube.clone(),
        leadership: operator.leadership.clone(),
        pace: pace(&settings),
        events: Recorder::new(
            operator.kube.clone(),
            Reporter { controller: "uko-operator".to_owned(), instance: Some(settings.identity.clone()) },
        ),
        metrics: operator.metrics.register(Metrics::register),
        wakes: Arc::clone(&wakes),
        locks: Locks::default(),
        announced: Announced::new(settings.flags.lost_create_timeout),
        full_looks: FullLooks::default(),
        fingerprints: operator.fingerprints.clone(),
        concurrency: settings.flags.concurrency,
        cluster_id: operator.cluster_id.clone(),
    });
    let [endpoint_schema, connection_schema] = status_schemas();
    let endpoints = Arc::new(ConnectorEndpoints {
        shared: Arc::clone(&shared),
        clouds: clouds.clone(),
        status_schema: endpoint_schema,
        retained: Retained::default(),
        metrics: operator.metrics.register(EndpointMetrics::register),
    });
    let connections = Arc::new(KeystoreConnections {
        shared,
        clouds,
        status_schema: connection_schema,
        retained: Retained::default(),
        policy: operator.policy.clone(),
        prices,
        operations: Operations::default(),
        metrics: operator.metrics.register(ConnectionMetrics::register),
    });
    let namespaces = settings.watch_namespaces.clone();
    spawn(supervise, "connector-endpoint", driver::run(endpoints, namespaces.clone(), supervise.stop()));
    spawn(supervise, "keystore-connection", driver::run(connections, namespaces, supervise.stop()));
    spawn(supervise, "secret-watches", secrets::watch(operator.kube, Arc::clone(&wakes), supervise.stop()));
    let (mut policy, stop) = (operator.policy, supervise.stop());
    spawn(supervise, "policy-wake", async move {
        while let Some(Ok(())) = stop.run_until_cancelled(policy.changed()).await {
            wakes.everyone();
        }
        stop.cancelled().await;
    });
    Ok(())
}

fn status_schemas() -> [Option<JSONSchemaProps>; 2] {
    let mut crds = crds().into_iter();
    [crds.next(), crds.next()].map(|crd| crd.as_ref().and_then(status::schema_of))
}

fn spawn(supervise: &mut Supervisor, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    supervise.spawn(name, async move {
        task.await;
        Ok(())
    });
}

fn http(settings: &Settings) -> HttpSettings {
    HttpSettings {
        request_timeout: settings.flags.request_timeout,
        connect_timeout: settings.flags.connect_timeout,
        extra_ca_file: settings.flags.extra_ca_file.clone(),
        proxy: ProxySettings {
            https_proxy: settings.proxy.https_proxy.clone(),
            http_proxy: settings.proxy.http_proxy.clone(),
            no_proxy: settings.proxy.no_proxy.clone(),
        },
        ..HttpSettings::default()
    }
}

fn pace(settings: &Settings) -> PaceSettings {
    PaceSettings {
        backoff_initial: settings.flags.backoff_initial,
        backoff_max: settings.flags.backoff_max,
        ready_grace: settings.flags.ready_grace,
        progress_deadline: settings.flags.progress_deadline,
        poll_interval: settings.flags.poll_interval,
        min_interval: settings.flags.min_interval,
        full_look_interval: settings.flags.full_look_interval,
    }
}

fn link_scope(scope: LinkScope) -> hosts::LinkScope {
    match scope {
        LinkScope::Connectors => hosts::LinkScope::Connectors,
        LinkScope::Locations => hosts::LinkScope::Locations,
    }
}

//! `uko-operator check`: does an installed operator work? The command of `helm test`.
//!
//! In: a namespace that the operator watches. Out: what it said of one object of ours, made for this and deleted again.
//! Never: a call to a cloud: the object is in mode Plan and names no Secret that is there.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, builder::NonEmptyStringValueParser};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::run::install_tls;
use crate::{
    api::v1alpha1::ConnectorEndpoint,
    process::{api_server, settings::duration},
};

const PAUSE: Duration = Duration::from_millis(500);
const CONNECT: Duration = Duration::from_secs(5);
/// Deleting must be tried even when the time is up.
const LAST_CALL: Duration = Duration::from_secs(10);

/// Flags of `uko-operator check`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// A namespace that the operator watches.
    #[arg(long, value_name = "NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    namespace: String,

    /// How long the operator may take.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration::parse)]
    timeout: Duration,
}

/// What the operator said, as a line to print.
pub(super) fn check(flags: &Flags) -> anyhow::Result<String> {
    install_tls()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(checked(flags))
}

async fn checked(flags: &Flags) -> anyhow::Result<String> {
    let kube = api_server::connect(CONNECT).await?;
    let endpoints: Api<ConnectorEndpoint> = Api::namespaced(kube, &flags.namespace);
    let name = format!("uko-operator-check-{:08x}", fastrand::u32(..));
    let late = || format!("within {:?}", flags.timeout);
    timeout(flags.timeout, endpoints.create(&PostParams::default(), &trial(&name)?))
        .await
        .with_context(|| {
            format!("the API server did not take ConnectorEndpoint {}/{name} {}", flags.namespace, late())
        })?
        .with_context(|| format!("cannot make ConnectorEndpoint {}/{name}", flags.namespace))?;
    let word = timeout(flags.timeout, word_on(&endpoints, &name)).await;
    let deleted = timeout(LAST_CALL, endpoints.delete(&name, &DeleteParams::default())).await;
    let word = word.with_context(|| {
        format!(
            "the operator said nothing about ConnectorEndpoint {}/{name} {}: look at its pods and their logs, and whether it watches this namespace",
            flags.namespace,
            late()
        )
    })??;
    deleted.context("no answer to its deletion")?.with_context(|| format!("cannot delete ConnectorEndpoint {name}"))?;
    timeout(flags.timeout, until_gone(&endpoints, &name)).await.with_context(|| {
        format!("ConnectorEndpoint {}/{name} was deleted and is still there {}", flags.namespace, late())
    })??;
    Ok(format!("the operator reconciled ConnectorEndpoint {}/{name}: Ready {word}\n", flags.namespace))
}

/// A plan that can never become anything: its Secret is not there.
fn trial(name: &str) -> anyhow::Result<ConnectorEndpoint> {
    serde_json::from_value(json!({
        "apiVersion": "uko-operator.io/v1alpha1",
        "kind": "ConnectorEndpoint",
        "metadata": { "name": name, "labels": { "app.kubernetes.io/managed-by": "uko-operator-check" } },
        "spec": {
            "mode": "Plan",
            "connector": { "id": "uko-operator-check" },
            "authentication": { "type": "APIKey", "apiKey": { "secretRef": { "name": name } } },
            "destination": { "host": "check.invalid", "port": 443 },
        },
    }))
    .context("cannot make the object")
}

/// Status and reason of Ready, once they are of this generation.
async fn word_on(endpoints: &Api<ConnectorEndpoint>, name: &str) -> anyhow::Result<String> {
    loop {
        let Some(object) =
            endpoints.get_opt(name).await.with_context(|| format!("cannot read ConnectorEndpoint {name}"))?
        else {
            bail!("ConnectorEndpoint {name} was deleted by somebody else");
        };
        if let Some(status) = &object.status
            && Some(status.observed_generation) == object.metadata.generation
            && let Some(ready) = status.conditions.iter().find(|condition| condition.type_ == "Ready")
        {
            return Ok(format!("{} ({}), as it must be: the Secret it names is not there", ready.status, ready.reason));
        }
        sleep(PAUSE).await;
    }
}

async fn until_gone(endpoints: &Api<ConnectorEndpoint>, name: &str) -> anyhow::Result<()> {
    while endpoints.get_opt(name).await.context("cannot see whether it is gone")?.is_some() {
        sleep(PAUSE).await;
    }
    Ok(())
}

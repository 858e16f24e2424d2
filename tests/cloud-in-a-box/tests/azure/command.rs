//! The binary: what it prints, the files it leaves, how it ends.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::bench::plain;

#[tokio::test]
async fn it_says_ready_leaves_its_files_and_ends_with_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("patch.json");
    std::fs::write(&seed, r#"{"settings": {"operationPolls": 7}}"#).unwrap();
    let dir = folder.path().join("box");
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloud-in-a-box"))
        .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--exit-with-stdin"])
        .arg("--dir")
        .arg(&dir)
        .arg("--seed")
        .arg(&seed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "ready");
    for name in ["ca.pem", "uko-ca.pem", "env", "seed.json", "control", "ready"] {
        assert!(dir.join(name).exists(), "{name}");
    }
    let env = std::fs::read_to_string(dir.join("env")).unwrap();
    for name in
        ["HTTPS_PROXY=", "https_proxy=", "SSL_CERT_FILE=", "REQUESTS_CA_BUNDLE=", "NO_PROXY='127.0.0.1,localhost'"]
    {
        assert!(env.contains(&format!("export {name}")), "{name} in {env}");
    }
    let control = std::fs::read_to_string(dir.join("control")).unwrap();
    let state: Value = plain().get(format!("{}/state", control.trim())).send().await.unwrap().json().await.unwrap();
    assert_eq!(state["settings"]["operationPolls"], 7);
    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn the_seed_says_where_everything_is() {
    let folder = tempfile::tempdir().unwrap();
    let running = cloud_in_a_box::server::start(cloud_in_a_box::server::Options::anywhere(folder.path().to_owned()))
        .await
        .unwrap();
    let seed: Value = serde_json::from_slice(&std::fs::read(running.dir.join("seed.json")).unwrap()).unwrap();
    for pointer in [
        "/azure/tenantId",
        "/azure/subscriptionId",
        "/azure/location",
        "/azure/resourceGroup",
        "/azure/networkResourceGroup",
        "/azure/vnetId",
        "/azure/subnetId",
        "/azure/privateDnsZoneName",
        "/azure/operator/clientId",
        "/azure/operator/objectId",
        "/azure/operator/clientSecret",
        "/azure/servicePrincipal/clientId",
        "/azure/servicePrincipal/objectId",
        "/azure/servicePrincipal/clientSecret",
        "/azure/vaults/premium/name",
        "/azure/vaults/premium/id",
        "/azure/vaults/premium/uri",
        "/azure/vaults/premium/sku",
        "/azure/vaults/standard/name",
        "/ibm/apiKey",
        "/ibm/region",
        "/ibm/locationId",
        "/ibm/connector/id",
        "/ibm/connector/name",
        "/ibm/uko/instanceId",
        "/ibm/uko/url",
        "/ibm/uko/legacyUrl",
        "/ibm/uko/brokerUrl",
        "/ibm/uko/vault/id",
        "/ibm/uko/vault/name",
        "/ibm/uko/selfManaged/url",
        "/ibm/uko/selfManaged/caFile",
        "/ibm/uko/selfManaged/caPem",
        "/ibm/uko/selfManaged/clientCertPem",
        "/ibm/uko/selfManaged/clientKeyPem",
        "/ibm/uko/selfManaged/oidc/provider",
        "/ibm/uko/selfManaged/username",
        "/ibm/uko/selfManaged/password",
        "/ibm/uko/selfManaged/userId",
        "/ibm/uko/selfManaged/passcode",
    ] {
        assert!(seed.pointer(pointer).and_then(Value::as_str).is_some(), "{pointer}");
    }
}

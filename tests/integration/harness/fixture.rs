//! The samples a user reads, with the names of a cloud's seed in the places of the example's.
//!
//! In: `deploy/samples/` and a seed. Out: Secrets, two manifests, a policy. Never: a field the samples do not have.

use std::{fs, path::Path};

use serde_json::{Value, json};

/// Everything one connection needs, for a test to change before it applies it.
#[derive(Clone)]
pub(crate) struct Fixture {
    /// `payments-sp`, `azure-operator` and `ibm-cloud`.
    pub(crate) secrets: Vec<Value>,
    /// `ConnectorEndpoint` payments.
    pub(crate) endpoint: Value,
    /// `AzureKeystoreConnection` payments.
    pub(crate) connection: Value,
    /// What is in the cloud at the start.
    pub(crate) seed: Value,
}

impl Fixture {
    /// The samples with the seed's names.
    pub(crate) fn from_seed(seed: &Value) -> Self {
        Self {
            secrets: secrets(seed),
            endpoint: endpoint(sample("connector-endpoint.yaml").remove(0), seed),
            connection: connection(sample("azure-keystore-connection.yaml").remove(0), seed),
            seed: seed.clone(),
        }
    }

    /// Both manifests of another sample, with the seed's names: first the endpoint, then the connection.
    pub(crate) fn pair(&self, file: &str) -> [Value; 2] {
        let mut documents = sample(file);
        let second = documents.pop().unwrap();
        [endpoint(documents.pop().unwrap(), &self.seed), connection(second, &self.seed)]
    }

    /// A policy file under which `namespace` may use the seed's UKO instance, and nothing else.
    pub(crate) fn policy(&self, namespace: &str) -> Value {
        let mut policy = sample("policy.example.yaml").remove(0);
        set(&mut policy, "/rules/0/namespaces", json!([namespace]));
        set(&mut policy, "/rules/0/ukoInstances", json!([at(&self.seed, "/ibm/uko/instanceId")]));
        policy
    }
}

/// The documents of one sample file.
pub(crate) fn sample(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples").join(file);
    documents(&fs::read_to_string(path).unwrap())
}

/// The documents of a YAML text.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    serde_yaml::from_multiple(yaml).unwrap()
}

/// Replaces what is at `pointer`, which must be there: a sample that lost a field fails here.
pub(crate) fn set(document: &mut Value, pointer: &str, value: Value) {
    match document.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => panic!("no {pointer} in {document}"),
    }
}

/// What is at `pointer`, which must be there.
pub(crate) fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {document}"))
}

fn secrets(seed: &Value) -> Vec<Value> {
    let values = [
        ("payments-sp", "clientSecret", "/azure/servicePrincipal/clientSecret"),
        ("azure-operator", "clientSecret", "/azure/operator/clientSecret"),
        ("ibm-cloud", "apiKey", "/ibm/apiKey"),
    ];
    let mut secrets = sample("secrets.example.yaml");
    assert_eq!(secrets.len(), values.len());
    for (secret, (name, key, pointer)) in secrets.iter_mut().zip(values) {
        assert_eq!(at(secret, "/metadata/name"), name);
        set(secret, &format!("/stringData/{key}"), at(seed, pointer).clone());
    }
    secrets
}

fn endpoint(mut endpoint: Value, seed: &Value) -> Value {
    set(&mut endpoint, "/spec/connector/id", at(seed, "/ibm/connector/id").clone());
    set(
        &mut endpoint,
        "/spec/destination/host",
        json!(format!(
            "{}.{}",
            at(seed, "/azure/vaults/premium/name").as_str().unwrap(),
            at(seed, "/azure/privateDnsZoneName").as_str().unwrap()
        )),
    );
    add(&mut endpoint, "/spec", "intervalSeconds", json!(10));
    endpoint
}

fn connection(mut connection: Value, seed: &Value) -> Value {
    for (field, pointer) in [
        ("azure/tenantId", "/azure/tenantId"),
        ("azure/subscriptionId", "/azure/subscriptionId"),
        ("azure/resourceGroup", "/azure/resourceGroup"),
        ("azure/vaultName", "/azure/vaults/premium/name"),
        ("azure/servicePrincipal/clientId", "/azure/servicePrincipal/clientId"),
        ("azure/identity/servicePrincipal/clientId", "/azure/operator/clientId"),
        ("privateEndpoint/resourceGroup", "/azure/networkResourceGroup"),
        ("privateEndpoint/subnetId", "/azure/subnetId"),
        ("uko/hpcs/instanceId", "/ibm/uko/instanceId"),
        ("uko/hpcs/region", "/ibm/region"),
        ("uko/vault/name", "/ibm/uko/vault/name"),
    ] {
        set(&mut connection, &format!("/spec/{field}"), at(seed, pointer).clone());
    }
    let zone = format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/privateDnsZones/{}",
        at(seed, "/azure/subscriptionId").as_str().unwrap(),
        at(seed, "/azure/networkResourceGroup").as_str().unwrap(),
        at(seed, "/azure/privateDnsZoneName").as_str().unwrap()
    );
    set(&mut connection, "/spec/privateEndpoint/privateDnsZoneId", json!(zone));
    set(&mut connection, "/spec/keyEncryptionKey/checkIntervalSeconds", json!(10));
    add(&mut connection, "/spec", "intervalSeconds", json!(10));
    connection
}

/// Adds a field that the samples leave at its default.
pub(crate) fn add(document: &mut Value, pointer: &str, field: &str, value: Value) {
    match document.pointer_mut(pointer).and_then(Value::as_object_mut) {
        Some(object) => object.insert(field.to_owned(), value),
        None => panic!("no object at {pointer} in {document}"),
    };
}

//! `charts/keystore-connection`: what a team's values become, and which rights they give the operator.
//!
//! In: values. Out: what Helm renders. Never: a cluster; `tests/integration/helm_waits.rs` installs it.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};
use uko_operator::api::{
    reference::{References, of_connector_endpoint, of_keystore_connection},
    v1alpha1::crds,
};

use crate::helm::{chart, template};

const CONNECTION: &str = "AzureKeystoreConnection";
const ENDPOINT: &str = "ConnectorEndpoint";
const CHART: &str = "keystore-connection";

/// What these values become, or what Helm complains of.
fn rendered(values: &Value) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    fs::write(&file, values.to_string()).unwrap(); // JSON is YAML
    template(CHART, &["--values", file.to_str().unwrap()]).map(|text| serde_yaml::from_multiple(&text).unwrap())
}

/// The first document of one sample.
fn sample(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/samples").join(file);
    let mut documents: Vec<Value> = serde_yaml::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
    documents.remove(0)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn guid() -> Value {
    json!("00000000-0000-4000-8000-000000000000")
}

/// The sample with every member of every union, so that every field that can name something names something of its own.
fn whole_connection() -> Value {
    let mut spec = sample("azure-keystore-connection.yaml")["spec"].take();
    spec["azure"]["servicePrincipal"]["passwordSecretRef"]["name"] = json!("one");
    spec["azure"]["identity"] = json!({
        "type": "ServicePrincipal",
        "servicePrincipal": {"clientId": guid(), "passwordSecretRef": {"name": "two"}, "certificateSecretRef": {"name": "three"}},
        "workloadIdentity": {"clientId": guid(), "serviceAccountRef": {"name": "account-one"}},
    });
    spec["uko"]["hpcs"]["authentication"] = json!({
        "type": "APIKey",
        "apiKey": {"secretRef": {"name": "four", "key": "k"}},
        "trustedProfile": {"id": "Profile-1", "serviceAccountRef": {"name": "account-two"}},
    });
    spec["uko"]["server"] = json!({
        "url": "https://uko.example.com",
        "caBundle": {"secretRef": {"name": "five"}},
        "authentication": {
            "type": "OidcPassword",
            "oidcPassword": {"provider": "EkmfOpenIdConnect", "clientId": "c", "secretRef": {"name": "six"}},
            "passcode": {"secretRef": {"name": "seven"}},
            "mutualTLS": {"secretRef": {"name": "eight"}},
        },
    });
    spec
}

fn whole_endpoint() -> Value {
    let mut spec = sample("connector-endpoint.yaml")["spec"].take();
    spec["authentication"] = json!({
        "type": "APIKey",
        "apiKey": {"secretRef": {"name": "nine"}},
        "trustedProfile": {"id": "Profile-1", "serviceAccountRef": {"name": "account-three"}},
    });
    spec
}

/// Fields below a schema or a value whose member `name` refers to an object: their paths.
fn referring(at: &Value, path: &str, is_schema: bool, found: &mut BTreeSet<String>) {
    let members = if is_schema { &at["properties"] } else { at };
    for (key, member) in members.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        if key.to_lowercase().ends_with("secretref") || key.ends_with("serviceAccountRef") {
            found.insert(path);
        } else {
            referring(member, &path, is_schema, found);
        }
    }
}

/// What the operator says that it reads for the objects of a release.
fn read_by_the_operator(objects: &[Value]) -> References {
    let mut all = References::default();
    for object in objects {
        let found = match text(object, "/kind") {
            CONNECTION => of_keystore_connection(&serde_json::from_value(object.clone()).unwrap()),
            ENDPOINT => of_connector_endpoint(&serde_json::from_value(object.clone()).unwrap()),
            _ => continue,
        };
        all.secrets.extend(found.secrets);
        all.service_accounts.extend(found.service_accounts);
    }
    all
}

/// Names and verbs of the rule of a Role on one resource.
fn rule(objects: &[Value], resource: &str) -> Option<(BTreeSet<String>, Value)> {
    let role = objects.iter().find(|object| text(object, "/kind") == "Role")?;
    let found = role["rules"].as_array()?.iter().find(|one| one["resources"] == json!([resource]))?;
    assert_eq!(found["apiGroups"], json!([""]));
    Some((serde_json::from_value(found["resourceNames"].clone()).unwrap(), found["verbs"].clone()))
}

#[test]
fn the_role_names_exactly_what_the_operator_reads_for_each_field_that_can_name_something() {
    for (kind, whole) in [(CONNECTION, whole_connection()), (ENDPOINT, whole_endpoint())] {
        let crds = crds();
        let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
        let schema = serde_json::to_value(crd).unwrap();
        let spec = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let (mut possible, mut named) = (BTreeSet::new(), BTreeSet::new());
        referring(spec, "spec", true, &mut possible);
        referring(&whole, "spec", false, &mut named);
        assert_eq!(named, possible, "this test lost a field of {kind} that can name something");
    }
    let values = json!({
        "connectorEndpoints": {"payments": {"spec": whole_endpoint()}},
        "azureKeystoreConnections": {"payments": {"spec": whole_connection()}},
        "operator": {"namespace": "system", "serviceAccount": "the-operator"},
    });
    let objects = rendered(&values).unwrap();
    let read = read_by_the_operator(&objects);
    assert_eq!((read.secrets.len(), read.service_accounts.len()), (9, 3), "each field names something of its own");
    assert_eq!(rule(&objects, "secrets"), Some((read.secrets, json!(["get", "list", "watch"]))));
    assert_eq!(rule(&objects, "serviceaccounts/token"), Some((read.service_accounts, json!(["create"]))));

    let role = objects.iter().find(|object| text(object, "/kind") == "Role").unwrap();
    assert_eq!(role["rules"].as_array().unwrap().len(), 2, "no other rule");
    let binding = objects.iter().find(|object| text(object, "/kind") == "RoleBinding").unwrap();
    assert_eq!(binding["subjects"], json!([{"kind": "ServiceAccount", "name": "the-operator", "namespace": "system"}]));
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert!(objects.iter().all(|object| text(object, "/metadata/namespace") == "ops"), "nothing outside the namespace");
    for kept in [role, binding] {
        assert_eq!(kept["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "the finalizers need it");
    }
    assert_eq!(objects.len(), 4);
}

#[test]
fn the_example_shares_what_two_vaults_have_in_common() {
    let example = fs::read_to_string(chart(CHART).join("examples/payments.yaml")).unwrap();
    let values: Value = serde_yaml::from_str(&example).unwrap();
    let objects = rendered(&values).unwrap();
    let of = |kind: &str| {
        let of_kind = objects.iter().filter(|object| text(object, "/kind") == kind);
        of_kind.map(|object| text(object, "/metadata/name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (of(CONNECTION), of(ENDPOINT)),
        (vec!["payments".into(), "refunds".into()], vec!["payments".into(), "refunds".into()])
    );
    let sample = sample("azure-keystore-connection.yaml");
    let made = objects.iter().find(|object| text(object, "/kind") == CONNECTION).unwrap();
    for part in ["azure", "uko", "connectorEndpointRef"] {
        assert_eq!(made["spec"][part], sample["spec"][part], "the example and the sample say the same of {part}");
    }
    let (secrets, _) = rule(&objects, "secrets").unwrap();
    assert_eq!(secrets, ["azure-operator", "ibm-cloud", "payments-sp"].map(str::to_owned).into());
    assert_eq!(rule(&objects, "serviceaccounts/token"), None, "no token is minted for anyone");
}

#[test]
fn what_an_instance_says_wins_over_the_defaults_also_when_it_says_no() {
    let values = json!({
        "defaults": {"connectorEndpoints": {
            "annotations": {"argocd.argoproj.io/sync-wave": "1"},
            "labels": {"team": "payments", "app.kubernetes.io/name": "payments"},
            "spec": {"suspend": true, "enabled": true, "allowedSources": ["10.0.0.0/8", "161.26.0.0/16"], "inactivityTimeoutSeconds": 60},
        }},
        "connectorEndpoints": {
            "a": {"annotations": {"b": "c"}, "spec": {"suspend": false, "enabled": false, "allowedSources": ["10.1.0.0/16"]}},
            "b": {},
        },
        "rbac": {"create": false},
    });
    let objects = rendered(&values).unwrap();
    assert_eq!(objects.len(), 2, "no Role, because nobody wants one: {objects:?}");
    let (a, b) = (&objects[0], &objects[1]);
    assert_eq!(
        a["spec"],
        json!({"suspend": false, "enabled": false, "allowedSources": ["10.1.0.0/16"], "inactivityTimeoutSeconds": 60})
    );
    assert_eq!(a["metadata"]["annotations"], json!({"argocd.argoproj.io/sync-wave": "1", "b": "c"}));
    assert_eq!(b["spec"]["suspend"], json!(true), "what one instance says does not reach the other");
    assert_eq!(b["metadata"]["labels"]["app.kubernetes.io/name"], "payments");
    assert_eq!(b["metadata"]["labels"]["app.kubernetes.io/instance"], "uko");
}

#[test]
fn a_typo_and_a_secret_value_have_no_place_in_the_values() {
    let connection = |spec: Value| json!({"azureKeystoreConnections": {"payments": {"spec": spec}}});
    let identity = |member: Value| connection(json!({"azure": {"identity": {"servicePrincipal": member}}}));
    for (values, complaint) in [
        (json!({"operater": {}}), "'operater' not allowed"),
        (json!({"operator": {"namespce": "x"}}), "'namespce' not allowed"),
        (json!({"defaults": {"connectorEndpoint": {}}}), "'connectorEndpoint' not allowed"),
        (json!({"azureKeystoreConnections": {"payments": {"azure": {}}}}), "'azure' not allowed"),
        (json!({"azureKeystoreConnections": {"Payments": {}}}), "'Payments'"),
        (connection(json!({"azure": {"vault": "x"}})), "'vault' not allowed"),
        (
            connection(json!({"connectionTest": "Sometimes"})),
            "'/azureKeystoreConnections/payments/spec/connectionTest'",
        ),
        (connection(json!({"intervalSeconds": 5})), "minimum"),
        (connection(json!({"privateEndpoint": {"tags": {"a": {"b": "c"}}}})), "tags"),
        (json!({"defaults": {"connectorEndpoints": {"spec": {"allowedSources": ["10.0.0.0"]}}}}), "allowedSources"),
        (identity(json!({"password": "hunter2"})), "'password' not allowed"),
        (identity(json!({"passwordSecretRef": {"name": "a", "value": "hunter2"}})), "'value' not allowed"),
        (identity(json!({"passwordSecretRef": "hunter2"})), "passwordSecretRef"),
        (identity(json!({"passwordSecretRef": {"key": "password"}})), "passwordSecretRef.name: name what it refers to"),
    ] {
        let refused = rendered(&values).expect_err(&values.to_string());
        assert!(refused.contains(complaint), "{values}: {refused}");
        assert!(!refused.contains("hunter2"), "a complaint must not show the value: {refused}");
    }
    assert_eq!(rendered(&json!({})), Ok(Vec::new()), "nothing asked for, nothing made");
}

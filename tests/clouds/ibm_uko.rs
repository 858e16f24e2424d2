//! UKO's vaults and keystores against the box, the hosted form.
//!
//! In: a box. Out: what the client reads and writes. Never: asserts an order of calls.

use secrecy::SecretString;
use serde_json::{Value, json};
use uko_operator::clouds::{
    http::Class,
    ibm::{
        Health, KeystoreChange, KeystoreDraft, Uko, UkoCredential, UkoUrl, UkoVaultId,
        uko::{AzureEnvironment, AzureVariant, ConnectionChange, KeystoreKind, LabelChange},
    },
};

use super::{Ibm, header};

pub(super) fn client(ibm: &Ibm) -> (Uko, UkoVaultId) {
    let url = UkoUrl::parse_hosted(&ibm.text("/ibm/uko/url")).unwrap();
    let credential = UkoCredential::Iam(ibm.api_key());
    let uko = Uko::new(ibm.http.clone(), ibm.iam(), ibm.cache.clone(), url, credential);
    (uko, ibm.text("/ibm/uko/vault/id").into())
}

pub(super) fn draft(ibm: &Ibm, vault: &UkoVaultId, name: &str) -> KeystoreDraft {
    KeystoreDraft {
        vault_id: vault.clone(),
        name: name.into(),
        description: "uko-operator:abc keys/payments".into(),
        groups: None,
        tls_proxy: None,
        azure_service_name: ibm.text("/azure/vaults/premium/name"),
        azure_resource_group: ibm.text("/azure/resourceGroup"),
        azure_location: None,
        azure_service_principal_client_id: ibm.text("/azure/servicePrincipal/clientId"),
        azure_service_principal_password: SecretString::from(ibm.text("/azure/servicePrincipal/clientSecret")).into(),
        azure_tenant: ibm.text("/azure/tenantId"),
        azure_subscription_id: ibm.text("/azure/subscriptionId"),
        azure_environment: AzureEnvironment::Azure,
        azure_variant: AzureVariant::Premium,
    }
}

pub(super) fn instance(ibm: &Ibm, patch: &Value) -> Value {
    json!({"ibm": {"uko": {ibm.text("/ibm/uko/instanceId"): patch}}})
}

#[tokio::test]
async fn a_vault_is_found_by_id_and_by_its_exact_name_over_all_pages() {
    let ibm = Ibm::start().await;
    let (uko, id) = client(&ibm);
    let others: serde_json::Map<String, Value> = (0..1100)
        .map(|turn| {
            (
                format!("{turn:08}-0000-4000-8000-000000000000"),
                json!({"name": format!("payments-{turn}"), "updatedAt": 1_800_000_000}),
            )
        })
        .collect();
    ibm.patch(&instance(&ibm, &json!({"vaults": others})));
    for absolute in [false, true] {
        ibm.patch(&json!({"ibm": {"switches": {"absoluteHrefs": absolute}}}));
        let found = uko.vaults_named("payments").await.unwrap();
        assert_eq!(found.iter().map(|vault| &vault.id).collect::<Vec<_>>(), [&id]);
    }
    let vault = uko.vault(&id).await.unwrap().unwrap();
    assert_eq!(vault.name, "payments");
    assert!(vault.etag.is_some());
    assert_eq!(uko.vault(&"00000000-0000-4000-8000-00000000dead".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_vault_is_made_with_its_mark() {
    let ibm = Ibm::start().await;
    let (uko, _) = client(&ibm);
    let made = uko.writer().create_vault("cards", "uko-operator:abc keys/cards").await.unwrap();
    assert_eq!(uko.vaults_named("cards").await.unwrap()[0].id, made.id);
    let error = uko.writer().create_vault("cards", "").await.unwrap_err();
    assert!(matches!(error.class, Class::Conflict | Class::Invalid | Class::AwaitingPerson));
}

#[tokio::test]
async fn a_keystore_lives_from_create_to_disconnect() {
    let ibm = Ibm::start().await;
    ibm.patch(&json!({"ibm": {"switches": {"vaultHeaderRequired": true, "azureEnvironmentRequired": true}}}));
    let (uko, vault) = client(&ibm);
    let writer = uko.writer();
    let made = writer.create_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    let handle = made.handle().unwrap();
    let read = uko.keystore(&vault, &made.id).await.unwrap().unwrap();
    assert_eq!(read.handle(), Some(handle.clone()));
    assert_eq!(read.azure_service_name, Some(ibm.text("/azure/vaults/premium/name")));
    assert_eq!(read.vault_id, Some(vault.clone()));
    assert_eq!(uko.keystores(&vault).await.unwrap()[0].id, made.id);
    let elsewhere =
        json!({"vaults": {"00000000-0000-4000-8000-00000000abcd": {"name": "elsewhere", "updatedAt": 1_800_000_000}}});
    ibm.patch(&instance(&ibm, &elsewhere));
    writer.create_keystore(&draft(&ibm, &"00000000-0000-4000-8000-00000000abcd".into(), "elsewhere")).await.unwrap();
    assert_eq!(uko.keystores(&vault).await.unwrap().len(), 1);
    assert_eq!(uko.kinds_of_all_keystores().await.unwrap(), [KeystoreKind::AzureKeyVault, KeystoreKind::AzureKeyVault]);
    let status = uko.status(&vault, &made.id).await.unwrap();
    assert_eq!(status.health, Health::Ok);
    assert!(status.last_heartbeat.unwrap() > 1_700_000_000);

    let labels =
        LabelChange { description: Some("new\nuko-operator:abc keys/payments".into()), ..LabelChange::default() };
    let changed = writer.update_keystore(&vault, &handle, &KeystoreChange::Labels(labels)).await.unwrap();
    assert!(changed.description.starts_with("new\n"));
    let connection = ConnectionChange { azure_location: Some("europe_west".into()), ..ConnectionChange::default() };
    let handle = uko.keystore(&vault, &made.id).await.unwrap().unwrap().handle().unwrap();
    let changed = writer.update_keystore(&vault, &handle, &KeystoreChange::Connection(connection)).await.unwrap();
    assert_eq!(changed.azure_location.as_deref(), Some("europe_west"));

    writer.delete_keystore(&vault, &changed.handle().unwrap()).await.unwrap();
    assert_eq!(uko.keystore(&vault, &made.id).await.unwrap(), None);
    writer.delete_keystore(&vault, &changed.handle().unwrap()).await.unwrap();
    let calls = ibm.calls("uko").into_iter();
    let deletes: Vec<_> = calls.filter(|call| call["method"] == "DELETE").collect();
    assert_eq!(deletes.len(), 2);
    for call in deletes {
        assert!(call["url"].as_str().unwrap().ends_with("?mode=restrict"), "{}", call["url"]);
    }
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_whichever_status_says_so() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let writer = uko.writer();
    let made = writer.create_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    let stale = made.handle().unwrap();
    ibm.patch(&json!({"settings": {"clockOffsetSeconds": 60}}));
    let change = KeystoreChange::Labels(LabelChange { name: Some("renamed".into()), ..LabelChange::default() });
    writer.update_keystore(&vault, &stale, &change).await.unwrap();
    for status in [409, 412] {
        ibm.patch(&json!({"ibm": {"switches": {"staleEtag": status}}}));
        let error = writer.update_keystore(&vault, &stale, &change).await.unwrap_err();
        assert_eq!((error.class, error.reason, error.status), (Class::Conflict, "KeystoreChanged", Some(status)));
        let error = writer.delete_keystore(&vault, &stale).await.unwrap_err();
        assert_eq!(error.class, Class::Conflict);
    }
    let calls = ibm.calls("uko").into_iter();
    let patches: Vec<_> = calls.filter(|call| call["method"] == "PATCH").collect();
    assert_eq!(patches.len(), 3);
    for call in patches {
        assert_eq!(header(&call, "if-match").as_deref(), Some(stale.etag.as_str()));
    }
}

#[tokio::test]
async fn a_test_passes_with_any_2xx_and_stores_nothing() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    for status in [200, 201, 204] {
        ibm.patch(&json!({"ibm": {"switches": {"dryRunAnswers": {"passed": status}}}}));
        uko.writer().test_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    }
    assert_eq!(uko.keystores(&vault).await.unwrap(), []);
}

#[tokio::test]
async fn a_failed_test_names_the_field_and_never_the_password() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let mut wrong = draft(&ibm, &vault, "payments-azure");
    wrong.azure_service_principal_password = SecretString::from("hunter2~wrong").into();
    for status in [400, 422, 500] {
        ibm.patch(&json!({"ibm": {"switches": {"dryRunAnswers": {"failed": status, "namesTheField": true}}}}));
        let error = uko.writer().test_keystore(&wrong).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Invalid, "ConnectionTestFailed"), "{status}");
        assert!(error.field.is_some());
        assert!(error.request_id.is_some());
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    ibm.patch(&json!({"ibm": {"switches": {"dryRunAnswers": {"failed": 400, "namesTheField": false}}}}));
    let error = uko.writer().test_keystore(&wrong).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "ConnectionTestFailed"));
    let tests = ibm.calls("uko").len();
    assert_eq!(tests, 4, "a test is never repeated by itself");
}

#[tokio::test]
async fn a_second_keystore_of_the_same_name_is_recognised() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let draft = draft(&ibm, &vault, "payments-azure");
    uko.writer().create_keystore(&draft).await.unwrap();
    for way in ["refused", "badRequest"] {
        ibm.patch(&json!({"ibm": {"switches": {"duplicateNames": way}}}));
        let error = uko.writer().create_keystore(&draft).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Conflict, "KeystoreNameTaken"), "{way}");
    }
}

#[tokio::test]
async fn keys_that_keep_a_keystore_connected_are_counted_and_named() {
    let ibm = Ibm::start().await;
    let (uko, vault) = client(&ibm);
    let made = uko.writer().create_keystore(&draft(&ibm, &vault, "payments-azure")).await.unwrap();
    assert_eq!(uko.installed_keys(&vault, &made.id).await.unwrap().count, 0);
    let key = |turn: usize, state: &str| json!({"vault": vault.as_str(), "label": format!("KEY-{turn:02}"), "state": state, "algorithm": "rsa", "keystores": [made.id.as_str()]});
    let mut keys: serde_json::Map<String, Value> =
        (0..12).map(|turn| (format!("k{turn}"), key(turn, "deactivated"))).collect();
    keys.insert("old".into(), key(98, "destroyed"));
    keys.insert("new".into(), key(99, "pre_activation"));
    ibm.patch(&instance(&ibm, &json!({"managedKeys": keys})));
    let installed = uko.installed_keys(&vault, &made.id).await.unwrap();
    assert_eq!((installed.count, installed.labels.len()), (12, 10));
    let error = uko.writer().delete_keystore(&vault, &made.handle().unwrap()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Conflict, "KeystoreChangedOrInUse"));
}

//! Key Vault's data plane: the challenge, who reaches it, who may, and the life of a key.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KEK, KEY_VAULT, NETWORK, Reply};

async fn with_kek() -> Bench {
    let bench = Bench::quick().await;
    let body = json!({"kty": "RSA-HSM", "key_size": 3072, "key_ops": ["import"]});
    let made = bench.key("operator", Method::POST, &format!("keys/{KEK}/create"), Some(body)).await;
    assert_eq!(made.status, 200, "{}", made.body);
    bench
}

#[tokio::test]
async fn a_call_without_a_token_is_challenged() {
    let bench = Bench::quick().await;
    let url = format!("{}keys?api-version=7.5", bench.of("/azure/vaults/premium/uri"));
    let reply = Reply::of(bench.client.get(&url).send().await.unwrap()).await;
    let want = format!(
        "Bearer authorization=\"https://login.microsoftonline.com/{}\", resource=\"https://vault.azure.net\"",
        bench.of("/azure/tenantId")
    );
    assert_eq!((reply.status, reply.header("www-authenticate")), (401, want.as_str()));
    assert!(reply.text("/error/message").starts_with("AKV10000"));
    let wrong = bench.token("operator", "https://management.azure.com/.default").await;
    let reply = Reply::of(bench.client.get(&url).bearer_auth(wrong).send().await.unwrap()).await;
    assert!(reply.text("/error/message").starts_with("AKV10022"));
    bench
        .patch(json!({"azure": {"vaults": {"payments-kv": {"tenantId": "44444444-0000-4000-8000-000000000001"}}}}))
        .await;
    assert!(bench.key("operator", Method::GET, "keys", None).await.text("/error/message").starts_with("AKV10032"));
}

#[tokio::test]
async fn the_four_versions_are_taken_and_no_other() {
    let bench = with_kek().await;
    let token = bench.token("operator", "https://vault.azure.net/.default").await;
    for (version, status) in [("7.4", 200), ("7.5", 200), ("7.6", 200), ("2025-07-01", 200), ("7.9", 400), ("", 400)] {
        let url = format!("{}keys/{KEK}/", bench.of("/azure/vaults/premium/uri"));
        let reply = bench.client.get(url).bearer_auth(&token).query(&[("api-version", version)]).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{version}");
    }
}

#[tokio::test]
async fn a_key_lives_is_deleted_recovered_and_purged() {
    let bench = with_kek().await;
    let key = format!("keys/{KEK}");
    let get = bench.key("operator", Method::GET, &key.to_lowercase(), None).await;
    assert_eq!((get.text("/key/kty"), get.text("/key/n").len()), ("RSA-HSM", 512));
    assert_eq!(get.body["attributes"]["recoverableDays"], json!(90));
    let deleted = bench.key("operator", Method::DELETE, &key, None).await;
    assert!(deleted.text("/recoveryId").ends_with(&format!("/deletedkeys/{KEK}")));
    assert_eq!(bench.key("operator", Method::GET, &key, None).await.code(), "KeyNotFound");
    let again = bench.key("operator", Method::POST, &format!("{key}/create"), Some(json!({"kty": "RSA"}))).await;
    assert_eq!((again.status, again.inner()), (409, "ObjectIsDeletedButRecoverable"));
    assert_eq!(bench.key("operator", Method::POST, &format!("deletedkeys/{KEK}/recover"), None).await.status, 200);
    assert_eq!(bench.key("operator", Method::GET, &key, None).await.text("/key/kid"), get.text("/key/kid"));
    bench.key("operator", Method::DELETE, &key, None).await;
    assert_eq!(bench.key("operator", Method::DELETE, &format!("deletedkeys/{KEK}"), None).await.status, 204);
    assert_eq!(bench.key("operator", Method::GET, &format!("deletedkeys/{KEK}"), None).await.status, 404);
}

#[tokio::test]
async fn deletion_and_recovery_take_their_time() {
    let bench = with_kek().await;
    let settings =
        |seconds: i64, clock: i64| json!({"settings": {"keyTransitionSeconds": seconds, "clockOffsetSeconds": clock}});
    bench.patch(settings(100, 0)).await;
    bench.key("operator", Method::DELETE, &format!("keys/{KEK}"), None).await;
    assert_eq!(bench.key("operator", Method::GET, &format!("deletedkeys/{KEK}"), None).await.status, 404);
    let early = bench.key("operator", Method::POST, &format!("deletedkeys/{KEK}/recover"), None).await;
    assert_eq!((early.status, early.inner()), (409, "ObjectIsBeingDeleted"));
    bench.patch(settings(100, 200)).await;
    assert_eq!(bench.key("operator", Method::POST, &format!("deletedkeys/{KEK}/recover"), None).await.status, 200);
    assert_eq!(bench.key("operator", Method::GET, &format!("keys/{KEK}"), None).await.status, 404);
    let early = bench.key("operator", Method::POST, &format!("keys/{KEK}/create"), Some(json!({"kty": "RSA"}))).await;
    assert_eq!(early.inner(), "ObjectIsBeingRecovered");
    bench.patch(settings(100, 400)).await;
    assert_eq!(bench.key("operator", Method::GET, &format!("keys/{KEK}"), None).await.status, 200);
}

#[tokio::test]
async fn create_adds_a_version_and_a_version_can_be_disabled() {
    let bench = with_kek().await;
    let body = json!({"kty": "RSA-HSM", "key_size": 2048, "key_ops": ["import"]});
    let second = bench.key("operator", Method::POST, &format!("keys/{KEK}/create"), Some(body)).await;
    let versions = bench.key("operator", Method::GET, &format!("keys/{KEK}/versions"), None).await;
    assert_eq!(versions.body["value"].as_array().unwrap().len(), 2);
    let version = second.text("/key/kid").rsplit('/').next().unwrap().to_owned();
    let off = bench
        .key(
            "operator",
            Method::PATCH,
            &format!("keys/{KEK}/{version}"),
            Some(json!({"attributes": {"enabled": false}})),
        )
        .await;
    assert_eq!(off.body["attributes"]["enabled"], json!(false));
    assert_eq!(
        bench.key("operator", Method::GET, &format!("keys/{KEK}"), None).await.status,
        200,
        "a disabled key is readable"
    );
    let bad = bench
        .key(
            "operator",
            Method::POST,
            "keys/other/create",
            Some(json!({"kty": "RSA-HSM", "key_ops": ["import", "sign"]})),
        )
        .await;
    assert_eq!((bad.status, bad.code()), (400, "BadParameter"));
}

#[tokio::test]
async fn rights_come_from_policies_or_from_roles() {
    let bench = with_kek().await;
    let key = format!("keys/{KEK}");
    assert_eq!(bench.key("servicePrincipal", Method::GET, &key, None).await.status, 200);
    let policies = json!([{"tenantId": bench.of("/azure/tenantId"), "objectId": bench.of("/azure/servicePrincipal/objectId"), "permissions": {"keys": ["List"]}}]);
    bench.patch(json!({"azure": {"vaults": {"payments-kv": {"accessPolicies": policies}}}})).await;
    let refused = bench.key("servicePrincipal", Method::GET, &key, None).await;
    assert_eq!((refused.status, refused.code(), refused.inner()), (403, "Forbidden", "ForbiddenByPolicy"));
    assert_eq!(bench.key("servicePrincipal", Method::GET, "keys", None).await.status, 200);
    bench.patch(json!({"azure": {"vaults": {"payments-kv": {"enableRbacAuthorization": true}}}})).await;
    assert_eq!(bench.key("servicePrincipal", Method::GET, "keys", None).await.inner(), "ForbiddenByRbac");
    let role = json!({"scope": bench.of("/azure/vaults/premium/id"), "principalId": bench.of("/azure/servicePrincipal/objectId"), "role": "14b46e9e-c2b7-41b4-b07b-48a6ebf60603"});
    bench.patch(json!({"azure": {"roleAssignments": {"55555555-0000-4000-8000-000000000001": role}}})).await;
    assert_eq!(bench.key("servicePrincipal", Method::GET, &key, None).await.status, 200);
}

#[tokio::test]
async fn a_closed_vault_answers_by_the_private_path_only() {
    let bench = with_kek().await;
    let (key, vault) = (format!("keys/{KEK}"), bench.of("/azure/vaults/premium/id"));
    bench.endpoint().await;
    let close = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    assert_eq!(bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(close)).await.status, 200);
    let refused = bench.key("operator", Method::GET, &key, None).await;
    assert_eq!((refused.status, refused.inner()), (403, "ForbiddenByConnection"));
    bench.patch(json!({"settings": {"callerOnPrivateNetwork": true}})).await;
    assert_eq!(
        bench.key("operator", Method::GET, &key, None).await.inner(),
        "ForbiddenByConnection",
        "no record leads to the endpoint yet"
    );
    let config = json!({"name": "vault", "properties": {"privateDnsZoneId": bench.of("/azure/privateDnsZoneId")}});
    let group = format!("{}/privateDnsZoneGroups/default", bench.endpoint_id("pe1"));
    let put =
        bench.arm(Method::PUT, &group, NETWORK, Some(json!({"properties": {"privateDnsZoneConfigs": [config]}}))).await;
    bench.follow(put.header("azure-asyncoperation")).await;
    let reached = bench.key("operator", Method::GET, &key, None).await;
    assert_eq!(reached.status, 200, "{}", reached.body);
    assert!(reached.header("x-ms-keyvault-network-info").contains("addr=10.0.1.4"));
    assert_eq!(
        bench.arm(Method::GET, &format!("{vault}/{key}"), KEY_VAULT, None).await.status,
        200,
        "Resource Manager is not covered by the firewall"
    );
}

#[tokio::test]
async fn the_firewall_knows_addresses() {
    let bench = with_kek().await;
    let acls = |rules: Value| json!({"azure": {"vaults": {"payments-kv": {"networkAcls": {"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": rules}}}}});
    bench.patch(acls(json!([]))).await;
    assert_eq!(bench.key("operator", Method::GET, "keys", None).await.inner(), "ForbiddenByFirewall");
    bench.patch(acls(json!([{"value": "203.0.113.0/24"}]))).await;
    assert_eq!(bench.key("operator", Method::GET, "keys", None).await.status, 200);
}

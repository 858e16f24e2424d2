//! Vaults through Resource Manager: reading, closing, policies, keys, lists, spelling.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KEK, KEY_VAULT};

#[tokio::test]
async fn closing_public_access_hides_the_firewall_and_keeps_it() {
    let bench = Bench::quick().await;
    let id = bench.of("/azure/vaults/premium/id");
    let patch = async |access: &str| {
        bench.arm(Method::PATCH, &id, KEY_VAULT, Some(json!({"properties": {"publicNetworkAccess": access}}))).await
    };
    let closed = patch("Disabled").await;
    assert_eq!(closed.text("/properties/publicNetworkAccess"), "Disabled");
    assert!(closed.body["properties"].get("networkAcls").is_none());
    let open = patch("Enabled").await;
    assert_eq!(open.text("/properties/networkAcls/defaultAction"), "Allow");
    bench.patch(json!({"settings": {"publicAccessDrift": true}})).await;
    patch("Disabled").await;
    assert_eq!(bench.arm(Method::GET, &id, KEY_VAULT, None).await.text("/properties/publicNetworkAccess"), "Enabled");
}

#[tokio::test]
async fn policies_are_added_replaced_removed() {
    let bench = Bench::quick().await;
    let (id, oid) = (bench.of("/azure/vaults/premium/id"), bench.of("/azure/servicePrincipal/objectId"));
    let change = async |kind: &str, words: &[&str]| {
        let policy = json!({"tenantId": bench.of("/azure/tenantId"), "objectId": oid, "permissions": {"keys": words}});
        let body = json!({"properties": {"accessPolicies": [policy]}});
        let reply = bench.arm(Method::PUT, &format!("{id}/accessPolicies/{kind}"), KEY_VAULT, Some(body)).await;
        assert_eq!(
            (reply.status, reply.text("/type")),
            (200, "Microsoft.KeyVault/vaults/accessPolicies"),
            "{}",
            reply.body
        );
        let vault = bench.arm(Method::GET, &id, KEY_VAULT, None).await;
        let policies = vault.body["properties"]["accessPolicies"].as_array().unwrap().clone();
        policies
            .into_iter()
            .find(|policy| policy["objectId"] == json!(oid))
            .map(|policy| policy["permissions"]["keys"].clone())
    };
    assert_eq!(change("replace", &["get", "list"]).await, Some(json!(["get", "list"])));
    assert_eq!(change("add", &["GET", "import"]).await, Some(json!(["get", "list", "import"])));
    assert_eq!(change("remove", &["import"]).await, Some(json!(["get", "list"])));
    let stranger = json!({"properties": {"accessPolicies": [{"tenantId": bench.of("/azureChina/tenantId"), "objectId": oid, "permissions": {}}]}});
    assert_eq!(
        bench.arm(Method::PUT, &format!("{id}/accessPolicies/add"), KEY_VAULT, Some(stranger)).await.status,
        400
    );
}

#[tokio::test]
async fn a_key_is_created_only_if_it_is_absent() {
    let bench = Bench::quick().await;
    let id = format!("{}/keys/{KEK}", bench.of("/azure/vaults/premium/id"));
    assert_eq!(bench.arm(Method::GET, &id, KEY_VAULT, None).await.code(), "KeyNotFound");
    let body = json!({"properties": {"kty": "RSA-HSM", "keySize": 4096, "keyOps": ["import"], "attributes": {"enabled": true}}});
    let first = bench.arm(Method::PUT, &id, KEY_VAULT, Some(body.clone())).await;
    let second = bench.arm(Method::PUT, &id, KEY_VAULT, Some(body.clone())).await;
    assert_eq!((first.status, first.body.clone()), (200, second.body));
    assert_eq!(
        (first.body["properties"]["keySize"].clone(), first.body["properties"]["keyOps"].clone()),
        (json!(4096), json!(["import"]))
    );
    assert!(first.body["properties"]["attributes"].get("recoverableDays").is_none());
    let standard = format!("{}/keys/{KEK}", bench.of("/azure/vaults/standard/id"));
    let refused = bench.arm(Method::PUT, &standard, KEY_VAULT, Some(body.clone())).await;
    assert!(refused.text("/error/message").contains("not allowed on standard vault"));
    let now = json!({"deletedDate": 1, "scheduledPurgeDate": 2});
    bench.patch(json!({"azure": {"vaults": {"payments-kv": {"keys": {KEK: {"deleted": now}}}}}})).await;
    assert_eq!(bench.arm(Method::GET, &id, KEY_VAULT, None).await.code(), "KeyNotFound");
    let onto = bench.arm(Method::PUT, &id, KEY_VAULT, Some(body)).await;
    assert_eq!((onto.status, onto.inner()), (409, "ObjectIsDeletedButRecoverable"));
    bench.patch(json!({"settings": {"armKeyForbiddenByRbac": true}})).await;
    let rbac = bench.arm(Method::GET, &id, KEY_VAULT, None).await;
    assert_eq!((rbac.status, rbac.code()), (400, "ForbiddenByRbac"));
}

#[tokio::test]
async fn a_deleted_vault_is_found_where_it_was() {
    let bench = Bench::quick().await;
    let state = bench.state().await;
    let vault = state["azure"]["vaults"]["payments-kv"].clone();
    bench
        .patch(json!({"azure": {"vaults": {"payments-kv": null}, "deletedVaults": {"payments-kv": {
            "vault": vault, "deletionDate": 1_760_000_000, "scheduledPurgeDate": 1_767_776_000,
        }}}}))
        .await;
    let subscription = bench.of("/azure/subscriptionId");
    let path = |location: &str| {
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/payments-kv"
        )
    };
    let found = bench.arm(Method::GET, &path("westeurope"), KEY_VAULT, None).await;
    assert_eq!((found.status, found.text("/properties/scheduledPurgeDate")), (200, "2026-01-07T08:53:20Z"));
    assert_eq!(bench.arm(Method::GET, &path("northeurope"), KEY_VAULT, None).await.status, 404);
    assert_eq!(
        bench.arm(Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await.code(),
        "ResourceNotFound"
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_ids_in_other_spelling_on_request() {
    let bench = Bench::quick().await;
    bench.patch(json!({"settings": {"pageSize": 1, "idCase": "mixed"}})).await;
    let list = format!(
        "/subscriptions/{}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults",
        bench.of("/azure/subscriptionId")
    );
    let first = bench.arm(Method::GET, &list, KEY_VAULT, None).await;
    let second = bench.follow(first.text("/nextLink")).await;
    let names = [first.text("/value/0/name"), second.text("/value/0/name")];
    assert_eq!(names, ["payments-kv", "payments-std-kv"]);
    assert!(second.body.get("nextLink").is_none());
    assert!(first.text("/value/0/id").contains("/resourcegroups/rg-keys/providers/microsoft.keyvault/vaults/"));
}

#[tokio::test]
async fn roles_are_found_by_who_holds_them() {
    let bench = Bench::quick().await;
    let vault = bench.of("/azure/vaults/premium/id");
    let oid = bench.of("/azure/servicePrincipal/objectId");
    let role = json!({"scope": vault, "principalId": oid, "principalType": "ServicePrincipal", "role": "14b46e9e-c2b7-41b4-b07b-48a6ebf60603"});
    bench.patch(json!({"azure": {"roleAssignments": {"55555555-0000-4000-8000-000000000001": role}}})).await;
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    let url = format!("https://management.azure.com{vault}/providers/Microsoft.Authorization/roleAssignments");
    let filter = format!("assignedTo('{oid}')");
    let request =
        bench.client.get(url).bearer_auth(token).query(&[("api-version", "2022-04-01"), ("$filter", &filter)]);
    let found: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert!(
        found["value"][0]["properties"]["roleDefinitionId"]
            .as_str()
            .unwrap()
            .ends_with("/14b46e9e-c2b7-41b4-b07b-48a6ebf60603")
    );
}

#[tokio::test]
async fn every_answer_carries_its_request_ids_and_the_budget() {
    let bench = Bench::quick().await;
    let reply = bench.arm(Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await;
    for name in ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id"] {
        assert!(!reply.header(name).is_empty(), "{name}");
    }
    assert_eq!(reply.header("x-ms-ratelimit-remaining-subscription-global-reads"), "16499");
}

//! What Resource Manager refuses: bodies, versions, rights, tenants, subnets, addresses, parallel changes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KEY_VAULT, NETWORK, Reply};

async fn refusal(bench: &Bench, change: impl Fn(&mut Value)) -> Reply {
    let mut body = bench.endpoint_body();
    change(&mut body);
    bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(body)).await
}

#[tokio::test]
async fn a_wrong_body_is_refused_with_the_field() {
    let bench = Bench::quick().await;
    let unknown = refusal(&bench, |body| body["properties"]["colour"] = json!(1)).await;
    assert_eq!((unknown.status, unknown.code(), unknown.target()), (400, "InvalidRequestContent", "properties.colour"));
    let wrong = refusal(&bench, |body| body["tags"] = json!({"a": 1})).await;
    assert_eq!((wrong.status, wrong.target()), (400, "tags.a"));
    let missing = refusal(&bench, |body| body["properties"]["subnet"] = json!({})).await;
    assert_eq!((missing.status, missing.target()), (400, "properties.subnet.id"));
    let two = refusal(&bench, |body| {
        body["properties"]["manualPrivateLinkServiceConnections"] =
            body["properties"]["privateLinkServiceConnections"].clone();
    })
    .await;
    assert_eq!((two.status, two.code()), (400, "InvalidParameter"));
    let log = bench.requests().await;
    assert!(log.iter().any(|entry| { entry["refusal"].as_str().is_some_and(|why| why.contains("properties.colour")) }));
}

#[tokio::test]
async fn a_subnet_must_take_endpoints() {
    let bench = Bench::quick().await;
    let key = bench.of("/azure/vnetId").to_lowercase();
    let subnet =
        |change: Value| json!({"azure": {"virtualNetworks": {&key: {"subnets": {"private-endpoints": change}}}}});
    bench.patch(subnet(json!({"delegations": ["Microsoft.Web/serverFarms"]}))).await;
    assert_eq!(refusal(&bench, |_| {}).await.code(), "PrivateEndpointCreationNotAllowedAsSubnetIsDelegated");
    bench.patch(subnet(json!({"delegations": [], "updatingUntil": 4_000_000_000_u64}))).await;
    let busy = refusal(&bench, |_| {}).await;
    assert_eq!((busy.status, busy.code()), (429, "RetryableError"));
    assert_eq!(busy.text("/error/details/0/code"), "ReferencedResourceNotProvisioned");
    bench.patch(subnet(json!({"updatingUntil": 0, "addressPrefix": "10.0.0.0/29"}))).await;
    assert_eq!(refusal(&bench, |_| {}).await.status, 201);
    let absent = refusal(&bench, |body| {
        body["properties"]["subnet"]["id"] = json!(format!("{}x", bench.of("/azure/subnetId")));
    })
    .await;
    assert_eq!(absent.code(), "AnotherOperationInProgress", "an endpoint that is being made takes no change");
}

#[tokio::test]
async fn a_subnet_that_is_not_there_or_elsewhere_is_a_bad_reference() {
    let bench = Bench::quick().await;
    let id = bench.of("/azure/subnetId");
    assert_eq!(
        refusal(&bench, |body| body["properties"]["subnet"]["id"] = json!(format!("{id}x"))).await.code(),
        "InvalidResourceReference"
    );
    assert_eq!(
        refusal(&bench, |body| body["location"] = json!("northeurope")).await.code(),
        "InvalidResourceReference"
    );
    assert_eq!(
        refusal(&bench, |body| body["properties"]["subnet"]["id"] = json!("pe")).await.code(),
        "LinkedInvalidPropertyId"
    );
    assert_eq!(refusal(&bench, |body| body["location"] = json!("West Europe")).await.status, 201);
}

#[tokio::test]
async fn a_static_address_is_checked() {
    let bench = Bench::quick().await;
    let with = async |address: &str, member: &str| {
        let configuration = json!([{"name": "vault", "properties": {"groupId": "vault", "memberName": member, "privateIPAddress": address}}]);
        refusal(&bench, |body| {
            body["properties"]["ipConfigurations"] = configuration.clone();
        })
        .await
    };
    assert_eq!(with("10.0.1.10", "default").await.code(), "PrivateIPAddressNotInSubnet");
    assert_eq!(with("10.0.0.3", "default").await.code(), "PrivateIPAddressInReservedRange");
    assert_eq!(with("10.0.0.255", "default").await.code(), "PrivateIPAddressInReservedRange");
    assert_eq!(
        with("10.0.0.10", "vault").await.code(),
        "PrivateEndpointIpConfigurationMissingMemberNamesRequiredByFps"
    );
    let put = with("10.0.0.10", "default").await;
    assert_eq!(put.status, 201);
    bench.follow(put.header("azure-asyncoperation")).await;
    let mut second = bench.endpoint_body();
    second["properties"]["customNetworkInterfaceName"] = json!("pe2-nic");
    second["properties"]["ipConfigurations"] = json!([{"name": "vault", "properties": {"groupId": "vault", "memberName": "default", "privateIPAddress": "10.0.0.10"}}]);
    let taken = bench.arm(Method::PUT, &bench.endpoint_id("pe2"), NETWORK, Some(second)).await;
    assert_eq!(taken.code(), "PrivateIPAddressIsAllocated");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let bench = Bench::quick().await;
    let approval = "Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action";
    bench.patch(json!({"settings": {"deny": [{"action": approval}]}})).await;
    let linked = refusal(&bench, |_| {}).await;
    assert_eq!((linked.status, linked.code()), (403, "LinkedAuthorizationFailed"));
    assert!(linked.text("/error/message").contains(&format!(
        "perform action(s) '{approval}' on the linked scope(s) '{}'",
        bench.of("/azure/vaults/premium/id")
    )));
    let manual = refusal(&bench, |body| {
        let properties = body["properties"].as_object_mut().unwrap();
        let link = properties.remove("privateLinkServiceConnections").unwrap();
        properties.insert("manualPrivateLinkServiceConnections".into(), link);
    })
    .await;
    assert_eq!(manual.status, 201, "a manual connection needs no right to approve");
    let none =
        bench.arm_as("servicePrincipal", Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await;
    assert_eq!((none.status, none.code()), (403, "AuthorizationFailed"));
    assert!(none.text("/error/message").contains("perform action 'Microsoft.KeyVault/vaults/read' over scope"));
}

#[tokio::test]
async fn versions_groups_subscriptions_and_tokens_are_checked() {
    let bench = Bench::quick().await;
    let vault = bench.of("/azure/vaults/premium/id");
    let get = async |id: &str, version: &str| bench.arm(Method::GET, id, version, None).await;
    assert_eq!(get(&vault, "").await.code(), "MissingApiVersionParameter");
    assert_eq!(get(&vault, "2019-09-01").await.code(), "InvalidApiVersionParameter");
    assert_eq!(get(&vault, "2023-07-01").await.status, 200);
    bench.patch(json!({"settings": {"keyVaultArmRetired": true}})).await;
    assert_eq!(get(&vault, "2023-07-01").await.code(), "InvalidApiVersionParameter");
    assert_eq!(get(&vault.replace("rg-keys", "rg-none"), KEY_VAULT).await.code(), "ResourceGroupNotFound");
    let missing = get(&format!("{vault}-none"), KEY_VAULT).await;
    assert_eq!((missing.code(), missing.header("x-ms-failure-cause")), ("ResourceNotFound", "gateway"));
    let other = vault.replace(&bench.of("/azure/subscriptionId"), "99999999-0000-4000-8000-000000000000");
    assert_eq!(get(&other, KEY_VAULT).await.code(), "SubscriptionNotFound");
    let url = format!("https://management.azure.com{vault}?api-version={KEY_VAULT}");
    let wrong = bench.token("operator", "https://vault.azure.net/.default").await;
    let reply = Reply::of(bench.client.get(&url).bearer_auth(wrong).send().await.unwrap()).await;
    assert_eq!((reply.status, reply.code()), (401, "InvalidAuthenticationToken"));
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    bench.patch(json!({"settings": {"clockOffsetSeconds": 4000}})).await;
    let late = Reply::of(bench.client.get(&url).bearer_auth(token).send().await.unwrap()).await;
    assert_eq!((late.status, late.code()), (401, "ExpiredAuthenticationToken"));
}

#[tokio::test]
async fn another_tenants_token_is_refused() {
    let bench = Bench::quick().await;
    let tenant = "44444444-0000-4000-8000-000000000001";
    let app = json!({"objectId": "44444444-0000-4000-8000-000000000011", "secrets": {"first": {"value": "s"}}});
    bench.patch(json!({"azure": {"tenants": {tenant: {"cloud": "AzurePublic", "applications": {"44444444-0000-4000-8000-000000000010": app}}}}})).await;
    let token = bench
        .ask_token(tenant, "44444444-0000-4000-8000-000000000010", "s", "https://management.azure.com/.default")
        .await;
    let url = format!("https://management.azure.com{}?api-version={KEY_VAULT}", bench.of("/azure/vaults/premium/id"));
    let reply = Reply::of(bench.client.get(url).bearer_auth(token.text("/access_token")).send().await.unwrap()).await;
    assert_eq!((reply.status, reply.code()), (401, "InvalidAuthenticationTokenTenant"));
}

#[tokio::test]
async fn a_vault_takes_one_change_at_a_time() {
    let bench = Bench::usual().await;
    let put = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    let patch = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    let vault = bench.of("/azure/vaults/premium/id");
    let conflict = bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(patch.clone())).await;
    assert_eq!((conflict.status, conflict.code()), (409, "ConflictError"));
    let mut second = bench.endpoint_body();
    second["properties"]["customNetworkInterfaceName"] = json!("pe2-nic");
    let accepted = bench.arm(Method::PUT, &bench.endpoint_id("pe2"), NETWORK, Some(second)).await;
    assert_eq!(accepted.status, 201, "a private endpoint is accepted and fails later");
    bench.patch(json!({"settings": {"operationPolls": 0}})).await;
    let mut last = Value::Null;
    for _ in 0..3 {
        last = bench.follow(accepted.header("azure-asyncoperation")).await.body;
    }
    assert_eq!(
        (last["status"].as_str().unwrap(), last["error"]["code"].as_str().unwrap()),
        ("Failed", "ConflictError")
    );
    assert_eq!(
        bench.arm(Method::GET, &bench.endpoint_id("pe2"), NETWORK, None).await.text("/properties/provisioningState"),
        "Failed"
    );
    for _ in 0..3 {
        bench.follow(put.header("azure-asyncoperation")).await;
    }
    assert_eq!(bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(patch)).await.status, 200);
}

//! What Azure takes its time for, and the two other clouds.

use reqwest::Method;
use serde_json::json;

use crate::bench::{Bench, DNS, KEY_VAULT, NETWORK, Reply};

fn later(seconds: i64) -> serde_json::Value {
    json!({"settings": {"clockOffsetSeconds": seconds}})
}

#[tokio::test]
async fn a_new_policy_counts_after_a_while() {
    let bench = Bench::quick().await;
    let oid = bench.of("/azure/servicePrincipal/objectId");
    let policy = |words: &[&str]| json!({"properties": {"accessPolicies": [{"tenantId": bench.of("/azure/tenantId"), "objectId": oid, "permissions": {"keys": words}}]}});
    bench.patch(json!({"settings": {"policyLagSeconds": 300}})).await;
    let path = format!("{}/accessPolicies/replace", bench.of("/azure/vaults/premium/id"));
    assert_eq!(bench.arm(Method::PUT, &path, KEY_VAULT, Some(policy(&["list"]))).await.status, 200);
    assert_eq!(bench.key("servicePrincipal", Method::GET, "keys", None).await.inner(), "ForbiddenByPolicy");
    bench.patch(later(400)).await;
    assert_eq!(bench.key("servicePrincipal", Method::GET, "keys", None).await.status, 200);
}

#[tokio::test]
async fn the_vaults_side_lags_behind_and_a_freed_name_stays_busy() {
    let bench = Bench::quick().await;
    bench.patch(json!({"settings": {"connectionLagSeconds": 300, "nameBusySeconds": 1000}})).await;
    let id = bench.endpoint().await;
    let connections = format!("{}/privateEndpointConnections", bench.of("/azure/vaults/premium/id"));
    assert_eq!(bench.arm(Method::GET, &connections, KEY_VAULT, None).await.body["value"], json!([]));
    bench.patch(later(400)).await;
    assert_eq!(bench.arm(Method::GET, &connections, KEY_VAULT, None).await.body["value"].as_array().unwrap().len(), 1);
    let delete = bench.arm(Method::DELETE, &id, NETWORK, None).await;
    bench.follow(delete.header("azure-asyncoperation")).await;
    let busy = bench.arm(Method::PUT, &id, NETWORK, Some(bench.endpoint_body())).await;
    assert_eq!((busy.status, busy.code()), (409, "PrivateEndpointAlreadyExists"));
    bench.patch(later(2000)).await;
    assert_eq!(bench.arm(Method::PUT, &id, NETWORK, Some(bench.endpoint_body())).await.status, 201);
}

#[tokio::test]
async fn a_vault_is_locked_for_a_while_after_a_change() {
    let bench = Bench::quick().await;
    bench.patch(json!({"settings": {"vaultLockSeconds": 60}})).await;
    let vault = bench.of("/azure/vaults/premium/id");
    let patch = json!({"tags": {"a": "b"}});
    assert_eq!(bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(patch.clone())).await.status, 200);
    assert_eq!(bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(patch.clone())).await.code(), "ConflictError");
    bench.patch(later(100)).await;
    assert_eq!(bench.arm(Method::PATCH, &vault, KEY_VAULT, Some(patch)).await.status, 200);
}

#[tokio::test]
async fn a_record_is_written_only_under_its_condition() {
    let bench = Bench::quick().await;
    let id = format!("{}/A/www", bench.of("/azure/privateDnsZoneId"));
    let body = json!({"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.0.0.9"}]}});
    assert_eq!(bench.arm(Method::PUT, &id, DNS, Some(body.clone())).await.status, 201);
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    let put = async |etag: &str| {
        let url = format!("https://management.azure.com{id}?api-version={DNS}");
        let request = bench.client.put(url).bearer_auth(&token).header("if-match", etag).json(&body);
        Reply::of(request.send().await.unwrap()).await
    };
    let stale = put("c7f0e894-ca3b-480a-990f-e06ae30a5f3c").await;
    assert_eq!((stale.status, stale.code()), (412, "PreconditionFailed"));
    let etag = bench.arm(Method::GET, &id, DNS, None).await.header("etag").to_owned();
    assert_eq!(put(&etag).await.status, 200);
}

#[tokio::test]
async fn the_other_clouds_have_their_own_hosts_tenants_and_vaults() {
    let bench = Bench::quick().await;
    for (part, authority, arm, suffix) in [
        ("azureChina", "login.chinacloudapi.cn", "management.chinacloudapi.cn", "vault.azure.cn"),
        ("azureUSGovernment", "login.microsoftonline.us", "management.usgovcloudapi.net", "vault.usgovcloudapi.net"),
    ] {
        let of = |path: &str| bench.of(&format!("/{part}/{path}"));
        let token = async |scope: String| {
            let form = [
                ("grant_type", "client_credentials".to_owned()),
                ("client_id", of("operator/clientId")),
                ("client_secret", of("operator/clientSecret")),
                ("scope", scope),
            ];
            let url = format!("https://{authority}/{}/oauth2/v2.0/token", of("tenantId"));
            let reply = Reply::of(bench.client.post(url).form(&form).send().await.unwrap()).await;
            reply.text("/access_token").to_owned()
        };
        let url = |host: &str| format!("https://{host}{}?api-version={KEY_VAULT}", of("vaults/premium/id"));
        let bearer = token(format!("https://{arm}/.default")).await;
        let vault = Reply::of(bench.client.get(url(arm)).bearer_auth(&bearer).send().await.unwrap()).await;
        assert_eq!(vault.text("/properties/vaultUri"), format!("https://{}.{suffix}/", of("vaults/premium/name")));
        let elsewhere =
            Reply::of(bench.client.get(url("management.azure.com")).bearer_auth(&bearer).send().await.unwrap()).await;
        assert_eq!(elsewhere.status, 401, "a national token is none for the public cloud");
        let bearer = token(format!("https://{suffix}/.default")).await;
        let keys = format!("{}keys?api-version=7.5", of("vaults/premium/uri"));
        assert_eq!(bench.client.get(keys).bearer_auth(bearer).send().await.unwrap().status(), 200);
    }
}

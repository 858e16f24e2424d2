//! Private endpoints: the first answer, the operation, both sides of the connection, the zone group, the end.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, DNS, KEY_VAULT, NETWORK};

#[tokio::test]
async fn the_first_answer_says_approved_and_updating_and_knows_no_address() {
    let bench = Bench::usual().await;
    let put = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    assert_eq!((put.status, put.header("retry-after"), put.header("location")), (201, "10", ""));
    assert_eq!(put.header("azure-asyncnotification"), "Enabled");
    assert_eq!(put.text("/properties/provisioningState"), "Updating");
    let state = "/properties/privateLinkServiceConnections/0/properties/privateLinkServiceConnectionState";
    assert_eq!(put.text(&format!("{state}/status")), "Approved");
    assert_eq!(put.body["properties"]["customDnsConfigs"], json!([]));
    let url = put.header("azure-asyncoperation").to_owned();
    assert!(url.len() > 3000, "{}", url.len());

    let polls: Vec<String> = {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let poll = bench.follow(&url).await;
            assert_eq!(poll.status, 200);
            seen.push(poll.text("/status").to_owned());
        }
        seen
    };
    assert_eq!(polls, ["InProgress", "InProgress", "Succeeded"]);
    let get = bench.arm(Method::GET, &bench.endpoint_id("PE1"), NETWORK, None).await;
    assert_eq!(get.text("/properties/provisioningState"), "Succeeded");
    assert_eq!(get.body["properties"]["customDnsConfigs"][0]["ipAddresses"], json!(["10.0.0.4"]));
    assert!(get.header("etag").starts_with("W/\""));
}

#[tokio::test]
async fn an_operation_url_must_come_back_whole() {
    let bench = Bench::usual().await;
    let put = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    let cut = put.header("azure-asyncoperation").split("&s=").next().unwrap().to_owned();
    assert_eq!(bench.follow(&cut).await.status, 403);
}

#[tokio::test]
async fn without_polls_a_look_at_the_resource_ends_the_operation_too() {
    let bench = Bench::usual().await;
    bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(
            bench
                .arm(Method::GET, &bench.endpoint_id("pe1"), NETWORK, None)
                .await
                .text("/properties/provisioningState")
                .to_owned(),
        );
    }
    assert_eq!(states, ["Updating", "Updating", "Succeeded"]);
}

#[tokio::test]
async fn an_automatic_connection_is_approved_on_both_sides_and_has_a_nic() {
    let bench = Bench::quick().await;
    let id = bench.endpoint().await;
    let vault = bench.arm(Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await;
    let connection = &vault.body["properties"]["privateEndpointConnections"][0];
    assert_eq!(connection["properties"]["privateEndpoint"]["id"], json!(id));
    assert_eq!(connection["properties"]["privateLinkServiceConnectionState"]["status"], "Approved");
    assert!(connection.get("name").is_none(), "the vault shows its connections without names");
    let nic =
        bench.arm(Method::GET, &id.replace("privateEndpoints/pe1", "networkInterfaces/pe1-nic"), NETWORK, None).await;
    assert_eq!(nic.text("/properties/ipConfigurations/0/properties/privateIPAddress"), "10.0.0.4");
    assert_eq!(
        nic.text("/properties/ipConfigurations/0/properties/privateLinkConnectionProperties/requiredMemberName"),
        "default"
    );
}

#[tokio::test]
async fn a_manual_connection_waits_for_the_vaults_owner() {
    let bench = Bench::quick().await;
    let mut body = bench.endpoint_body();
    let link = body["properties"]["privateLinkServiceConnections"].take();
    body["properties"].as_object_mut().unwrap().remove("privateLinkServiceConnections");
    body["properties"]["manualPrivateLinkServiceConnections"] = link;
    let put = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(body)).await;
    bench.follow(put.header("azure-asyncoperation")).await;
    let path = "/properties/manualPrivateLinkServiceConnections/0/properties/privateLinkServiceConnectionState/status";
    let get = bench.arm(Method::GET, &bench.endpoint_id("pe1"), NETWORK, None).await;
    assert_eq!(get.text(path), "Pending");
    let connections = format!("{}/privateEndpointConnections", bench.of("/azure/vaults/premium/id"));
    let listed = bench.arm(Method::GET, &connections, KEY_VAULT, None).await;
    let name = listed.text("/value/0/name").to_owned();
    let approval =
        json!({"properties": {"privateLinkServiceConnectionState": {"status": "Approved", "description": "ok"}}});
    let approved = bench.arm(Method::PUT, &format!("{connections}/{name}"), KEY_VAULT, Some(approval)).await;
    assert_eq!(approved.status, 200, "{}", approved.body);
    assert_eq!(bench.arm(Method::GET, &bench.endpoint_id("pe1"), NETWORK, None).await.text(path), "Approved");
    bench.arm(Method::DELETE, &format!("{connections}/{name}"), KEY_VAULT, None).await;
    assert_eq!(bench.arm(Method::GET, &bench.endpoint_id("pe1"), NETWORK, None).await.text(path), "Disconnected");
    assert_eq!(bench.arm(Method::GET, &format!("{connections}/{name}"), KEY_VAULT, None).await.status, 204);
}

#[tokio::test]
async fn tags_alone_are_changed_at_once_and_other_changes_are_refused() {
    let bench = Bench::quick().await;
    let id = bench.endpoint().await;
    let mut body = bench.endpoint_body();
    body["tags"] = json!({"owner": "us"});
    let put = bench.arm(Method::PUT, &id, NETWORK, Some(body)).await;
    assert_eq!(
        (put.status, put.text("/properties/provisioningState"), put.header("retry-after")),
        (200, "Succeeded", "")
    );
    assert!(!put.header("azure-asyncoperation").is_empty());
    assert_eq!(put.body["tags"], json!({"owner": "us"}));
    let mut other = bench.endpoint_body();
    other["properties"]["privateLinkServiceConnections"][0]["name"] = json!("other");
    assert_eq!(
        bench.arm(Method::PUT, &id, NETWORK, Some(other)).await.code(),
        "CannotChangePrivateLinkConnectionOnPrivateEndpoint"
    );
    let mut moved = bench.endpoint_body();
    moved["properties"]["customNetworkInterfaceName"] = json!("other-nic");
    assert_eq!(bench.arm(Method::PUT, &id, NETWORK, Some(moved)).await.code(), "PropertyChangeNotAllowed");
}

#[tokio::test]
async fn a_read_body_can_be_sent_back() {
    let bench = Bench::quick().await;
    let id = bench.endpoint().await;
    let get = bench.arm(Method::GET, &id, NETWORK, None).await;
    let put = bench.arm(Method::PUT, &id, NETWORK, Some(get.body)).await;
    assert_eq!(put.status, 200, "{}", put.body);
}

#[tokio::test]
async fn a_zone_group_writes_the_record_and_takes_it_away() {
    let bench = Bench::quick().await;
    let id = bench.endpoint().await;
    let group = format!("{id}/privateDnsZoneGroups/default");
    let config = json!({"name": "vault", "properties": {"privateDnsZoneId": bench.of("/azure/privateDnsZoneId")}});
    let body = json!({"properties": {"privateDnsZoneConfigs": [config]}});
    let put = bench.arm(Method::PUT, &group, NETWORK, Some(body)).await;
    assert_eq!((put.status, put.text("/properties/provisioningState")), (201, "Updating"));
    bench.follow(put.header("azure-asyncoperation")).await;
    let record_id = format!("{}/A/payments-kv", bench.of("/azure/privateDnsZoneId"));
    let record = bench.arm(Method::GET, &record_id, DNS, None).await;
    assert_eq!(record.body["properties"]["aRecords"], json!([{"ipv4Address": "10.0.0.4"}]));
    assert_eq!(
        (record.body["properties"]["ttl"].clone(), record.text("/properties/fqdn")),
        (json!(10), "payments-kv.privatelink.vaultcore.azure.net.")
    );
    let endpoint = bench.arm(Method::GET, &id, NETWORK, None).await;
    assert_eq!(endpoint.body["properties"]["customDnsConfigs"], json!([]));
    let delete = bench.arm(Method::DELETE, &group, NETWORK, None).await;
    assert_eq!(delete.status, 202);
    assert!(!delete.header("location").is_empty());
    bench.follow(delete.header("azure-asyncoperation")).await;
    assert_eq!(bench.arm(Method::GET, &record_id, DNS, None).await.status, 404);
}

#[tokio::test]
async fn a_deleted_endpoint_takes_everything_with_it_and_deleting_it_again_is_no_error() {
    let bench = Bench::quick().await;
    let id = bench.endpoint().await;
    let delete = bench.arm(Method::DELETE, &id, NETWORK, None).await;
    assert_eq!((delete.status, delete.body.clone()), (202, Value::Null));
    let during = bench.arm(Method::PUT, &id, NETWORK, Some(bench.endpoint_body())).await;
    assert_eq!((during.status, during.code()), (409, "AnotherOperationInProgress"));
    bench.follow(delete.header("azure-asyncoperation")).await;
    let gone = bench.arm(Method::GET, &id, NETWORK, None).await;
    assert_eq!((gone.status, gone.code(), gone.header("x-ms-failure-cause")), (404, "ResourceNotFound", "gateway"));
    assert_eq!(bench.arm(Method::DELETE, &id, NETWORK, None).await.status, 204);
    let nic = id.replace("privateEndpoints/pe1", "networkInterfaces/pe1-nic");
    assert_eq!(bench.arm(Method::GET, &nic, NETWORK, None).await.status, 404);
    let vault = bench.arm(Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await;
    assert!(vault.body["properties"].get("privateEndpointConnections").is_none());
}

#[tokio::test]
async fn a_link_and_a_zone_are_made_and_removed_by_operations_that_answer_202() {
    let bench = Bench::usual().await;
    let zone = bench.of("/azure/privateDnsZoneId").replace("privatelink.vaultcore.azure.net", "example.internal");
    let put = bench.arm(Method::PUT, &zone, DNS, Some(json!({"location": "global"}))).await;
    assert_eq!((put.status, put.body.clone(), put.header("retry-after")), (202, json!({}), "30"));
    let url = put.header("azure-asyncoperation").to_owned();
    let first = bench.follow(&url).await;
    assert_eq!((first.status, first.text("/status")), (202, "InProgress"));
    assert_eq!(first.header("azure-asyncoperation"), url);
    bench.follow(&url).await;
    assert_eq!(bench.follow(&url).await.status, 200);
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    let again = bench.client.put(format!("https://management.azure.com{zone}?api-version={DNS}"));
    let again = again.bearer_auth(token).header("if-none-match", "*").json(&json!({"location": "global"}));
    assert_eq!(again.send().await.unwrap().status(), 412);
    // The network is linked to the vaults' zone already; a second zone of another name is fine, one of the same is not.
    let twin = bench.of("/azure/privateDnsZoneId").replace("rg-network", "rg-keys");
    bench.patch(json!({"settings": {"operationPolls": 0}})).await;
    let made = bench.arm(Method::PUT, &twin, DNS, Some(json!({"location": "global"}))).await;
    bench.follow(made.header("azure-asyncoperation")).await;
    let link = json!({"location": "global", "properties": {"registrationEnabled": false, "virtualNetwork": {"id": bench.of("/azure/vnetId")}}});
    let put = bench.arm(Method::PUT, &format!("{twin}/virtualNetworkLinks/net"), DNS, Some(link)).await;
    assert_eq!(put.status, 202);
    let failed = bench.follow(put.header("azure-asyncoperation")).await;
    assert_eq!((failed.status, failed.text("/status"), failed.text("/error/code")), (200, "Failed", "BadRequest"));
    assert!(failed.text("/error/message").contains("overlapping namespaces"));
}

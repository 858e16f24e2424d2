//! Tests of IBM's half, each through the door that the proxy uses.

mod chain;
mod containers;
mod iam;
mod keystores;
mod link;
mod self_managed;
mod vaults;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use crate::azure::state::{ARecord, Connection, EndpointConnection, NetworkInterface, PrivateEndpoint};
use crate::seed;
use crate::state::{World, now};
use crate::wire::{Answer, Call};

/// A world, and hands to call its IBM hosts with.
struct Bench {
    world: World,
    seed: Value,
}

impl Bench {
    fn new() -> Self {
        let world = seed::world();
        let seed = seed::json(&world);
        Self { world, seed }
    }

    /// A text of `seed.json`.
    fn said(&self, pointer: &str) -> String {
        self.seed.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    }

    fn patch(&mut self, patch: &Value) {
        self.world.merge(patch).unwrap();
    }

    fn switch(&mut self, name: &str, value: &Value) {
        self.patch(&json!({"ibm": {"switches": {name: value}}}));
    }

    /// Any call, as it comes out of the proxy.
    fn raw(&mut self, method: Method, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let url = Url::parse(url).unwrap();
        let host = url.host_str().unwrap().to_owned();
        let port = url.port().unwrap_or(443);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let call = Call {
            service: crate::hosts::service(&self.world, &host, port),
            host,
            port,
            method,
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            headers: map,
            body,
        };
        super::answer(&mut self.world, &call)
    }

    fn token(&mut self) -> String {
        let key = self.said("/ibm/apiKey");
        let form = format!("grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey={key}");
        let answer = self.raw(Method::POST, "https://iam.cloud.ibm.com/identity/token", &[], form.into_bytes());
        answer.value()["access_token"].as_str().unwrap().to_owned()
    }

    /// A JSON call with IBM's bearer token and further headers.
    fn with(&mut self, method: Method, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.token());
        let mut all = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.raw(method, url, &all, body)
    }

    fn get(&mut self, url: &str) -> Answer {
        self.with(Method::GET, url, &[], &Value::Null)
    }

    fn post(&mut self, url: &str, body: &Value) -> Answer {
        self.with(Method::POST, url, &[], body)
    }

    fn patched(&mut self, url: &str, etag: &str, body: &Value) -> Answer {
        self.with(Method::PATCH, url, &[("if-match", etag)], body)
    }

    fn delete(&mut self, url: &str, etag: &str) -> Answer {
        self.with(Method::DELETE, url, &[("if-match", etag)], &Value::Null)
    }

    /// A route below the seed's connector.
    fn connector(&self, rest: &str) -> String {
        format!("https://api.link.satellite.cloud.ibm.com/v1/connectors/{}{rest}", self.said("/ibm/connector/id"))
    }

    /// A route of the seed's HPCS instance.
    fn uko(&self, rest: &str) -> String {
        format!("{}/api/v4{rest}", self.said("/ibm/uko/url"))
    }

    /// An approved private endpoint of the premium vault, with its DNS record; public access is closed.
    fn private_path(&mut self) {
        let vault = self.said("/azure/vaults/premium/name");
        let network = format!("{}/resourceGroups/rg-network/providers/Microsoft.Network", subscription(&self.seed));
        let endpoint = format!("{network}/privateEndpoints/pe");
        let nic = format!("{network}/networkInterfaces/pe-nic");
        let time = now(&self.world);
        let azure = &mut self.world.azure;
        azure.private_endpoints.insert(
            endpoint.to_lowercase(),
            PrivateEndpoint {
                id: endpoint.clone(),
                network_interface: nic.clone(),
                provisioning_state: "Succeeded".into(),
                connection: EndpointConnection { vault_connection: "pe".into(), ..EndpointConnection::default() },
                ..PrivateEndpoint::default()
            },
        );
        azure.network_interfaces.insert(
            nic.to_lowercase(),
            NetworkInterface {
                id: nic,
                private_endpoint: endpoint.clone(),
                private_ip_address: "10.0.0.4".into(),
                ..NetworkInterface::default()
            },
        );
        let found = azure.vaults.get_mut(&vault).unwrap();
        found.public_network_access = "Disabled".into();
        found.connections.insert(
            "pe".into(),
            Connection {
                private_endpoint: endpoint,
                status: "Approved".into(),
                provisioning_state: "Succeeded".into(),
                approved_at: Some(time),
                ..Connection::default()
            },
        );
        let zone = self.said("/azure/privateDnsZoneId").to_lowercase();
        let record = ARecord { addresses: vec!["10.0.0.4".into()], ..ARecord::default() };
        self.world.azure.private_dns_zones.get_mut(&zone).unwrap().a_records.insert(vault, record);
    }

    /// An endpoint towards the premium vault; its id and address.
    fn link_endpoint(&mut self) -> (String, String) {
        let host = format!("{}.privatelink.vaultcore.azure.net", self.said("/azure/vaults/premium/name"));
        let made = self.post(&self.connector("/endpoints"), &link::draft("payments", &host)).value();
        let id = made["endpoint_id"].as_str().unwrap().to_owned();
        for _ in 0..5 {
            let seen = self.get(&self.connector(&format!("/endpoints/{id}"))).value();
            if let (Some(host), Some(port)) = (seen["client_host"].as_str(), seen["client_port"].as_u64()) {
                return (id, format!("{host}:{port}"));
            }
        }
        panic!("no address after five reads");
    }

    /// The body of a keystore for the premium vault.
    fn keystore(&self, name: &str, proxy: Option<&str>) -> Value {
        let mut body = json!({
            "type": "azure_key_vault",
            "vault": {"id": self.said("/ibm/uko/vault/id")},
            "name": name,
            "azure_service_name": self.said("/azure/vaults/premium/name"),
            "azure_resource_group": "rg-keys",
            "azure_service_principal_client_id": self.said("/azure/servicePrincipal/clientId"),
            "azure_service_principal_password": self.said("/azure/servicePrincipal/clientSecret"),
            "azure_tenant": self.said("/azure/tenantId"),
            "azure_subscription_id": self.said("/azure/subscriptionId"),
            "azure_environment": "azure",
            "azure_variant": "premium",
        });
        if let Some(proxy) = proxy {
            body["tls_proxy"] = json!(proxy);
        }
        body
    }

    /// Is there a key-encryption key in the premium vault?
    fn has_kek(&self) -> bool {
        let vault = self.said("/azure/vaults/premium/name");
        crate::azure::facts::find_key(&self.world, &vault, crate::azure::facts::KEK).is_some()
    }
}

fn subscription(seed: &Value) -> String {
    format!("/subscriptions/{}", seed["azure"]["subscriptionId"].as_str().unwrap())
}

/// The field that an `ApiError` blames.
fn blamed(answer: &Answer) -> String {
    answer.value()["errors"][0]["target"]["name"].as_str().unwrap_or_default().to_owned()
}

fn etag(answer: &Answer) -> String {
    answer.header_value("etag").unwrap().to_owned()
}

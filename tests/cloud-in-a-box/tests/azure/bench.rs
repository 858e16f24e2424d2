//! A box of its own per test and a client that knows nothing but a proxy and a CA file.

use cloud_in_a_box::server::{self, Options, Running};
use reqwest::{Certificate, Client, Method, Proxy, Response};
use serde_json::{Value, json};

/// The versions a client of today sends.
pub(crate) const KEY_VAULT: &str = "2026-02-01";
pub(crate) const NETWORK: &str = "2024-03-01";
pub(crate) const DNS: &str = "2024-06-01";
pub(crate) const KEK: &str = "EKMF-BYOK-KEK-FOR-IMPORT";

pub(crate) struct Bench {
    pub(crate) running: Running,
    pub(crate) client: Client,
    pub(crate) seed: Value,
    _folder: tempfile::TempDir,
}

/// An answer, read in full.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    pub(crate) fn code(&self) -> &str {
        self.body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }
    pub(crate) fn inner(&self) -> &str {
        self.body.pointer("/error/innererror/code").and_then(Value::as_str).unwrap_or_default()
    }
    pub(crate) fn target(&self) -> &str {
        self.body.pointer("/error/target").and_then(Value::as_str).unwrap_or_default()
    }
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Bench {
    /// Operations end at the first poll and ask for no waiting.
    pub(crate) async fn quick() -> Self {
        let bench = Self::usual().await;
        bench.patch(json!({"settings": {"operationPolls": 0, "retryAfterSeconds": 0}})).await;
        bench
    }

    pub(crate) async fn usual() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = server::start(Options::anywhere(folder.path().to_owned())).await.unwrap();
        let seed = serde_json::from_slice(&std::fs::read(folder.path().join("seed.json")).unwrap()).unwrap();
        let client = client(&running, "ca.pem", true);
        Self { running, client, seed, _folder: folder }
    }

    pub(crate) fn of(&self, pointer: &str) -> String {
        self.seed.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic_free(pointer)).to_owned()
    }

    pub(crate) fn control(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.control)
    }

    pub(crate) async fn patch(&self, patch: Value) -> Reply {
        let reply = Reply::of(plain().post(self.control("/state")).json(&patch).send().await.unwrap()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    }

    pub(crate) async fn fault(&self, rule: Value) -> u64 {
        let reply = Reply::of(plain().post(self.control("/faults")).json(&rule).send().await.unwrap()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["id"].as_u64().unwrap()
    }

    pub(crate) async fn state(&self) -> Value {
        plain().get(self.control("/state")).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn requests(&self) -> Vec<Value> {
        plain().get(self.control("/requests?after=0")).send().await.unwrap().json().await.unwrap()
    }

    /// Asks Entra for a token with a secret.
    pub(crate) async fn ask_token(&self, tenant: &str, client_id: &str, secret: &str, scope: &str) -> Reply {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", scope),
        ];
        let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
        Reply::of(self.client.post(url).form(&form).send().await.unwrap()).await
    }

    pub(crate) async fn token(&self, who: &str, scope: &str) -> String {
        let (id, secret) = (self.of(&format!("/azure/{who}/clientId")), self.of(&format!("/azure/{who}/clientSecret")));
        let reply = self.ask_token(&self.of("/azure/tenantId"), &id, &secret, scope).await;
        reply.text("/access_token").to_owned()
    }

    pub(crate) async fn arm(&self, method: Method, id: &str, version: &str, body: Option<Value>) -> Reply {
        self.arm_as("operator", method, id, version, body).await
    }

    pub(crate) async fn arm_as(
        &self,
        who: &str,
        method: Method,
        id: &str,
        version: &str,
        body: Option<Value>,
    ) -> Reply {
        let token = self.token(who, "https://management.azure.com/.default").await;
        let url = format!("https://management.azure.com{id}");
        let mut request = self.client.request(method, url).bearer_auth(token).query(&[("api-version", version)]);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    /// Follows a URL that an answer handed out.
    pub(crate) async fn follow(&self, url: &str) -> Reply {
        let token = self.token("operator", "https://management.azure.com/.default").await;
        Reply::of(self.client.get(url).bearer_auth(token).send().await.unwrap()).await
    }

    pub(crate) async fn key(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
        let token = self.token(who, "https://vault.azure.net/.default").await;
        let url = format!("{}{path}", self.of("/azure/vaults/premium/uri"));
        let mut request = self.client.request(method, url).bearer_auth(token).query(&[("api-version", "7.5")]);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    pub(crate) fn endpoint_id(&self, name: &str) -> String {
        let subscription = self.of("/azure/subscriptionId");
        format!(
            "/subscriptions/{subscription}/resourceGroups/rg-network/providers/Microsoft.Network/privateEndpoints/{name}"
        )
    }

    pub(crate) fn endpoint_body(&self) -> Value {
        json!({
            "location": self.of("/azure/location"),
            "properties": {
                "subnet": {"id": self.of("/azure/subnetId")},
                "customNetworkInterfaceName": "pe1-nic",
                "privateLinkServiceConnections": [{
                    "name": "pe1",
                    "properties": {"privateLinkServiceId": self.of("/azure/vaults/premium/id"), "groupIds": ["vault"]},
                }],
            },
        })
    }

    /// An endpoint that is done; its name.
    pub(crate) async fn endpoint(&self) -> String {
        let id = self.endpoint_id("pe1");
        let put = self.arm(Method::PUT, &id, NETWORK, Some(self.endpoint_body())).await;
        assert_eq!(put.status, 201, "{}", put.body);
        let done = self.follow(put.header("azure-asyncoperation")).await;
        assert_eq!(done.body, json!({"status": "Succeeded"}));
        id
    }
}

fn panic_free(pointer: &str) -> &str {
    assert_eq!(pointer, "", "seed.json has no {pointer}");
    pointer
}

/// A client through the proxy that trusts one CA file of the box.
pub(crate) fn client(running: &Running, ca: &str, http2: bool) -> Client {
    let pem = std::fs::read(running.dir.join(ca)).unwrap();
    let builder = Client::builder()
        .proxy(Proxy::https(format!("http://{}", running.proxy)).unwrap())
        .tls_certs_only([Certificate::from_pem(&pem).unwrap()]);
    let builder = if http2 { builder } else { builder.http1_only() };
    builder.build().unwrap()
}

/// A client that uses no proxy.
pub(crate) fn plain() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

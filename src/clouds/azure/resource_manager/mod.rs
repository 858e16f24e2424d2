//! Azure Resource Manager: Key Vaults from outside, and the networks around them.
//!
//! In: ids and drafts. Out: plain values, or one error. Never: decides, or calls a write a success before it was read back.

mod lookup;
mod network;
mod operation;
mod private_dns;
mod private_endpoint;
mod reader;
mod role_assignment;
mod vault;
mod writer;

use std::sync::Arc;

use reqwest::{Method, header::HeaderName};
use url::Url;

pub use self::{
    network::{IpConfiguration, NetworkInterface, Subnet, VirtualNetwork},
    operation::{Accepted, OperationState, OperationUrl},
    private_dns::{ARecord, DnsZoneGroup, VirtualNetworkLink, ZoneConfig},
    private_endpoint::{PrivateEndpoint, PrivateEndpointDraft},
    role_assignment::{KeyVaultRole, RoleAssignment},
    vault::{AccessPolicy, DeletedVault, PrivateEndpointConnection, PublicAccess, Sku, UKO_KEY_PERMISSIONS, Vault},
    writer::ResourceManagerWriter,
};
use super::{
    entra::{Audience, Credential, Entra, Identity},
    refusal,
};
use crate::clouds::{
    hosts::AzureCloud,
    http::{Answer, Class, Error, Http, Request, Service},
};

/// Published versions of the providers' APIs. Key Vault's earlier ones are switched off on 27 February 2027 \[P\].
mod version {
    pub(super) const KEY_VAULT: &str = "2026-02-01";
    pub(super) const NETWORK: &str = "2024-03-01";
    pub(super) const PRIVATE_DNS: &str = "2024-06-01";
    pub(super) const AUTHORIZATION: &str = "2022-04-01";
}

/// What is asked: the call's name, the path below the host, and the provider's version.
#[derive(Clone, Copy)]
struct Call<'a> {
    operation: &'static str,
    path: &'a str,
    version: &'static str,
}

/// The reading client of Resource Manager, as one identity. A clone shares everything.
#[derive(Clone, Debug)]
pub struct ResourceManager {
    http: Http,
    identity: Identity,
}

impl ResourceManager {
    /// A client; no call is made.
    #[must_use]
    pub fn new(http: Http, entra: Entra, cloud: AzureCloud, credential: Credential) -> Self {
        let audience = Audience::ResourceManager;
        let identity = Identity { entra, cloud, credential: Arc::new(credential), audience };
        Self { http, identity }
    }

    /// The same identity with the right to change things.
    #[must_use]
    pub fn writer(&self) -> ResourceManagerWriter {
        ResourceManagerWriter::new(self.clone())
    }

    fn cloud(&self) -> AzureCloud {
        self.identity.cloud
    }

    fn request(&self, method: Method, call: Call<'_>) -> Result<Request, Error> {
        let address = format!("https://{}{}", self.cloud().arm_host(), call.path);
        let mut url = Url::parse(&address).map_err(|_| bad_id(call.operation))?;
        url.query_pairs_mut().append_pair("api-version", call.version);
        Ok(Self::dressed(Request::new(Service::Arm, call.operation, method, url)))
    }

    /// Adds what every call to Resource Manager carries.
    fn dressed(request: Request) -> Request {
        let mut request = request
            .with_attempt_id(HeaderName::from_static("x-ms-client-request-id"))
            .with_header(HeaderName::from_static("x-ms-return-client-request-id"), "true");
        request.throttles = refusal::throttles;
        request
    }

    /// Sends a call; whatever is no success becomes an error.
    async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let answer = self.http.send_as(request, &self.identity).await?;
        if answer.is_success() { Ok(answer) } else { Err(refusal::of(&answer)) }
    }
}

fn bad_id(operation: &'static str) -> Error {
    let advice = "Correct the resource id or name: it holds characters that Azure does not allow.";
    Error::new(Service::Arm, operation, Class::Invalid, "ResourceIdInvalid", advice)
}

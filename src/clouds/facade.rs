//! The way from a credential to a client: handles only, no call is made here.
//!
//! In: credentials. Out: clients that share pool, budgets, tokens and metrics. Never: decides; keeps a secret.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    azure::{Credential, Entra, KeyVaultData, ResourceManager},
    hosts::{AzureCloud, LinkScope},
    http::{CloudMetrics, Error, Http, HttpSettings},
    ibm::{AddressBook, Broker, Iam, IbmCredential, Satellite, Uko, UkoCredential, UkoUrl},
    token::{TokenCache, TokenKey},
};

/// Stacks with a CA or certificate of their own that are kept: each has a pool.
const STACKS: usize = 32;

/// Every client is made here. A clone shares everything.
#[derive(Clone, Debug)]
pub struct Clouds {
    http: Http,
    tokens: Arc<TokenCache>,
    entra: Entra,
    iam: Iam,
    link_scope: LinkScope,
    uko_bases: AddressBook,
    stacks: Arc<Mutex<VecDeque<(TokenKey, Http)>>>,
}

impl Clouds {
    /// Builds the shared stack.
    ///
    /// # Errors
    /// The CA file cannot be read or holds no certificate.
    pub fn new(settings: &HttpSettings, metrics: &CloudMetrics, link_scope: LinkScope) -> Result<Self, Error> {
        let http = Http::new(settings, metrics)?;
        let tokens = Arc::new(TokenCache::new());
        Ok(Self {
            entra: Entra::new(http.clone(), Arc::clone(&tokens)),
            iam: Iam::new(http.clone(), Arc::clone(&tokens)),
            http,
            tokens,
            link_scope,
            uko_bases: AddressBook::default(),
            stacks: Arc::default(),
        })
    }

    /// Entra's tokens.
    #[must_use]
    pub fn entra(&self) -> Entra {
        self.entra.clone()
    }

    /// IBM Cloud's tokens.
    #[must_use]
    pub fn iam(&self) -> Iam {
        self.iam.clone()
    }

    /// ARM as `credential`.
    #[must_use]
    pub fn resource_manager(&self, cloud: AzureCloud, credential: Credential) -> ResourceManager {
        ResourceManager::new(self.http.clone(), self.entra.clone(), cloud, credential)
    }

    /// Key Vault's data plane as `credential`.
    #[must_use]
    pub fn key_vault_data(&self, cloud: AzureCloud, credential: Credential) -> KeyVaultData {
        KeyVaultData::new(self.http.clone(), self.entra.clone(), cloud, credential)
    }

    /// Satellite as `credential`.
    #[must_use]
    pub fn satellite(&self, credential: IbmCredential) -> Satellite {
        Satellite::new(self.http.clone(), self.iam.clone(), credential, self.link_scope)
    }

    /// The broker that knows the addresses of hosted UKOs.
    #[must_use]
    pub fn broker(&self) -> Broker {
        Broker::new(self.http.clone(), self.iam.clone())
    }

    /// The address of a hosted instance's UKO: what the broker said within the last 30 minutes, else what it says now. An
    /// address is no secret; whoever may use the instance is settled at the address itself.
    ///
    /// # Errors
    /// Those of [`Broker::uko_url`]; a failure is not kept.
    /// # Cancel safety
    /// Safe: it only reads.
    pub async fn uko_base(&self, region: &str, instance_id: &str, credential: &IbmCredential) -> Result<UkoUrl, Error> {
        if let Some(base) = self.uko_bases.find(region, instance_id) {
            return Ok(base);
        }
        let base = self.broker().uko_url(region, instance_id, credential).await?;
        self.uko_bases.note(region, instance_id, &base);
        Ok(base)
    }

    /// Has the broker asked again at the next [`Clouds::uko_base`], for instance because nothing answers at the address.
    pub fn forget_uko_base(&self, region: &str, instance_id: &str) {
        self.uko_bases.forget(region, instance_id);
    }

    /// A UKO at `base`.
    #[must_use]
    pub fn uko(&self, base: UkoUrl, credential: UkoCredential) -> Uko {
        Uko::new(self.http.clone(), self.iam.clone(), Arc::clone(&self.tokens), base, credential)
    }

    /// A UKO with a CA or a client certificate of its own.
    ///
    /// # Errors
    /// `Invalid`: the CA or the certificate is no PEM.
    pub fn private_uko(
        &self,
        base: UkoUrl,
        credential: UkoCredential,
        ca: Option<&SecretString>,
        identity: Option<&SecretString>,
    ) -> Result<Uko, Error> {
        if ca.is_none() && identity.is_none() {
            return Ok(self.uko(base, credential));
        }
        let http = self.stack(ca, identity)?;
        Ok(Uko::new(http, self.iam.clone(), Arc::clone(&self.tokens), base, credential))
    }

    /// Reuses the pool while the PEM is the same.
    fn stack(&self, ca: Option<&SecretString>, identity: Option<&SecretString>) -> Result<Http, Error> {
        let text = |pem: Option<&SecretString>| pem.map(|pem| pem.expose_secret().to_owned()).unwrap_or_default();
        let key = TokenKey::of(&[&text(ca), &text(identity)]);
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, http)) = stacks.iter().find(|(known, _)| *known == key) {
            return Ok(http.clone());
        }
        let http = self.http.trusting(ca.map(|pem| pem.expose_secret().as_bytes()), identity)?;
        if stacks.len() >= STACKS {
            stacks.pop_front();
        }
        stacks.push_back((key, http.clone()));
        Ok(http)
    }
}

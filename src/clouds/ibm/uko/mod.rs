//! Unified Key Orchestrator, API v4: the reader of vaults, keystores, their health, and the keys installed in them.
//!
//! In: a base address, a credential, ids. Out: what UKO says of them.
//! Never: writes (that is [`UkoWriter`]), follows an `href`, or takes a gateway's 404 for an absent keystore.

mod address;
mod authentication;
mod keystore;
mod listing;
mod refusal;
mod time;
mod vault;
mod wire;
mod writer;

use std::sync::Arc;

use reqwest::{Method, header::HeaderName};
use serde_json::Value;

pub use address::UkoUrl;
pub use authentication::UkoCredential;
pub use keystore::{
    AzureEnvironment, AzureVariant, ConnectionChange, Health, InstalledKeys, Keystore, KeystoreChange, KeystoreDraft,
    KeystoreHandle, KeystoreKind, KeystoreStatus, LabelChange, Password,
};
pub use vault::UkoVault;
pub use writer::UkoWriter;

use self::{
    authentication::Session,
    listing::{LIMIT, Listing, Next},
};
use super::{
    ETag, Iam, KeystoreId, UkoVaultId,
    member::{Unreadable, text},
    refusal::Words,
    route,
};
use crate::clouds::{
    http::{Answer, Class, Error, Http, Request, Service},
    token::TokenCache,
};

/// Required by servers up to 4.7, gone from SDKs since 4.12, still in IBM's set-up page: sent whenever it is known.
const VAULT: HeaderName = HeaderName::from_static("uko-vault");
/// The states in which a key is installed and keeps its keystore connected. Without them UKO lists others \[S\].
const INSTALLED: &str = "active,deactivated,compromised";
/// Labels shown of the keys that keep a keystore connected.
const LABELS: usize = 10;

/// Reads one UKO. A clone shares pool, budgets and tokens.
#[derive(Clone, Debug)]
pub struct Uko {
    session: Session,
}

impl Uko {
    /// Makes the client; no call is made. For a server with a CA or client certificate of its own give it
    /// [`Http::trusting`]'s stack.
    #[must_use]
    pub fn new(http: Http, iam: Iam, cache: Arc<TokenCache>, base: UkoUrl, credential: UkoCredential) -> Self {
        Self { session: Session::new(http, iam, cache, base, credential) }
    }

    /// The same client, with the right to write.
    #[must_use]
    pub fn writer(&self) -> UkoWriter {
        UkoWriter::new(self.clone())
    }

    /// Signs in, or finds that it is signed in; a server that sees a client certificate in each call has nothing to sign in to.
    ///
    /// # Errors
    /// IAM's table, or that of the server's own login.
    pub async fn sign_in(&self) -> Result<(), Error> {
        self.session.prove().await
    }

    /// One vault by its id.
    ///
    /// Shape: `GET /api/v4/vaults/{id}`, with `ETag` \[S\].
    /// # Errors
    /// UKO's table; `AwaitingPerson`, reason `ApiVersionUnsupported`: the server knows no `/api/v4`.
    pub async fn vault(&self, id: &UkoVaultId) -> Result<Option<UkoVault>, Error> {
        let answer = self.get("GetVault", &["vaults", id.as_str()], &[], Some(id)).await?;
        if answer.status == 404 {
            // Without this an older server would look like one that merely lacks the vault.
            self.probe().await?;
            return Ok(None);
        }
        read(&answer, |body| wire::vault(body, etag(&answer))).map(Some)
    }

    /// All vaults of exactly this name; UKO's own filter means "starts with" \[S\]. All pages are read.
    ///
    /// Shape: `GET /api/v4/vaults?name=`.
    /// # Errors
    /// As [`Uko::vault`]. `Transient` for an answer that is no list: never an empty list.
    pub async fn vaults_named(&self, name: &str) -> Result<Vec<UkoVault>, Error> {
        let query = [("name", name)];
        let read = |item: &Value| wire::vault(item, None);
        let mut vaults = self.list("ListVaults", &["vaults"], &query, None, "vaults", read).await?;
        vaults.retain(|vault| vault.name == name);
        Ok(vaults)
    }

    /// All keystores of a vault. All pages are read; none of them carries an `ETag`.
    ///
    /// Shape: `GET /api/v4/keystores?vault.id=`.
    /// # Errors
    /// UKO's table. `Transient` for an answer that is no list: never an empty list.
    pub async fn keystores(&self, vault: &UkoVaultId) -> Result<Vec<Keystore>, Error> {
        let query = [("vault.id", vault.as_str())];
        let read = |item: &Value| wire::keystore(item, None);
        self.list("ListKeystores", &["keystores"], &query, Some(vault), "keystores", read).await
    }

    /// What kinds of keystores all vaults together have, one each; of the vaults that the identity may see. All pages are read.
    ///
    /// Shape: `GET /api/v4/keystores` \[S\].
    /// # Errors
    /// As [`Uko::keystores`].
    pub async fn kinds_of_all_keystores(&self) -> Result<Vec<KeystoreKind>, Error> {
        let read = |item: &Value| wire::keystore(item, None).map(|keystore| keystore.kind);
        self.list("ListKeystores", &["keystores"], &[], None, "keystores", read).await
    }

    /// One keystore, with the `ETag` a change needs. A 404 that is not UKO's own is checked against the list, so that a
    /// gateway's page cannot make a keystore look removed.
    ///
    /// Shape: `GET /api/v4/keystores/{id}`, with `ETag` \[S\].
    /// # Errors
    /// UKO's table.
    pub async fn keystore(&self, vault: &UkoVaultId, id: &KeystoreId) -> Result<Option<Keystore>, Error> {
        let answer = self.get("GetKeystore", &["keystores", id.as_str()], &[], Some(vault)).await?;
        if answer.status != 404 {
            return read(&answer, |body| wire::keystore(body, etag(&answer))).map(Some);
        }
        if Words::of(&answer).recognised {
            return Ok(None);
        }
        let listed = self.keystores(vault).await?.iter().any(|keystore| keystore.id == *id);
        if listed { Err(answer.unreadable()) } else { Ok(None) }
    }

    /// The health of a keystore's connection. When UKO looks, on this read or by itself, is unpublished.
    ///
    /// Shape: `GET /api/v4/keystores/{id}/status` \[S\].
    /// # Errors
    /// `NotFound`, reason `KeystoreNotFound`.
    pub async fn status(&self, vault: &UkoVaultId, id: &KeystoreId) -> Result<KeystoreStatus, Error> {
        let path = ["keystores", id.as_str(), "status"];
        let answer = self.get("GetKeystoreStatus", &path, &[], Some(vault)).await?;
        read(&answer, |body| body.is_object().then(|| wire::status(body)).ok_or(Unreadable("health_status")))
    }

    /// The keys that keep a keystore connected: how many, and the labels of the first ten.
    ///
    /// Shape: `GET /api/v4/keystores/{id}/managed_keys?state=…` \[S\]; that these states block is \[I\].
    /// # Errors
    /// `NotFound`, reason `KeystoreNotFound`.
    pub async fn installed_keys(&self, vault: &UkoVaultId, id: &KeystoreId) -> Result<InstalledKeys, Error> {
        let path = ["keystores", id.as_str(), "managed_keys"];
        let limit = LABELS.to_string();
        let query = [("state", INSTALLED), ("limit", limit.as_str())];
        let answer = self.get("ListInstalledKeys", &path, &query, Some(vault)).await?;
        read(&answer, |body| {
            let page = wire::page(body, "managed_keys")?;
            let shown = u64::try_from(page.items.len()).unwrap_or(u64::MAX);
            let labels = page.items.iter().filter_map(|key| text(key, "label")).take(LABELS);
            Ok(InstalledKeys { count: page.total.unwrap_or(shown).max(shown), labels: labels.collect() })
        })
    }

    /// Asks whether the server knows `/api/v4` at all; the first thing to ask of a self-managed one.
    ///
    /// # Errors
    /// `AwaitingPerson`, reason `ApiVersionUnsupported` (self-managed); `NotFound`, reason `UkoInstanceNotFound` (hosted).
    pub async fn probe(&self) -> Result<(), Error> {
        let answer = self.get("ListVaults", &["vaults"], &[("limit", "1")], None).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refused(&answer)) }
    }

    async fn list<T>(
        &self,
        operation: &'static str,
        path: &[&str],
        filter: &[(&str, &str)],
        vault: Option<&UkoVaultId>,
        member: &'static str,
        item: impl Fn(&Value) -> Result<T, Unreadable>,
    ) -> Result<Vec<T>, Error> {
        let limit = LIMIT.to_string();
        let mut listing = Listing::default();
        let mut offset = 0;
        loop {
            let at = offset.to_string();
            let query: Vec<_> =
                filter.iter().copied().chain([("limit", limit.as_str()), ("offset", at.as_str())]).collect();
            let answer = self.get(operation, path, &query, vault).await?;
            if !answer.is_success() {
                return Err(self.refused(&answer));
            }
            let next = read(&answer, |body| Ok(listing.take(&wire::page(body, member)?)))?;
            match next {
                Next::Page(next) => offset = next,
                Next::Broken => return Err(answer.unreadable()),
                Next::Done => {
                    let items: Result<Vec<T>, _> = listing.items.iter().map(item).collect();
                    return items.map_err(|missing| unreadable(&answer, missing));
                }
            }
        }
    }

    async fn get(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
        vault: Option<&UkoVaultId>,
    ) -> Result<Answer, Error> {
        let request = self.request(operation, Method::GET, path, vault)?;
        self.session.send(with_query(request, query)).await
    }

    fn request(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
        vault: Option<&UkoVaultId>,
    ) -> Result<Request, Error> {
        let segments: Vec<&str> = ["api", "v4"].iter().chain(path).copied().collect();
        let url = route::to(Service::Uko, operation, self.session.base().url(), &segments)?;
        let request = Request::new(Service::Uko, operation, method, url);
        Ok(match vault {
            Some(vault) => request.with_header(VAULT, vault.as_str()),
            None => request,
        })
    }

    /// A 404 for the list of vaults means another thing at IBM, where every instance speaks v4.
    fn refused(&self, answer: &Answer) -> Error {
        let error = refusal::uko(answer);
        let hosted = self.session.base().is_hosted();
        if hosted && answer.status == 404 && answer.operation == "ListVaults" {
            let advice = "No UKO answers at the instance's address; check instance id and region.";
            return error.reread(Class::NotFound, "UkoInstanceNotFound", advice);
        }
        error
    }
}

fn with_query(mut request: Request, query: &[(&str, &str)]) -> Request {
    if !query.is_empty() {
        request.url.query_pairs_mut().extend_pairs(query);
    }
    request
}

fn etag(answer: &Answer) -> Option<ETag> {
    answer.etag.as_deref().map(ETag::new)
}

fn read<T>(answer: &Answer, read: impl FnOnce(&Value) -> Result<T, Unreadable>) -> Result<T, Error> {
    if !answer.is_success() {
        return Err(refusal::uko(answer));
    }
    let body: Value = answer.json()?;
    read(&body).map_err(|missing| unreadable(answer, missing))
}

fn unreadable(answer: &Answer, missing: Unreadable) -> Error {
    answer.unreadable().with_source(Arc::new(missing))
}

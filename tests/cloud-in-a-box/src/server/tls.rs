//! Two certificate authorities and the leaves the real hosts have.
//!
//! In: a host name. Out: a TLS configuration whose certificate carries only the names of the real one.
//! Never: covers a `privatelink` name, so a wrong server name fails as in life.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::azure::cloud::CLOUDS;

/// Everything that can go wrong while making certificates.
pub type TlsError = Box<dyn std::error::Error + Send + Sync>;

/// Both authorities, the client certificate of the self-managed UKO, and the configurations made so far.
#[derive(Debug)]
pub struct Certificates {
    clouds: Authority,
    uko: Authority,
    client: ClientCertificate,
    made: Mutex<HashMap<Vec<String>, Arc<ServerConfig>>>,
}

#[derive(Debug)]
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

#[derive(Debug)]
struct ClientCertificate {
    name: String,
    pem: String,
    key_pem: String,
    der: CertificateDer<'static>,
}

impl Certificates {
    /// New authorities; the client certificate's common name is `user_id`.
    ///
    /// # Errors
    /// Only if key generation fails.
    pub fn new(user_id: &str) -> Result<Self, TlsError> {
        let clouds = Authority::new("cloud-in-a-box test CA")?;
        let uko = Authority::new("cloud-in-a-box customer CA of the self-managed UKO")?;
        let client = uko.client(user_id)?;
        Ok(Self { clouds, uko, client, made: Mutex::default() })
    }

    /// The authority of the clouds.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.clouds.pem
    }

    /// The authority of the self-managed UKO.
    #[must_use]
    pub fn uko_ca_pem(&self) -> &str {
        &self.uko.pem
    }

    /// The client certificate and its key.
    #[must_use]
    pub fn client_pem(&self) -> (&str, &str) {
        (&self.client.pem, &self.client.key_pem)
    }

    /// The common name of a client certificate that the handshake has verified.
    #[must_use]
    pub fn client_name(&self, certificate: &CertificateDer<'_>) -> Option<&str> {
        // Only this authority's certificates pass the verifier, and it has issued exactly one to a client.
        (certificate.as_ref() == self.client.der.as_ref()).then_some(self.client.name.as_str())
    }

    /// The configuration for a host of the clouds, or for the self-managed UKO's.
    ///
    /// # Errors
    /// A host that cannot stand in a certificate.
    pub fn server(&self, host: &str, self_managed: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let names = if self_managed { vec![host.to_owned()] } else { names_of(host) };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = made.get(&names) {
            return Ok(Arc::clone(found));
        }
        let authority = if self_managed { &self.uko } else { &self.clouds };
        let (chain, key) = authority.leaf(&names)?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = if self_managed {
            let mut roots = RootCertStore::empty();
            roots.add(self.uko.der.clone())?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let config = Arc::new(config);
        made.insert(names, Arc::clone(&config));
        Ok(config)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The names the real certificate of this host carries.
fn names_of(host: &str) -> Vec<String> {
    let vault = CLOUDS.iter().find(|cloud| cloud.vault_of_host(host).is_some());
    if let Some(cloud) = vault {
        return cloud.vault_sans.iter().map(|name| (*name).to_owned()).collect();
    }
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [_, rest @ ("uko" | "broker"), more @ ..] if more.contains(&"hs-crypto") => {
            vec![format!("*.{rest}.{}", more.join("."))]
        }
        _ => vec![host.to_owned()],
    }
}

impl Authority {
    fn new(name: &str) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params(Vec::new(), name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key)?;
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Ok(Self { issuer: Issuer::new(params, key), pem, der })
    }

    fn leaf(&self, names: &[String]) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params(names.to_vec(), names.first().map_or("", String::as_str))?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    fn client(&self, name: &str) -> Result<ClientCertificate, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params(Vec::new(), name)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ClientCertificate {
            name: name.to_owned(),
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
        })
    }
}

fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names)?;
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 12, 31);
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_carries_the_real_names_only() {
        let vault = ["vault.azure.net", "*.vault.azure.net", "*.vaultcore.azure.net"];
        assert_eq!(names_of("kv1.vault.azure.net"), vault);
        assert_eq!(names_of("kv1.privatelink.vaultcore.azure.net"), vault);
        assert_eq!(names_of("iam.cloud.ibm.com"), ["iam.cloud.ibm.com"]);
        assert_eq!(names_of("abc.uko.eu-de.hs-crypto.appdomain.cloud"), ["*.uko.eu-de.hs-crypto.appdomain.cloud"]);
        assert_eq!(names_of("eu-de.broker.hs-crypto.cloud.ibm.com"), ["*.broker.hs-crypto.cloud.ibm.com"]);
        assert_eq!(names_of("uko.eu-de.hs-crypto.cloud.ibm.com"), ["uko.eu-de.hs-crypto.cloud.ibm.com"]);
    }
}

//! Builds the clients that carry every call, and reads what went wrong below HTTP.
//!
//! In: settings, PEM. Out: a `reqwest::Client`, or a transport error. Never: follows a redirect, or prints a URL.

use std::{error::Error as StdError, fs, io, sync::Arc, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, Identity, NoProxy, Proxy, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::{Class, Error, HttpSettings, ProxySettings, Request, Service};

const IDLE: Duration = Duration::from_mins(1);

/// Trust and identity beyond the settings, for a server of the customer's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras<'a> {
    pub(super) ca_pem: Option<&'a [u8]>,
    pub(super) identity_pem: Option<&'a SecretString>,
}

/// The client for every host but the metadata service.
pub(super) fn client(settings: &HttpSettings, extras: &Extras<'_>) -> Result<Client, Error> {
    let mut builder = proxied(base(settings), &settings.proxy)?;
    let mut roots = Vec::new();
    if let Some(path) = &settings.extra_ca_file {
        let pem = fs::read(path)
            .map_err(|error| broken("ExtraCaUnreadable", "Check the file given as the extra CA.", Arc::new(error)))?;
        roots.extend(certificates(&pem)?);
    }
    if let Some(pem) = extras.ca_pem {
        roots.extend(certificates(pem)?);
    }
    if !roots.is_empty() {
        // Beside the system's roots, not instead of them: the same client also reaches public hosts.
        builder = builder.tls_certs_merge(roots);
    }
    if let Some(pem) = extras.identity_pem {
        let identity = Identity::from_pem(pem.expose_secret().as_bytes()).map_err(|_| {
            fault("ClientCertificateInvalid", "Put a PEM certificate and its private key into the Secret.")
        })?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(|error| {
        let advice =
            "No TLS client could be made; check that the image holds CA certificates, or name a file in SSL_CERT_FILE.";
        broken("TlsSetupFailed", advice, Arc::new(error))
    })
}

/// The client for the metadata service: plain HTTP on the node, never through a proxy.
pub(super) fn direct_client(settings: &HttpSettings) -> Result<Client, Error> {
    base(settings)
        .no_proxy()
        .tls_certs_only([])
        .connect_timeout(settings.connect_timeout.min(Duration::from_secs(2)))
        .build()
        .map_err(|error| broken("TlsSetupFailed", "No HTTP client could be made.", Arc::new(error)))
}

fn base(settings: &HttpSettings) -> ClientBuilder {
    Client::builder()
        .user_agent(&settings.user_agent)
        .redirect(redirect::Policy::none())
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .pool_idle_timeout(IDLE)
        .http2_keep_alive_interval(IDLE / 2)
        .http2_keep_alive_timeout(settings.connect_timeout)
        .retry(reqwest::retry::never())
}

fn proxied(builder: ClientBuilder, settings: &ProxySettings) -> Result<ClientBuilder, Error> {
    let exceptions = settings.no_proxy.as_deref().and_then(NoProxy::from_string);
    // Settings are the one source: reqwest must not look into the environment by itself.
    let mut builder = builder.no_proxy();
    let ways = [(&settings.https_proxy, true), (&settings.http_proxy, false)];
    for (url, tls) in ways {
        let Some(url) = url.as_deref().filter(|url| !url.is_empty()) else {
            continue;
        };
        let proxy = if tls { Proxy::https(url) } else { Proxy::http(url) };
        // The cause is not kept: it may quote the proxy's URL with its password.
        let proxy = proxy.map_err(|_| fault("ProxyInvalid", "Correct the proxy's URL in the operator's settings."))?;
        builder = builder.proxy(proxy.no_proxy(exceptions.clone()));
    }
    Ok(builder)
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let found = Certificate::from_pem_bundle(pem)
        .map_err(|_| fault("CaBundleInvalid", "The CA bundle is no PEM; correct it."))?;
    if found.is_empty() {
        return Err(fault("CaBundleInvalid", "The CA bundle holds no PEM certificate; correct it."));
    }
    Ok(found)
}

fn fault(reason: &'static str, advice: &'static str) -> Error {
    Error::new(Service::Uko, "BuildClient", Class::Invalid, reason, advice)
}

fn broken(reason: &'static str, advice: &'static str, source: super::Source) -> Error {
    fault(reason, advice).with_source(source)
}

/// What a call without an answer means.
pub(super) fn failure(request: &Request, error: reqwest::Error) -> Error {
    // The URL of an operation carries a signature in its query.
    let error = error.without_url();
    let never_left = error.is_connect() || error.is_builder();
    let (class, reason, advice) = verdict(request.service, &error);
    Error::new(request.service, request.operation, class, reason, advice)
        .with_outcome_unknown(request.mutates() && !never_left)
        .with_source(Arc::new(error))
}

fn verdict(service: Service, error: &reqwest::Error) -> (Class, &'static str, &'static str) {
    if chain_has(error, untrusted) {
        let advice = "The server's certificate is not trusted; correct the CA bundle, or the host.";
        return (Class::AwaitingPerson, "CertificateNotTrusted", advice);
    }
    if service == Service::KeyVault && chain_has(error, |cause| cause.to_string() == "dns error") {
        let advice = "The Key Vault's name does not resolve: the vault is deleted, or lies in another cloud.";
        return (Class::AwaitingPerson, "VaultNameUnresolvable", advice);
    }
    (Class::Transient, service.unavailable(), "The service did not answer; it is asked again.")
}

fn chain_has(error: &(dyn StdError + 'static), test: impl Fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if test(current) {
            return true;
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    false
}

fn untrusted(cause: &(dyn StdError + 'static)) -> bool {
    matches!(cause.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(_)))
}

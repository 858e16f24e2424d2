//! The base address of a UKO.
//!
//! In: what the broker named, or what the policy file allows. Out: a URL that ids can be appended to.
//! Never: plain HTTP, a credential or a query in the address.

use std::fmt;

use url::Url;

use crate::clouds::hosts::is_uko_host;

/// The base address of a UKO, hosted or self-managed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkoUrl {
    url: Url,
    hosted: bool,
}

impl UkoUrl {
    /// An address on one of IBM's hosts, in either form; `None` for any other.
    #[must_use]
    pub fn hosted(url: Url) -> Option<Self> {
        is_uko_host(&url).then_some(Self { url, hosted: true })
    }

    /// Reads back an address that [`UkoUrl::hosted`] accepted, for instance from a status; checked all the same.
    #[must_use]
    pub fn parse_hosted(text: &str) -> Option<Self> {
        Self::hosted(Url::parse(text).ok()?)
    }

    /// The address of a server of the customer's own: https, a host, perhaps a port and a context root, nothing else.
    #[must_use]
    pub fn self_managed(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = url.username().is_empty() && url.password().is_none();
        let plain = url.query().is_none() && url.fragment().is_none();
        (url.scheme() == "https" && url.has_host() && bare && plain).then_some(Self { url, hosted: false })
    }

    /// Whether the host is IBM's, so that an IAM token may go there.
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        self.hosted
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for UkoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn only_ibms_hosts_are_hosted() {
        let url = UkoUrl::parse_hosted("https://uko.eu-de.hs-crypto.cloud.ibm.com:9730").unwrap();
        assert!(url.is_hosted());
        assert_eq!(url.to_string(), "https://uko.eu-de.hs-crypto.cloud.ibm.com:9730");
        assert_eq!(UkoUrl::parse_hosted("https://uko.example.com"), None);
        let own = UkoUrl::self_managed("https://uko.eu-de.hs-crypto.cloud.ibm.com:9730").unwrap();
        assert!(!own.is_hosted(), "an address of the customer's own never gets an IAM token");
    }

    #[test]
    fn a_server_of_ones_own_needs_tls_and_a_plain_address() {
        assert!(UkoUrl::self_managed("https://uko.example.com:8443/keys").is_some());
        for text in [
            "http://uko.example.com",
            "https://u:p@uko.example.com",
            "https://uko.example.com?x=1",
            "uko.example.com",
            "",
        ] {
            assert_eq!(UkoUrl::self_managed(text), None, "{text}");
        }
    }
}

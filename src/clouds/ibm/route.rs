//! Builds the address of a call from a base and ids.
//!
//! In: a base URL that `clouds::hosts` vouches for, path segments. Out: the URL.
//! Never: lets an id change the route: `.`, `..` and nothing at all are no ids.

use url::Url;

use crate::clouds::http::{Class, Error, Service};

/// `https://` and a host of `clouds::hosts`.
pub(super) fn base(service: Service, operation: &'static str, host: &str) -> Result<Url, Error> {
    Url::parse(&format!("https://{host}/")).map_err(|_| {
        let advice = "A region or id makes no host name; correct it in the manifest.";
        Error::new(service, operation, Class::Invalid, "HostInvalid", advice)
    })
}

/// Appends segments, percent-encoded, to the base's own path.
pub(super) fn to(service: Service, operation: &'static str, base: &Url, segments: &[&str]) -> Result<Url, Error> {
    let unusable = || {
        let advice = "An id is empty or no id at all; correct it in the manifest.";
        Error::new(service, operation, Class::Invalid, "IdInvalid", advice)
    };
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err(unusable());
    }
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| unusable())?.pop_if_empty().extend(segments);
    Ok(url)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn ids_are_encoded_and_a_context_root_is_kept() {
        let base = Url::parse("https://uko.example.com:8443/keys/").unwrap();
        let url = to(Service::Uko, "GetKeystore", &base, &["api", "v4", "keystores", "a/b?c"]).unwrap();
        assert_eq!(url.as_str(), "https://uko.example.com:8443/keys/api/v4/keystores/a%2Fb%3Fc");
    }

    #[test]
    fn what_would_change_the_route_is_no_id() {
        let base = Url::parse("https://api.link.satellite.cloud.ibm.com/").unwrap();
        for id in ["", ".", ".."] {
            let error = to(Service::Link, "GetEndpoint", &base, &["v1", "connectors", id, "endpoints"]).unwrap_err();
            assert_eq!((error.class, error.reason), (Class::Invalid, "IdInvalid"));
        }
    }
}

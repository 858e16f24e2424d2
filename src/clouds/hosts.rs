//! The only place that knows hosts.
//!
//! In: a cloud, a region, a name. Out: addresses of the real services. Never: an override, not even for tests.

use url::Url;

/// One of the three Azure clouds. The German one was closed in October 2021.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AzureCloud {
    /// The public cloud.
    Public,
    /// Operated by 21Vianet.
    China,
    /// US Government.
    UsGovernment,
}

impl AzureCloud {
    /// Entra's host.
    #[must_use]
    pub const fn authority_host(self) -> &'static str {
        match self {
            Self::Public => "login.microsoftonline.com",
            Self::China => "login.chinacloudapi.cn",
            Self::UsGovernment => "login.microsoftonline.us",
        }
    }

    /// Azure Resource Manager's host.
    #[must_use]
    pub const fn arm_host(self) -> &'static str {
        match self {
            Self::Public => "management.azure.com",
            Self::China => "management.chinacloudapi.cn",
            Self::UsGovernment => "management.usgovcloudapi.net",
        }
    }

    /// What follows a Key Vault's name and a dot.
    #[must_use]
    pub const fn vault_suffix(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::China => "vault.azure.cn",
            Self::UsGovernment => "vault.usgovcloudapi.net",
        }
    }

    /// The private DNS zone of Key Vaults.
    #[must_use]
    pub const fn privatelink_zone(self) -> &'static str {
        match self {
            Self::Public => "privatelink.vaultcore.azure.net",
            Self::China => "privatelink.vaultcore.azure.cn",
            Self::UsGovernment => "privatelink.vaultcore.usgovcloudapi.net",
        }
    }

    /// The scope of a token for Azure Resource Manager.
    #[must_use]
    pub const fn arm_scope(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com/.default",
            Self::China => "https://management.chinacloudapi.cn/.default",
            Self::UsGovernment => "https://management.usgovcloudapi.net/.default",
        }
    }

    /// The scope of a token for the data plane of Key Vault.
    #[must_use]
    pub const fn vault_scope(self) -> &'static str {
        match self {
            Self::Public => "https://vault.azure.net/.default",
            Self::China => "https://vault.azure.cn/.default",
            Self::UsGovernment => "https://vault.usgovcloudapi.net/.default",
        }
    }

    /// The audience that a federated token (of a Kubernetes service account) must carry.
    #[must_use]
    pub const fn federated_audience(self) -> &'static str {
        match self {
            Self::Public => "api://AzureADTokenExchange",
            Self::China => "api://AzureADTokenExchangeChina",
            Self::UsGovernment => "api://AzureADTokenExchangeUSGov",
        }
    }

    /// UKO's word for the cloud (`azure_environment`).
    #[must_use]
    pub const fn uko_environment(self) -> &'static str {
        match self {
            Self::Public => "azure",
            Self::China => "azure_china",
            Self::UsGovernment => "azure_us_government",
        }
    }

    /// The host of a Key Vault's data plane. It is also the only name its certificate bears.
    #[must_use]
    pub fn vault_host(self, vault: &str) -> String {
        format!("{}.{}", vault.to_ascii_lowercase(), self.vault_suffix())
    }

    /// The name that resolves to a Key Vault's private endpoint: an address for a tunnel, never a TLS name.
    #[must_use]
    pub fn privatelink_host(self, vault: &str) -> String {
        format!("{}.{}", vault.to_ascii_lowercase(), self.privatelink_zone())
    }
}

/// The instance metadata service: plain HTTP, on the node, never through a proxy.
pub const IMDS_HOST: &str = "169.254.169.254";
/// IBM Cloud IAM.
pub const IAM_HOST: &str = "iam.cloud.ibm.com";
/// IBM Cloud Kubernetes Service, with the GraphQL of Satellite connectors.
pub const CONTAINERS_HOST: &str = "containers.cloud.ibm.com";
/// Satellite Link.
pub const LINK_HOST: &str = "api.link.satellite.cloud.ibm.com";

/// Under which collection Satellite Link keeps the endpoints of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkScope {
    /// `/v1/connectors/{id}`.
    Connectors,
    /// `/v1/locations/{id}`.
    Locations,
}

impl LinkScope {
    /// The path segment.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connectors => "connectors",
            Self::Locations => "locations",
        }
    }
}

/// The broker that knows the addresses of hosted UKO instances of a region; none if the region is no plain word.
#[must_use]
pub fn broker_host(region: &str) -> Option<String> {
    is_label(region).then(|| format!("{region}.broker.hs-crypto.cloud.ibm.com"))
}

/// True for an address of a hosted UKO in either of its two forms, over https and without a credential in it.
#[must_use]
pub fn is_uko_host(url: &Url) -> bool {
    uko_region(url).is_some()
}

/// The region in the address of a hosted UKO: `<instance>.uko.<region>.hs-crypto.appdomain.cloud`, or the older
/// `uko.<region>.hs-crypto.cloud.ibm.com` with a port from 8000 to 19999.
#[must_use]
pub fn uko_region(url: &Url) -> Option<&str> {
    let bare = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| bare)?;
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [instance, "uko", region, "hs-crypto", "appdomain", "cloud"] => {
            let plain = is_label(instance) && is_label(region) && url.port().is_none();
            plain.then_some(*region)
        }
        ["uko", region, "hs-crypto", "cloud", "ibm", "com"] => {
            let legacy = url.port().is_some_and(|port| (8000..20_000).contains(&port));
            (is_label(region) && legacy).then_some(*region)
        }
        _ => None,
    }
}

/// One DNS label of lower-case letters, digits and hyphens.
fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// True when `url` is https on exactly this host and its default port (which Key Vault spells out as `:443`).
#[must_use]
pub fn is_at(url: &Url, host: &str) -> bool {
    url.scheme() == "https"
        && url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host))
        && url.port_or_known_default() == Some(443)
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_the_two_forms_of_a_hosted_uko_are_known() {
        let id = "0123abcd-0000-0000-0000-000000000000";
        assert_eq!(uko_region(&url(&format!("https://{id}.uko.eu-de.hs-crypto.appdomain.cloud"))), Some("eu-de"));
        assert_eq!(uko_region(&url("https://uko.us-east.hs-crypto.cloud.ibm.com:9730/api")), Some("us-east"));
        for wrong in [
            "http://uko.us-east.hs-crypto.cloud.ibm.com:9730",
            "https://uko.us-east.hs-crypto.cloud.ibm.com",
            "https://uko.us-east.hs-crypto.cloud.ibm.com:443",
            "https://uko.us-east.hs-crypto.cloud.ibm.com.evil.example:9730",
            "https://evil.example/uko.us-east.hs-crypto.cloud.ibm.com:9730",
            "https://me@uko.us-east.hs-crypto.cloud.ibm.com:9730",
            "https://a.b.uko.eu-de.hs-crypto.appdomain.cloud",
        ] {
            assert!(!is_uko_host(&url(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_at_a_host_only_over_https_on_its_own_port() {
        assert!(is_at(&url("https://management.azure.com:443/x"), "management.azure.com"));
        assert!(is_at(&url("https://Management.Azure.com/x"), "management.azure.com"));
        assert!(!is_at(&url("http://management.azure.com/x"), "management.azure.com"));
        assert!(!is_at(&url("https://management.azure.com:444/x"), "management.azure.com"));
        assert!(!is_at(&url("https://management.azure.com.evil.example/x"), "management.azure.com"));
        assert!(!is_at(&url("https://a:b@management.azure.com/x"), "management.azure.com"));
    }

    #[test]
    fn a_vaults_names_are_lower_case_whatever_the_spec_says() {
        assert_eq!(AzureCloud::Public.vault_host("Payments-KV"), "payments-kv.vault.azure.net");
        assert_eq!(AzureCloud::China.privatelink_host("KV1"), "kv1.privatelink.vaultcore.azure.cn");
    }

    #[test]
    fn a_region_that_is_no_label_has_no_broker() {
        assert_eq!(broker_host("eu-de").unwrap(), "eu-de.broker.hs-crypto.cloud.ibm.com");
        assert_eq!(broker_host("evil.example/"), None);
    }
}

//! The host names and audiences of Azure's three clouds.
//!
//! In: a [`Cloud`]. Out: its fixed names. Never: state.

use super::state::Cloud;

/// Names of one cloud; suffixes have no leading dot.
#[derive(Debug)]
pub struct Names {
    /// Which cloud.
    pub cloud: Cloud,
    /// Entra's host.
    pub authority: &'static str,
    /// Other names of the same Entra; the last one is what token issuers say.
    pub authority_aliases: &'static [&'static str],
    /// Resource Manager's host.
    pub arm: &'static str,
    /// Audiences Resource Manager accepts, without a trailing slash.
    pub arm_audiences: &'static [&'static str],
    /// Key Vault's suffix.
    pub vault_suffix: &'static str,
    /// Names a Key Vault certificate carries.
    pub vault_sans: &'static [&'static str],
    /// Private DNS zone of Key Vault.
    pub vault_zone: &'static str,
    /// Audience of federated assertions.
    pub federated_audience: &'static str,
    /// `tenant_region_scope` and the like: what discovery calls the cloud.
    pub graph: &'static str,
}

/// The three clouds.
pub static CLOUDS: [Names; 3] = [
    Names {
        cloud: Cloud::AzurePublic,
        authority: "login.microsoftonline.com",
        authority_aliases: &["login.windows.net", "login.microsoft.com", "sts.windows.net"],
        arm: "management.azure.com",
        arm_audiences: &["https://management.core.windows.net", "https://management.azure.com"],
        vault_suffix: "vault.azure.net",
        vault_sans: &["vault.azure.net", "*.vault.azure.net", "*.vaultcore.azure.net"],
        vault_zone: "privatelink.vaultcore.azure.net",
        federated_audience: "api://AzureADTokenExchange",
        graph: "graph.microsoft.com",
    },
    Names {
        cloud: Cloud::AzureChina,
        authority: "login.chinacloudapi.cn",
        authority_aliases: &["login.partner.microsoftonline.cn", "sts.chinacloudapi.cn"],
        arm: "management.chinacloudapi.cn",
        arm_audiences: &["https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn"],
        vault_suffix: "vault.azure.cn",
        vault_sans: &["vault.azure.cn", "*.vault.azure.cn", "*.vaultcore.azure.cn"],
        vault_zone: "privatelink.vaultcore.azure.cn",
        federated_audience: "api://AzureADTokenExchangeChina",
        graph: "microsoftgraph.chinacloudapi.cn",
    },
    Names {
        cloud: Cloud::AzureUSGovernment,
        authority: "login.microsoftonline.us",
        authority_aliases: &["login.usgovcloudapi.net", "sts.windows.net"],
        arm: "management.usgovcloudapi.net",
        arm_audiences: &["https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net"],
        vault_suffix: "vault.usgovcloudapi.net",
        vault_sans: &["vault.usgovcloudapi.net", "*.vault.usgovcloudapi.net", "*.vaultcore.usgovcloudapi.net"],
        vault_zone: "privatelink.vaultcore.usgovcloudapi.net",
        federated_audience: "api://AzureADTokenExchangeUSGov",
        graph: "graph.microsoft.us",
    },
];

/// The names of a cloud.
#[must_use]
pub fn names(cloud: Cloud) -> &'static Names {
    let [public, china, government] = &CLOUDS;
    match cloud {
        Cloud::AzurePublic => public,
        Cloud::AzureChina => china,
        Cloud::AzureUSGovernment => government,
    }
}

impl Names {
    /// A vault's URI, with its trailing slash.
    #[must_use]
    pub fn vault_uri(&self, vault: &str) -> String {
        format!("https://{}.{}/", vault.to_lowercase(), self.vault_suffix)
    }

    /// The vault a host name stands for, public or `privatelink` form.
    #[must_use]
    pub fn vault_of_host<'a>(&self, host: &'a str) -> Option<&'a str> {
        [self.vault_suffix, self.vault_zone].into_iter().find_map(|suffix| {
            let name = host.strip_suffix(suffix)?.strip_suffix('.')?;
            (!name.is_empty() && !name.contains('.')).then_some(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_vault_lead_to_it() {
        let public = names(Cloud::AzurePublic);
        assert_eq!(public.vault_of_host("kv1.vault.azure.net"), Some("kv1"));
        assert_eq!(public.vault_of_host("kv1.privatelink.vaultcore.azure.net"), Some("kv1"));
        assert_eq!(public.vault_of_host("vault.azure.net"), None);
        assert_eq!(public.vault_of_host("kv1.vault.azure.cn"), None);
    }

    #[test]
    fn no_certificate_name_covers_privatelink() {
        for cloud in &CLOUDS {
            assert!(cloud.vault_sans.iter().all(|name| !name.contains("privatelink")));
        }
    }
}

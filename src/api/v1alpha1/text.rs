//! Strings with a shape: each type carries its length, its pattern and one sentence that says what is allowed.
//!
//! In: a pattern. Out: a newtype whose schema refuses anything else, in words. Never: normalises; Git keeps the user's spelling.

use std::{borrow::Cow, fmt, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:literal..=$max:literal, $pattern:literal, $allowed:literal $(, rule $rule:literal, $cure:literal)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": $min,
                    "maxLength": $max,
                    "pattern": $pattern,
                    "x-kubernetes-validations": [
                        { "rule": concat!("self.matches(r\"", $pattern, "\")"), "message": $allowed },
                        $({ "rule": $rule, "message": $cure },)*
                    ],
                })
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }
    };
}

text!(
    /// A GUID: tenant, subscription, client and instance ids.
    Guid, 36..=36, "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "must be a GUID: 8-4-4-4-12 hexadecimal digits"
);
text!(
    /// The name of an object in the same namespace.
    ObjectName, 1..=253, "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    "must be the name of an object in this namespace: lower-case letters, digits, hyphens and dots"
);
text!(
    /// A key inside a Secret.
    SecretKey, 1..=253, "^[-._a-zA-Z0-9]+$",
    "must be a key of a Secret: letters, digits, hyphens, underscores and dots"
);
text!(
    /// Name of an Azure Key Vault.
    KeyVaultName, 3..=24, "^[a-zA-Z0-9-]{3,24}$",
    "must be a Key Vault name: 3 to 24 letters, digits and hyphens"
);
text!(
    /// Name of an Azure resource group.
    ResourceGroupName, 1..=90, "^[-\\w._()]*[-\\w_()]$",
    "must be a resource group name: 1 to 90 letters, digits, hyphens, underscores, dots and parentheses, not ending in a dot"
);
text!(
    /// Name of an Azure private endpoint or network interface.
    NetworkResourceName, 2..=64, "^[a-zA-Z0-9][a-zA-Z0-9_.-]*[a-zA-Z0-9_]$",
    "must be 2 to 64 letters, digits, underscores, dots and hyphens, first a letter or digit, last a letter, digit or underscore"
);
text!(
    /// ARM id of a subnet.
    SubnetId, 1..=512,
    "^/subscriptions/[0-9a-fA-F-]{36}/[rR]esource[gG]roups/[^/]{1,90}/providers/[mM]icrosoft\\.[nN]etwork/virtual[nN]etworks/[^/]{2,64}/subnets/[^/]{1,80}$",
    "must be a subnet id: /subscriptions/<id>/resourceGroups/<name>/providers/Microsoft.Network/virtualNetworks/<name>/subnets/<name>"
);
text!(
    /// ARM id of a private DNS zone.
    PrivateDnsZoneId, 1..=512,
    "^/subscriptions/[0-9a-fA-F-]{36}/[rR]esource[gG]roups/[^/]{1,90}/providers/[mM]icrosoft\\.[nN]etwork/private[dD]ns[zZ]ones/privatelink\\.vaultcore\\.(azure\\.net|azure\\.cn|usgovcloudapi\\.net)$",
    "must be the id of a Key Vault private DNS zone: /subscriptions/<id>/resourceGroups/<name>/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net (or its national twin)"
);
text!(
    /// An Azure region in ARM's own spelling.
    AzureLocation, 1..=40, "^[a-z0-9]+$",
    "must be an Azure region in lower case without spaces, such as westeurope"
);
text!(
    /// An IPv4 address.
    Ipv4Address, 7..=15, "^[0-9.]+$",
    "must be an IPv4 address such as 10.0.0.10",
    rule "isIP(self) && ip(self).family() == 4", "must be an IPv4 address such as 10.0.0.10"
);
text!(
    /// An IPv4 network inside the ranges that Satellite accepts.
    SourceCidr, 9..=18, "^[0-9.]+/[0-9]{1,2}$",
    "must be an IPv4 network such as 10.1.0.0/16: four numbers up to 255, a prefix up to 32",
    rule "isCIDR(self)", "must be an IPv4 network such as 10.1.0.0/16: four numbers up to 255, a prefix up to 32",
    rule "!isCIDR(self) || cidr(self).masked() == cidr(self)", "must be a network without host bits, such as 10.1.0.0/16",
    rule "!isCIDR(self) || ['10.0.0.0/8', '161.26.0.0/16', '166.8.0.0/14', '172.16.0.0/12'].exists(r, cidr(r).containsCIDR(self))", "must lie in 10.0.0.0/8, 161.26.0.0/16, 166.8.0.0/14 or 172.16.0.0/12, the ranges IBM Cloud allows"
);
text!(
    /// `host:port` of a TCP forwarder.
    HostPort, 3..=259, "^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*:[1-9][0-9]{0,4}$",
    "must be host:port without a scheme, such as c-01.private.eu-de.link.satellite.cloud.ibm.com:32768",
    rule "!self.matches(r'^[^:]+:[0-9]{1,5}$') || int(self.split(':')[1]) <= 65535", "must have a port of 1 to 65535"
);
text!(
    /// A host name or IPv4 address without scheme, port or wildcard.
    HostName, 1..=253, "^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$",
    "must be a host name or an IPv4 address, without scheme and port",
    rule "!self.matches(r'^[0-9.]+$') || isIP(self)", "must be a host name or an IPv4 address such as 10.0.0.10"
);
text!(
    /// Display name of a Satellite Connector endpoint.
    DisplayName, 1..=63, "^[a-zA-Z]([a-zA-Z0-9-]*[a-zA-Z0-9])?$",
    "must start with a letter, end with a letter or digit, and hold letters, digits and hyphens only, at most 63"
);
text!(
    /// Id of a Satellite Connector.
    ConnectorId, 1..=128, "^[A-Za-z0-9_-]+$",
    "must be a connector id: letters, digits, hyphens and underscores"
);
text!(
    /// Name of a Satellite Connector.
    ConnectorName, 1..=63, "^[a-zA-Z0-9]([a-zA-Z0-9._ -]*[a-zA-Z0-9])?$",
    "must be a connector name: letters, digits, dots, underscores, spaces and hyphens, at most 63"
);
text!(
    /// An IBM Cloud region.
    IbmRegion, 2..=20, "^[a-z]{2,4}-[a-z]{2,8}$",
    "must be an IBM Cloud region, such as eu-de"
);
text!(
    /// Id of an IBM trusted profile.
    TrustedProfileId, 9..=128, "^Profile-[A-Za-z0-9-]+$",
    "must be a trusted profile id: Profile-<id>"
);
text!(
    /// Base URL of a self-managed UKO.
    ServerUrl, 9..=255, "^https://[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:[1-9][0-9]{0,4})?$",
    "must be https://host or https://host:port, without path and user",
    rule "!self.matches(r'^https://[^:]+:[0-9]{1,5}$') || int(self.split(':')[2]) <= 65535", "must have a port of 1 to 65535"
);
text!(
    /// Name of an OpenID Connect provider on a UKO server.
    OidcProvider, 1..=64, "^[A-Za-z0-9_-]+$",
    "must be the provider's name: letters, digits, hyphens and underscores, such as EkmfOpenIdConnect"
);
text!(
    /// Client id at an OpenID Connect provider.
    OidcClientId, 1..=128, "^[A-Za-z0-9._-]+$",
    "must be a client id: letters, digits, dots, hyphens and underscores"
);
text!(
    /// Id of a UKO vault.
    UkoVaultId, 36..=36, "^[-0-9a-z]{36}$",
    "must be the id of a UKO vault: 36 lower-case hexadecimal digits and hyphens"
);
text!(
    /// Name of a UKO vault.
    UkoVaultName, 1..=100, "^[A-Za-z0-9#@!$%'_-][A-Za-z0-9#@!$% '_-]*$",
    "must be a name that UKO accepts: 1 to 100 letters, digits, spaces and # @ ! $ % ' _ -, not starting with a space"
);
text!(
    /// Name of a UKO keystore.
    KeystoreName, 1..=100, "^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
    "must be a name that UKO accepts: first a letter or digit, then letters, digits, spaces, dots, hyphens and underscores, at most 100"
);
text!(
    /// Description of a UKO keystore; the operator's mark takes the rest of UKO's 200 characters.
    KeystoreDescription, 0..=110, "^[^\\x00-\\x08\\x0b-\\x1f\\x7f]*$",
    "must be at most 110 characters without control characters; line feed and tab are allowed",
    rule "!self.contains('uko-operator:')", "must not contain 'uko-operator:', which marks the owner"
);
text!(
    /// A UKO keystore group.
    KeystoreGroup, 2..=100, "^[A-Za-z0-9][A-Za-z0-9_ -]+$",
    "must be at least 2 characters: first a letter or digit, then letters, digits, hyphens, underscores and spaces"
);
text!(
    /// UKO's own name of an Azure region.
    UkoLocation, 1..=64, "^[a-z0-9_]+$",
    "must be UKO's name of the Azure region, such as europe_west"
);
text!(
    /// What the owner of the Key Vault reads when a person approves the private endpoint.
    RequestMessage, 1..=140, "^[^\\x00-\\x1f\\x7f]+$",
    "must be 1 to 140 characters on one line"
);
text!(
    /// Value of an Azure tag.
    TagValue, 0..=256, "^[^\\x00-\\x1f\\x7f]*$",
    "must be at most 256 characters without control characters"
);

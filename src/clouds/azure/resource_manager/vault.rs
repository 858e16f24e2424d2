//! A Key Vault as Resource Manager tells it.
//!
//! In: `Microsoft.KeyVault/vaults` JSON. Out: [`Vault`] and its parts. Never: a firewall rule, which a GET may leave out.

use serde_json::Value;

use super::super::{ArmId, ConnectionState, ConnectionStatus, ProvisioningState, wire};

/// The ten key permissions that UKO needs on a vault with access policies.
pub const UKO_KEY_PERMISSIONS: [&str; 10] =
    ["create", "import", "update", "list", "delete", "get", "recover", "purge", "backup", "restore"];

/// The tier. Only Premium holds keys in an HSM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sku {
    /// Software keys only.
    #[default]
    Standard,
    /// HSM keys as well.
    Premium,
    /// A word of later times.
    Other(String),
}

impl Sku {
    /// The word, as Azure spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Standard => "standard",
            Self::Premium => "premium",
            Self::Other(word) => word,
        }
    }
}

/// Whether the vault answers on its public address. Absent means enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PublicAccess {
    /// Yes, as far as its firewall allows.
    #[default]
    Enabled,
    /// No: only private endpoints pass.
    Disabled,
    /// A network security perimeter decides; nothing is left to close.
    SecuredByPerimeter,
    /// A word of later times.
    Other(String),
}

impl PublicAccess {
    fn read(word: Option<&str>) -> Self {
        let Some(word) = word else {
            return Self::Enabled;
        };
        match word.to_ascii_lowercase().as_str() {
            "enabled" => Self::Enabled,
            "disabled" => Self::Disabled,
            "securedbyperimeter" => Self::SecuredByPerimeter,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// The word, as Azure spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::SecuredByPerimeter => "SecuredByPerimeter",
            Self::Other(word) => word,
        }
    }
}

/// What one identity may do with the keys of a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessPolicy {
    /// The identity's tenant.
    pub tenant_id: String,
    /// The identity's object id.
    pub object_id: String,
    /// Set for calls on behalf of somebody; such an entry says nothing about a service principal by itself.
    pub application_id: Option<String>,
    /// Lower-case permissions on keys.
    pub keys: Vec<String>,
}

impl AccessPolicy {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            tenant_id: wire::owned(value, "/tenantId")?,
            object_id: wire::owned(value, "/objectId")?,
            application_id: wire::owned(value, "/applicationId"),
            keys: wire::texts(value, "/permissions/keys").iter().map(|word| word.to_ascii_lowercase()).collect(),
        })
    }
}

/// A private endpoint connection, seen from the vault. Its name is Azure's choice: find ours by `private_endpoint_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateEndpointConnection {
    /// The connection.
    pub id: ArmId,
    /// The last part of its id.
    pub name: String,
    /// The private endpoint at the other end; gone once that was removed.
    pub private_endpoint_id: Option<ArmId>,
    /// The decision.
    pub state: ConnectionState,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
}

impl PrivateEndpointConnection {
    /// Reads one connection, from a list or from the vault's own body (where it has no name).
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let id = wire::id(value, "/id")?;
        Some(Self {
            name: id.last_segment().to_owned(),
            id,
            private_endpoint_id: wire::id(value, "/properties/privateEndpoint/id"),
            state: ConnectionState::read(value),
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
        })
    }
}

/// A Key Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// The vault, in Azure's spelling.
    pub id: ArmId,
    /// The region.
    pub location: String,
    /// The tenant whose identities may use it.
    pub tenant_id: String,
    /// The tier.
    pub sku: Sku,
    /// The data plane's address; none until DNS is registered.
    pub vault_uri: Option<String>,
    /// Azure roles decide, and `access_policies` are ignored.
    pub rbac: bool,
    /// Who may do what with its keys.
    pub access_policies: Vec<AccessPolicy>,
    /// Deleted keys can be recovered; absent means yes.
    pub soft_delete: bool,
    /// Deleted keys cannot be purged; absent means no.
    pub purge_protection: bool,
    /// Days a deleted key can be recovered.
    pub soft_delete_days: Option<u32>,
    /// Whether the public address answers.
    pub public_network_access: PublicAccess,
    /// Its private endpoint connections.
    pub connections: Vec<PrivateEndpointConnection>,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
}

impl Vault {
    /// Reads a vault. None if it does not say who it is, or in which tenant.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let at = |name: &str| format!("/properties/{name}");
        let days = wire::number(value, &at("softDeleteRetentionInDays"));
        Some(Self {
            id: wire::id(value, "/id")?,
            location: wire::owned(value, "/location").unwrap_or_default(),
            tenant_id: wire::owned(value, &at("tenantId"))?,
            sku: sku(wire::text(value, "/properties/sku/name")),
            vault_uri: wire::owned(value, &at("vaultUri")),
            rbac: wire::flag(value, &at("enableRbacAuthorization")).unwrap_or(false),
            access_policies: wire::list(value, &at("accessPolicies")).iter().filter_map(AccessPolicy::read).collect(),
            soft_delete: wire::flag(value, &at("enableSoftDelete")).unwrap_or(true),
            purge_protection: wire::flag(value, &at("enablePurgeProtection")).unwrap_or(false),
            soft_delete_days: days.and_then(|days| u32::try_from(days).ok()),
            public_network_access: PublicAccess::read(wire::text(value, &at("publicNetworkAccess"))),
            connections: wire::list(value, &at("privateEndpointConnections"))
                .iter()
                .filter_map(PrivateEndpointConnection::read)
                .collect(),
            provisioning_state: ProvisioningState::read(value, &at("provisioningState")),
        })
    }

    /// Which of UKO's ten key permissions the access policies do not give to this identity.
    #[must_use]
    pub fn missing_key_permissions(&self, tenant_id: &str, object_id: &str) -> Vec<&'static str> {
        let held: Vec<&str> = self
            .access_policies
            .iter()
            .filter(|policy| policy.application_id.is_none())
            .filter(|policy| policy.tenant_id.eq_ignore_ascii_case(tenant_id))
            .filter(|policy| policy.object_id.eq_ignore_ascii_case(object_id))
            .flat_map(|policy| policy.keys.iter().map(String::as_str))
            .collect();
        if held.contains(&"all") {
            return Vec::new();
        }
        UKO_KEY_PERMISSIONS.into_iter().filter(|permission| !held.contains(permission)).collect()
    }

    /// The connection of a private endpoint. One that was made again under the same name may have left its earlier connection
    /// behind, which is dead: the one that lives most counts.
    #[must_use]
    pub fn connection_of(&self, private_endpoint: &ArmId) -> Option<&PrivateEndpointConnection> {
        let is_ours = |id: &ArmId| id.same_as(private_endpoint);
        let life = |connection: &&PrivateEndpointConnection| match &connection.state.status {
            ConnectionStatus::Approved => 0,
            ConnectionStatus::Pending => 1,
            ConnectionStatus::Other(_) => 2,
            ConnectionStatus::Rejected => 3,
            ConnectionStatus::Disconnected => 4,
        };
        let ours = self.connections.iter().filter(|one| one.private_endpoint_id.as_ref().is_some_and(is_ours));
        ours.min_by_key(life)
    }
}

fn sku(word: Option<&str>) -> Sku {
    let word = word.unwrap_or("standard");
    match word.to_ascii_lowercase().as_str() {
        "standard" => Sku::Standard,
        "premium" => Sku::Premium,
        _ => Sku::Other(word.to_owned()),
    }
}

/// A Key Vault that was deleted and can still be recovered, by a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedVault {
    /// The vault as it was.
    pub vault_id: Option<ArmId>,
    /// Its region.
    pub location: Option<String>,
    /// RFC 3339.
    pub deletion_date: Option<String>,
    /// When it will be gone for good, RFC 3339.
    pub scheduled_purge_date: Option<String>,
    /// It cannot be purged before that.
    pub purge_protection: bool,
}

impl DeletedVault {
    /// Reads one deleted vault. None if it does not say which.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let at = |name: &str| format!("/properties/{name}");
        let vault_id = wire::id(value, &at("vaultId"));
        wire::text(value, "/name").map(str::len).or(vault_id.as_ref().map(|id| id.as_str().len()))?;
        Some(Self {
            vault_id,
            location: wire::owned(value, &at("location")),
            deletion_date: wire::owned(value, &at("deletionDate")),
            scheduled_purge_date: wire::owned(value, &at("scheduledPurgeDate")),
            purge_protection: wire::flag(value, &at("purgeProtectionEnabled")).unwrap_or(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1";

    fn vault(properties: &Value) -> Vault {
        let mut body = json!({"id": ID, "name": "kv1", "location": "westeurope", "properties": {"tenantId": "T"}, "systemData": {"x": 1}});
        let members = body.pointer_mut("/properties").unwrap().as_object_mut().unwrap();
        members.extend(properties.as_object().unwrap().clone());
        Vault::read(&body).unwrap()
    }

    #[test]
    fn absent_members_have_the_meaning_azure_gives_them() {
        let bare = vault(&json!({}));
        assert!(bare.soft_delete && !bare.purge_protection && !bare.rbac);
        assert_eq!(bare.public_network_access, PublicAccess::Enabled);
        assert!(bare.access_policies.is_empty() && bare.connections.is_empty());
        let nulls = vault(
            &json!({"enableRbacAuthorization": null, "enablePurgeProtection": null, "accessPolicies": null, "privateEndpointConnections": null}),
        );
        assert_eq!(nulls, bare);
    }

    #[test]
    fn public_access_is_read_in_any_case() {
        for (word, want) in [
            ("disabled", PublicAccess::Disabled),
            ("Disabled", PublicAccess::Disabled),
            ("enabled", PublicAccess::Enabled),
            ("SecuredByPerimeter", PublicAccess::SecuredByPerimeter),
            ("Later", PublicAccess::Other("Later".into())),
        ] {
            assert_eq!(vault(&json!({ "publicNetworkAccess": word })).public_network_access, want);
        }
    }

    #[test]
    fn missing_permissions_are_counted_for_the_identity_itself_only() {
        let policy = |oid: &str, keys: Value| json!({"tenantId": "t", "objectId": oid, "permissions": {"keys": keys}});
        let of = |policies: Value| vault(&json!({ "accessPolicies": policies })).missing_key_permissions("T", "O");
        assert_eq!(of(json!([])), UKO_KEY_PERMISSIONS);
        assert_eq!(of(json!([policy("o", json!(["ALL"]))])), Vec::<&str>::new());
        assert_eq!(of(json!([policy("other", json!(["all"]))])).len(), 10);
        let most = json!(["Create", "Import", "Update", "List", "Delete", "Get", "Recover", "Backup", "wrapKey"]);
        assert_eq!(of(json!([policy("O", most)])), ["purge", "restore"]);
        let on_behalf =
            json!([{"tenantId": "T", "objectId": "O", "applicationId": "A", "permissions": {"keys": ["all"]}}]);
        assert_eq!(of(on_behalf).len(), 10);
    }

    #[test]
    fn a_connection_is_found_by_its_endpoint_in_any_case() {
        let endpoint = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/privateEndpoints/pe1";
        let seen = vault(&json!({"privateEndpointConnections": [
            {"id": format!("{ID}/privateEndpointConnections/c0"), "properties": {}},
            {"id": format!("{ID}/privateEndpointConnections/c1"), "properties": {"provisioningState": "Succeeded",
             "privateEndpoint": {"id": endpoint.replace("resourceGroups", "resourcegroups")}, "privateLinkServiceConnectionState": {"status": "Approved"}}},
            {"properties": {}},
        ]}));
        assert_eq!(seen.connections.len(), 2);
        let ours = seen.connection_of(&ArmId::parse(endpoint).unwrap()).unwrap();
        assert_eq!(ours.name, "c1");
    }

    #[test]
    fn what_an_earlier_endpoint_of_the_name_left_behind_hides_no_living_connection() {
        let endpoint = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/privateEndpoints/pe1";
        let connection = |name: &str, status: &str| {
            json!({"id": format!("{ID}/privateEndpointConnections/{name}"), "properties": {
            "privateEndpoint": {"id": endpoint}, "privateLinkServiceConnectionState": {"status": status}}})
        };
        for (first, second, counts) in [
            ("Disconnected", "Approved", "b"),
            ("Disconnected", "Pending", "b"),
            ("Rejected", "Pending", "b"),
            ("Approved", "Disconnected", "a"),
            ("Disconnected", "Disconnected", "a"),
        ] {
            let seen = vault(&json!({"privateEndpointConnections": [connection("a", first), connection("b", second)]}));
            let found = seen.connection_of(&ArmId::parse(endpoint).unwrap()).unwrap();
            assert_eq!(found.name, counts, "{first}, {second}");
        }
    }

    #[test]
    fn a_body_that_is_no_vault_is_not_taken_for_one() {
        for body in [json!(null), json!([]), json!({"id": ID}), json!({"properties": {"tenantId": "T"}})] {
            assert_eq!(Vault::read(&body), None);
        }
    }

    #[test]
    fn a_deleted_vault_says_when_it_is_purged() {
        let deleted = DeletedVault::read(
            &json!({"name": "kv1", "properties": {"vaultId": ID, "location": "westeurope",
            "deletionDate": "2026-01-01T00:00:00Z", "scheduledPurgeDate": "2026-04-01T00:00:00Z", "purgeProtectionEnabled": true}}),
        );
        let deleted = deleted.unwrap();
        assert_eq!(deleted.scheduled_purge_date.as_deref(), Some("2026-04-01T00:00:00Z"));
        assert_eq!(DeletedVault::read(&json!({"properties": {}})), None);
    }
}

//! Vaults as Resource Manager sees them, soft-deleted ones, and the subscription and groups they lie in.
//!
//! In: GET and PATCH. Out: the vault without its keys. Never: creates, deletes or recovers a vault; nobody who uses the box may.

use http::Method;
use serde_json::{Map, Value, json};

use super::check::{self, MAY, MUST, Member, Shape, text};
use super::{Ask, Outcome, error, quirks};
use crate::azure::set;
use crate::azure::state::{DeletedVault, Effect, IpRule, NetworkAcls, Vault, VirtualNetworkRule};
use crate::azure::{cloud, facts, iso};
use crate::state::{World, now};
use crate::wire::Answer;

/// GET, list and PATCH of vaults.
pub(crate) fn answer(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    if list && ask.call.method == Method::GET {
        let below = ask
            .target
            .group
            .as_ref()
            .map_or(format!("/subscriptions/{}", ask.target.subscription), |_| ask.target.group_id());
        let vaults = world.azure.vaults.values().filter(|vault| facts::is_at_or_below(&vault.id, &below));
        let items = vaults.map(|vault| json(world, vault)).collect();
        return Ok(quirks::page(world, ask.call, items));
    }
    let key = find(world, ask)?;
    match ask.call.method {
        Method::GET => shown(world, &key),
        Method::PATCH => update(world, ask, &key),
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn shown(world: &World, key: &str) -> Outcome {
    let vault = world.azure.vaults.get(key).ok_or_else(|| Answer::empty(404))?;
    Ok(Answer::json(200, &json(world, vault)).header("x-ms-keyvault-service-version", "2.2.45.0"))
}

/// The key of the vault that the target names, if it is there and lies in the group named.
pub(crate) fn find(world: &World, ask: &Ask) -> Result<String, Answer> {
    let group = ask.target.group.as_deref().unwrap_or_default();
    if !world.azure.resource_groups.contains_key(&ask.target.group_id().to_lowercase()) {
        return Err(error::group_not_found(group));
    }
    let key = ask.target.name(0).to_lowercase();
    let found = world.azure.vaults.get(&key).filter(|vault| {
        facts::is_at_or_below(&vault.id, &ask.target.group_id()) && cloud::names(vault.cloud).arm == ask.cloud.arm
    });
    if found.is_some() {
        return Ok(key);
    }
    Err(if ask.target.names.len() > 1 || ask.target.list {
        error::parent_not_found(ask)
    } else {
        error::resource_not_found(ask)
    })
}

/// Whether another change runs on the vault: its lock window, or a private endpoint that is being made or removed.
pub(crate) fn busy(world: &World, vault: &Vault) -> bool {
    if vault.locked_until > now(world) {
        return true;
    }
    let running = world.azure.operations.values().filter(|operation| !operation.done);
    running.into_iter().any(|operation| match &operation.effect {
        Effect::FinishEndpoint { endpoint } | Effect::RemoveEndpoint { endpoint } => {
            let endpoint = world.azure.private_endpoints.get(endpoint);
            endpoint.is_some_and(|endpoint| endpoint.connection.private_link_service_id.eq_ignore_ascii_case(&vault.id))
        }
        Effect::None
        | Effect::FinishZoneGroup { .. }
        | Effect::RemoveZoneGroup { .. }
        | Effect::FinishZone { .. }
        | Effect::FinishLink { .. }
        | Effect::RemoveLink { .. }
        | Effect::RemoveZone { .. } => false,
    })
}

/// Takes the vault's lock for a change, or says that another change runs.
pub(crate) fn lock(world: &mut World, key: &str) -> Result<(), Answer> {
    let until = now(world).saturating_add(world.settings.vault_lock_seconds);
    let vault = world.azure.vaults.get(key).ok_or_else(|| Answer::empty(404))?;
    if busy(world, vault) {
        return Err(error::vault_conflict());
    }
    if let Some(vault) = world.azure.vaults.get_mut(key) {
        vault.locked_until = until;
    }
    Ok(())
}

const WORDS: Shape = Shape::List(&Shape::Text);

/// One access policy, as vault bodies and access-policy bodies carry it.
pub(crate) const POLICY: Shape = Shape::Object(&[
    Member("tenantId", MUST, Shape::Text),
    Member("objectId", MUST, Shape::Text),
    Member("applicationId", MAY, Shape::Text),
    Member(
        "permissions",
        MUST,
        Shape::Object(&[
            Member("keys", MAY, WORDS),
            Member("secrets", MAY, WORDS),
            Member("certificates", MAY, WORDS),
            Member("storage", MAY, WORDS),
        ]),
    ),
]);

const PATCH: Shape = Shape::Object(&[
    Member("tags", MAY, Shape::Tags),
    Member(
        "properties",
        MAY,
        Shape::Object(&[
            Member("tenantId", MAY, Shape::Text),
            Member(
                "sku",
                MAY,
                Shape::Object(&[
                    Member("family", MUST, Shape::Word(&["A"])),
                    Member("name", MUST, Shape::Word(&["standard", "premium"])),
                ]),
            ),
            Member("accessPolicies", MAY, Shape::List(&POLICY)),
            Member("enabledForDeployment", MAY, Shape::Flag),
            Member("enabledForDiskEncryption", MAY, Shape::Flag),
            Member("enabledForTemplateDeployment", MAY, Shape::Flag),
            Member("enableSoftDelete", MAY, Shape::Flag),
            Member("enableRbacAuthorization", MAY, Shape::Flag),
            Member("softDeleteRetentionInDays", MAY, Shape::Number),
            Member("createMode", MAY, Shape::Word(&["recover", "default"])),
            Member("enablePurgeProtection", MAY, Shape::Flag),
            Member("publicNetworkAccess", MAY, Shape::Word(&["Enabled", "Disabled", "SecuredByPerimeter"])),
            Member(
                "networkAcls",
                MAY,
                Shape::Object(&[
                    Member("bypass", MAY, Shape::Word(&["AzureServices", "None"])),
                    Member("defaultAction", MAY, Shape::Word(&["Allow", "Deny"])),
                    Member("ipRules", MAY, Shape::List(&Shape::Object(&[Member("value", MUST, Shape::Text)]))),
                    Member(
                        "virtualNetworkRules",
                        MAY,
                        Shape::List(&Shape::Object(&[
                            Member("id", MUST, Shape::Text),
                            Member("ignoreMissingVnetServiceEndpoint", MAY, Shape::Flag),
                        ])),
                    ),
                ]),
            ),
        ]),
    ),
]);

fn update(world: &mut World, ask: &Ask, key: &str) -> Outcome {
    let body = check::body(ask.call, &PATCH)?;
    check::tags_fit(&body)?;
    let vault = world.azure.vaults.get(key).ok_or_else(|| Answer::empty(404))?;
    let changed = patched(vault.clone(), &body)?;
    lock(world, key)?;
    let drift = world.settings.public_access_drift;
    if let Some(vault) = world.azure.vaults.get_mut(key) {
        let locked_until = vault.locked_until;
        *vault = Vault { locked_until, ..changed };
    }
    let answer = shown(world, key);
    if let Some(vault) = world.azure.vaults.get_mut(key).filter(|_| drift) {
        vault.public_network_access = "Enabled".into();
    }
    answer
}

/// The vault with the body's members in place of its own; absent ones keep their value.
fn patched(mut vault: Vault, body: &Value) -> Result<Vault, Answer> {
    if let Some(tags) = check::tags(body) {
        vault.tags = tags;
    }
    let empty = Map::new();
    let properties = body.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let given = |name: &str| properties.get(name).filter(|value| !value.is_null());
    let flag = |name: &str| given(name).and_then(Value::as_bool);
    if given("tenantId").and_then(Value::as_str).is_some_and(|tenant| !tenant.eq_ignore_ascii_case(&vault.tenant_id)) {
        return Err(error::plain(400, "BadRequest", "The tenant of a vault that holds keys cannot be changed here."));
    }
    if let Some(name) = given("sku").map(|sku| text(sku, "/name").to_lowercase()) {
        vault.sku = name;
    }
    if let Some(access) = given("publicNetworkAccess").and_then(Value::as_str) {
        access.clone_into(&mut vault.public_network_access);
    }
    if let Some(acls) = given("networkAcls") {
        vault.network_acls = Some(acls_of(acls));
    }
    if let Some(policies) = given("accessPolicies") {
        vault.access_policies = super::policies::parse(policies, &vault, "properties.accessPolicies")?;
    }
    if let Some(on) = flag("enableRbacAuthorization") {
        vault.enable_rbac_authorization = Some(on);
    }
    if flag("enableSoftDelete") == Some(false) {
        return Err(error::plain(
            400,
            "BadRequest",
            "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.",
        ));
    }
    match flag("enablePurgeProtection") {
        Some(false) if vault.enable_purge_protection == Some(true) => {
            return Err(error::plain(
                400,
                "BadRequest",
                "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
            ));
        }
        Some(true) => vault.enable_purge_protection = Some(true),
        Some(false) | None => {}
    }
    Ok(vault)
}

fn acls_of(value: &Value) -> NetworkAcls {
    let word = |name: &str, usual: &str| value.get(name).and_then(Value::as_str).unwrap_or(usual).to_owned();
    NetworkAcls {
        bypass: word("bypass", "AzureServices"),
        default_action: word("defaultAction", "Allow"),
        ip_rules: check::list(value, "/ipRules")
            .iter()
            .map(|rule| IpRule { value: text(rule, "/value").to_owned() })
            .collect(),
        virtual_network_rules: check::list(value, "/virtualNetworkRules")
            .iter()
            .map(|rule| VirtualNetworkRule {
                id: text(rule, "/id").to_owned(),
                ignore_missing_vnet_service_endpoint: rule
                    .get("ignoreMissingVnetServiceEndpoint")
                    .and_then(Value::as_bool),
            })
            .collect(),
    }
}

/// A vault on the wire. Absent means absent, never null.
pub(crate) fn json(world: &World, vault: &Vault) -> Value {
    let mut properties = json!({
        "sku": {"family": "A", "name": vault.sku},
        "tenantId": vault.tenant_id,
        "accessPolicies": vault.access_policies,
        "enabledForDeployment": false,
        "enabledForDiskEncryption": false,
        "enabledForTemplateDeployment": false,
        "vaultUri": cloud::names(vault.cloud).vault_uri(&vault.name),
        "provisioningState": vault.provisioning_state,
        "publicNetworkAccess": vault.public_network_access,
    });
    if let Value::Object(members) = &mut properties {
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        put("enableSoftDelete", vault.enable_soft_delete.map(Value::from));
        put("softDeleteRetentionInDays", vault.soft_delete_retention_in_days.map(Value::from));
        put("enableRbacAuthorization", vault.enable_rbac_authorization.map(Value::from));
        put("enablePurgeProtection", vault.enable_purge_protection.filter(|on| *on).map(Value::from));
        // While public access is disabled, the firewall is kept but not shown.
        let open = !vault.public_network_access.eq_ignore_ascii_case("Disabled");
        put("networkAcls", vault.network_acls.as_ref().filter(|_| open).map(|acls| json!(acls)));
        let connections = super::connections::on_vault(world, vault);
        put("privateEndpointConnections", (!connections.is_empty()).then_some(Value::Array(connections)));
    }
    json!({
        "id": vault.id, "name": vault.name, "type": "Microsoft.KeyVault/vaults", "location": vault.location,
        "tags": vault.tags, "properties": properties,
        "systemData": {"createdBy": "box", "createdByType": "Application", "createdAt": "2026-01-01T00:00:00.000Z"},
    })
}

/// One soft-deleted vault.
pub(crate) fn deleted(world: &World, ask: &Ask) -> Outcome {
    let found = world.azure.deleted_vaults.get(&ask.target.name(1).to_lowercase());
    let found =
        found.filter(|found| same_place(&found.vault.location, ask.target.name(0)) && in_subscription(found, ask));
    match found {
        Some(found) => Ok(Answer::json(200, &deleted_json(found, &ask.target.subscription))),
        None => Err(error::plain(404, "DeletedVaultNotFound", "The specified deleted vault does not exist.")),
    }
}

/// All soft-deleted vaults of a subscription.
pub(crate) fn deleted_list(world: &World, ask: &Ask) -> Answer {
    let deleted = world.azure.deleted_vaults.values().filter(|found| in_subscription(found, ask));
    let items = deleted.map(|found| deleted_json(found, &ask.target.subscription)).collect();
    quirks::page(world, ask.call, items)
}

fn in_subscription(found: &DeletedVault, ask: &Ask) -> bool {
    facts::is_at_or_below(&found.vault.id, &format!("/subscriptions/{}", ask.target.subscription))
}

fn deleted_json(found: &DeletedVault, subscription: &str) -> Value {
    let vault = &found.vault;
    let mut properties = json!({
        "vaultId": vault.id, "location": vault.location, "tags": vault.tags,
        "deletionDate": iso(found.deletion_date), "scheduledPurgeDate": iso(found.scheduled_purge_date),
    });
    if vault.enable_purge_protection == Some(true) {
        set(&mut properties, "purgeProtectionEnabled", true);
    }
    json!({
        "id": format!("/subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{}", vault.location, vault.name),
        "name": vault.name, "type": "Microsoft.KeyVault/deletedVaults", "properties": properties,
    })
}

/// `West Europe` and `westeurope` are one place.
pub(crate) fn same_place(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "").to_lowercase();
    plain(one) == plain(other)
}

/// The subscription itself.
pub(crate) fn subscription(world: &World, ask: &Ask) -> Outcome {
    let id = &ask.target.subscription;
    let found = world.azure.subscriptions.get(&id.to_lowercase()).ok_or_else(|| Answer::empty(404))?;
    Ok(Answer::json(
        200,
        &json!({
            "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": found.tenant_id,
            "displayName": found.display_name, "state": found.state, "authorizationSource": "RoleBased",
            "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "quotaId": "EnterpriseAgreement_2014-09-01", "spendingLimit": "Off"},
        }),
    ))
}

/// A resource group.
pub(crate) fn resource_group(world: &World, ask: &Ask) -> Outcome {
    let name = ask.target.group.as_deref().unwrap_or_default();
    let found = world.azure.resource_groups.get(&ask.target.key()).ok_or_else(|| error::group_not_found(name))?;
    Ok(Answer::json(
        200,
        &json!({
            "id": found.id, "name": found.id.rsplit('/').next(), "type": "Microsoft.Resources/resourceGroups",
            "location": found.location, "tags": found.tags, "properties": {"provisioningState": "Succeeded"},
        }),
    ))
}

/// All vaults as plain resources: what `vaults.list()` of the vendor's SDK asks for.
pub(crate) fn resources(world: &World, ask: &Ask) -> Outcome {
    let filter = ask.call.query("$filter").unwrap_or_default().to_lowercase();
    if !filter.contains("'microsoft.keyvault/vaults'") {
        return Err(error::plain(400, "InvalidFilterInQueryString", "The box lists Microsoft.KeyVault/vaults only."));
    }
    let below = format!("/subscriptions/{}", ask.target.subscription);
    let vaults = world.azure.vaults.values().filter(|vault| facts::is_at_or_below(&vault.id, &below));
    let items = vaults.map(|vault| {
        json!({"id": vault.id, "name": vault.name, "type": "Microsoft.KeyVault/vaults", "location": vault.location, "tags": vault.tags})
    });
    Ok(quirks::page(world, ask.call, items.collect()))
}

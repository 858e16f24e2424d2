//! The bodies of a keystore: what a create holds, what a change holds, by the limits of the contract's section 1.6.
//!
//! In: the call and the switches. Out: typed values, or a 400 that names the member. Never: asks whether they work.

use serde_json::{Map, Value};

use super::checks::{self, Text, any, id, starts_alphanumeric};
use super::error::Refusal;
use crate::ibm::state::Switches;
use crate::wire::Call;

const MEMBERS: [&str; 15] = [
    "type",
    "vault",
    "name",
    "description",
    "groups",
    "tls_proxy",
    "azure_service_name",
    "azure_resource_group",
    "azure_location",
    "azure_service_principal_client_id",
    "azure_service_principal_password",
    "azure_tenant",
    "azure_subscription_id",
    "azure_environment",
    "azure_variant",
];
/// Members that UKO's own page shows as read only once a keystore is connected \[D].
pub(super) const LOCKED: [&str; 4] =
    ["azure_service_name", "azure_resource_group", "azure_tenant", "azure_subscription_id"];
const ENVIRONMENTS: [&str; 4] = ["azure", "azure_china", "azure_germany", "azure_us_government"];
const VARIANTS: [&str; 2] = ["standard", "premium"];
/// `azure_location` up to 4.12 \[S].
const LOCATIONS: [&str; 44] = [
    "asia_east",
    "asia_southeast",
    "australia_central",
    "australia_central_2",
    "australia_east",
    "australia_southeast",
    "brazil_south",
    "canada_central",
    "canada_east",
    "china_east",
    "china_east_2",
    "china_north",
    "china_north_2",
    "europe_north",
    "europe_west",
    "france_central",
    "france_south",
    "germany_central",
    "germany_northeast",
    "india_central",
    "india_south",
    "india_west",
    "japan_east",
    "japan_west",
    "korea_central",
    "korea_south",
    "south_africa_north",
    "south_africa_west",
    "uk_south",
    "uk_west",
    "us_central",
    "us_dod_central",
    "us_dod_east",
    "us_east",
    "us_east_2",
    "us_gov_arizona",
    "us_gov_iowa",
    "us_gov_texas",
    "us_gov_virginia",
    "us_north_central",
    "us_south_central",
    "us_west",
    "us_west_2",
    "us_west_central",
];

const NAME: Text = Text { name: "name", least: 1, most: 100, fits: |text| starts_alphanumeric(text, " ._-") };
const PLAIN_NAME: Text = Text { name: "name", least: 1, most: 100, fits: |text| starts_alphanumeric(text, " ._") };
const DESCRIPTION: Text = Text { name: "description", least: 0, most: 200, fits: any };
const TLS_PROXY: Text = Text { name: "tls_proxy", least: 0, most: 2048, fits: any };
const SERVICE: Text = Text { name: "azure_service_name", least: 3, most: 24, fits: id };
const GROUP: Text = Text { name: "azure_resource_group", least: 1, most: 90, fits: resource_group };
const CLIENT: Text = Text { name: "azure_service_principal_client_id", least: 1, most: 36, fits: id };
const PASSWORD: Text = Text { name: "azure_service_principal_password", least: 1, most: 256, fits: any };
const NARROW_PASSWORD: Text = Text {
    name: "azure_service_principal_password",
    least: 1,
    most: 256,
    fits: |text| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
};
const TENANT: Text = Text { name: "azure_tenant", least: 1, most: 36, fits: id };
const SUBSCRIPTION: Text = Text { name: "azure_subscription_id", least: 1, most: 36, fits: id };
const LOCATION: Text = Text { name: "azure_location", least: 1, most: 100, fits: any };

/// `^[-\w\._\(\)]*[^\.]$`
fn resource_group(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c)) && !text.ends_with('.')
}

/// The members that a body gives; a create needs some of them, a change none.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) vault: Option<String>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) tls_proxy: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) resource_group: Option<String>,
    pub(super) location: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) subscription_id: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) variant: Option<String>,
}

/// Reads the body of a create.
pub(super) fn create(call: &Call, switches: &Switches) -> Result<Draft, Refusal> {
    let members = checks::members(call, &MEMBERS)?;
    match members.get("type").map(Value::as_str) {
        None => return Err(checks::missing("type")),
        Some(Some("azure_key_vault")) => {}
        Some(Some("aws_kms" | "cca" | "google_kms" | "ibm_cloud_kms")) => {
            return Err(Refusal::field(
                "invalid_field",
                "type",
                "The box only connects keystores of type azure_key_vault.",
            ));
        }
        Some(_) => {
            return Err(Refusal::field("invalid_field", "type", "The field type is not a known type of keystore."));
        }
    }
    let vault =
        checks::object(members.get("vault").cloned().ok_or_else(|| checks::missing("vault"))?, &["id"], "vault")?;
    let vault =
        Text { name: "id", least: 36, most: 36, fits: id }.need(&vault).map_err(|it| it.at("field", "vault.id"))?;
    for needed in [&SERVICE, &GROUP, &CLIENT, &PASSWORD, &TENANT, &SUBSCRIPTION] {
        needed.need(&members)?;
    }
    if switches.azure_location_required {
        LOCATION.need(&members)?;
    }
    if switches.azure_environment_required && !members.contains_key("azure_environment") {
        return Err(checks::missing("azure_environment"));
    }
    read(&members, switches).map(|draft| Draft { vault: Some(vault), ..draft })
}

/// Reads the body of a change.
pub(super) fn update(call: &Call, switches: &Switches) -> Result<Draft, Refusal> {
    let known: Vec<&str> = MEMBERS.into_iter().filter(|name| !matches!(*name, "type" | "vault")).collect();
    let members = checks::members(call, &known)?;
    if members.is_empty() {
        return Err(Refusal::new(400, "missing_field", "Nothing to change."));
    }
    read(&members, switches)
}

fn read(members: &Map<String, Value>, switches: &Switches) -> Result<Draft, Refusal> {
    let name = if switches.hyphen_in_names { NAME } else { PLAIN_NAME };
    let password = if switches.tilde_in_secrets { PASSWORD } else { NARROW_PASSWORD };
    let location = LOCATION.read(members)?;
    if let Some(location) = &location
        && switches.azure_location_required
        && !LOCATIONS.contains(&location.as_str())
    {
        return Err(Refusal::field(
            "invalid_field",
            "azure_location",
            "The field azure_location is not a known location.",
        ));
    }
    Ok(Draft {
        vault: None,
        name: name.read(members)?,
        description: DESCRIPTION.read(members)?,
        groups: groups(members)?,
        tls_proxy: TLS_PROXY.read(members)?,
        service_name: SERVICE.read(members)?,
        resource_group: GROUP.read(members)?,
        location,
        client_id: CLIENT.read(members)?,
        password: password.read(members)?,
        tenant: TENANT.read(members)?,
        subscription_id: SUBSCRIPTION.read(members)?,
        environment: checks::word(members, "azure_environment", &ENVIRONMENTS)?,
        variant: checks::word(members, "azure_variant", &VARIANTS)?,
    })
}

fn groups(members: &Map<String, Value>) -> Result<Option<Vec<String>>, Refusal> {
    let wrong = |words: &str| Refusal::field("invalid_field", "groups", format!("The field groups {words}."));
    let Some(value) = members.get("groups") else {
        return Ok(None);
    };
    let items = value.as_array().ok_or_else(|| wrong("must be a list"))?;
    if items.is_empty() || items.len() > 128 {
        return Err(wrong("must hold 1 to 128 items"));
    }
    let fits = |text: &str| text.chars().count() >= 2 && starts_alphanumeric(text, "-_ ");
    let read = |item: &Value| match item.as_str() {
        Some(text) if fits(text) => Ok(text.to_owned()),
        Some(_) => Err(wrong("holds an item that is too short or has characters that are not allowed")),
        None => Err(wrong("must hold strings")),
    };
    items.iter().map(read).collect::<Result<_, _>>().map(Some)
}

impl Draft {
    /// Does it touch how the keystore connects?
    pub(super) fn changes_connection(&self) -> bool {
        let connection = [
            &self.tls_proxy,
            &self.service_name,
            &self.resource_group,
            &self.location,
            &self.client_id,
            &self.password,
            &self.tenant,
            &self.subscription_id,
            &self.environment,
            &self.variant,
        ];
        connection.iter().any(|member| member.is_some())
    }
}

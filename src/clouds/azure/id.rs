//! Names of Azure resources.
//!
//! In: text from a spec or from Azure. Out: ids that compare as Azure compares them. Never: changes a spelling.

use std::fmt;

/// The id of a resource in Azure Resource Manager. Azure changes the case of segments at will, so `==` is exact spelling
/// and [`ArmId::same_as`] is the question to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArmId(String);

impl ArmId {
    /// Accepts `/subscriptions/<sub>/…` with whole, plain segments; a trailing slash is cut.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.strip_prefix('/')?.trim_end_matches('/');
        let segments: Vec<&str> = path.split('/').collect();
        let plain = segments.iter().all(|segment| is_plain(segment));
        let rooted = segments.first()?.eq_ignore_ascii_case("subscriptions") && segments.len() >= 2;
        (plain && rooted && text.len() <= 2_048).then(|| Self(format!("/{path}")))
    }

    /// The id of a resource: `kind` is `Microsoft.Network/privateEndpoints`.
    #[must_use]
    pub fn of(subscription: &str, resource_group: &str, kind: &str, name: &str) -> Option<Self> {
        Self::parse(&format!("/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/{kind}/{name}"))
    }

    /// The id of a thing below this one: `child("subnets", "pe")`.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Option<Self> {
        Self::parse(&format!("{}/{kind}/{name}", self.0))
    }

    /// The id as it was spelled.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when Azure would call both the same, whatever the case.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// The name of the resource.
    #[must_use]
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription.
    #[must_use]
    pub fn subscription(&self) -> &str {
        self.after("subscriptions").unwrap_or_default()
    }

    /// The resource group, if the id has one.
    #[must_use]
    pub fn resource_group(&self) -> Option<&str> {
        self.after("resourceGroups")
    }

    /// The id two segments up: a subnet's virtual network, a record's zone. None above a resource.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (rest, _name) = self.0.rsplit_once('/')?;
        let (parent, kind) = rest.rsplit_once('/')?;
        // What is left must still name a resource: a provider, its kind and a name.
        let below = parent.split('/').skip_while(|part| !part.eq_ignore_ascii_case("providers")).count();
        (below >= 4 && !kind.is_empty()).then(|| Self(parent.to_owned()))
    }

    /// True when the id names a resource of this kind (`Microsoft.KeyVault/vaults`), whatever the case.
    #[must_use]
    pub fn is_a(&self, kind: &str) -> bool {
        let Some(parent) = self.0.rsplit_once('/').map(|(rest, _)| rest) else {
            return false;
        };
        let suffix = format!("/providers/{kind}");
        let start = parent.len().checked_sub(suffix.len());
        start.and_then(|start| parent.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(&suffix))
    }

    fn after(&self, name: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
        segments.next()
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may stand between two slashes; dots alone would walk up a path.
fn is_plain(segment: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')' | '@' | '*');
    !segment.is_empty() && segment.chars().all(fine) && !segment.chars().all(|c| c == '.')
}

/// A Key Vault by its three names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultId {
    /// The subscription.
    pub subscription_id: String,
    /// The resource group.
    pub resource_group: String,
    /// The vault's name, unique in its cloud.
    pub name: String,
}

impl VaultId {
    /// The vault as an id; none if a name is no plain segment.
    #[must_use]
    pub fn arm_id(&self) -> Option<ArmId> {
        ArmId::of(&self.subscription_id, &self.resource_group, "Microsoft.KeyVault/vaults", &self.name)
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subscription_id, resource_group, name } = self;
        write!(
            f,
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.KeyVault/vaults/{name}"
        )
    }
}

/// `West Europe` and `westeurope` are one place.
#[must_use]
pub fn same_location(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: &str =
        "/subscriptions/s-1/resourceGroups/rg (x)/providers/Microsoft.Network/virtualNetworks/vnet1/subnets/pe";

    #[test]
    fn an_id_is_compared_without_case_and_keeps_its_spelling() {
        let text = SUBNET.replace("rg (x)", "rg");
        let ours = ArmId::parse(&text).unwrap();
        let azures = ArmId::parse(&text.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions")).unwrap();
        assert!(ours.same_as(&azures) && ours != azures);
        assert_eq!(ours.as_str(), text);
        assert_eq!(ArmId::parse(&format!("{text}/")).unwrap(), ours);
    }

    #[test]
    fn an_id_knows_its_parts() {
        let id = ArmId::parse(&SUBNET.replace(" (x)", "(x)")).unwrap();
        assert_eq!((id.subscription(), id.resource_group(), id.last_segment()), ("s-1", Some("rg(x)"), "pe"));
        let network = id.parent().unwrap();
        assert_eq!(network.last_segment(), "vnet1");
        assert!(network.is_a("microsoft.network/virtualnetworks") && !id.is_a("Microsoft.Network/virtualNetworks"));
        assert_eq!(network.parent(), None);
        assert_eq!(network.child("subnets", "pe").unwrap(), id);
    }

    #[test]
    fn what_would_leave_its_path_is_no_id() {
        for wrong in [
            "",
            "/",
            "subscriptions/x",
            "/subscriptions",
            "/subscriptions/a/../b",
            "/subscriptions/a?x=1",
            "/subscriptions//a",
            "/x/subscriptions/a",
            "/subscriptions/a#b",
            "/subscriptions/a%2fb",
        ] {
            assert_eq!(ArmId::parse(wrong), None, "{wrong}");
        }
        let vault = VaultId { subscription_id: "s".into(), resource_group: "rg/..".into(), name: "kv".into() };
        assert_eq!(vault.arm_id(), None);
    }

    #[test]
    fn locations_are_compared_without_case_and_spaces() {
        assert!(same_location("West Europe", "westeurope") && !same_location("westeurope", "northeurope"));
    }
}

//! What a Resource Manager path names.
//!
//! In: a path. Out: its id, kind and names. Never: looks whether it exists.

use super::error;
use crate::wire::{Answer, Call};

/// A resource or a collection of resources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// The path as a resource id, decoded, without a trailing slash.
    pub(crate) id: String,
    /// Subscription id as written.
    pub(crate) subscription: String,
    /// Resource group name as written.
    pub(crate) group: Option<String>,
    /// `provider/type/…` in lower case, or `subscriptions`, `resourcegroups`, `resources`.
    pub(crate) kind: String,
    /// Names as written, one per type, fewer by one for a collection.
    pub(crate) names: Vec<String>,
    /// A collection.
    pub(crate) list: bool,
    /// For an extension resource: the id it hangs on.
    pub(crate) scope: Option<String>,
}

impl Target {
    pub(crate) fn parse(call: &Call) -> Result<Self, Answer> {
        let segments = call.segments();
        let id = format!("/{}", segments.join("/"));
        let unknown =
            || error::gateway(404, "NotFound", format!("The path '{id}' is none that Resource Manager knows."));
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        let [first, subscription, rest @ ..] = words.as_slice() else {
            return Err(unknown());
        };
        if !first.eq_ignore_ascii_case("subscriptions") {
            return Err(unknown());
        }
        let mut target = Self { id: id.clone(), subscription: (*subscription).to_owned(), ..Self::default() };
        let rest = match rest {
            [word, group, more @ ..] if word.eq_ignore_ascii_case("resourcegroups") => {
                target.group = Some((*group).to_owned());
                more
            }
            _ => rest,
        };
        match rest {
            [] => {
                let kind = if target.group.is_some() { "resourcegroups" } else { "subscriptions" };
                target.kind = kind.into();
                Ok(target)
            }
            [word] if word.eq_ignore_ascii_case("resources") => {
                target.kind = "resources".into();
                target.list = true;
                Ok(target)
            }
            [word, provider, pairs @ ..] if word.eq_ignore_ascii_case("providers") => {
                target.provider(provider, pairs).then_some(target).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
    /// Takes `type/name` pairs; a later `providers` starts an extension resource. False if the path is malformed.
    fn provider(&mut self, provider: &str, pairs: &[&str]) -> bool {
        if let Some(at) = pairs.iter().position(|word| word.eq_ignore_ascii_case("providers")) {
            let (before, after) = pairs.split_at(at);
            let [_, extension, rest @ ..] = after else {
                return false;
            };
            let group = self.group.as_ref().map(|group| format!("/resourceGroups/{group}")).unwrap_or_default();
            let scope =
                format!("/subscriptions/{}{group}/providers/{provider}/{}", self.subscription, before.join("/"));
            self.scope = Some(scope);
            return self.provider(extension, rest);
        }
        let mut kinds = vec![provider.to_lowercase()];
        for pair in pairs.chunks(2) {
            match pair {
                [kind, name] => {
                    kinds.push(kind.to_lowercase());
                    self.names.push((*name).to_owned());
                }
                [kind] => {
                    kinds.push(kind.to_lowercase());
                    self.list = true;
                }
                _ => return false,
            }
        }
        self.kind = kinds.join("/");
        kinds.len() > 1
    }

    /// A name by position; empty if there is none.
    pub(crate) fn name(&self, position: usize) -> &str {
        self.names.get(position).map_or("", String::as_str)
    }

    /// The id in lower case: the key of the world's maps.
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// The id one level up: without the last type and name, or the last type of a collection.
    pub(crate) fn parent_id(&self) -> &str {
        let up = |id| str::rsplit_once(id, '/').map_or("", |(before, _)| before);
        if self.list { up(&self.id) } else { up(up(&self.id)) }
    }

    /// The resource group's id, as written.
    pub(crate) fn group_id(&self) -> String {
        let group = self.group.as_deref().unwrap_or_default();
        format!("/subscriptions/{}/resourceGroups/{group}", self.subscription)
    }

    /// The kind of the outermost resource, in Azure's spelling.
    pub(crate) fn top_kind(&self) -> String {
        let top: Vec<&str> = self.kind.split('/').take(2).collect();
        canonical(&top.join("/"))
    }
}

/// Azure's spelling of a kind in lower case.
pub(crate) fn canonical(kind: &str) -> String {
    const WORDS: [&str; 24] = [
        "Microsoft.KeyVault",
        "vaults",
        "accessPolicies",
        "privateLinkResources",
        "privateEndpointConnections",
        "keys",
        "versions",
        "locations",
        "deletedVaults",
        "Microsoft.Network",
        "privateEndpoints",
        "privateDnsZoneGroups",
        "networkInterfaces",
        "virtualNetworks",
        "subnets",
        "privateDnsZones",
        "virtualNetworkLinks",
        "A",
        "operations",
        "operationResults",
        "privateDnsOperationStatuses",
        "privateDnsOperationResults",
        "Microsoft.Authorization",
        "roleAssignments",
    ];
    let spelled = kind
        .split('/')
        .map(|part| WORDS.iter().find(|word| word.eq_ignore_ascii_case(part)).map_or(part, |word| *word));
    spelled.collect::<Vec<_>>().join("/")
}

/// A resource id taken apart: subscription, group, kind, names.
pub(crate) fn parse_id(id: &str) -> Option<Target> {
    let call = Call {
        service: crate::wire::Service::Arm,
        host: String::new(),
        port: 443,
        method: http::Method::GET,
        path: id.to_owned(),
        query: Vec::new(),
        headers: http::HeaderMap::new(),
        body: Vec::new(),
    };
    Target::parse(&call).ok().filter(|target| !target.list && id.starts_with('/') && !target.names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_resource_is_taken_apart() {
        let target =
            parse_id("/subscriptions/s/resourcegroups/RG/providers/microsoft.keyvault/Vaults/kv1/keys/K").unwrap();
        assert_eq!(
            (target.kind.as_str(), target.name(0), target.name(1)),
            ("microsoft.keyvault/vaults/keys", "kv1", "K")
        );
        assert_eq!(target.parent_id(), "/subscriptions/s/resourcegroups/RG/providers/microsoft.keyvault/Vaults/kv1");
        assert_eq!(target.top_kind(), "Microsoft.KeyVault/vaults");
    }

    #[test]
    fn an_extension_resource_knows_what_it_hangs_on() {
        let call_path = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1/providers/Microsoft.Authorization/roleAssignments/x";
        let target = parse_id(call_path).unwrap();
        assert_eq!(target.kind, "microsoft.authorization/roleassignments");
        assert_eq!(
            target.scope.as_deref(),
            Some("/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1")
        );
    }

    #[test]
    fn what_is_no_id_is_none() {
        assert!(parse_id("kv1").is_none());
        assert!(parse_id("/subscriptions/s/resourceGroups/rg").is_none());
        assert!(parse_id("/subscriptions/s/providers/Microsoft.KeyVault").is_none());
    }
}

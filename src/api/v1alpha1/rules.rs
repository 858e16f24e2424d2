//! CEL rules that are written once and used by both kinds.
//!
//! In: a path and a reason. Out: a rule that names the field and cannot fail for want of a key. Never: a rule about one field's
//! own text; those stand with their type in `text`.

use kube::core::Rule;

/// The value at `path`, seen from the object that carries the rule, can never change.
///
/// A member that may be absent ends in `?`. While an optional parent is absent, before or after, nothing is compared; an
/// optional last member can be neither added nor removed. It must hang on a parent that is always there: the API server
/// skips a rule with `oldSelf` on a field that was just added, so that removing and adding would be a way around it.
pub(super) fn fixed(path: &str, because: &str) -> Rule {
    let mut guards = String::new();
    let mut walked = String::new();
    let mut optional = false;
    for member in path.split('.') {
        if optional {
            guards = format!("{guards}!has(self{walked}) || !has(oldSelf{walked}) || ");
        }
        optional = member.ends_with('?');
        walked = format!("{walked}.{}", member.trim_end_matches('?'));
    }
    let same = format!("self{walked} == oldSelf{walked}");
    let rule = if optional {
        format!("{guards}has(self{walked}) == has(oldSelf{walked}) && (!has(self{walked}) || {same})")
    } else {
        guards + &same
    };
    Rule::new(rule).message(format!("cannot change: {because}").as_str()).field_path(walked)
}

/// One arm of a union: with this `type`, `member` is set and the `others` are not.
pub(super) fn member_of(type_: &str, member: Option<&str>, others: &[&str]) -> Rule {
    let wanted = member.map(|name| format!("has(self.{name})"));
    let refused = others.iter().map(|name| format!("!has(self.{name})"));
    let all: Vec<String> = wanted.into_iter().chain(refused).collect();
    let message = member.map_or_else(
        || format!("type {type_} takes no other member: remove {}", others.join(" and ")),
        |name| format!("type {type_} needs {name} and no other member: set {name}, remove {}", others.join(" and ")),
    );
    Rule::new(format!("self.type != '{type_}' || ({})", all.join(" && "))).message(message.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_value_is_compared_as_it_is() {
        let rule = fixed("azure.vaultName", "it says which Key Vault this is");
        assert_eq!(rule.rule, "self.azure.vaultName == oldSelf.azure.vaultName");
        assert_eq!(rule.field_path.as_deref(), Some(".azure.vaultName"));
    }

    #[test]
    fn an_optional_parent_guards_and_an_optional_value_cannot_come_or_go() {
        assert_eq!(
            fixed("privateEndpoint?.name", "").rule,
            "!has(self.privateEndpoint) || !has(oldSelf.privateEndpoint) || self.privateEndpoint.name == oldSelf.privateEndpoint.name"
        );
        assert_eq!(
            fixed("a?.b?", "").rule,
            "!has(self.a) || !has(oldSelf.a) || has(self.a.b) == has(oldSelf.a.b) && (!has(self.a.b) || self.a.b == oldSelf.a.b)"
        );
    }
}

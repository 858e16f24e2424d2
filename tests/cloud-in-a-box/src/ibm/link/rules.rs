//! What Link accepts in a body: names, hosts, ports, protocols, timeouts, address ranges.
//!
//! In: JSON. Out: typed values, or a refusal that names the member. Never: looks at the world.

use std::net::Ipv4Addr;

use serde_json::{Map, Value};

/// The blocks that IBM lets a source name addresses in.
const RANGES: [(&str, u8); 4] = [("10.0.0.0", 8), ("161.26.0.0", 16), ("166.8.0.0", 14), ("172.16.0.0", 12)];

/// The members of a JSON object, none of them unknown.
pub(super) fn object(body: Value, known: &[&str]) -> Result<Map<String, Value>, String> {
    let Value::Object(members) = body else {
        return Err("the body is no JSON object".into());
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{name} is not known here")),
        None => Ok(members),
    }
}

/// A text member, if it is there.
pub(super) fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} must be a string")),
    }
}

/// A text member that must be there.
pub(super) fn needed(members: &Map<String, Value>, name: &str) -> Result<String, String> {
    text(members, name)?.filter(|text| !text.is_empty()).ok_or_else(|| format!("{name} is required"))
}

/// A boolean member, if it is there.
pub(super) fn flag(members: &Map<String, Value>, name: &str) -> Result<Option<bool>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("{name} must be true or false")),
    }
}

/// A whole number within bounds, if it is there.
pub(super) fn number(members: &Map<String, Value>, name: &str, from: u16, to: u16) -> Result<Option<u16>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
            match number.filter(|number| (from..=to).contains(number)) {
                Some(number) => Ok(Some(number)),
                None => Err(format!("{name} must be a whole number from {from} to {to}")),
            }
        }
    }
}

/// A letter first, a letter or digit last, letters, digits and hyphens between, at most 63 [S].
pub(super) fn name(text: &str, member: &str) -> Result<(), String> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let ends = text.ends_with(|c: char| c.is_ascii_alphanumeric());
    let holds = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if starts && ends && holds && text.len() <= 63 {
        Ok(())
    } else {
        Err(format!(
            "{member} must start with a letter, end with a letter or digit, hold letters, digits and hyphens, at most 63"
        ))
    }
}

/// A host name or address, without scheme, port or path.
pub(super) fn host(text: &str, client_protocol: &str) -> Result<(), String> {
    let plain = if client_protocol == "http-tunnel" { text.strip_prefix("*.").unwrap_or(text) } else { text };
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if plain.len() <= 253 && plain.split('.').all(label) {
        Ok(())
    } else {
        Err("server_host must be a host name or an address".into())
    }
}

/// The server protocol that goes with a client protocol: the default when none is given [S].
pub(super) fn server_protocol(client: &str, asked: Option<String>) -> Result<String, String> {
    let (allowed, default): (&[&str], &str) = match client {
        "udp" => (&["udp"], "udp"),
        "tcp" | "http" => (&["tcp", "tls"], "tcp"),
        "tls" | "https" => (&["tcp", "tls"], "tls"),
        "http-tunnel" => (&["tcp"], "tcp"),
        other => return Err(format!("client_protocol {other} is not known")),
    };
    match asked {
        None => Ok(default.into()),
        Some(asked) if allowed.contains(&asked.as_str()) => Ok(asked),
        Some(asked) => Err(format!("server_protocol {asked} does not go with client_protocol {client}")),
    }
}

/// The addresses of a source: each an IPv4 address or block within the four ranges.
pub(super) fn addresses(members: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let Some(value) = members.get("addresses") else {
        return Ok(None);
    };
    let items = value.as_array().ok_or("addresses must be a list")?;
    if items.is_empty() {
        return Err("addresses must not be empty".into());
    }
    let checked = items.iter().map(|item| {
        let text = item.as_str().ok_or("addresses must hold strings")?;
        let (from, to) =
            block(text).ok_or_else(|| format!("addresses: {text} is no address and no canonical block"))?;
        let allowed = RANGES.iter().any(|(base, bits)| {
            block(&format!("{base}/{bits}")).is_some_and(|(first, last)| first <= from && to <= last)
        });
        if allowed { Ok(text.to_owned()) } else { Err(format!("addresses: {text} lies outside the allowed ranges")) }
    });
    checked.collect::<Result<Vec<_>, String>>().map(Some)
}

/// The first and last address of an IPv4 block; its base must be the first.
fn block(text: &str) -> Option<(u32, u32)> {
    let (base, bits) = match text.split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?),
        None => (text, 32),
    };
    let base = u32::from(base.parse::<Ipv4Addr>().ok()?);
    let rest = u32::MAX.checked_shr(bits).unwrap_or(0);
    (base & rest == 0).then_some((base, base | rest))
}

/// Is this address in one of the blocks?
#[must_use]
pub fn covers(blocks: &[String], address: &str) -> bool {
    let Some((address, _)) = block(address) else {
        return false;
    };
    blocks.iter().filter_map(|text| block(text)).any(|(from, to)| (from..=to).contains(&address))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(items: &Value) -> Result<Option<Vec<String>>, String> {
        let mut members = Map::new();
        members.insert("addresses".into(), items.clone());
        addresses(&members)
    }

    #[test]
    fn only_canonical_blocks_within_ibms_ranges_pass() {
        for good in ["10.0.0.0/8", "10.1.2.3", "161.26.3.0/24", "166.11.0.0/16", "172.31.255.255/32", "172.16.0.0/12"] {
            assert!(list(&json!([good])).is_ok(), "{good}");
        }
        for bad in [
            "0.0.0.0/0",
            "10.0.0.1/8",
            "172.32.0.0/16",
            "192.168.0.0/16",
            "161.27.0.0/16",
            "fd00::/8",
            "10.0.0.0/33",
            "",
        ] {
            assert!(list(&json!([bad])).is_err(), "{bad}");
        }
        assert!(list(&json!([])).is_err());
    }

    #[test]
    fn names_follow_the_prose_rule() {
        assert!(name("uko-payments-1", "display_name").is_ok());
        for bad in ["", "1a", "a-", "a_b", "-a", &"a".repeat(64)] {
            assert!(name(bad, "display_name").is_err(), "{bad}");
        }
    }

    #[test]
    fn the_server_protocol_falls_back_to_its_default() {
        assert_eq!(server_protocol("tcp", None).as_deref(), Ok("tcp"));
        assert_eq!(server_protocol("tls", None).as_deref(), Ok("tls"));
        assert!(server_protocol("udp", Some("tcp".into())).is_err());
    }

    #[test]
    fn a_scheme_or_a_port_is_no_host() {
        assert!(host("payments-kv.privatelink.vaultcore.azure.net", "tcp").is_ok());
        assert!(host("10.1.0.4", "tcp").is_ok());
        for bad in ["https://a.b", "a.b:443", "a/b", "*.a.b", ""] {
            assert!(host(bad, "tcp").is_err(), "{bad}");
        }
        assert!(host("*.a.b", "http-tunnel").is_ok());
    }
}

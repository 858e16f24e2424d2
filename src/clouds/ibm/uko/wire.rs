//! The JSON of UKO's API v4.
//!
//! In: answers, read leniently; drafts and changes, written strictly. Out: data types, request bodies, pages.
//! Never: reads the masked password, or keeps an `href`.

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    AzureEnvironment, AzureVariant, ConnectionChange, Health, Keystore, KeystoreChange, KeystoreDraft, KeystoreKind,
    KeystoreStatus, LabelChange, UkoVault,
};
use crate::clouds::ibm::{
    ETag, KeystoreId, UkoVaultId,
    member::{Unreadable, filled, needed, number, strict_list, text, texts},
};

/// One page of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page<'a> {
    pub(super) items: &'a [Value],
    /// How many there are in all, if the answer says so.
    pub(super) total: Option<u64>,
    /// Where the next page is.
    pub(super) next: Link,
}

/// A link to the next page; only its `offset` is taken, never its host or path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// The answer has none.
    Nowhere,
    /// The next page starts at this offset.
    To(u64),
    /// The answer has one, without an offset that can be read.
    Unclear,
}

pub(super) fn page<'a>(answer: &'a Value, name: &'static str) -> Result<Page<'a>, Unreadable> {
    Ok(Page {
        items: strict_list(answer, name)?,
        total: number(answer, "total_count"),
        next: link(answer.get("next").unwrap_or(&Value::Null)),
    })
}

/// `{href}` \[S\], or the link itself.
fn link(next: &Value) -> Link {
    let href = next.get("href").unwrap_or(next);
    match href {
        Value::Null => Link::Nowhere,
        Value::String(text) if text.is_empty() => Link::Nowhere,
        Value::Object(members) if members.is_empty() => Link::Nowhere,
        Value::String(text) => offset_of(text).map_or(Link::Unclear, Link::To),
        Value::Object(_) | Value::Array(_) | Value::Bool(_) | Value::Number(_) => Link::Unclear,
    }
}

/// The `offset` of a link, which may be relative \[E\].
fn offset_of(href: &str) -> Option<u64> {
    let anywhere = Url::parse("https://relative.invalid/").ok()?;
    let link = anywhere.join(href).ok()?;
    let (_, offset) = link.query_pairs().find(|(name, _)| name == "offset")?;
    offset.parse().ok()
}

pub(super) fn vault(object: &Value, etag: Option<ETag>) -> Result<UkoVault, Unreadable> {
    Ok(UkoVault {
        id: UkoVaultId::new(needed(object, "id")?),
        name: text(object, "name").unwrap_or_default(),
        description: text(object, "description").unwrap_or_default(),
        keystores: number(object, "keystores_count"),
        etag,
    })
}

/// Reads a keystore of any kind. IBM's own samples lack members that IBM calls required \[E\].
pub(super) fn keystore(object: &Value, etag: Option<ETag>) -> Result<Keystore, Unreadable> {
    let vault = object.get("vault").unwrap_or(&Value::Null);
    Ok(Keystore {
        id: KeystoreId::new(needed(object, "id")?),
        vault_id: filled(vault, "id").map(UkoVaultId::new),
        kind: KeystoreKind::of(&text(object, "type").unwrap_or_default()),
        name: text(object, "name").unwrap_or_default(),
        description: text(object, "description").unwrap_or_default(),
        groups: texts(object, "groups"),
        tls_proxy: filled(object, "tls_proxy"),
        azure_service_name: filled(object, "azure_service_name"),
        azure_resource_group: filled(object, "azure_resource_group"),
        azure_location: filled(object, "azure_location"),
        azure_service_principal_client_id: filled(object, "azure_service_principal_client_id"),
        azure_tenant: filled(object, "azure_tenant"),
        azure_subscription_id: filled(object, "azure_subscription_id"),
        azure_environment: filled(object, "azure_environment").map(|word| AzureEnvironment::of(&word)),
        azure_variant: filled(object, "azure_variant").map(|word| AzureVariant::of(&word)),
        status: object.get("status").filter(|status| status.is_object()).map(status),
        etag,
    })
}

pub(super) fn status(object: &Value) -> KeystoreStatus {
    KeystoreStatus {
        health: Health::of(&text(object, "health_status").unwrap_or_default()),
        last_heartbeat: object.get("last_heartbeat").and_then(super::time::moment),
    }
}

pub(super) fn create_vault(name: &str, description: &str) -> Value {
    json!({"name": name, "description": description})
}

pub(super) fn create_keystore(draft: &KeystoreDraft) -> Value {
    let KeystoreDraft {
        vault_id,
        name,
        description,
        groups,
        tls_proxy,
        azure_service_name,
        azure_resource_group,
        azure_location,
        azure_service_principal_client_id,
        azure_service_principal_password,
        azure_tenant,
        azure_subscription_id,
        azure_environment,
        azure_variant,
    } = draft;
    members([
        ("type", Some(KeystoreKind::AzureKeyVault.as_str().into())),
        ("vault", Some(json!({"id": vault_id.as_str()}))),
        ("name", Some(name.as_str().into())),
        ("description", Some(description.as_str().into())),
        ("groups", groups.clone().map(Value::from)),
        ("tls_proxy", tls_proxy.as_deref().map(Value::from)),
        ("azure_service_name", Some(azure_service_name.as_str().into())),
        ("azure_resource_group", Some(azure_resource_group.as_str().into())),
        ("azure_location", azure_location.as_deref().map(Value::from)),
        ("azure_service_principal_client_id", Some(azure_service_principal_client_id.as_str().into())),
        ("azure_service_principal_password", Some(azure_service_principal_password.expose().into())),
        ("azure_tenant", Some(azure_tenant.as_str().into())),
        ("azure_subscription_id", Some(azure_subscription_id.as_str().into())),
        ("azure_environment", Some(azure_environment.as_str().into())),
        ("azure_variant", Some(azure_variant.as_str().into())),
    ])
}

pub(super) fn update_keystore(change: &KeystoreChange) -> Value {
    match change {
        KeystoreChange::Labels(LabelChange { name, description, groups }) => members([
            ("name", name.as_deref().map(Value::from)),
            ("description", description.as_deref().map(Value::from)),
            ("groups", groups.clone().map(Value::from)),
        ]),
        KeystoreChange::Connection(ConnectionChange {
            tls_proxy,
            azure_service_principal_client_id,
            azure_service_principal_password,
            azure_location,
        }) => members([
            ("tls_proxy", tls_proxy.as_deref().map(Value::from)),
            ("azure_service_principal_client_id", azure_service_principal_client_id.as_deref().map(Value::from)),
            (
                "azure_service_principal_password",
                azure_service_principal_password.as_ref().map(|password| password.expose().into()),
            ),
            ("azure_location", azure_location.as_deref().map(Value::from)),
        ]),
    }
}

fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let set = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {

    use secrecy::SecretString;

    use super::*;
    use crate::clouds::ibm::uko::Password;

    fn draft() -> KeystoreDraft {
        KeystoreDraft {
            vault_id: "5295ad47-2ce9-43c3-b9e7-e5a9482c362b".into(),
            name: "payments-azure".into(),
            description: "Cards\nuko-operator:abc keys/payments".into(),
            groups: None,
            tls_proxy: Some("c-04.private.us-east.link.satellite.cloud.ibm.com:12358".into()),
            azure_service_name: "payments-kv".into(),
            azure_resource_group: "rg-keys".into(),
            azure_location: None,
            azure_service_principal_client_id: "c".into(),
            azure_service_principal_password: Password::from(SecretString::from("p~w")),
            azure_tenant: "t".into(),
            azure_subscription_id: "s".into(),
            azure_environment: AzureEnvironment::Azure,
            azure_variant: AzureVariant::Premium,
        }
    }

    #[test]
    fn a_draft_becomes_the_documented_body_without_empty_members() {
        assert_eq!(
            create_keystore(&draft()),
            json!({"type": "azure_key_vault", "vault": {"id": "5295ad47-2ce9-43c3-b9e7-e5a9482c362b"},
                "name": "payments-azure", "description": "Cards\nuko-operator:abc keys/payments",
                "tls_proxy": "c-04.private.us-east.link.satellite.cloud.ibm.com:12358",
                "azure_service_name": "payments-kv", "azure_resource_group": "rg-keys",
                "azure_service_principal_client_id": "c", "azure_service_principal_password": "p~w",
                "azure_tenant": "t", "azure_subscription_id": "s", "azure_environment": "azure",
                "azure_variant": "premium"})
        );
    }

    #[test]
    fn a_draft_never_shows_its_password() {
        assert!(!format!("{:?}", draft()).contains("p~w"));
    }

    #[test]
    fn a_change_holds_only_what_changes() {
        let labels = KeystoreChange::Labels(LabelChange { name: Some("n".into()), ..LabelChange::default() });
        assert_eq!(update_keystore(&labels), json!({"name": "n"}));
        let rotated = KeystoreChange::Connection(ConnectionChange {
            azure_service_principal_password: Some(Password::from(SecretString::from("new"))),
            ..ConnectionChange::default()
        });
        assert_eq!(update_keystore(&rotated), json!({"azure_service_principal_password": "new"}));
    }

    #[test]
    fn a_keystore_of_a_list_may_lack_what_the_vendor_calls_required() {
        let sample = json!({"id": "k", "type": "azure_key_vault", "name": "n", "description": "", "groups": ["n"],
            "vault": {"id": "v", "name": "payments", "href": "/api/v4/vaults/v"},
            "azure_service_principal_password": "***", "azure_variant": "managed_hsm", "tls_proxy": ""});
        let read = keystore(&sample, None).unwrap();
        assert_eq!(read.vault_id, Some("v".into()));
        assert_eq!(read.azure_variant, Some(AzureVariant::Other("managed_hsm".into())));
        assert_eq!(
            (read.tls_proxy, read.azure_location, read.status, read.azure_service_name),
            (None, None, None, None)
        );
        assert_eq!(keystore(&json!({"name": "n"}), None), Err(Unreadable("id")));
    }

    #[test]
    fn a_status_keeps_words_of_newer_servers() {
        let ok = status(&json!({"health_status": "ok", "last_heartbeat": "2022-05-11T14:58:26Z", "message": "Ping"}));
        assert_eq!(ok, KeystoreStatus { health: Health::Ok, last_heartbeat: Some(1_652_281_106) });
        let counted = status(&json!({"health_status": "OK", "last_heartbeat": 1_652_281_106_123_u64}));
        assert_eq!(counted, ok);
        let odd = status(&json!({"health_status": "degraded", "last_heartbeat": "yesterday"}));
        assert_eq!(odd, KeystoreStatus { health: Health::Other("degraded".into()), last_heartbeat: None });
    }

    #[test]
    fn only_the_offset_of_a_link_is_used() {
        let relative = json!({"vaults": [], "total_count": 3, "next": {"href": "/api/v4/vaults?limit=2&offset=2"}});
        assert_eq!(page(&relative, "vaults").unwrap().next, Link::To(2));
        let foreign = json!({"vaults": [], "next": {"href": "https://evil.example/steal?offset=40"}});
        assert_eq!(page(&foreign, "vaults").unwrap(), Page { items: &[], total: None, next: Link::To(40) });
        let plain = json!({"vaults": [], "next": "/api/v4/vaults?offset=7"});
        assert_eq!(page(&plain, "vaults").unwrap().next, Link::To(7));
        for none in [json!(null), json!(""), json!({}), json!({"href": null})] {
            assert_eq!(page(&json!({"vaults": [{}], "next": none}), "vaults").unwrap().next, Link::Nowhere);
        }
        for odd in [json!("https://["), json!({"href": "/api/v4/vaults?start=2"}), json!({"url": "x"}), json!(3)] {
            assert_eq!(page(&json!({"vaults": [{}], "next": odd}), "vaults").unwrap().next, Link::Unclear, "{odd}");
        }
    }

    #[test]
    fn an_answer_without_its_list_is_no_empty_page() {
        for body in [json!({}), json!({"total_count": 0}), json!([]), json!({"vaults": {}})] {
            assert_eq!(page(&body, "vaults"), Err(Unreadable("vaults")), "{body}");
        }
        assert!(page(&json!({"vaults": null}), "vaults").unwrap().items.is_empty());
    }
}

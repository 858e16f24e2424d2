//! Finds ours in a list of keystores, which may leave out for which Key Vault each is.
//!
//! In: a list, a reader. Out: the list with what it left out, and ours in it. Never: writes; takes what nobody told for absence.

use futures::{StreamExt, TryStreamExt, future::ready, stream};

use crate::{
    clouds::{
        http::{Class, Error},
        ibm::{Keystore, Uko, UkoVaultId},
    },
    keystore_connection::desired::Desired,
    reconcile::{fault::Fault, ownership::Mark},
};

/// So many are read at once.
const AT_ONCE: usize = 6;

/// The list, where each keystore that may be for our Key Vault without saying so was read by itself: IBM's own sample of a list lacks
/// `azure_service_name` \[E\]. What is gone meanwhile drops out.
pub(in crate::keystore_connection) async fn completed(
    uko: &Uko,
    want: &Desired,
    vault: &UkoVaultId,
    listed: Vec<Keystore>,
) -> Result<Vec<Keystore>, Error> {
    stream::iter(listed)
        .map(|keystore| complete(uko, want, vault, keystore))
        .buffered(AT_ONCE)
        .try_filter_map(|read| ready(Ok(read)))
        .try_collect()
        .await
}

async fn complete(
    uko: &Uko,
    want: &Desired,
    vault: &UkoVaultId,
    keystore: Keystore,
) -> Result<Option<Keystore>, Error> {
    match want.for_key_vault(&keystore) {
        Some(_) => Ok(Some(keystore)),
        None => uko.keystore(vault, &keystore.id).await,
    }
}

/// Why a list, even completed, does not tell that nothing is there for our Key Vault.
pub(in crate::keystore_connection) fn unclear(all: &[Keystore], want: &Desired) -> Option<Fault> {
    let unclear = all.iter().find(|keystore| want.for_key_vault(keystore).is_none())?;
    let text = format!(
        "UKO does not tell for which Key Vault the keystore {} is, so it may be for this one already, and no second one is made. Look at it in the UKO console; this is retried.",
        unclear.name
    );
    Some(Fault::new(Class::Transient, "AnswerUnreadable", text))
}

/// What needs no more than the list: by our mark, then by Key Vault.
pub(super) fn certain<'a>(all: &'a [Keystore], want: &Desired) -> Option<&'a Keystore> {
    let marked = |keystore: &&Keystore| Mark::find(&keystore.description).names(&want.owner);
    all.iter().find(marked).or_else(|| all.iter().find(|keystore| want.is_for_key_vault(keystore)))
}

/// By our mark, then by Key Vault, then by exact name.
pub(in crate::keystore_connection) fn pick<'a>(all: &'a [Keystore], want: &Desired) -> Option<&'a Keystore> {
    certain(all, want).or_else(|| all.iter().find(|keystore| keystore.name == want.keystore.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clouds::ibm::uko::KeystoreKind,
        keystore_connection::cleanup::tests::{keystore, want},
    };

    /// Another name, no mark, for `service` in `subscription`.
    fn item(kind: &str, service: Option<&str>, subscription: Option<&str>) -> Keystore {
        Keystore {
            kind: KeystoreKind::of(kind),
            name: "by-hand".to_owned(),
            azure_service_name: service.map(str::to_owned),
            azure_subscription_id: subscription.map(str::to_owned),
            ..keystore("")
        }
    }

    #[test]
    fn only_what_an_answer_says_makes_a_keystore_one_for_another_key_vault() {
        let want = want();
        let (name, subscription) = (want.vault.name.to_ascii_uppercase(), want.vault.subscription_id.clone());
        let (name, subscription) = (Some(name.as_str()), Some(subscription.as_str()));
        for (kind, service, subscription, told) in [
            ("azure_key_vault", name, subscription, Some(true)),
            ("", name, subscription, Some(true)),
            ("azure_key_vault", None, subscription, None),
            ("azure_key_vault", name, None, Some(true)),
            ("", None, None, None),
            ("aws_kms", None, None, Some(false)),
            ("azure_key_vault", Some("other"), None, Some(false)),
            ("azure_key_vault", None, Some("other"), Some(false)),
        ] {
            let item = item(kind, service, subscription);
            assert_eq!(want.for_key_vault(&item), told, "{item:?}");
            assert_eq!(pick(std::slice::from_ref(&item), &want).is_some(), told == Some(true), "{item:?}");
            assert_eq!(unclear(std::slice::from_ref(&item), &want).is_some(), told.is_none(), "{item:?}");
        }
    }

    #[test]
    fn a_name_is_not_certain_and_our_mark_is() {
        let want = want();
        let named = Keystore { name: want.keystore.name.clone(), ..item("azure_key_vault", None, None) };
        let marked = Keystore { description: want.owner.marked("text"), ..item("azure_key_vault", None, None) };
        assert_eq!(certain(std::slice::from_ref(&named), &want), None, "another may be for the Key Vault itself");
        let all = [named, marked];
        assert_eq!(certain(&all, &want), all.last());
        assert_eq!(pick(&all[..1], &want), all.first());
    }
}

//! What the keystore of a plan adds to the bill.
//!
//! In: the keystores of the whole UKO instance and the operator's price table. Out: an estimate for a row of `status.plan`.
//! Never: an amount where the keystores could not be counted, or for a UKO that has no price list.

use super::Case;
use crate::{
    api::v1alpha1::{CostBasis, EstimatedCost},
    clouds::ibm::uko::KeystoreKind,
    reconcile::stage::Seen,
};

/// None where nobody knows a price.
pub(super) fn of_keystore(case: Case<'_>) -> Option<EstimatedCost> {
    case.want.prices.as_ref().map(|prices| prices.cost(basis(&case.seen.instance)))
}

/// For who decides on one more keystore beside `others`; empty where nobody knows an amount.
pub(super) fn beside(others: u32, case: Case<'_>) -> String {
    let further =
        case.want.prices.as_ref().filter(|_| others > 0).map(|prices| prices.cost(CostBasis::FurtherKeystore));
    let Some(EstimatedCost { amount: Some(amount), currency, prices_as_of, .. }) = further else {
        return String::new();
    };
    format!(", about {currency} {amount} a month by the prices of {prices_as_of}")
}

/// Only the first external keystore starts the base price. Keystores of IBM Cloud may be internal ones, which count for
/// nothing, or external ones: the list does not tell.
fn basis(kinds: &Seen<Vec<KeystoreKind>>) -> CostBasis {
    let external = |kind: &KeystoreKind| match kind {
        KeystoreKind::AzureKeyVault
        | KeystoreKind::AwsKms
        | KeystoreKind::Cca
        | KeystoreKind::GoogleKms
        | KeystoreKind::Other(_) => true,
        KeystoreKind::IbmCloudKms => false,
    };
    match kinds.present() {
        Some(kinds) if kinds.iter().any(external) => CostBasis::FurtherKeystore,
        Some(kinds) if kinds.is_empty() => CostBasis::FirstKeystore,
        Some(_) | None => CostBasis::Unknown,
    }
}

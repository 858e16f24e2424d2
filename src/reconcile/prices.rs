//! What a keystore costs a month, by the table that the operator is started with.
//!
//! In: the file of `--prices`, or IBM's list as of the day it was read. Out: an [`EstimatedCost`]. Never: a bill; an amount
//! where nobody knows which one counts.

use std::path::Path;

use k8s_openapi::jiff::civil::Date;
use serde::Deserialize;

use crate::api::v1alpha1::{CostBasis, EstimatedCost};

/// IBM's list is in this state: UKO's base price of USD 5.00 an hour starts with the first external keystore, which is free
/// itself; each further one costs USD 70.00 a month or less. A month has 730 hours. \[D\]
const LIST: &str = "{pricesAsOf: '2025-07-23', currency: USD, firstKeystore: '3650.00', furtherKeystore: '70.00'}";

/// Amounts a month, as of a day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Prices {
    #[serde(rename = "pricesAsOf")]
    as_of: String,
    currency: String,
    first_keystore: String,
    further_keystore: String,
}

/// A price file that cannot be used; names the field and what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPrices(String);

impl Prices {
    /// The table in a file, or IBM's list without one.
    ///
    /// # Errors
    /// The file and the first fault in it.
    pub fn load(file: Option<&Path>) -> Result<Self, InvalidPrices> {
        let Some(file) = file else { return Self::parse(LIST) };
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|fault| InvalidPrices(format!("cannot read {shown}: {fault}; name a readable YAML file")))?;
        Self::parse(&text).map_err(|fault| InvalidPrices(format!("the price file {shown} cannot be used: {fault}")))
    }

    fn parse(text: &str) -> Result<Self, InvalidPrices> {
        let prices: Self = serde_yaml::from_str(text).map_err(|fault| InvalidPrices(fault.to_string()))?;
        let is_day = prices.as_of.len() == 10 && prices.as_of.parse::<Date>().is_ok();
        let is_code = prices.currency.len() == 3 && prices.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let fields = [
            ("pricesAsOf", &prices.as_of, is_day, "a day such as 2026-03-31"),
            ("currency", &prices.currency, is_code, "an ISO 4217 code such as USD"),
            ("firstKeystore", &prices.first_keystore, is_amount(&prices.first_keystore), AMOUNT),
            ("furtherKeystore", &prices.further_keystore, is_amount(&prices.further_keystore), AMOUNT),
        ];
        if let Some((field, value, _, wanted)) = fields.into_iter().find(|(.., fits, _)| !fits) {
            return Err(InvalidPrices(format!("{field} is '{value}' and must be {wanted}")));
        }
        Ok(prices)
    }

    /// What one more keystore adds to the bill.
    pub(crate) fn cost(&self, basis: CostBasis) -> EstimatedCost {
        EstimatedCost {
            amount: match basis {
                CostBasis::FirstKeystore => Some(self.first_keystore.clone()),
                CostBasis::FurtherKeystore => Some(self.further_keystore.clone()),
                CostBasis::Unknown => None,
            },
            currency: self.currency.clone(),
            basis,
            prices_as_of: self.as_of.clone(),
        }
    }
}

const AMOUNT: &str = "an amount a month such as 70.00";

/// Digits, and at most one point between them.
fn is_amount(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 20 && text.split_once('.').map_or_else(|| digits(text), |(whole, rest)| digits(whole) && digits(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "pricesAsOf: 2026-03-31\ncurrency: EUR\nfirstKeystore: 3400.50\nfurtherKeystore: 65\n";

    #[test]
    fn a_file_is_taken_as_it_is_written() {
        let first = Prices::parse(FILE).unwrap().cost(CostBasis::FirstKeystore);
        assert_eq!((first.amount.as_deref(), &*first.currency), (Some("3400.50"), "EUR"));
        assert_eq!(first.prices_as_of, "2026-03-31");
        let further = Prices::parse(FILE).unwrap().cost(CostBasis::FurtherKeystore);
        assert_eq!(further.amount.as_deref(), Some("65"));
    }

    #[test]
    fn without_a_file_it_is_the_list_and_nobody_guesses_an_amount() {
        let list = Prices::load(None).unwrap();
        assert_eq!(list.cost(CostBasis::FirstKeystore).amount.as_deref(), Some("3650.00"), "730 hours of 5.00");
        assert_eq!(list.cost(CostBasis::FurtherKeystore).amount.as_deref(), Some("70.00"));
        assert_eq!(list.cost(CostBasis::Unknown).amount, None);
    }

    #[test]
    fn a_fault_names_the_file_and_the_field() {
        let wrong = [
            ("2026-03-31", "31.3.2026", "pricesAsOf"),
            ("2026-03-31", "2026-02-31", "pricesAsOf"),
            ("EUR", "Euro", "currency"),
            ("3400.50", "3,400.50", "firstKeystore"),
            ("3400.50", "-1", "firstKeystore"),
            ("3400.50", "5e3", "firstKeystore"),
            ("65", "", "furtherKeystore"),
            ("65", "1.", "furtherKeystore"),
            ("65", "111111111111111111111", "furtherKeystore"),
            ("furtherKeystore: 65", "", "furtherKeystore"),
            ("currency: EUR", "currency: EUR\nvat: 19", "vat"),
        ];
        for (before, after, field) in wrong {
            let fault = Prices::parse(&FILE.replace(before, after)).unwrap_err().to_string();
            assert!(fault.contains(field), "{after}: {fault}");
        }
        let fault = Prices::load(Some(Path::new("/nowhere/prices.yaml"))).unwrap_err().to_string();
        assert!(fault.contains("/nowhere/prices.yaml"), "{fault}");
    }
}

//! Secrets that end soon, by what their owners wrote on them.
//!
//! In: the annotation `uko-operator.io/expires-at` of the Secrets that an object names, the time. Out: one condition, or none.
//! Never: a fault: nobody has to write it, and a wrong date stops nothing.

use k8s_openapi::jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{secrets::Secrets, stage::Word};
use crate::api::condition::Status;

/// The annotation: RFC 3339, or a date, which begins at midnight UTC.
const ANNOTATION: &str = "uko-operator.io/expires-at";
const DAY: i64 = 24 * 60 * 60;

/// What condition `CredentialsExpiring` says; none while it is absent.
pub(crate) struct Expiring {
    /// True, or Unknown where the date cannot be read.
    pub status: Status,
    /// Reason and message. The reason changes at each step, so that each has its event; the message does not count days.
    pub word: Word,
}

/// Of several Secrets, the one that ends first is the reason; the message has them all.
pub(crate) fn expiring(secrets: &Secrets, now: Timestamp) -> Option<Expiring> {
    let (mut ending, mut wrong) = (Vec::new(), Vec::new());
    for (name, text) in secrets.annotated(ANNOTATION) {
        match parse(text) {
            Some(at) if at.as_second() - now.as_second() <= 30 * DAY => ending.push((at, name)),
            Some(_) => {}
            None => wrong.push(format!(
                "The annotation {ANNOTATION} of the Secret {name} is no date: write it as 2027-01-31 or 2027-01-31T12:00:00Z."
            )),
        }
    }
    ending.sort_unstable();
    let reason = ending.first().map(|(at, _)| match at.as_second() - now.as_second() {
        ..=0 => "CredentialsExpired",
        left if left <= 3 * DAY => "CredentialsExpireWithin3Days",
        left if left <= 14 * DAY => "CredentialsExpireWithin14Days",
        _ => "CredentialsExpireWithin30Days",
    });
    let mut told: Vec<String> = ending
        .iter()
        .map(|(at, name)| {
            let ends = if *at <= now { "ended" } else { "ends" };
            format!("The Secret {name} {ends} on {at}: make a new credential and put it there.")
        })
        .collect();
    told.append(&mut wrong);
    if told.is_empty() {
        return None;
    }
    let status = if reason.is_some() { Status::True } else { Status::Unknown };
    Some(Expiring { status, word: Word { reason: reason.unwrap_or("ExpiresAtInvalid"), message: told.join(" ") } })
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| {
        let midnight = text.parse::<Date>().ok().filter(|_| text.len() == "2027-01-31".len())?;
        midnight.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};

    use super::*;

    fn told(dates: &[(&str, &str)]) -> Option<(Status, &'static str, String)> {
        let secret = |text: &str| Secret {
            metadata: ObjectMeta {
                annotations: Some(BTreeMap::from([(ANNOTATION.to_owned(), text.to_owned())])),
                ..ObjectMeta::default()
            },
            ..Secret::default()
        };
        let read = dates.iter().map(|(name, text)| ((*name).to_owned(), Ok(Some(secret(text))))).collect();
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        expiring(&Secrets::holding("keys", read), now).map(|it| (it.status, it.word.reason, it.word.message))
    }

    #[test]
    fn each_step_has_a_reason_of_its_own() {
        for (text, wanted) in [
            ("2027-01-31T00:00:01Z", None),
            ("2027-01-31", Some("CredentialsExpireWithin30Days")),
            ("2027-01-15T00:00:01Z", Some("CredentialsExpireWithin30Days")),
            ("2027-01-15", Some("CredentialsExpireWithin14Days")),
            ("2027-01-04T00:00:01Z", Some("CredentialsExpireWithin14Days")),
            ("2027-01-04T02:00:00+02:00", Some("CredentialsExpireWithin3Days")),
            ("2027-01-01T00:00:01Z", Some("CredentialsExpireWithin3Days")),
            ("2027-01-01", Some("CredentialsExpired")),
            ("2020-01-01", Some("CredentialsExpired")),
        ] {
            assert_eq!(told(&[("a", text)]).map(|told| told.1), wanted, "{text}");
        }
        assert!(told(&[]).is_none());
    }

    #[test]
    fn a_date_that_cannot_be_read_is_told_and_is_no_end() {
        for text in ["", "soon", "31.01.2027", "2027-02-30", "2027-01-31T12:00:00", "1800000000", "2027-01-31 junk"] {
            let (status, reason, message) = told(&[("a", text)]).unwrap();
            assert_eq!((status, reason), (Status::Unknown, "ExpiresAtInvalid"), "{text}");
            assert!(message.contains("Secret a") && message.contains("2027-01-31T12:00:00Z"), "{message}");
        }
    }

    #[test]
    fn all_are_named_and_the_first_end_is_the_reason() {
        let dates = [("a", "2027-01-20"), ("b", "2027-01-02"), ("c", "never"), ("d", "2028-01-01")];
        let (status, reason, message) = told(&dates).unwrap();
        assert_eq!((status, reason), (Status::True, "CredentialsExpireWithin3Days"));
        assert!(message.starts_with("The Secret b ends on 2027-01-02T00:00:00Z"), "{message}");
        assert!(
            message.contains("Secret a ends") && message.contains("Secret c is no date") && !message.contains(" d ")
        );
    }
}

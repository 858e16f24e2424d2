//! Azure: Entra, the metadata service, Resource Manager and Key Vault's data plane, of three clouds.
//!
//! In: a [`crate::wire::Call`] whose host is Azure's. Out: the answer and the changed world. Never: I/O.

pub mod arm;
pub mod cloud;
pub mod entra;
pub mod facts;
pub mod kv;
pub mod state;
pub mod vault_keys;

use serde_json::Value;
use uuid::Uuid;

use crate::wire::{Answer, Call, Service};

/// The headers that every answer of an Azure service carries, faults included.
#[must_use]
pub fn with_request_ids(call: &Call, mut answer: Answer) -> Answer {
    let id = Uuid::new_v4().to_string();
    match call.service {
        Service::Entra => {
            answer = answer.header("x-ms-request-id", id).header("cache-control", "no-store, no-cache");
        }
        Service::Arm => {
            let route = format!("WESTEUROPE:20260101T000000Z:{id}");
            answer = answer
                .header("x-ms-request-id", id.clone())
                .header("x-ms-correlation-request-id", id)
                .header("x-ms-routing-request-id", route)
                .header("cache-control", "no-cache");
        }
        Service::Kv => {
            answer = answer
                .header("x-ms-request-id", id)
                .header("x-ms-keyvault-region", "westeurope")
                .header("x-ms-keyvault-service-version", "1.9.2661.1");
        }
        Service::Imds
        | Service::Iam
        | Service::Containers
        | Service::Link
        | Service::Broker
        | Service::Uko
        | Service::Unknown => return answer,
    }
    match call.header("x-ms-client-request-id") {
        Some(own) => answer.header("x-ms-client-request-id", own),
        None => answer,
    }
}

/// Sets a member of a JSON object that was just built.
pub(crate) fn set(object: &mut Value, name: &str, member: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), member.into());
    }
}

/// Unix seconds as `2026-01-01T00:00:00Z`.
#[must_use]
pub fn iso(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1970-01-01 to a civil date, counted in eras of 400 years from 0000-03-01.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn a_unix_time_is_written_as_a_date() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}

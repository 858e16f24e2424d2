//! The time stamps of UKO, as seconds.
//!
//! In: RFC 3339 text, or a number of seconds or milliseconds. Out: seconds since 1970 UTC, fractions cut off.
//! Never: reads a clock.

use std::time::Duration;

use serde_json::Value;

/// From here on a number counts milliseconds: as seconds it would lie beyond the year 5000.
const MILLIS: f64 = 100_000_000_000.0;

/// Reads a member that holds a time in one of the ways servers write it \[I\]; zero is no time.
pub(super) fn moment(member: &Value) -> Option<i64> {
    match member {
        Value::String(text) => unix_seconds(text.trim()),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| *number > 0.0)?;
            let seconds = if number < MILLIS { number } else { number / 1000.0 };
            i64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_secs()).ok()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads `2022-05-11T14:58:26Z`, with or without a fraction, with `Z` or an offset.
pub(super) fn unix_seconds(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(digits);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let mut clock = clock.split('.').next()?.splitn(3, ':').map(digits);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    in_range.then_some(())?;
    let days = days_since_1970(year, month, day);
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?)
}

fn digits(text: &str) -> Option<i64> {
    let clean = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    clean.then(|| text.parse().ok()).flatten()
}

fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '+' => 1,
        _minus => -1,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (digits(hours)? * 3600 + digits(minutes)? * 60))
}

/// Counts the days of the proleptic Gregorian calendar; years start in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_seconds() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2022-05-11T14:58:26Z", 1_652_281_106),
            ("2022-05-11T14:58:26.123456Z", 1_652_281_106),
            ("2022-05-11T16:58:26+02:00", 1_652_281_106),
            ("2022-05-11T10:58:26-04:00", 1_652_281_106),
            ("2024-02-29T12:00:00Z", 1_709_208_000),
            ("1969-12-31T23:59:59Z", -1),
        ] {
            assert_eq!(unix_seconds(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn a_number_counts_seconds_or_milliseconds() {
        use serde_json::json;
        for written in [
            json!(1_652_281_106),
            json!(1_652_281_106.5),
            json!(1_652_281_106_000_u64),
            json!(1_652_281_106_999_u64),
            json!("2022-05-11T14:58:26Z"),
            json!("2022-05-11T14:58:26.1Z"),
        ] {
            assert_eq!(moment(&written), Some(1_652_281_106), "{written}");
        }
        for written in [json!(0), json!(-5), json!(1e300), json!(null), json!(true), json!([]), json!({}), json!("")] {
            assert_eq!(moment(&written), None, "{written}");
        }
    }

    #[test]
    fn what_is_no_time_is_nothing() {
        for text in [
            "",
            "yesterday",
            "2022-05-11",
            "2022-13-11T14:58:26Z",
            "2022-05-11T14:58:26",
            "2022-05-11T14:58Z",
            "2022-05-11T24:00:00Z",
            "-2022-05-11T14:58:26Z",
            "2022-05-11T14:58:26Zulu",
        ] {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }
}

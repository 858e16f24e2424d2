//! Durations as people write them: `300ms`, `5s`, `2m`, `1h`.
//!
//! In: the text of a flag. Out: a `Duration`, or what to write instead. Never: a bare number, whose unit would be a guess.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;

/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write a number and its unit, such as 300ms, 5s, 2m, 1h or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_from_milliseconds_to_hours_are_read() {
        for (text, millis) in
            [("0s", 0), ("300ms", 300), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("1h30m", 5_400_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_number_without_unit_a_negative_and_a_calendar_unit_are_refused() {
        for text in ["5", "", "-5s", "5s ago", "soon", "1 month", "1y"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

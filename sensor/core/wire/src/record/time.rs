//! Packet time as RFC 3339 in UTC, with microseconds.

use crate::frame::Timestamp;

/// Writes *at* as `2026-11-22T01:04:17.123456Z`. Times outside the years 0 to 9999 are held at its ends.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    const SECOND: i64 = 1_000_000_000;
    let seconds = at.0.div_euclid(SECOND);
    let micros = at.0.rem_euclid(SECOND) / 1_000;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Proleptic Gregorian date of a day count from 1970-01-01, by 400-year eras that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_right() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_309_457_123_456_789, "2026-11-22T01:04:17.123456Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (i64::MAX, "2262-04-11T23:47:16.854775Z"),
            (i64::MIN, "1677-09-21T00:12:43.145224Z"),
        ] {
            assert_eq!(rfc3339(Timestamp(ns)), text);
        }
    }
}

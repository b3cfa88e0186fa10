//! Times as qlog has them (draft-ietf-quic-qlog-main-schema §7.1).

use std::time::Duration;

use quic_core::Instant;

/// Milliseconds with their fraction, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    // Below 2^53: exact for centuries.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
    let micros = duration.as_micros() as f64;
    micros / 1000.0
}

/// A date and time of RFC 3339, to the millisecond, `time` being counted from 1970.
pub(crate) fn rfc_3339(time: Instant) -> String {
    let millis = time.saturating_duration_since(Instant::EPOCH).as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let (seconds, fraction) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// Year, month and day of a day of the Gregorian calendar, counted from the first of 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut rest = days;
    let mut year = 1970;
    // An instant ends after less than 600 years.
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_through_leap_years() {
        let text = |seconds: u64| rfc_3339(Instant::EPOCH + Duration::from_secs(seconds));
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(951_868_800), "2000-03-01T00:00:00.000Z");
        assert_eq!(text(1_798_761_599), "2026-12-31T23:59:59.000Z");
        assert_eq!(text(4_107_542_400), "2100-03-01T00:00:00.000Z");
        let late = Instant::EPOCH + Duration::from_millis(1_553_986_553_572);
        assert_eq!(rfc_3339(late), "2019-03-30T22:55:53.572Z");
        assert!(rfc_3339(Instant::FAR_FUTURE).starts_with("25"));
    }
}

//! Moments and spans, in whole seconds: what certificates, windows and records are made of.

use std::fmt;

use chrono::{DateTime, Local, TimeZone, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A moment: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Timestamp(u64);

impl TryFrom<u64> for Timestamp {
    type Error = Error;
    fn try_from(seconds: u64) -> Result<Self> {
        Timestamp::from_unix(seconds)
    }
}

impl From<Timestamp> for u64 {
    fn from(time: Timestamp) -> u64 {
        time.0
    }
}

/// The last moment we handle, 9999-12-31T23:59:59Z: past it, RFC 3339 has no words.
const LAST: u64 = 253_402_300_799;

impl Timestamp {
    /// From seconds since the epoch.
    ///
    /// # Errors
    /// Invalid when after the year 9999.
    pub fn from_unix(seconds: u64) -> Result<Self> {
        if seconds > LAST {
            return Err(Error::invalid("the time is after the year 9999"));
        }
        Ok(Timestamp(seconds))
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// This moment and `span` more.
    ///
    /// # Errors
    /// Invalid when that is after the year 9999.
    pub fn after(self, span: Span) -> Result<Self> {
        Timestamp::from_unix(self.0.saturating_add(span.0))
    }

    /// `span` earlier, not before the epoch.
    #[must_use]
    pub fn before(self, span: Span) -> Self {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// Seconds from `earlier` to this moment; zero when it is not earlier.
    pub fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// RFC 3339 in UTC, for programs: `2026-11-23T13:30:00Z`.
    pub fn rfc3339(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Local time with the offset shown, for people: `2026-11-23 14:30:00 +01:00`.
    pub fn local(self) -> String {
        self.shown("%Y-%m-%d %H:%M:%S %:z", "")
    }

    /// Local hour and minute for people, with the seconds only where they are not zero: `14:30`.
    pub fn local_hour(self) -> String {
        let format = if self.0.is_multiple_of(60) { "%H:%M" } else { "%H:%M:%S" };
        self.shown(format, " UTC")
    }

    /// In local time; in a program such as sudo, which has its caller's environment, in UTC, marked
    /// as such: `TZ` would name any file there, to be opened by root.
    fn shown(self, format: &str, mark: &str) -> String {
        if nix::unistd::getuid() == nix::unistd::geteuid() {
            self.utc().with_timezone(&Local).format(format).to_string()
        } else {
            format!("{}{mark}", self.utc().format(format))
        }
    }

    /// Reads RFC 3339 with an offset, or `YYYY-MM-DD HH:MM` in local time.
    ///
    /// # Errors
    /// Invalid when it is neither, names no moment (a skipped hour) or lies before 1970.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("`{}` is no time", text.escape_debug()))
                .next("Write it as 2026-11-23T14:30:00+01:00, or as '2026-11-23 14:30' local time.")
        };
        if text.len() > 40 {
            return Err(bad());
        }
        let seconds = if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            moment.timestamp()
        } else {
            let naive =
                chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").map_err(|_| bad())?;
            Local.from_local_datetime(&naive).earliest().ok_or_else(bad)?.timestamp()
        };
        Timestamp::from_unix(u64::try_from(seconds).map_err(|_| bad())?)
    }

    fn utc(self) -> DateTime<Utc> {
        // LAST is within chrono's range, so the fallback is never taken.
        i64::try_from(self.0)
            .ok()
            .and_then(|seconds| Utc.timestamp_opt(seconds, 0).single())
            .unwrap_or_default()
    }
}

/// A length of time, at least one second and at most 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Span(u64);

/// The longest span anything may be given.
const LONGEST: u64 = 366 * 86_400;

impl Span {
    /// From seconds.
    ///
    /// # Errors
    /// Invalid when zero or longer than 366 days.
    pub fn from_secs(seconds: u64) -> Result<Self> {
        match seconds {
            0 => Err(Error::invalid("a duration of zero").next("Write it as 30m or 1h30m.")),
            1..=LONGEST => Ok(Span(seconds)),
            _ => Err(Error::invalid("a duration longer than 366 days")),
        }
    }

    /// In seconds.
    pub fn secs(self) -> u64 {
        self.0
    }

    /// Reads `90s`, `30m`, `1h30m`, `2d`: units largest first, each once.
    ///
    /// # Errors
    /// Invalid when it has another form, is zero or is too long.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("`{}` is no duration", text.escape_debug()))
                .next("Write it as 90s, 30m, 1h30m or 2d.")
        };
        let (mut total, mut number, mut digits) = (0_u64, 0_u64, 0);
        let mut units = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)].into_iter();
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                number = number
                    .checked_mul(10)
                    .and_then(|n| n.checked_add(u64::from(digit)))
                    .ok_or_else(bad)?;
                digits += 1;
                continue;
            }
            // Searching on from the last unit keeps them in order and each once.
            let (_, seconds) = units.find(|(unit, _)| *unit == c).ok_or_else(bad)?;
            if digits == 0 {
                return Err(bad());
            }
            total =
                number.checked_mul(seconds).and_then(|n| n.checked_add(total)).ok_or_else(bad)?;
            (number, digits) = (0, 0);
        }
        if digits > 0 || text.is_empty() {
            return Err(bad());
        }
        Span::from_secs(total).map_err(|error| error.context(format!("`{text}`")))
    }
}

impl TryFrom<u64> for Span {
    type Error = Error;
    fn try_from(seconds: u64) -> Result<Self> {
        Span::from_secs(seconds)
    }
}

impl From<Span> for u64 {
    fn from(span: Span) -> u64 {
        span.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spoken(self.0))
    }
}

/// A number of seconds as a person writes it: `1h30m`, `20s`, `0s`.
pub fn spoken(seconds: u64) -> String {
    let mut text = String::new();
    let mut rest = seconds;
    for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_that_are_zero_negative_or_overflow_are_refused() {
        for bad in [
            "",
            "0",
            "0s",
            "-5m",
            "5",
            "m",
            "1h1h",
            "1m1h",
            "1.5h",
            "5 m",
            "99999999999999999999d",
            "367d",
            "1w",
            "١m",
            "9223372036854775807d",
        ] {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_before_1970_or_after_9999_is_refused() {
        assert!(Timestamp::parse("1969-12-31T23:59:59Z").is_err());
        assert!(Timestamp::parse("now").is_err());
        assert!(Timestamp::from_unix(u64::MAX).is_err());
        assert_eq!(
            Timestamp::parse("2026-11-23T14:30:00+01:00").unwrap().rfc3339(),
            "2026-11-23T13:30:00Z"
        );
    }

    proptest! {
        #[test]
        fn a_span_reads_back_as_it_is_written(seconds in 1..=LONGEST) {
            let span = Span::from_secs(seconds).unwrap();
            prop_assert_eq!(Span::parse(&span.to_string()).unwrap(), span);
        }

        #[test]
        fn no_text_makes_a_span_outside_its_limits(text in "[0-9dhms]{0,24}") {
            if let Ok(span) = Span::parse(&text) {
                prop_assert!((1..=LONGEST).contains(&span.secs()));
            }
        }
    }
}

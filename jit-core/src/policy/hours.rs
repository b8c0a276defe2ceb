//! Opening hours: `Mon-Fri 08:00-18:00, Sat 09:00-12:00 Europe/Berlin`. They go by the clock on the
//! wall there, so an hour that a change of the clocks skips is not open, and one that comes twice
//! is open twice.

use std::fmt;
use std::path::Path;

use tz::TimeZone;

use crate::error::{Error, Result};
use crate::time::Timestamp;

/// Where the system keeps its time zones.
const ZONES: &str = "/usr/share/zoneinfo";

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const DAY: i64 = 86_400;

/// Clocks are changed at such moments of UTC, in seconds: on every one of them the offset is asked
/// for again.
const STEP: i64 = 900;

/// Hours of the week, in a time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Hours {
    text: String,
    spans: Vec<DaySpan>,
    zone: TimeZone,
}

/// From `opens` to `closes`, in seconds of the day, on each of `days`; past midnight where it closes
/// no later than it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DaySpan {
    days: [bool; 7],
    opens: i64,
    closes: i64,
}

impl Hours {
    /// Reads hours, and their time zone from the system's files.
    ///
    /// # Errors
    /// Invalid when they have another form, or there is no such time zone.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |what: String| {
            Error::invalid(what).next(
                "Write it as Mon-Fri 08:00-18:00 Europe/Berlin; more such spans go between, with \
                 commas.",
            )
        };
        let (spans, zone) = text
            .trim()
            .rsplit_once(' ')
            .filter(|(_, zone)| zone.starts_with(|c: char| c.is_ascii_alphabetic()))
            .ok_or_else(|| bad("the hours name no time zone at their end".into()))?;
        let spans = spans
            .split(',')
            .map(|span| {
                let shown: String = span.trim().chars().take(40).collect();
                DaySpan::parse(span)
                    .ok_or_else(|| bad(format!("`{}` are no hours", shown.escape_debug())))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Hours { text: text.trim().to_owned(), spans, zone: zone_named(zone)? })
    }

    /// Whether it is open at `time`.
    pub fn open_at(&self, time: Timestamp) -> bool {
        self.open(seconds(time))
    }

    /// For how many seconds from `time` on it stays open, at most `limit`.
    pub fn open_for(&self, time: Timestamp, limit: u64) -> u64 {
        let start = seconds(time);
        let end = start.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut at = start;
        while at < end && self.open(at) {
            let local = at + self.offset(at);
            let edges = self.spans.iter().flat_map(|span| [span.opens, span.closes]);
            // Midnight is an edge, too: the next day may be closed.
            let edge = edges
                .chain([DAY])
                .map(|edge| edge - local.rem_euclid(DAY))
                .filter(|left| *left > 0)
                .min()
                .unwrap_or(STEP);
            at += edge.min(STEP - at.rem_euclid(STEP));
        }
        u64::try_from(at.min(end) - start).unwrap_or(0)
    }

    /// The time on the wall there: `Mon 08:00 +01:00`.
    pub fn wall(&self, time: Timestamp) -> String {
        let offset = self.offset(seconds(time));
        let local = seconds(time) + offset;
        let (minutes, sign) = (offset.abs() / 60, if offset < 0 { '-' } else { '+' });
        let of_day = local.rem_euclid(DAY) / 60;
        format!(
            "{} {:02}:{:02} {sign}{:02}:{:02}",
            DAYS[weekday(local)],
            of_day / 60,
            of_day % 60,
            minutes / 60,
            minutes % 60
        )
    }

    fn open(&self, at: i64) -> bool {
        let local = at + self.offset(at);
        let (today, of_day) = (weekday(local), local.rem_euclid(DAY));
        let yesterday = (today + 6) % 7;
        self.spans.iter().any(|span| {
            if span.opens < span.closes {
                span.days[today] && span.opens <= of_day && of_day < span.closes
            } else {
                (span.days[today] && span.opens <= of_day)
                    || (span.days[yesterday] && of_day < span.closes)
            }
        })
    }

    /// Seconds east of UTC there.
    fn offset(&self, at: i64) -> i64 {
        // A zone without rules for a time is at its last offset; the file says what that is.
        self.zone.find_local_time_type(at).map_or_else(|_| 0, |local| i64::from(local.ut_offset()))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DaySpan {
    /// Reads `Mon-Fri 08:00-18:00`, `Sat 09:00-12:00`, or `08:00-18:00` for every day.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (first, second) = (words.next()?, words.next());
        let (days, hours) = match second {
            Some(hours) => (days(first)?, hours),
            None => ([true; 7], first),
        };
        let (opens, closes) = hours.split_once('-')?;
        let (opens, closes) = (time_of_day(opens)?, time_of_day(closes)?);
        (words.next().is_none() && opens != closes && opens < DAY).then_some(DaySpan {
            days,
            opens,
            closes,
        })
    }
}

fn days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    let mut days = [false; 7];
    let mut at = first;
    loop {
        days[at] = true;
        if at == last {
            return Some(days);
        }
        // `Sat-Mon` goes over the end of the week.
        at = (at + 1) % 7;
    }
}

/// `HH:MM`, to `24:00`.
fn time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 3600 + minute * 60)
}

fn weekday(local: i64) -> usize {
    // The first of January 1970 was a Thursday.
    usize::try_from((local.div_euclid(DAY) + 3).rem_euclid(7)).unwrap_or(0)
}

fn seconds(time: Timestamp) -> i64 {
    i64::try_from(time.unix()).unwrap_or(i64::MAX / 2)
}

fn zone_named(name: &str) -> Result<TimeZone> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
    };
    let none = |why: String| {
        let shown: String = name.chars().take(60).collect();
        Error::invalid(format!("there is no time zone `{}`{why}", shown.escape_debug()))
            .next("timedatectl list-timezones shows them. Debian's package tzdata has the files.")
    };
    // Checked before it becomes part of a path.
    if name.len() > 60 || !name.split('/').all(part) {
        return Err(none(String::new()));
    }
    let data = std::fs::read(Path::new(ZONES).join(name)).map_err(|e| none(format!(": {e}")))?;
    TimeZone::from_tz_data(&data).map_err(|e| none(format!(": {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn office() -> Hours {
        Hours::parse("Mon-Fri 08:00-18:00 Europe/Berlin").unwrap()
    }

    #[test]
    fn office_hours_go_by_the_clock_on_the_wall() {
        let office = office();
        // Before and after clocks go forward on Sunday, 29 March 2026, and back on 25 October.
        for (open, close) in [
            ("2026-03-27T07:00:00Z", "2026-03-27T17:00:00Z"),
            ("2026-03-30T06:00:00Z", "2026-03-30T16:00:00Z"),
            ("2026-10-23T06:00:00Z", "2026-10-23T16:00:00Z"),
            ("2026-10-26T07:00:00Z", "2026-10-26T17:00:00Z"),
        ] {
            let (opens, closes) = (at(open), at(close));
            assert!(office.open_at(opens), "{open}");
            assert!(!office.open_at(opens.before(crate::time::Span::from_secs(1).unwrap())));
            assert!(!office.open_at(closes), "{close}");
            assert_eq!(office.open_for(opens, 86_400), 10 * 3600);
            assert_eq!(office.open_for(opens, 60), 60);
        }
        // 08:00 in Berlin on the Saturday is no weekday.
        assert!(!office.open_at(at("2026-03-28T07:00:00Z")));
        assert_eq!(office.open_for(at("2026-03-28T07:00:00Z"), 60), 0);
        assert_eq!(office.wall(at("2026-03-30T06:00:00Z")), "Mon 08:00 +02:00");
    }

    #[test]
    fn a_role_open_every_day_behaves_on_both_daylight_saving_days() {
        let daily = Hours::parse("08:00-18:00 Europe/Berlin").unwrap();
        for (open, close) in [
            ("2026-03-29T06:00:00Z", "2026-03-29T16:00:00Z"),
            ("2026-10-25T07:00:00Z", "2026-10-25T17:00:00Z"),
        ] {
            assert_eq!(daily.open_for(at(open), 86_400), 10 * 3600);
            assert!(daily.open_at(at(open)) && !daily.open_at(at(close)));
        }
        // Two o'clock is skipped in March and comes twice in October.
        let night = Hours::parse("Sun 02:00-03:00 Europe/Berlin").unwrap();
        assert_eq!(night.open_for(at("2026-03-29T00:59:59Z"), 9000), 0);
        assert!(!night.open_at(at("2026-03-29T01:00:00Z")));
        assert_eq!(night.open_for(at("2026-10-25T00:00:00Z"), 9000), 2 * 3600);
        let across = Hours::parse("Sat 22:00-06:00 Europe/Berlin").unwrap();
        assert_eq!(across.open_for(at("2026-03-28T21:00:00Z"), 86_400), 7 * 3600);
        assert_eq!(across.open_for(at("2026-10-24T20:00:00Z"), 86_400), 9 * 3600);
    }

    /// Against the plain definition, second by second, over both changes.
    #[test]
    fn the_length_is_that_of_the_open_seconds() {
        for text in [
            "Mon-Fri 08:00-18:00, Sun 01:30-03:30 Europe/Berlin",
            "Sat-Sun 00:00-24:00, Mon 00:00-01:10 America/St_Johns",
            "23:45-00:15, 00:15-00:50 Australia/Lord_Howe",
        ] {
            let hours = Hours::parse(text).unwrap();
            for day in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-04-04T10:00:00Z"] {
                let from = at(day).unix();
                for start in (from..from + 86_400).step_by(1_777) {
                    let open = |t: u64| hours.open_at(Timestamp::from_unix(t).unwrap());
                    let plain = (start..start + 20_000).take_while(|t| open(*t)).count() as u64;
                    let start = Timestamp::from_unix(start).unwrap();
                    assert_eq!(hours.open_for(start, 20_000), plain, "{text} {day}");
                }
            }
        }
    }

    #[test]
    fn what_has_another_form_or_zone_is_refused() {
        for bad in [
            "",
            "Mon-Fri 08:00-18:00",
            "Mon-Fri 8:00-18:00 UTC",
            "Mon-Fri 08:00 UTC",
            "Mon-Fry 08:00-18:00 UTC",
            "08:00-08:00 UTC",
            "08:00-24:01 UTC",
            "24:00-08:00 UTC",
            "08:60-09:00 UTC",
            "Mon 08:00-18:00 x UTC",
            "08:00-18:00 Europe/Berlim",
            "08:00-18:00 ../../etc/passwd",
            "08:00-18:00 Europe/../../../etc/passwd",
            "08:00-18:00 Europe",
            "08:00-18:00, UTC",
            "08:00-18:00 /etc/localtime",
        ] {
            assert!(Hours::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Hours::parse("00:00-24:00 UTC").unwrap().open_at(at("2026-01-01T23:59:59Z")));
    }
}

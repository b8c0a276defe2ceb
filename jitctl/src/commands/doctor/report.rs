//! What the doctor found: a line for each check, the worst decides.

use jit_core::{Error, Result};
use serde_json::{Value, json};

use crate::output::{count, safe_line};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well with this.
    Ok,
    /// Somebody should look at this.
    Warn,
    /// This is wrong.
    Fail,
    /// This could not be looked at, for a reason that stands as a failure of its own.
    Skip,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
            Level::Skip => "skip",
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it, usually a command.
    pub mend: Option<String>,
}

impl Finding {
    /// All is well with this.
    pub fn ok(found: impl Into<String>) -> Self {
        Finding { level: Level::Ok, found: found.into(), why: "", mend: None }
    }

    /// Somebody should look at this.
    pub fn warn(found: impl Into<String>, why: &'static str, mend: impl Into<String>) -> Self {
        Finding { level: Level::Warn, found: found.into(), why, mend: Some(mend.into()) }
    }

    /// This is wrong.
    pub fn fail(found: impl Into<String>, why: &'static str, mend: impl Into<String>) -> Self {
        Finding { level: Level::Fail, found: found.into(), why, mend: Some(mend.into()) }
    }

    /// An error, which says itself how it is mended.
    pub fn error(error: &Error, why: &'static str) -> Self {
        let mend = error.what_next().map(ToOwned::to_owned);
        Finding { level: Level::Fail, found: error.what().to_owned(), why, mend }
    }
}

/// The checks made so far.
#[derive(Debug, Default)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Adds what other checks found.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.0.extend(findings);
    }

    /// All is well with this.
    pub fn ok(&mut self, found: String) {
        self.0.push(Finding::ok(found));
    }

    /// Somebody should look at this.
    pub fn warn(&mut self, found: String, why: &'static str, mend: impl Into<String>) {
        self.0.push(Finding::warn(found, why, mend));
    }

    /// This is wrong.
    pub fn fail(&mut self, found: String, why: &'static str, mend: impl Into<String>) {
        self.0.push(Finding::fail(found, why, mend));
    }

    /// This could not be looked at, because of what failed above.
    pub fn not_checked(&mut self, what: &str) {
        let found = format!("not checked: {what}");
        self.0.push(Finding { level: Level::Skip, found, why: "", mend: None });
    }

    /// Passes the value on; an error is a failed check, which says itself how it is mended.
    pub fn check<T>(
        &mut self,
        result: Result<T>,
        good: impl FnOnce(&T) -> String,
        why: &'static str,
    ) -> Option<T> {
        match result {
            Ok(value) => {
                self.ok(good(&value));
                Some(value)
            }
            Err(error) => {
                self.0.push(Finding::error(&error, why));
                None
            }
        }
    }

    /// Whether a check failed.
    pub fn failed(&self) -> bool {
        self.0.iter().any(|check| check.level == Level::Fail)
    }

    /// What failed, as errors.
    pub fn failures(&self) -> Vec<Error> {
        let failed = self.0.iter().filter(|check| check.level == Level::Fail);
        let error = |check: &Finding| {
            let error = Error::refused(check.found.clone());
            match &check.mend {
                Some(mend) => error.next(format!("{} {mend}", check.why)),
                None => error.next(check.why),
            }
        };
        failed.map(error).collect()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for check in &self.0 {
            text.push_str(&format!("{:<4}  {}\n", check.level.word(), safe_line(&check.found)));
            if !matches!(check.level, Level::Ok | Level::Skip) {
                text.push_str(&format!("      {}\n", check.why));
                if let Some(mend) = &check.mend {
                    text.push_str(&format!("      -> {}\n", safe_line(mend)));
                }
            }
        }
        let number = |level| self.0.iter().filter(|check| check.level == level).count() as u64;
        text.push_str(&match (number(Level::Fail), number(Level::Warn)) {
            (0, 0) => "All is well.\n".to_owned(),
            (0, warnings) => format!("Nothing is wrong; {}.\n", count(warnings, "warning")),
            (fails, warnings) => {
                format!("{} failed; {}.\n", count(fails, "check"), count(warnings, "warning"))
            }
        });
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let check = |check: &Finding| {
            json!({
                "level": check.level.word(), "found": check.found, "mend": check.mend,
                "why": Some(check.why).filter(|why| !why.is_empty()),
            })
        };
        self.0.iter().map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_fails_the_whole_and_says_how_it_is_mended() {
        let mut report = Report::default();
        report.ok("store opens".into());
        report.warn("no key".into(), "It matters.", "jitctl user key");
        assert!(!report.failed());
        assert!(report.text().ends_with("Nothing is wrong; 1 warning.\n"));
        let bad = Err::<(), _>(Error::misconfigured("others can write x\n").next("chmod go-w x"));
        assert_eq!(report.check(bad, |()| String::new(), "Because."), None);
        assert!(report.failed());
        let text = report.text();
        assert!(
            text.contains(
                "fail  others can write x\\u{a}\n      Because.\n      -> chmod go-w x\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("1 check failed; 1 warning.\n"), "{text}");
        assert_eq!(report.json()[2]["level"], "fail");
    }
}

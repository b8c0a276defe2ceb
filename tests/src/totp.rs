//! One-time codes as an authenticator app makes them, by `oathtool`: never by code of ours, so
//! that a mistake in the product is not repeated here.

use crate::error::{Context, Result};
use crate::run::run;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Length of a step in seconds.
pub const STEP: u64 = 30;

/// An authenticator app that holds one secret and remembers the last step it gave a code for.
pub struct Authenticator {
    secret: String,
    last: u64,
}

impl Authenticator {
    /// Takes the secret out of an `otpauth://` URI.
    pub fn from_uri(uri: &str) -> Result<Self> {
        let secret = uri
            .split(['?', '&'])
            .find_map(|part| part.strip_prefix("secret="))
            .context(format!("no secret in {uri}"))?;
        Ok(Self { secret: secret.to_owned(), last: 0 })
    }

    /// The code for enrolling: that of the step before, where it is surely still good, so that
    /// the current one is left for a login without a wait.
    pub fn enrolment_code(&mut self) -> Result<String> {
        let now = seconds();
        let late = now % STEP > STEP - 6;
        self.last = if late { now / STEP } else { now / STEP - 1 };
        self.code_of_step(self.last)
    }

    /// A code that was never given before. Servers take the codes of the neighbouring steps, so
    /// it waits only when the next step is used, too.
    pub fn fresh_code(&mut self) -> Result<String> {
        let step = (self.last + 1).max(seconds() / STEP);
        while seconds() / STEP + 1 < step {
            thread::sleep(Duration::from_millis(100));
        }
        self.last = step;
        self.code_of_step(step)
    }

    /// The code of the last step that was used: a replay.
    pub fn used_code(&self) -> Result<String> {
        self.code_of_step(self.last)
    }

    /// Six digits that are no code of any step near now.
    pub fn wrong_code(&self) -> Result<String> {
        let now = seconds() / STEP;
        let near: Vec<_> =
            (now - 4..now + 8).map(|step| self.code_of_step(step)).collect::<Result<_>>()?;
        let wrong = (100_000..200_000).map(|guess: u32| guess.to_string());
        wrong.into_iter().find(|guess| !near.contains(guess)).context("every code is right")
    }

    /// The code of one step since 1970.
    pub fn code_of_step(&self, step: u64) -> Result<String> {
        let now = format!("@{}", step * STEP);
        let mut oathtool = Command::new("oathtool");
        // The secret goes by standard input: arguments are seen by everyone on the machine.
        oathtool.args(["--totp", "--base32", "--now", &now, "-"]);
        Ok(run(&mut oathtool, &self.secret)?.ok()?.stdout.trim().to_owned())
    }

    /// The secret, in base32.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

/// The step that is on now.
pub fn step_now() -> u64 {
    seconds() / STEP
}

/// Seconds since 1970.
pub fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oathtool_gives_the_codes_of_rfc_6238_appendix_b() -> Result<()> {
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let app = Authenticator::from_uri(&format!("otpauth://totp/x?secret={secret}&digits=6"))?;
        assert_eq!(app.code_of_step(1)?, "287082");
        assert_eq!(app.code_of_step(37_037_036)?, "081804");
        assert_eq!(app.code_of_step(666_666_666)?, "353130");
        Ok(())
    }

    #[test]
    fn a_fresh_code_is_of_a_later_step_each_time() -> Result<()> {
        let mut app = Authenticator::from_uri("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ")?;
        app.enrolment_code()?;
        let first = app.fresh_code()?;
        assert_eq!(first, app.used_code()?);
        let before = app.last;
        app.fresh_code()?;
        assert!(app.last > before && app.last <= step_now() + 1);
        assert_ne!(app.wrong_code()?, app.used_code()?);
        Ok(())
    }
}

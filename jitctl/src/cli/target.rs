//! `[LOGIN@]HOST`: an account on a host, or on every host of a label.

use jit_core::name::{Login, PersonName, Place};
use jit_core::{Error, Result};

/// What somebody wants access to, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    login: Option<Login>,
    /// Where.
    pub place: Place,
}

impl Target {
    /// Reads `web-1`, `deploy@web-1` or `deploy@env=prod`.
    ///
    /// # Errors
    /// Invalid when login or place is malformed.
    pub fn parse(text: &str) -> Result<Self> {
        let (login, place) = match text.split_once('@') {
            Some((login, place)) => (Some(Login::parse(login)?), place),
            None => (None, text),
        };
        Ok(Target { login, place: Place::parse(place)? })
    }

    /// The account: the one named, else the person's own.
    ///
    /// # Errors
    /// Invalid when the person's name can't be an account's.
    pub fn login(&self, person: &PersonName) -> Result<Login> {
        match &self.login {
            Some(login) => Ok(login.clone()),
            None => Login::parse(person.as_str())
                .map_err(|e| Error::invalid(e.what()).next("Name the login: LOGIN@HOST.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_an_account_or_the_persons_own() {
        let alice = PersonName::parse("alice").unwrap();
        let login = |text| Target::parse(text).unwrap().login(&alice).unwrap().to_string();
        assert_eq!(login("web-1"), "alice");
        assert_eq!(login("deploy@web-1"), "deploy");
        assert_eq!(Target::parse("deploy@env=prod").unwrap().place.to_string(), "env=prod");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for bad in ["", "@", "@web-1", "deploy@", "a@b@c", "a b@c", "a@b,c", "ä@b", "a@b\n"] {
            assert!(Target::parse(bad).is_err(), "{bad:?}");
        }
    }
}

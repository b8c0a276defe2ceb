//! The module's arguments in a PAM file: `config=FILE`, and nothing else.

use std::path::PathBuf;

use jit_core::config::DEFAULT_PATH;
use jit_core::error::{Error, Result};

/// The arguments, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The configuration.
    pub config: PathBuf,
}

impl Arguments {
    /// Reads the arguments.
    ///
    /// # Errors
    /// Misconfigured by one that is unknown, given twice or no absolute path: a misspelt argument
    /// must not leave the module with another configuration than meant.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut config = None;
        for argument in arguments {
            let bad = |why: &str| {
                Err(Error::misconfigured(format!("module argument `{argument}`: {why}"))
                    .next("In the PAM file, write: pam_jit.so config=/etc/jit/jit.toml."))
            };
            let Some(path) = argument.strip_prefix("config=").map(PathBuf::from) else {
                return bad("there is no such argument");
            };
            if !path.is_absolute() {
                return bad("the path is not absolute");
            }
            if config.replace(path).is_some() {
                return bad("config is given twice");
            }
        }
        Ok(Arguments { config: config.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments> {
        Arguments::parse(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_configuration_is_the_one_named_or_the_usual_one() {
        assert_eq!(parse(&[]).unwrap().config, PathBuf::from("/etc/jit/jit.toml"));
        assert_eq!(parse(&["config=/x/y.toml"]).unwrap().config, PathBuf::from("/x/y.toml"));
    }

    #[test]
    fn an_unknown_doubled_or_relative_argument_is_an_error() {
        for bad in [
            &["debug"][..],
            &["conf=/x"],
            &["config"],
            &["config="],
            &["config=jit.toml"],
            &["CONFIG=/x"],
            &["config=/x", "nullok"],
            &["config=/x", "config=/x"],
            &[""],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}

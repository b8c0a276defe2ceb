//! TOML files with errors that a person can mend: the file, the line, what is wrong, what was
//! probably meant.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};
use crate::rootfile;

/// A configuration file and its text.
pub struct TomlFile {
    path: PathBuf,
    text: String,
}

/// The largest file we read: 1 MiB holds thousands of roles.
pub const LARGEST: u64 = 1024 * 1024;

impl TomlFile {
    /// Reads a file that only root may write.
    ///
    /// # Errors
    /// Misconfigured when it is missing, too large, or writable by others.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(TomlFile { path: path.to_owned(), text: rootfile::read(path, LARGEST)? })
    }

    /// Takes text as the content of a file.
    pub fn from_text(path: &Path, text: &str) -> Self {
        TomlFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// Parses the text into `T`, whose tables and their keys are `known`.
    ///
    /// # Errors
    /// Misconfigured, with file and line, when it is no TOML, has an unknown key, misses a key or
    /// has a value of another type.
    pub fn parse<T: DeserializeOwned>(&self, known: &[Keys]) -> Result<T> {
        let table = DeTable::parse(&self.text).map_err(|e| self.toml_error(&e))?;
        self.check_keys("", table.get_ref(), known)?;
        toml::from_str(&self.text).map_err(|e| self.toml_error(&e))
    }

    /// An error about the text at `span`.
    pub fn error_at(&self, span: &Range<usize>, what: impl fmt::Display) -> Error {
        Error::misconfigured(format!("{}:{}: {what}", self.path.display(), self.line(span.start)))
    }

    /// Checks a spanned text with `check`; an error gets file and line put before it.
    ///
    /// # Errors
    /// Misconfigured, when `check` finds the text invalid.
    pub fn checked<T>(
        &self,
        text: &Spanned<String>,
        check: impl FnOnce(&str) -> Result<T>,
    ) -> Result<T> {
        check(text.get_ref()).map_err(|error| {
            let at = self.error_at(&text.span(), error.what());
            match error.what_next() {
                Some(next) => at.next(next),
                None => at,
            }
        })
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(&self.text).matches('\n').count() + 1
    }

    fn toml_error(&self, error: &toml::de::Error) -> Error {
        let span = error.span().unwrap_or(0..0);
        self.error_at(&span, error.message().lines().collect::<Vec<_>>().join(" "))
    }

    fn check_keys(&self, name: &str, table: &DeTable<'_>, known: &[Keys]) -> Result<()> {
        let Some(keys) = known.iter().find(|keys| keys.table == name) else { return Ok(()) };
        for (key, value) in table {
            let word = key.get_ref();
            if !keys.keys.contains(&word.as_ref()) {
                let section = if name.is_empty() { "here".into() } else { format!("in [{name}]") };
                let error = self.error_at(
                    &key.span(),
                    format!("`{}` is no key {section}", word.escape_debug()),
                );
                return Err(match nearest(word, keys.keys) {
                    Some(meant) => error.next(format!("Did you mean `{meant}`?")),
                    None => error.next(format!("Keys {section}: {}.", keys.keys.join(", "))),
                });
            }
            let inner = if name.is_empty() { word.to_string() } else { format!("{name}.{word}") };
            self.check_value(&inner, value.get_ref(), known)?;
        }
        Ok(())
    }

    fn check_value(&self, name: &str, value: &DeValue<'_>, known: &[Keys]) -> Result<()> {
        match value {
            DeValue::Table(table) => self.check_keys(name, table, known),
            DeValue::Array(items) => {
                items.iter().try_for_each(|item| self.check_value(name, item.get_ref(), known))
            }
            _ => Ok(()),
        }
    }
}

/// The keys a table may have. The top of the file is the table without a name; `role.approvals` is
/// a table inside `[[role]]`.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Its name.
    pub table: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// The key that was probably meant.
fn nearest(word: &str, keys: &[&'static str]) -> Option<&'static str> {
    keys.iter()
        .map(|key| (strsim::damerau_levenshtein(word, key), *key))
        .min()
        .filter(|(distance, key)| *distance <= 2.max(key.len() / 3))
        .map(|(_, key)| key)
}

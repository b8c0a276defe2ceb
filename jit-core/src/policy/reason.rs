//! What a role wants of the reason: a pattern, and the ticket in it.

use regex_lite::{Regex, RegexBuilder};

use crate::error::{Error, Result};
use crate::name::Reason;

/// The largest compiled pattern, in bytes: room for everything that a line of text can be asked.
const LARGEST: usize = 256 * 1024;

/// What the reason must look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReasonRule {
    /// Found somewhere in it.
    pub pattern: Option<Pattern>,
    /// What of it is the ticket: the first that it finds, which must be there.
    pub ticket: Option<Pattern>,
    /// What to write, as the policy puts it to people.
    pub hint: Option<String>,
}

impl ReasonRule {
    /// The ticket that `reason` names, where the rule asks for one.
    ///
    /// # Errors
    /// What is wanted, when the reason is not like that.
    pub fn ticket(&self, reason: &Reason) -> Result<Option<String>, String> {
        let text = reason.as_str();
        if self.pattern.as_ref().is_some_and(|pattern| pattern.first(text).is_none()) {
            return Err(self.wanted().unwrap_or_default());
        }
        match &self.ticket {
            None => Ok(None),
            Some(ticket) => match ticket.first(text) {
                Some(found) => Ok(Some(found.to_owned())),
                None => Err(self.wanted().unwrap_or_default()),
            },
        }
    }

    /// What to write, for people; none where everything will do.
    pub fn wanted(&self) -> Option<String> {
        let like = |pattern: &Pattern| format!("a reason like {}", pattern.text);
        self.hint
            .clone()
            .or_else(|| self.pattern.as_ref().map(like))
            .or_else(|| self.ticket.as_ref().map(like))
    }
}

/// A regular expression that takes time in proportion to the text, whatever either says.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles one.
    ///
    /// # Errors
    /// Invalid, with what the engine says.
    pub fn parse(text: &str) -> Result<Self> {
        let regex = RegexBuilder::new(text)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| Error::invalid(format!("this is no pattern: {error}")))?;
        if regex.is_match("") {
            return Err(Error::invalid("this pattern finds something in every text")
                .next("Say what must be there: ^(INC|CHG)-[0-9]+ "));
        }
        Ok(Pattern { text: text.to_owned(), regex })
    }

    fn first<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.regex.find(text).map(|found| found.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_matched_and_its_ticket_found() {
        let rule = ReasonRule {
            pattern: Some(Pattern::parse("^(INC|CHG)-[0-9]+ ").unwrap()),
            ticket: Some(Pattern::parse("(INC|CHG)-[0-9]+").unwrap()),
            hint: None,
        };
        let ticket = |text: &str| rule.ticket(&Reason::parse(text).unwrap());
        assert_eq!(ticket("INC-12 the disk is full"), Ok(Some("INC-12".into())));
        assert_eq!(
            ticket("the disk is full, INC-12"),
            Err("a reason like ^(INC|CHG)-[0-9]+ ".into())
        );
        let hint = ReasonRule { hint: Some("the ticket first".into()), ..rule.clone() };
        assert_eq!(hint.ticket(&Reason::parse("nothing").unwrap()), Err("the ticket first".into()));
        let without = ReasonRule { ticket: None, ..rule };
        assert_eq!(without.ticket(&Reason::parse("CHG-1 x").unwrap()), Ok(None));
    }

    #[test]
    fn patterns_that_say_nothing_or_too_much_are_refused() {
        for bad in ["(", "", "a*", "x{1000}{1000}", "^$|a|"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}

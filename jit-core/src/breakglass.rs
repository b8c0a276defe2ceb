//! Break-glass: one-time codes made in advance and kept on paper, for the day when nobody can
//! approve or a phone is lost. A code lets in somebody whose key sshd has seen, at once and past the
//! policy, for a short fixed window; and only once until somebody else has looked at why.
//!
//! [`Glass`] is everything kept of it for one host, and what may be done with it is decided here,
//! without I/O or clock. The authority runs it inside one transaction.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::factor::recovery::{ALPHABET, LENGTH};
use crate::grant::{Actor, Grant};
use crate::id::GrantId;
use crate::name::{HostName, Login, PersonName, Reason};
use crate::policy::{LoginPattern, Member};
use crate::seal::Vault;
use crate::secret::{SecretText, equal, random_bytes};
use crate::time::{Span, Timestamp};

/// What a code starts with: nobody takes it for a code of an app or a recovery code.
const PREFIX: &str = "bg";
/// The longest input that is looked at.
const LONGEST: usize = 64;
/// How many codes a host may have.
pub const MOST_CODES: u32 = 20;
/// How many uses are remembered; the log has all.
const MOST_USES: usize = 100;

/// Who may break the glass, for what and for how long: `[break_glass]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Who; nobody by default.
    pub members: Vec<Member>,
    /// As whom.
    pub logins: Vec<LoginPattern>,
    /// For how long, always.
    pub window: Span,
}

/// The codes of a host, and what they were used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glass {
    /// Which host.
    pub host: HostName,
    /// Keyed hashes of the codes left, in hexadecimal.
    codes: Vec<String>,
    /// The only logins that they are for; none is all that the configuration names.
    logins: Vec<Login>,
    /// The latest uses, the newest last.
    uses: Vec<Use>,
}

/// One use of a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// The grant that it gave, by which it is known.
    pub id: GrantId,
    /// Who.
    pub person: PersonName,
    /// As which account.
    pub login: Login,
    /// When.
    pub at: Timestamp,
    /// The first second without access.
    pub until: Timestamp,
    /// From which address.
    pub rhost: Option<String>,
    /// Why, in their words.
    pub reason: Reason,
    /// The keyed hash of the code: at sudo it stands for its person's second factor while its window
    /// lasts, as they may have lost the other one.
    code: String,
    /// Somebody else's look at it.
    pub review: Option<Review>,
}

/// Somebody's look at a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whose: root's where nobody else was there to do it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What they found.
    pub note: Reason,
}

/// What came of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It was good and is burned: there is access now.
    Broken(Use),
    /// It was used by the same person, and its window lasts: at sudo it proves them.
    Known,
    /// It takes a reason first; nothing was looked at yet.
    WantsReason,
    /// No code of this host's, or not this person's to use.
    Wrong,
    /// It was good and is not burned: the last use waits for its review.
    NotReviewed(Use),
    /// Too many failures of late: the code was not looked at.
    Throttled {
        /// From when on the next attempt counts.
        until: Timestamp,
    },
    /// Too many failures in a row.
    LockedOut,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Verdict::Broken(_) => "glass broken",
            Verdict::Known => "break-glass code of a window that lasts",
            Verdict::WantsReason => "a reason is wanted",
            Verdict::Wrong => "no code of theirs",
            Verdict::NotReviewed(_) => "the last use was not reviewed",
            Verdict::Throttled { .. } => "too many failures, code not looked at",
            Verdict::LockedOut => "locked out after too many failures in a row",
        })
    }
}

impl Glass {
    /// Without codes and uses.
    pub fn whole(host: HostName) -> Self {
        Glass { host, codes: Vec::new(), logins: Vec::new(), uses: Vec::new() }
    }

    /// Makes `count` codes, for these logins alone where some are named. Those left of the old ones
    /// are void. Returns the codes as they are shown once.
    ///
    /// # Errors
    /// Unavailable when the system gives no random numbers.
    pub fn renew(
        &mut self,
        vault: &Vault,
        count: u32,
        logins: Vec<Login>,
    ) -> Result<Vec<SecretText>> {
        let mut shown = Vec::new();
        let mut codes = Vec::new();
        for _ in 0..count {
            let bare = SecretText::new(
                random_bytes::<LENGTH>()?
                    .into_iter()
                    .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
                    .collect(),
            );
            codes.push(self.hash(vault, bare.expose()));
            let groups: Vec<_> = bare.expose().as_bytes().chunks(4).collect();
            let groups: Vec<_> = groups.into_iter().map(String::from_utf8_lossy).collect();
            shown.push(SecretText::new(format!("{PREFIX}-{}", groups.join("-"))));
        }
        (self.codes, self.logins) = (codes, logins);
        Ok(shown)
    }

    /// Makes the codes left void; how many there were.
    pub fn void(&mut self) -> usize {
        std::mem::take(&mut self.codes).len()
    }

    /// How many codes are left.
    pub fn codes_left(&self) -> usize {
        self.codes.len()
    }

    /// The only logins the codes are for; none is all that the configuration names.
    pub fn logins(&self) -> &[Login] {
        &self.logins
    }

    /// The latest uses, the newest last.
    pub fn uses(&self) -> &[Use] {
        &self.uses
    }

    /// The use that nobody has reviewed, and that keeps the next code from working.
    pub fn unreviewed(&self) -> Option<&Use> {
        self.uses.iter().find(|used| used.review.is_none())
    }

    /// Whether the codes are for this login.
    pub fn is_for(&self, login: &Login) -> bool {
        self.logins.is_empty() || self.logins.contains(login)
    }

    /// Which code `typed` is. Compares with every one of them.
    pub fn matching(&self, vault: &Vault, typed: &str) -> Option<usize> {
        let bare = bare(typed);
        let typed = self.hash(vault, bare.as_ref().map_or("", |bare| bare.expose()));
        let mut found = None;
        for (index, code) in self.codes.iter().enumerate() {
            if equal(code.as_bytes(), typed.as_bytes()) {
                found = Some(index);
            }
        }
        found.filter(|_| bare.is_some())
    }

    /// The use of `typed`, if `person` used it for `login` and its window lasts.
    pub fn used_by(
        &self,
        vault: &Vault,
        typed: &str,
        (person, login): (&PersonName, &Login),
        now: Timestamp,
    ) -> Option<&Use> {
        let bare = bare(typed)?;
        let typed = self.hash(vault, bare.expose());
        self.uses.iter().rev().find(|used| {
            used.person == *person
                && used.login == *login
                && now < used.until
                && equal(used.code.as_bytes(), typed.as_bytes())
        })
    }

    /// Burns a code and remembers what for; the use as it is remembered.
    ///
    /// # Errors
    /// Refused while the last use waits for its review.
    pub fn burn(&mut self, index: usize, mut used: Use) -> Result<Use> {
        if let Some(last) = self.unreviewed() {
            return Err(Error::refused(last.blocks()));
        }
        if index >= self.codes.len() {
            return Err(Error::refused("that code is gone"));
        }
        used.code = self.codes.remove(index);
        self.uses.push(used.clone());
        let surplus = self.uses.len().saturating_sub(MOST_USES);
        self.uses.drain(..surplus);
        Ok(used)
    }

    /// Puts a review on a use.
    ///
    /// # Errors
    /// Not found; conflict when it was reviewed; refused when the reviewer is who used it.
    pub fn review(&mut self, id: &GrantId, review: Review) -> Result<Use> {
        let used = self.uses.iter_mut().find(|used| used.id == *id).ok_or_else(|| {
            Error::not_found(format!("no use of a break-glass code is called {id}"))
                .next("jitctl break-glass list")
        })?;
        if let Some(before) = &used.review {
            let text = format!("{id} was reviewed by {} already", spoken(&before.by));
            return Err(Error::new(Kind::Conflict, text).next("jitctl break-glass list"));
        }
        if review.by == Actor::Person(used.person.clone()) {
            return Err(Error::refused(format!("{} can't review their own use", used.person))
                .next("Somebody else has to."));
        }
        used.review = Some(review);
        Ok(used.clone())
    }

    /// The keyed hash of a code. What stands for the person is no name: a code of this host is nobody
    /// else's recovery code, and no other host's code.
    fn hash(&self, vault: &Vault, bare: &str) -> String {
        crate::audit::hex(&vault.code_hash(&format!("break-glass/{}", self.host), bare))
    }
}

impl Use {
    /// What a grant was given for by a code that is not burned yet.
    pub fn of(grant: &Grant, until: Timestamp, rhost: Option<String>) -> Self {
        let ask = grant.ask();
        Use {
            id: grant.id().clone(),
            person: ask.person.clone(),
            login: ask.login.clone(),
            at: grant.requested_at(),
            until,
            rhost,
            reason: ask.reason.clone(),
            code: String::new(),
            review: None,
        }
    }

    /// Why no other code works.
    pub fn blocks(&self) -> String {
        format!(
            "the last break-glass use, by {} at {}, was not reviewed",
            self.person,
            self.at.local()
        )
    }

    /// What everybody on the host is told.
    pub fn banner(&self, host: &HostName) -> String {
        banner(&self.person, &self.login, host, self.until, &self.reason)
    }
}

/// What everybody on the host is told of a use.
pub fn banner(
    person: &PersonName,
    login: &Login,
    host: &HostName,
    until: Timestamp,
    reason: &Reason,
) -> String {
    let until = until.local_hour();
    format!("BREAK GLASS: {person} is in as {login} on {host} until {until}: {reason}")
}

/// `bob`, or `root alone`.
pub fn spoken(by: &Actor) -> String {
    match by {
        Actor::Person(name) => name.to_string(),
        other => format!("{other} alone"),
    }
}

/// Whether `typed` has the shape of a break-glass code.
pub fn is_code(typed: &str) -> bool {
    bare(typed).is_some()
}

/// A code in canonical form. It is copied from paper or read out on the phone: case, hyphens and
/// spaces do not matter, and what looks alike is alike (Crockford's base 32).
fn bare(typed: &str) -> Option<SecretText> {
    if typed.len() > LONGEST {
        return None;
    }
    let plain: String =
        typed.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    let plain = SecretText::new(plain);
    let rest = plain.expose().strip_prefix(PREFIX)?;
    let rest: String = rest
        .chars()
        .map(|c| match c {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        })
        .collect();
    let rest = SecretText::new(rest);
    let (length, known) =
        (rest.expose().len(), rest.expose().bytes().all(|b| ALPHABET.contains(&b)));
    let sound = known && length == LENGTH;
    sound.then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::Code;
    use crate::grant::testing::at;

    fn vault() -> Vault {
        Vault::from_master_key(&[1; 32])
    }

    fn glass(host: &str) -> Glass {
        Glass::whole(HostName::parse(host).unwrap())
    }

    fn used(id: &str) -> Use {
        Use {
            id: GrantId::parse(id).unwrap(),
            person: PersonName::parse("alice").unwrap(),
            login: Login::parse("root").unwrap(),
            at: at(1000),
            until: at(2800),
            rhost: None,
            reason: Reason::parse("nobody answers").unwrap(),
            code: String::new(),
            review: None,
        }
    }

    fn review(by: Actor) -> Review {
        Review { by, at: at(3000), note: Reason::parse("it was needed").unwrap() }
    }

    #[test]
    fn a_break_glass_code_has_a_shape_of_its_own() {
        let codes = glass("web-1").renew(&vault(), 5, vec![]).unwrap();
        assert_eq!(codes.len(), 5);
        for code in &codes {
            let code = code.expose();
            assert_eq!((&code[..3], code.len()), ("bg-", 22));
            assert!(is_code(code) && is_code(&code.to_uppercase().replace('-', " ")));
            assert!(matches!(Code::parse(code), Code::Malformed), "{code}");
        }
        for other in ["", "b", "bg-", "123456", "0000-0000-0000-0000", "bg-0000-0000-0000-000u"] {
            assert!(!is_code(other), "{other}");
        }
        assert!(!is_code(&format!("bg{}", "0".repeat(100_000))));
        let alike = |text| bare(text).unwrap().expose().to_owned();
        assert_eq!(alike("bg-oil0-oil0-oil0-oil0"), alike("BG 0110 0110 0110 0110"));
    }

    #[test]
    fn a_break_glass_code_opens_its_host_only_and_is_stored_hashed() {
        let (mut web, mut other) = (glass("web-1"), glass("web-2"));
        let codes = web.renew(&vault(), 3, vec![]).unwrap();
        other.renew(&vault(), 3, vec![]).unwrap();
        let code = codes[1].expose();
        assert_eq!(web.matching(&vault(), code), Some(1));
        assert_eq!(other.matching(&vault(), code), None);
        assert_eq!(web.matching(&Vault::from_master_key(&[2; 32]), code), None);
        let stored = serde_json::to_string(&web).unwrap();
        assert!(!stored.contains(&code.replace('-', "")[2..]) && !stored.contains(code));
        // New ones replace what is left of the old.
        web.renew(&vault(), 1, vec![]).unwrap();
        assert_eq!((web.matching(&vault(), code), web.codes_left()), (None, 1));
    }

    #[test]
    fn one_use_blocks_the_next_until_somebody_else_reviewed_it() {
        let mut glass = glass("web-1");
        glass.renew(&vault(), 3, vec![]).unwrap();
        glass.burn(0, used("k7q2-m9xd")).unwrap();
        assert_eq!(glass.codes_left(), 2);
        assert_eq!(glass.burn(0, used("aaaa-aaaa")).unwrap_err().kind(), Kind::Refused);
        assert_eq!(glass.codes_left(), 2);
        let person = |name: &str| Actor::Person(PersonName::parse(name).unwrap());
        let id = GrantId::parse("k7q2-m9xd").unwrap();
        assert_eq!(glass.review(&id, review(person("alice"))).unwrap_err().kind(), Kind::Refused);
        assert!(glass.unreviewed().is_some());
        let nothing = GrantId::parse("aaaa-aaaa").unwrap();
        assert_eq!(glass.review(&nothing, review(Actor::Root)).unwrap_err().kind(), Kind::NotFound);
        glass.review(&id, review(person("bob"))).unwrap();
        assert_eq!(glass.review(&id, review(Actor::Root)).unwrap_err().kind(), Kind::Conflict);
        assert!(glass.unreviewed().is_none());
        glass.burn(0, used("aaaa-aaaa")).unwrap();
    }
}

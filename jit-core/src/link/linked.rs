//! A login on a host whose authority is elsewhere: what the host knows it answers itself, so that
//! logins with certificates go on while nobody can be asked; the rest `jit-link` passes on.

use std::path::PathBuf;

use super::call::{self, Answer, Ask, Code, Filing, Question};
use crate::authority::Authority;
use crate::breakglass;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::factor::Verdict;
use crate::grant::{Action, Origin};
use crate::id::GrantId;
use crate::login::{
    Attempt, Backstop, Entry, Evidence, Identity, LoginService, Offer, Opened, Standing,
};
use crate::name::Login;
use crate::process::Anchor;
use crate::store::sqlite::Opener;
use crate::time::Span;

/// Opens what answers a login, be the authority this machine or another.
///
/// # Errors
/// Those of [`Authority::open`]; misconfigured when the policy can't be read.
pub fn open(config: Config, process: &'static str) -> Result<Box<dyn LoginService>> {
    let authority = Authority::open(config, process, Opener::Login)?;
    // A policy that can't be read, or that others can write, lets nobody in, with a grant or not.
    authority.policy()?;
    Ok(match authority.config().authority {
        Some(_) => Box::new(Linked::new(authority)),
        None => Box::new(authority),
    })
}

/// As [`Authority::authorized_keys`], be the authority this machine or another.
///
/// # Errors
/// As there.
pub fn authorized_keys(authority: Authority, login: &Login) -> Result<Vec<String>> {
    if authority.config().authority.is_none() {
        return authority.authorized_keys(login);
    }
    let linked = Linked::new(authority);
    let askers = match linked.ask(&Question::Askers { login: login.clone() }) {
        Ok(Answer::Askers(askers)) => askers,
        Ok(_) => return Err(Answer::unexpected()),
        // Who holds access keeps their key.
        Err(error) => {
            let text = format!("who may ask for {login} is not known: {error}");
            linked.here.syslog().trouble(&text);
            Vec::new()
        }
    };
    linked.here.authorized_keys_with(login, &askers)
}

/// This host's own knowledge, and the way to its authority.
pub struct Linked {
    here: Authority,
    socket: PathBuf,
}

impl Linked {
    /// With what this host knows.
    pub fn new(here: Authority) -> Self {
        let socket = here.config().link_socket();
        Linked { here, socket }
    }

    fn ask(&self, question: &Question) -> Result<Answer> {
        call::ask(&self.socket, question)
    }

    /// What the authority lets somebody ask for; nothing while it is out of reach.
    fn offer(&self, who: &Identity, attempt: &Attempt) -> Option<Offer> {
        let ask = asked(who, attempt);
        match self.ask(&Question::Offer(ask)) {
            Ok(Answer::Offer(offer)) => offer,
            Ok(_) => None,
            Err(error) => {
                self.here.syslog().trouble(&format!("what may be asked for is not known: {error}"));
                None
            }
        }
    }
}

impl LoginService for Linked {
    fn identify(&self, evidence: &Evidence<'_>, attempt: &Attempt) -> Result<Identity> {
        let refresh = || matches!(self.ask(&Question::Refresh), Ok(Answer::Fresh));
        self.here.identify_by(evidence, attempt, &refresh)
    }

    fn factor_counts(&self, who: &Identity, attempt: &Attempt) -> Result<bool> {
        self.here.factor_counts(who, attempt)
    }

    fn verify_factor(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        attempt: &Attempt,
    ) -> Result<Verdict> {
        // Somebody unknown is passed on as well: it takes as long, and the same work there.
        let question = Question::Factor(Code {
            person: who.ok().map(|who| who.person.clone()),
            code: typed.to_owned(),
            attempt: attempt.describe(),
            who: match who {
                Ok(who) => who.by.clone(),
                Err(error) => error.what().to_owned(),
            },
        });
        let Answer::Verdict(verdict) = self.ask(&question)? else {
            return Err(Answer::unexpected());
        };
        self.here.note_factor(who, verdict, attempt)?;
        Ok(verdict)
    }

    fn break_glass(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        reason: Option<&str>,
        attempt: &Attempt,
    ) -> Result<breakglass::Verdict> {
        self.here.break_glass(who, typed, reason, attempt)
    }

    fn anyone_may_enter(&self, attempt: &Attempt) -> Result<bool> {
        self.here.anyone_may_enter(attempt)
    }

    fn may_enter(&self, who: &Identity, attempt: &Attempt) -> Result<Entry> {
        Ok(match self.here.may_enter(who, attempt)? {
            Entry::NoCover { may_break, .. } => {
                Entry::NoCover { offer: self.offer(who, attempt), may_break }
            }
            granted => granted,
        })
    }

    fn file_request(
        &self,
        who: &Identity,
        attempt: &Attempt,
        reason: &str,
        duration: Span,
    ) -> Result<Standing> {
        let question = Question::Request(Filing {
            ask: asked(who, attempt),
            reason: reason.to_owned(),
            duration,
            origin: Origin { rhost: attempt.rhost.clone(), tty: attempt.tty.clone() },
        });
        match self.ask(&question)? {
            Answer::Standing(standing) => Ok(standing),
            _ => Err(Answer::unexpected()),
        }
    }

    fn standing(&self, id: &GrantId) -> Result<Standing> {
        match self.ask(&Question::Standing { id: id.clone() })? {
            Answer::Standing(standing) => Ok(standing),
            _ => Err(Answer::unexpected()),
        }
    }

    fn backstop(&self, who: &Identity, attempt: &Attempt) -> Result<Option<Backstop>> {
        let Some(backstop) = self.here.backstop(who, attempt)? else { return Ok(None) };
        if backstop.is_deadline {
            return Ok(Some(backstop));
        }
        // Where it can't be told how much more could be granted: as much again.
        let more = self.offer(who, attempt).map_or(backstop.seconds, |offer| offer.longest.secs());
        Ok(Some(Backstop { seconds: backstop.seconds + more, ..backstop }))
    }

    fn session_opened(
        &self,
        who: &Identity,
        attempt: &Attempt,
        uid: u32,
        anchor: Anchor,
        backstop: Option<Backstop>,
    ) -> Result<Opened> {
        self.here.session_opened(who, attempt, uid, anchor, backstop)
    }

    fn session_closed(&self, anchor: &Anchor) -> Result<()> {
        self.here.session_closed(anchor)
    }

    fn exempt_used(&self, attempt: &Attempt, phase: &'static str) -> Result<()> {
        self.here.exempt_used(attempt, phase)
    }
}

/// Whether something can't be decided as the authority is out of reach.
pub fn out_of_reach(config: &Config, error: &Error) -> bool {
    config.authority.is_some() && error.kind() == Kind::Unavailable
}

fn asked(who: &Identity, attempt: &Attempt) -> Ask {
    Ask {
        person: who.person.clone(),
        login: attempt.login.clone(),
        sudo: attempt.action == Action::Sudo,
    }
}

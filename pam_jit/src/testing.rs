//! Doubles for tests: a conversation by script, which must be used up, and a service that answers
//! as it is told.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use jit_core::breakglass;
use jit_core::clock::{Clock, ManualClock};
use jit_core::config::Config;
use jit_core::cover::Cover;
use jit_core::error::{Error, Result};
use jit_core::factor::Verdict;
use jit_core::grant::{Actor, Ask, Grant, Phase, Terms};
use jit_core::id::GrantId;
use jit_core::login::{
    Attempt, Backstop, Entry, Evidence, Identity, LoginService, Offer, Opened, Standing,
};
use jit_core::name::{GroupName, HostName, Login, PersonName, Place, Reason};
use jit_core::policy::{Member, Needed};
use jit_core::process::{Anchor, AuditSession};
use jit_core::secret::SecretText;
use jit_core::syslog::Syslog;
use jit_core::time::{Span, Timestamp};

use crate::conversation::{CannotKeep, Echo, Kept, NoAnswer, Pam};
use crate::hook::{Hook, decide};
use crate::refusal::Refusal;

pub(crate) const HOOKS: [Hook; 6] = [
    Hook::Authenticate,
    Hook::SetCredentials,
    Hook::Account,
    Hook::OpenSession,
    Hook::CloseSession,
    Hook::ChangePassword,
];

/// A moment on a full minute, so that times are shown without seconds.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const REPORT: &str = "publickey ssh-ed25519 AAAA\n";

/// One thing that must happen next, in this order.
enum Step {
    Ask(&'static str, Echo, Result<&'static str, NoAnswer>),
    Say(String),
    Complain(String),
    /// Happens by itself after the step before it.
    Then(Box<dyn Fn(&mut Items)>),
}

/// What can change while a conversation goes on.
pub(crate) struct Items {
    pub(crate) user: Option<String>,
    pub(crate) remote_user: Option<String>,
    pub(crate) auth_info: Option<String>,
    pub(crate) kept: Option<Kept>,
    pub(crate) limit: Option<u64>,
    pub(crate) keeps: bool,
    pub(crate) real_uid: u32,
    pub(crate) alices_uid: Option<u32>,
    pub(crate) has_anchor: bool,
}

/// A conversation by script. It fails where something else happens than the script says, and where
/// less happens.
pub(crate) struct Scripted {
    pub(crate) items: Items,
    steps: VecDeque<Step>,
}

impl Scripted {
    /// alice at ssh, with her key.
    pub(crate) fn ssh() -> Self {
        Scripted {
            items: Items {
                user: Some("alice".into()),
                remote_user: None,
                auth_info: Some(REPORT.into()),
                kept: None,
                limit: None,
                keeps: true,
                real_uid: 0,
                alices_uid: Some(1000),
                has_anchor: true,
            },
            steps: VecDeque::new(),
        }
    }

    /// alice at sudo.
    pub(crate) fn sudo() -> Self {
        Scripted::ssh().with(|items| {
            items.remote_user = Some("alice".into());
            items.auth_info = None;
            items.real_uid = 1000;
        })
    }

    pub(crate) fn with(mut self, change: impl Fn(&mut Items)) -> Self {
        change(&mut self.items);
        self
    }

    pub(crate) fn secret(self, prompt: &'static str, answer: &'static str) -> Self {
        self.step(Step::Ask(prompt, Echo::Off, Ok(answer)))
    }

    pub(crate) fn shown(self, prompt: &'static str, answer: &'static str) -> Self {
        self.step(Step::Ask(prompt, Echo::On, Ok(answer)))
    }

    pub(crate) fn no_answer(self, prompt: &'static str, echo: Echo, why: NoAnswer) -> Self {
        self.step(Step::Ask(prompt, echo, Err(why)))
    }

    pub(crate) fn says(self, text: impl Into<String>) -> Self {
        self.step(Step::Say(text.into()))
    }

    pub(crate) fn complains(self, text: impl Into<String>) -> Self {
        self.step(Step::Complain(text.into()))
    }

    pub(crate) fn then(self, happens: impl Fn(&mut Items) + 'static) -> Self {
        self.step(Step::Then(Box::new(happens)))
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push_back(step);
        self
    }

    fn next(&mut self, what: &str) -> Step {
        let step = self.steps.pop_front().unwrap_or_else(|| panic!("not in the script: {what}"));
        while let Some(Step::Then(_)) = self.steps.front() {
            if let Some(Step::Then(happens)) = self.steps.pop_front() {
                happens(&mut self.items);
            }
        }
        step
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.steps.len(), 0, "steps of the script that never came");
        }
    }
}

impl Pam for Scripted {
    fn user(&self) -> Option<String> {
        self.items.user.clone()
    }
    fn remote_user(&self) -> Option<String> {
        self.items.remote_user.clone()
    }
    fn remote_host(&self) -> Option<String> {
        Some("192.0.2.1".into())
    }
    fn terminal(&self) -> Option<String> {
        Some("ssh".into())
    }
    fn service(&self) -> Option<String> {
        Some("test".into())
    }
    fn auth_info(&self) -> Option<String> {
        self.items.auth_info.clone()
    }
    fn keep(&mut self, kept: Kept) -> Result<(), CannotKeep> {
        if !self.items.keeps {
            return Err(CannotKeep);
        }
        self.items.kept = Some(kept);
        Ok(())
    }
    fn kept(&self) -> Option<Kept> {
        self.items.kept.clone()
    }
    fn limit_scope(&mut self, seconds: u64) -> Result<(), CannotKeep> {
        self.items.limit = Some(seconds);
        Ok(())
    }
    fn ask(&mut self, prompt: &str, echo: Echo) -> Result<SecretText, NoAnswer> {
        match self.next(prompt) {
            Step::Ask(expected, how, answer) => {
                assert_eq!((prompt, echo), (expected, how));
                answer.map(|text| SecretText::new(text.into()))
            }
            _ => panic!("asked too early: {prompt}"),
        }
    }
    fn say(&mut self, text: &str) {
        match self.next(text) {
            Step::Say(expected) => assert_eq!(text, expected),
            _ => panic!("said too early: {text}"),
        }
    }
    fn complain(&mut self, text: &str) {
        match self.next(text) {
            Step::Complain(expected) => assert_eq!(text, expected),
            _ => panic!("complained too early: {text}"),
        }
    }
    fn pid(&self) -> u32 {
        42
    }
    fn real_uid(&self) -> u32 {
        self.items.real_uid
    }
    fn uid_of(&self, account: &str) -> Option<u32> {
        match account {
            "alice" => self.items.alices_uid,
            "bob" => Some(1001),
            "root" => Some(0),
            "rescue" => Some(1002),
            _ => None,
        }
    }
    fn audit_session(&self) -> Option<AuditSession> {
        Some(7)
    }
    fn anchor(&self) -> Option<Anchor> {
        let anchor = Anchor {
            pid: 42,
            started: 1,
            audit_session: Some(7),
            scope: None,
            started_in: None,
            cgroup: None,
            audit_uid: Some(1000),
        };
        self.items.has_anchor.then_some(anchor)
    }
    fn scope(&self) -> Option<String> {
        None
    }
    fn settle(&mut self, _: Option<&str>) -> Option<Anchor> {
        self.anchor()
    }
}

/// What a service answers.
pub(crate) struct Told {
    pub(crate) identity: Result<Identity>,
    pub(crate) counts: Result<bool>,
    pub(crate) verdict: Result<Verdict>,
    pub(crate) broken: VecDeque<Result<breakglass::Verdict>>,
    pub(crate) anyone: Result<bool>,
    pub(crate) entries: VecDeque<Result<Entry>>,
    pub(crate) filed: VecDeque<Result<Standing>>,
    pub(crate) standings: VecDeque<Result<Standing>>,
    pub(crate) backstop: Result<Option<Backstop>>,
    pub(crate) opened: Result<Opened>,
    pub(crate) recorded: Result<()>,
}

impl Told {
    /// alice is who she is, has a right code and a grant.
    pub(crate) fn good() -> Self {
        Told {
            identity: Ok(alice()),
            counts: Ok(false),
            verdict: Ok(Verdict::Totp { step: 1 }),
            broken: VecDeque::new(),
            anyone: Ok(true),
            entries: [Ok(granted())].into(),
            filed: VecDeque::new(),
            standings: VecDeque::new(),
            backstop: Ok(None),
            opened: Ok(opened(1799)),
            recorded: Ok(()),
        }
    }

    /// Every method fails in this way.
    pub(crate) fn failing(error: &Error) -> Self {
        Told {
            identity: Err(error.clone()),
            counts: Err(error.clone()),
            verdict: Err(error.clone()),
            broken: [Err(error.clone())].into(),
            anyone: Err(error.clone()),
            entries: [Err(error.clone())].into(),
            filed: [Err(error.clone())].into(),
            standings: [Err(error.clone())].into(),
            backstop: Err(error.clone()),
            opened: Err(error.clone()),
            recorded: Err(error.clone()),
        }
    }

    /// alice has no grant, and may ask for one.
    pub(crate) fn asking(entry_after: Option<Entry>) -> Self {
        let no_cover = Ok(no_cover(false));
        let entries = [no_cover].into_iter().chain(entry_after.map(Ok)).collect();
        Told { entries, ..Told::good() }
    }

    pub(crate) fn filed(mut self, standing: Result<Standing>) -> Self {
        self.filed.push_back(standing);
        self
    }

    pub(crate) fn later(mut self, standing: Result<Standing>) -> Self {
        self.standings.push_back(standing);
        self
    }
}

pub(crate) fn alice() -> Identity {
    Identity {
        person: PersonName::parse("alice").unwrap(),
        by: "key SHA256:abc".into(),
        session: None,
        factor: None,
    }
}

/// alice may ask, for 30 minutes unless she says otherwise.
pub(crate) fn no_cover(may_break: bool) -> Entry {
    let span = |seconds| Span::from_secs(seconds).unwrap();
    Entry::NoCover { offer: Some(Offer { usual: span(1800), longest: span(3600) }), may_break }
}

/// What alice used a break-glass code for.
pub(crate) fn used() -> breakglass::Use {
    let span = |seconds| Span::from_secs(seconds).unwrap();
    let ask = Ask {
        person: alice().person,
        login: Login::parse("alice").unwrap(),
        place: Place::parse("web-1").unwrap(),
        sudo: true,
        duration: span(1800),
        start: None,
        extends: None,
        reason: Reason::parse("it burns").unwrap(),
    };
    let by = Actor::Person(alice().person);
    let terms = Terms { permissions: [].into(), ..Terms::of_root() };
    let grant = Grant::request(id(), ask, terms, by, at(NOW), span(3600)).unwrap();
    breakglass::Use::of(&grant, at(NOW + 1800), None)
}

pub(crate) fn id() -> GrantId {
    GrantId::parse("k7q2-m9xd").unwrap()
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

pub(crate) fn granted() -> Entry {
    Entry::Granted(Cover { deadline: at(NOW + 1800), grants: vec![id()], last: id() })
}

pub(crate) fn opened(left: u64) -> Opened {
    Opened {
        host: HostName::parse("web-1").unwrap(),
        deadline: at(NOW + left),
        now: at(NOW),
        grant: id(),
    }
}

pub(crate) fn standing(phase: Phase) -> Standing {
    Standing {
        id: id(),
        phase,
        duration: Span::from_secs(1800).unwrap(),
        lapses_at: at(NOW + 3600),
        approved_by: vec![],
        missing: vec![Needed { from: Member::Group(GroupName::parse("leads").unwrap()), count: 1 }],
        approvers: ["bob", "carol"].map(|name| PersonName::parse(name).unwrap()).into(),
        answer: None,
    }
}

/// A service that answers as it is told, and notes what it was asked.
#[derive(Clone)]
struct Asked(Rc<(RefCell<Told>, RefCell<Vec<String>>)>);

impl Asked {
    fn note(&self, call: impl Into<String>) {
        self.0.1.borrow_mut().push(call.into());
    }

    fn told(&self) -> RefMut<'_, Told> {
        self.0.0.borrow_mut()
    }
}

impl LoginService for Asked {
    fn identify(&self, evidence: &Evidence<'_>, attempt: &Attempt) -> Result<Identity> {
        self.note(format!("identify {} {evidence:?}", attempt.login));
        self.told().identity.clone()
    }
    fn factor_counts(&self, who: &Identity, _: &Attempt) -> Result<bool> {
        let counts = self.told().counts.clone();
        // The usual answer is not worth a line in every test.
        if counts != Ok(false) {
            self.note(format!("counts {}", who.person));
        }
        counts
    }
    fn verify_factor(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        attempt: &Attempt,
    ) -> Result<Verdict> {
        let who = who.map_or("nobody", |who| who.person.as_str());
        self.note(format!("verify {who} {typed:?} {}", attempt.login));
        // A right code too, though it proves nobody: the module must not rely on it.
        self.told().verdict.clone()
    }
    fn break_glass(
        &self,
        who: Result<&Identity, &Error>,
        typed: &str,
        reason: Option<&str>,
        attempt: &Attempt,
    ) -> Result<breakglass::Verdict> {
        let who = who.map_or("nobody", |who| who.person.as_str());
        self.note(format!("break {who} {typed:?} {reason:?} {}", attempt.login));
        self.told().broken.pop_front().expect("broken once too often")
    }
    fn anyone_may_enter(&self, _: &Attempt) -> Result<bool> {
        self.note("anyone");
        self.told().anyone.clone()
    }
    fn may_enter(&self, who: &Identity, attempt: &Attempt) -> Result<Entry> {
        self.note(format!("enter {} {} {}", who.person, attempt.action, attempt.login));
        self.told().entries.pop_front().expect("asked once too often")
    }
    fn file_request(
        &self,
        _: &Identity,
        _: &Attempt,
        reason: &str,
        duration: Span,
    ) -> Result<Standing> {
        self.note(format!("file {reason:?} {duration}"));
        self.told().filed.pop_front().expect("filed once too often")
    }
    fn standing(&self, id: &GrantId) -> Result<Standing> {
        self.note(format!("standing {id}"));
        self.told().standings.pop_front().expect("looked once too often")
    }
    fn backstop(&self, who: &Identity, attempt: &Attempt) -> Result<Option<Backstop>> {
        self.note(format!("backstop {} {} {}", who.person, attempt.action, attempt.login));
        self.told().backstop.clone()
    }
    fn session_opened(
        &self,
        who: &Identity,
        attempt: &Attempt,
        uid: u32,
        anchor: Anchor,
        backstop: Option<Backstop>,
    ) -> Result<Opened> {
        let Attempt { action, login, .. } = attempt;
        let pid = anchor.pid;
        self.note(format!("open {} {action} {login} {uid} pid {pid} {backstop:?}", who.person));
        self.told().opened.clone()
    }
    fn session_closed(&self, anchor: &Anchor) -> Result<()> {
        self.note(format!("close pid {}", anchor.pid));
        self.told().recorded.clone()
    }
    fn exempt_used(&self, attempt: &Attempt, phase: &'static str) -> Result<()> {
        self.note(format!("exempt {} {phase}", attempt.login));
        self.told().recorded.clone()
    }
}

/// A configuration, and a clock that the test sets.
pub(crate) struct Stage {
    pub(crate) config: String,
    pub(crate) clock: Arc<ManualClock>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Stage {
            config: "host = 'web-1'\nexempt_logins = ['rescue']\n".into(),
            clock: Arc::new(ManualClock::at(i64::try_from(NOW).unwrap())),
        }
    }

    pub(crate) fn without_second_factor() -> Self {
        let mut stage = Stage::new();
        stage.config += "[factor]\nsecond_factor = 'none'\n";
        stage
    }

    /// A host whose authority is another machine.
    pub(crate) fn of_a_fleet() -> Self {
        let mut stage = Stage::new();
        stage.config += "[authority]\nurl = 'https://jit.example.com'\nname = 'jit.example.com'\n\
             pin = 'sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n\
             ca = 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\n";
        stage
    }

    /// Plays a hook to its end, and gives its outcome and what the service was asked.
    pub(crate) fn play(
        &self,
        hook: Hook,
        told: Told,
        script: &mut Scripted,
    ) -> (Result<(), Refusal>, Vec<String>) {
        let asked = Asked(Rc::new((RefCell::new(told), RefCell::default())));
        let open = || -> Result<Box<dyn LoginService>> { Ok(Box::new(asked.clone())) };
        let outcome = self.decide(hook, &open, script);
        let calls = asked.0.1.take();
        (outcome, calls)
    }

    /// The same, where the store can't be opened.
    pub(crate) fn play_without_store(
        &self,
        hook: Hook,
        script: &mut Scripted,
    ) -> Result<(), Refusal> {
        self.decide(hook, &|| Err(Error::unavailable("the store is locked")), script)
    }

    fn decide(
        &self,
        hook: Hook,
        open: &dyn Fn() -> Result<Box<dyn LoginService>>,
        script: &mut Scripted,
    ) -> Result<(), Refusal> {
        let config = Config::parse(Path::new("/etc/jit/jit.toml"), &self.config).unwrap();
        let syslog = Syslog::new("test", None);
        let clock: &dyn Clock = self.clock.as_ref();
        decide(hook, &config, clock, open, &syslog, script)
    }
}

//! An authority and a host of its fleet, each on a store of its own.

use ssh_key::certificate::{Builder, CertType};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, PrivateKey};

use super::*;
use crate::certificate::Specification;
use crate::config::{FactorFrom, Pin, Upstream};
use crate::factor::{FactorKind, ProvedFactor};
use crate::link::{Asker, Code, Filing, HostState, Told};
use crate::login::Identity;
use crate::name::Place;
use crate::store::CaKind;

/// The key of the CA, and of nobody.
const CA: u8 = 9;

fn key(seed: u8) -> PrivateKey {
    PrivateKey::new(KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32])), "").unwrap()
}

fn ca() -> String {
    key(CA).public_key().fingerprint(HashAlg::Sha256).to_string()
}

pub(super) fn web_1() -> HostName {
    HostName::parse("web-1").unwrap()
}

pub(super) struct Fleet {
    pub(super) office: Desk,
    pub(super) host: Desk,
}

impl Fleet {
    pub(super) fn new() -> Self {
        let (office, mut host) = (Desk::new(), Desk::empty());
        let ca = key(CA).public_key().fingerprint(HashAlg::Sha256).to_string();
        let line = public_key(CA);
        office.authority.add_ca_key(&Actor::Root, CaKind::User, &ca, &line, "sealed").unwrap();
        host.clock.set_wall(office.clock.now().unwrap().unix().cast_signed());
        host.authority.config.authority = Some(Upstream {
            url: "https://jit.example.com".into(),
            name: "jit.example.com".into(),
            pin: Pin::of([0; 32]),
            ca: key(CA).public_key().fingerprint(HashAlg::Sha256),
            second_factor: FactorFrom::Certificate,
            fresh: Span::from_secs(900).unwrap(),
        });
        let fleet = Fleet { office, host };
        fleet.tell();
        fleet
    }

    pub(super) fn state(&self) -> HostState {
        self.office.authority.host_state(&web_1()).unwrap()
    }

    /// Tells the host; whether anything was new.
    fn tell(&self) -> bool {
        self.host.authority.take_up(&self.state()).unwrap()
    }

    fn pass(&self, seconds: u32) {
        self.office.clock.pass(seconds);
        self.host.clock.pass(seconds);
    }

    /// A certificate of the key `seed` for a grant, as sshd reports it.
    fn certificate(&self, grant: &Grant, factor: Option<ProvedFactor>) -> String {
        let sign = |wanted: &Specification| Ok(signed(wanted, CA));
        let subject = key(1).public_key().key_data().clone();
        let root = Actor::Root;
        let issue = self.office.authority.issue(&root, grant.id(), &subject, factor, &ca(), sign);
        issue.unwrap().1
    }

    fn identify(&self, report: &str) -> Result<Identity> {
        let attempt = attempt("deploy", Action::Login);
        self.host.authority.identify(&Evidence::Ssh(Some(report)), &attempt)
    }

    fn enters(&self, who: &Identity) -> bool {
        let attempt = attempt("deploy", Action::Login);
        matches!(self.host.authority.may_enter(who, &attempt).unwrap(), Entry::Granted(_))
    }

    /// What the host tells of its log, all of it.
    fn told(&self) -> Vec<Told> {
        let records = records(&self.host);
        let told = records.iter().filter(|r| crate::link::told_action(&r.action).is_some());
        told.map(Told::of).collect()
    }

    fn known(&self, grant: &Grant) -> Grant {
        self.host.authority.grant(grant.id()).unwrap().0
    }
}

fn signed(wanted: &Specification, by: u8) -> String {
    let validity = wanted.validity;
    let (opens, ends) = (validity.not_before.unix(), validity.not_after.unix());
    let mut builder = Builder::new(vec![7; 16], wanted.public_key.clone(), opens, ends).unwrap();
    builder.serial(wanted.serial).unwrap().cert_type(CertType::User).unwrap();
    builder.key_id(wanted.key_id.to_string()).unwrap();
    for principal in &wanted.principals {
        builder.valid_principal(principal).unwrap();
    }
    for permission in &wanted.permissions {
        builder.extension(permission.extension(), "").unwrap();
    }
    for (name, value) in wanted.restrictions.critical_options() {
        builder.critical_option(name, value).unwrap();
    }
    let certificate = builder.sign(&key(by)).unwrap().to_openssh().unwrap();
    format!("publickey {}\n", certificate.trim())
}

#[test]
fn a_host_knows_what_it_needs_and_no_secret() {
    let fleet = Fleet::new();
    let root = Actor::Root;
    let office = &fleet.office.authority;
    office.put_host(&root, &HostName::parse("web-2").unwrap(), &BTreeSet::new()).unwrap();
    let elsewhere = Ask { place: Place::parse("web-2").unwrap(), ..ask("bob", 600) };
    office.grant_alone(&Actor::Root, &elsewhere).unwrap();
    let here = office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    office.add_person(&root, &person("keyless"), &BTreeSet::new(), &[]).unwrap();
    let state = fleet.state();
    assert_eq!(state.grants, std::slice::from_ref(&here));
    let names: Vec<_> = state.people.iter().map(|known| known.person.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    let text = serde_json::to_string(&state).unwrap();
    assert!(!text.contains("sealed") && !text.contains("web-2"), "{text}");

    assert!(fleet.tell());
    assert!(!fleet.tell(), "nothing is new");
    let host = &fleet.host.authority;
    assert_eq!(host.people().unwrap().len(), 3);
    assert_eq!(host.ca_keys(CaKind::User).unwrap()[0].sealed_private_key, "");
    assert_eq!(fleet.known(&here), here);
    assert!(!host.factor_status(&person("alice")).unwrap().enrolled);
    host.check_store().unwrap();
    // It does not take in what is about another.
    let mut other = fleet.state();
    other.host.name = HostName::parse("web-2").unwrap();
    assert!(host.take_up(&other).is_err());
}

#[test]
fn every_change_of_what_a_host_needs_reaches_it() {
    let fleet = Fleet::new();
    let (office, host) = (&fleet.office.authority, &fleet.host.authority);
    let root = Actor::Root;
    let grant = office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let before = fleet.state().version;
    fleet.tell();
    let alice = fleet.identify(&Desk::report(1)).unwrap();
    assert!(fleet.enters(&alice));

    office.shorten(grant.id(), Span::from_secs(60).unwrap(), &root, None).unwrap();
    assert_ne!(fleet.state().version, before);
    assert!(fleet.tell());
    assert_eq!(fleet.known(&grant).window(), office.grant(grant.id()).unwrap().0.window());
    office.revoke(&RevokeWhich::Id(grant.id().clone()), &root, &reason()).unwrap();
    assert!(fleet.tell());
    assert!(!fleet.enters(&alice));

    // A key that goes from one to another, a suspension, and somebody who is gone.
    let first = office.keys(&person("alice")).unwrap().remove(0);
    office.remove_key(&root, &person("alice"), &first.fingerprint).unwrap();
    office.add_key(&root, &person("bob"), &first.public_key).unwrap();
    assert!(fleet.tell());
    assert_eq!(fleet.identify(&Desk::report(1)).unwrap().person, person("bob"));
    office.suspend(&root, &person("bob"), true).unwrap();
    assert!(fleet.tell());
    assert!(fleet.identify(&Desk::report(1)).unwrap_err().what().contains("suspended"));
    office.remove_person(&root, &person("bob")).unwrap();
    assert!(fleet.tell());
    assert!(host.person(&person("bob")).is_err());
    let labels = [crate::name::Label::parse("env=prod").unwrap()].into();
    office.put_host(&root, &web_1(), &labels).unwrap();
    assert!(fleet.tell());
    assert_eq!(host.host(&web_1()).unwrap().labels, labels);
    host.check_store().unwrap();
}

#[test]
fn a_certificate_is_its_own_proof_while_nobody_can_be_asked() {
    let fleet = Fleet::new();
    let grant = fleet.office.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let report = fleet.certificate(&grant, None);
    let login = Login::parse("deploy").unwrap();
    let key_id = format!("jit/1 grant={} user=alice may=login", grant.id());
    let principals = || fleet.host.authority.principals(&login, &key_id, 1);
    assert_eq!(principals().unwrap(), ["deploy@web-1"]);
    let alice = fleet.identify(&report).unwrap();
    assert!(fleet.enters(&alice));
    let taken = fleet.known(&grant);
    assert_eq!(taken.window().unwrap().not_after, grant.window().unwrap().not_after);
    assert_eq!(taken.terms(), grant.terms());
    fleet.host.authority.check_grants().unwrap();
    assert_eq!(records(&fleet.host).iter().filter(|r| r.action == "grant.take-up").count(), 1);
    fleet.identify(&report).unwrap();
    assert_eq!(records(&fleet.host).iter().filter(|r| r.action == "grant.take-up").count(), 1);

    // What the authority knows of it wins as soon as it is told.
    let root = Actor::Root;
    fleet.office.authority.revoke(&RevokeWhich::All, &root, &reason()).unwrap();
    assert!(fleet.tell());
    assert!(!fleet.enters(&alice));
    assert!(fleet.identify(&report).unwrap_err().what().contains("revoked"));
    assert!(principals().is_err());
}

#[test]
fn a_certificate_proves_no_grant_of_a_role_that_takes_certain_factors() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let policy = format!("{POLICY}factors = {{ login = ['totp'] }}\n");
    std::fs::write(fleet.office.dir.path().join("policy.toml"), policy).unwrap();
    let grant = office.request(&new("alice", 600)).unwrap();
    let (grant, _) = fleet.office.approve(grant.id(), "bob").unwrap();
    let report = fleet.certificate(&grant, None);
    let error = fleet.identify(&report).unwrap_err();
    assert!(error.what().contains("takes certain second factors"), "{error}");
    assert!(fleet.host.authority.grant(grant.id()).is_err(), "taken up all the same");
    // Once it is known here, so is the rule.
    fleet.tell();
    let who = fleet.identify(&report).unwrap();
    let attempt = attempt("deploy", Action::Login);
    let entry = fleet.host.authority.may_enter(&who, &attempt).unwrap();
    assert!(matches!(entry, Entry::WantsFactor { .. }), "{entry:?}");
}

#[test]
fn a_grant_known_to_be_over_wins_over_its_certificate() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let grant = office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let report = fleet.certificate(&grant, None);
    let minute = Span::from_secs(60).unwrap();
    office.shorten(grant.id(), minute, &Actor::Root, None).unwrap();
    office.shorten(grant.id(), Span::from_secs(10).unwrap(), &Actor::Root, None).unwrap();
    fleet.pass(60);
    // Shortened, and over before this host ever heard of it; its certificate goes on.
    assert!(fleet.tell());
    assert!(fleet.identify(&report).unwrap_err().what().contains("ended"));
    assert_eq!(fleet.known(&grant).phase(fleet.host.authority.now().unwrap()), Phase::Ended);
    fleet.pass(1200);
    assert_eq!(fleet.state().grants, [], "no certificate of it can be valid any more");
}

#[test]
fn no_certificate_is_taken_up_that_is_not_certainly_for_here_and_now() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let grant = office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let wanted = std::cell::RefCell::new(None);
    let subject = key(1).public_key().key_data().clone();
    office
        .issue(&Actor::Root, grant.id(), &subject, None, &ca(), |specification| {
            *wanted.borrow_mut() = Some(specification.clone());
            Ok(())
        })
        .unwrap();
    let good = wanted.take().unwrap();
    let refused = |wanted: &Specification, by: u8| {
        fleet.identify(&signed(wanted, by)).unwrap_err();
        assert!(fleet.host.authority.grant(grant.id()).is_err(), "taken up all the same");
    };
    refused(&good, 8);
    refused(&Specification { principals: vec!["deploy@web-2".into()], ..good.clone() }, CA);
    refused(&Specification { principals: vec!["root@web-1".into()], ..good.clone() }, CA);
    let mut nobody = good.clone();
    nobody.key_id.person = person("nobody");
    refused(&nobody, CA);
    office.suspend(&Actor::Root, &person("carol"), true).unwrap();
    fleet.tell();
    let mut suspended = good.clone();
    suspended.key_id.person = person("carol");
    suspended.key_id.grant = "aaaa-aaaa".parse().unwrap();
    assert!(fleet.identify(&signed(&suspended, CA)).is_err());
    assert!(fleet.host.authority.grant(&suspended.key_id.grant).is_err());
    fleet.pass(601);
    assert!(fleet.identify(&signed(&good, CA)).is_err(), "it is over");
    // On a machine that is its own authority, what it did not issue is nothing.
    let alone = Desk::new();
    let ca = key(CA).public_key().fingerprint(HashAlg::Sha256).to_string();
    let kind = CaKind::User;
    alone.authority.add_ca_key(&Actor::Root, kind, &ca, &public_key(CA), "sealed").unwrap();
    let report = signed(&good, CA);
    let attempt = attempt("deploy", Action::Login);
    assert!(alone.authority.identify(&Evidence::Ssh(Some(&report)), &attempt).is_err());
}

#[test]
fn where_the_authority_answers_a_grant_it_does_not_know_is_none() {
    let fleet = Fleet::new();
    let grant = fleet.office.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    let report = fleet.certificate(&grant, None);
    let attempt = attempt("deploy", Action::Login);
    let evidence = Evidence::Ssh(Some(&report));
    let host = &fleet.host.authority;
    let error = host.identify_by(&evidence, &attempt, &|| true).unwrap_err();
    assert!(error.what().contains("knows no grant"), "{error}");
    assert!(host.grant(grant.id()).is_err());
    // Told in time, it is the grant itself that counts.
    host.identify_by(&evidence, &attempt, &|| fleet.tell()).unwrap();
    assert_eq!(fleet.known(&grant), grant);
}

#[test]
fn a_factor_in_the_certificate_counts_while_fresh_and_where_the_host_says_so() {
    let mut fleet = Fleet::new();
    let grant = fleet.office.authority.grant_alone(&Actor::Root, &ask("alice", 3000)).unwrap();
    let at = fleet.office.authority.now().unwrap();
    let factor = Some(ProvedFactor { kind: FactorKind::Totp, at });
    let report = fleet.certificate(&grant, factor);
    let attempt = attempt("deploy", Action::Login);
    let counts =
        |fleet: &Fleet, who: &Identity| fleet.host.authority.factor_counts(who, &attempt).unwrap();
    let with = fleet.identify(&report).unwrap();
    assert_eq!(with.factor, factor);
    assert!(counts(&fleet, &with));
    assert_eq!(records(&fleet.host).last().unwrap().action, "factor.certificate");
    let without = fleet.identify(&fleet.certificate(&grant, None)).unwrap();
    assert!(!counts(&fleet, &without));
    assert!(!counts(&fleet, &fleet.identify(&Desk::report(1)).unwrap()), "a key proves none");
    fleet.pass(899);
    assert!(counts(&fleet, &with));
    fleet.pass(1);
    assert!(!counts(&fleet, &with));

    let upstream = fleet.host.authority.config.authority.as_mut().unwrap();
    upstream.second_factor = FactorFrom::Ask;
    upstream.fresh = Span::from_secs(86_400).unwrap();
    assert!(!counts(&fleet, &with));
    // One that nobody can have proved yet is not even signed.
    let future = Some(ProvedFactor {
        kind: FactorKind::Totp,
        at: at.after(Span::from_secs(9000).unwrap()).unwrap(),
    });
    let subject = key(1).public_key().key_data().clone();
    let issue =
        fleet.office.authority.issue(&Actor::Root, grant.id(), &subject, future, &ca(), |_| Ok(()));
    assert!(issue.is_err());
}

#[test]
fn a_host_decides_nothing_that_is_its_authoritys() {
    let fleet = Fleet::new();
    let host = &fleet.host.authority;
    let refusals = [
        host.grant_alone(&Actor::Root, &ask("alice", 600)).map(drop).unwrap_err(),
        host.suspend(&Actor::Root, &person("alice"), true).unwrap_err(),
        host.begin_enrolment(&Actor::Root, &person("alice")).map(drop).unwrap_err(),
    ];
    for error in refusals {
        assert!(error.what().contains("jit.example.com decides that"), "{error}");
    }
    // The policy here says nothing, whatever it says; nor does it take away what was granted.
    let grant = fleet.office.authority.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    fleet.tell();
    std::fs::write(fleet.host.dir.path().join("policy.toml"), "").unwrap();
    assert_eq!(host.reexamine(&host.policy().unwrap()).unwrap(), []);
    std::fs::write(fleet.host.dir.path().join("policy.toml"), POLICY).unwrap();
    let bob = fleet.identify(&Desk::report(2)).unwrap();
    let entry = host.may_enter(&bob, &attempt("deploy", Action::Login)).unwrap();
    assert_eq!(entry, Entry::NoCover { offer: None, may_break: false });
    // What is revoked here, by whoever has root, stays so.
    host.revoke(&RevokeWhich::Id(grant.id().clone()), &Actor::Root, &reason()).unwrap();
    assert!(!fleet.tell());
    assert_eq!(fleet.known(&grant).window(), None);
}

#[test]
fn keys_are_those_of_who_holds_access_or_may_ask_the_authority() {
    let fleet = Fleet::new();
    let login = Login::parse("deploy").unwrap();
    let keys =
        |askers: &[Asker]| fleet.host.authority.authorized_keys_with(&login, askers).unwrap();
    assert_eq!(keys(&[]), [] as [String; 0]);
    let askers = fleet.office.authority.host_askers(&web_1(), &login).unwrap();
    let names: Vec<_> = askers.iter().map(|asker| asker.person.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let lines = keys(&askers);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("restrict,pty ssh-ed25519 "), "{lines:?}");
    fleet.office.authority.grant_alone(&Actor::Root, &ask("carol", 600)).unwrap();
    fleet.tell();
    assert_eq!(keys(&[]).len(), 1);
}

pub(super) fn code(person: Option<&str>, code: &str) -> Code {
    Code {
        person: person.map(super::person),
        code: code.to_owned(),
        attempt: serde_json::json!({ "login": "deploy" }),
        who: "key SHA256:x".into(),
    }
}

#[test]
fn a_request_from_a_prompt_is_filed_as_the_policy_allows_and_followed() {
    let fleet = Fleet::new();
    let office = &fleet.office.authority;
    let asked = |name: &str| crate::link::Ask {
        person: person(name),
        login: Login::parse("deploy").unwrap(),
        sudo: false,
    };
    let filing = |name: &str| Filing {
        ask: asked(name),
        reason: "INC-1 the disk".into(),
        duration: Span::from_secs(600).unwrap(),
        origin: crate::grant::Origin { rhost: Some("192.0.2.1".into()), tty: None },
    };
    let offer = office.host_offer(&web_1(), &asked("alice")).unwrap().unwrap();
    assert_eq!(offer.longest.secs(), 3600);
    assert_eq!(office.host_offer(&web_1(), &asked("carol")).unwrap(), None);
    assert!(office.host_request(&web_1(), &filing("carol")).is_err(), "the policy says no");
    let filed = office.host_request(&web_1(), &filing("alice")).unwrap();
    assert_eq!(filed.approvers, [person("bob"), person("carol")]);
    let (grant, _) = office.grant(&filed.id).unwrap();
    assert_eq!(grant.requested_by().to_string(), "host:web-1");
    assert_eq!(fleet.state().grants, [], "nothing to know of yet");
    let _ = fleet.office.approve(&filed.id, "bob").unwrap();
    assert_eq!(office.host_standing(&web_1(), &filed.id).unwrap().phase, Phase::Active);
    assert!(fleet.tell());
    assert!(fleet.enters(&fleet.identify(&Desk::report(1)).unwrap()));
    let other = HostName::parse("web-2").unwrap();
    office.put_host(&Actor::Root, &other, &BTreeSet::new()).unwrap();
    assert_eq!(office.host_standing(&other, &filed.id).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_hosts_log_is_taken_once_as_what_the_host_says() {
    let fleet = Fleet::new();
    let (office, host) = (&fleet.office.authority, &fleet.host.authority);
    host.exempt_used(&attempt("deploy", Action::Login), "authenticate").unwrap();
    let told = fleet.told();
    assert_eq!(told.len(), 1);
    let before = records(&fleet.office).len();
    for _ in 0..2 {
        assert_eq!(office.host_log(&web_1(), &told).unwrap(), Heard::Until(told[0].sequence));
    }
    let new = records(&fleet.office).split_off(before);
    assert_eq!(new.len(), 1, "each once");
    assert_eq!((new[0].actor.as_str(), new[0].action.as_str()), ("host:web-1", "login.exempt"));
    assert!(new[0].detail.contains("program:pam_jit"), "{}", new[0].detail);
    // A host puts nothing on the log that proves anything there.
    let forged = Told { action: "factor.verify".into(), sequence: 99, ..told[0].clone() };
    assert!(office.host_log(&web_1(), &[forged]).is_err());
    assert_eq!(office.link_of(&web_1()).unwrap().told, told[0].sequence);
    office.verify_log().unwrap();
}

#[test]
fn a_session_on_a_host_is_known_to_the_authority_until_it_ends() {
    let fleet = Fleet::new();
    let (office, host) = (&fleet.office.authority, &fleet.host.authority);
    let _keeper = keeper(&fleet.host);
    let grant = office.grant_alone(&Actor::Root, &ask("alice", 600)).unwrap();
    fleet.tell();
    let attempt = attempt("deploy", Action::Login);
    let who = fleet.identify(&Desk::report(1)).unwrap();
    let _ = host.session_opened(&who, &attempt, 1000, anchor(), None).unwrap();
    let tell = || assert!(office.host_log(&web_1(), &fleet.told()).is_ok());
    let known = || office.sessions_elsewhere().unwrap().0;
    assert_eq!(known(), []);

    tell();
    let [session] = known().try_into().unwrap();
    assert_eq!((session.host.as_str(), session.session.person.as_str()), ("web-1", "alice"));
    assert_eq!(session.session.login.as_str(), "deploy");
    assert_eq!(session.session.grants, [grant.id().clone()]);
    assert_eq!(session.deadline, grant.window().map(|window| window.not_after));
    // Who looks for alice finds what she did there.
    let wanted = crate::audit::Wanted { person: Some(person("alice")), ..Default::default() };
    let about = office.last_records_of(&wanted, None, 1).unwrap();
    assert_eq!(about[0].action, "session.open");
    assert_eq!(about[0].actor, "host:web-1");

    // Ended on the authority, and its host has not said so yet.
    let all = RevokeWhich::All;
    office.revoke(&all, &Actor::Root, &reason()).unwrap();
    assert_eq!(known()[0].deadline, None);
    let [watched] = host.watched().unwrap().try_into().unwrap();
    host.session_ended(&watched.session, crate::session::EndReason::CoverEnded, 1).unwrap();
    tell();
    assert_eq!(known(), []);
}

//! What holds for every hook: errors are a no, the account may not change, exemptions are what the
//! configuration says.

use jit_core::authority::Authority;
use jit_core::store::sqlite::Opener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use jit_core::error::{Error, Kind};
use jit_core::seal::Vault;

use super::*;
use crate::conversation::{Echo, NoAnswer};
use crate::testing::{HOOKS, Scripted, Stage, Told};

const KINDS: [Kind; 7] = [
    Kind::Invalid,
    Kind::Refused,
    Kind::NotFound,
    Kind::Conflict,
    Kind::Misconfigured,
    Kind::Unavailable,
    Kind::Tampered,
];

/// The hooks that ask the service.
const ASKING: [Hook; 4] =
    [Hook::Authenticate, Hook::Account, Hook::OpenSession, Hook::CloseSession];

/// What the person does until the hook decides.
fn script(hook: Hook, base: Scripted) -> Scripted {
    match hook {
        Hook::Authenticate => base.secret("Verification code: ", "123456"),
        _ => base,
    }
}

/// The same, up to a yes.
fn until_yes(hook: Hook) -> Scripted {
    match hook {
        Hook::OpenSession => {
            let opened = crate::testing::opened(1799);
            Scripted::ssh().says(format!(
                "Access to web-1 as alice ends {} (in 29 min). Grant k7q2-m9xd.",
                opened.deadline.local_hour()
            ))
        }
        hook => script(hook, Scripted::ssh()),
    }
}

#[test]
fn no_error_path_returns_success_or_ignore() {
    for kind in KINDS {
        let error = Error::new(kind, "it failed");
        for hook in ASKING {
            for base in [Scripted::ssh(), Scripted::sudo()] {
                let told = Told::failing(&error);
                let (outcome, calls) = Stage::new().play(hook, told, &mut script(hook, base));
                assert!(outcome.is_err(), "{hook:?} {kind:?}");
                assert!(!calls.is_empty());
            }
            let mut base = Scripted::ssh();
            let stage = Stage::without_second_factor();
            assert!(stage.play(hook, Told::failing(&error), &mut base).0.is_err(), "{hook:?}");
        }
    }
}

#[test]
fn a_store_that_does_not_open_is_a_no_that_is_said_and_logged() {
    for hook in ASKING {
        let refusal = Stage::new().play_without_store(hook, &mut Scripted::ssh()).unwrap_err();
        assert_eq!(refusal.say.as_deref(), Some(crate::refusal::OUT_OF_ORDER));
        assert_eq!(refusal.log.as_deref(), Some("the store is locked"));
    }
}

#[test]
fn a_user_changed_half_way_is_denied() {
    for hook in ASKING {
        assert!(Stage::new().play(hook, Told::good(), &mut until_yes(hook)).0.is_ok(), "{hook:?}");
    }
    let changes: [fn(&mut crate::testing::Items); 5] = [
        |items| items.user = Some("bob".into()),
        |items| items.user = None,
        |items| items.remote_user = Some("alice".into()),
        |items| items.alices_uid = Some(0),
        |items| items.alices_uid = None,
    ];
    for change in changes {
        for hook in [Hook::Authenticate, Hook::OpenSession] {
            let mut script = until_yes(hook).then(change);
            let refusal = Stage::new().play(hook, Told::good(), &mut script).0.unwrap_err();
            assert!(refusal.log.is_some(), "{hook:?}");
        }
    }
    for user in ["bob", "root"] {
        let mut script = Scripted::sudo()
            .secret("Verification code: ", "123456")
            .then(move |items| items.user = Some(user.into()));
        assert!(Stage::new().play(Hook::Authenticate, Told::good(), &mut script).0.is_err());
    }
}

#[test]
fn a_service_that_is_neither_sshd_nor_sudo_is_a_no() {
    for hook in ASKING {
        for other in [
            // Set-user-id without saying for whom: its caller could have put sshd's report there.
            Scripted::ssh().with(|items| items.real_uid = 1000),
            // A remote user by a client's word, as rsh had it.
            Scripted::sudo().with(|items| items.real_uid = 0),
            Scripted::sudo().with(|items| items.remote_user = Some("bob".into())),
            Scripted::sudo().with(|items| items.remote_user = Some("nosuch".into())),
            Scripted::ssh().with(|items| items.user = None),
        ] {
            let mut other = other;
            let (outcome, calls) = Stage::new().play(hook, Told::good(), &mut other);
            assert!(outcome.unwrap_err().log.is_some(), "{hook:?}");
            assert!(calls.is_empty());
        }
    }
}

#[test]
fn what_stands_in_the_pam_environment_of_a_sudo_counts_for_nothing() {
    let mut script = Scripted::sudo().with(|items| {
        items.auth_info = Some("publickey ssh-ed25519 BBBB\n".into());
    });
    let (_, calls) = Stage::new().play(Hook::Account, Told::good(), &mut script);
    assert_eq!(calls[0], "identify alice Local { audit_session: Some(7) }");
}

fn rescue() -> Scripted {
    Scripted::ssh().with(|items| items.user = Some("rescue".into()))
}

#[test]
fn an_exempt_login_passes_on_the_record_without_being_asked() {
    for hook in [Hook::Authenticate, Hook::Account, Hook::OpenSession] {
        let (outcome, calls) = Stage::new().play(hook, Told::good(), &mut rescue());
        assert_eq!(outcome, Ok(()));
        assert_eq!(calls, [format!("exempt rescue {}", hook.name())]);
        let failing = Told::failing(&Error::unavailable("the disk is full"));
        assert_eq!(Stage::new().play(hook, failing, &mut rescue()).0, Ok(()));
        assert_eq!(Stage::new().play_without_store(hook, &mut rescue()), Ok(()));
    }
    let (outcome, calls) = Stage::new().play(Hook::CloseSession, Told::good(), &mut rescue());
    assert_eq!((outcome, calls.len()), (Ok(()), 0));
}

#[test]
fn root_itself_uses_sudo_on_the_record_and_nobody_passes_for_it() {
    let root = || Scripted::sudo().with(|items| items.remote_user = Some("root".into()));
    let (outcome, calls) =
        Stage::new().play(Hook::Account, Told::good(), &mut root().with(|i| i.real_uid = 0));
    assert_eq!((outcome, calls), (Ok(()), vec!["exempt root acct_mgmt".to_owned()]));
    // The kernel says who invokes it, whatever PAM_RUSER says.
    let (outcome, calls) = Stage::new().play(Hook::Account, Told::good(), &mut root());
    assert!(outcome.is_err() && calls.is_empty());
    // Root's ssh login is no exemption.
    let mut login = Scripted::ssh().with(|items| items.user = Some("root".into()));
    let (_, calls) = Stage::new().play(Hook::Account, Told::good(), &mut login);
    assert!(calls[0].starts_with("identify root"), "{calls:?}");
}

#[test]
fn an_exempt_login_needs_a_key() {
    for info in [None, Some(String::new()), Some("keyboard-interactive/pam\n".to_owned())] {
        let mut script = rescue().with(move |items| items.auth_info = info.clone());
        let (outcome, calls) = Stage::new().play(Hook::Authenticate, Told::good(), &mut script);
        assert!(outcome.unwrap_err().log.unwrap().contains("showed sshd no key"));
        assert!(calls.is_empty());
    }
}

#[test]
fn only_the_login_listed_is_exempt() {
    let mut stage = Stage::new();
    // The stand-in for what is no login is a login that may be listed.
    stage.config = "host = 'web-1'\nexempt_logins = ['nobody', 'root']\n".into();
    for user in ["Nobody", "nobody\n", "no body", "Root"] {
        let mut script =
            script(Hook::Authenticate, Scripted::ssh().with(|i| i.user = Some(user.into())));
        assert!(stage.play(Hook::Authenticate, Told::good(), &mut script).0.is_err(), "{user}");
    }
    // At sudo the invoker counts, not the target.
    let mut script = Scripted::sudo().with(|items| items.user = Some("root".into()));
    let (_, calls) = stage.play(Hook::Account, Told::good(), &mut script);
    assert!(calls[0].starts_with("identify alice"), "{calls:?}");
}

#[test]
fn passwords_are_not_changed_here() {
    let (outcome, _) = Stage::new().play(Hook::ChangePassword, Told::good(), &mut Scripted::ssh());
    assert_eq!(outcome, Err(Refusal::saying("There is no password here that could be changed.")));
}

/// A directory for files that only root may write.
fn private_dir() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("jit-test.")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .tempdir_in("/run")
        .expect("the tests run as root, who can make a directory in /run")
}

#[test]
fn bad_arguments_and_a_bad_configuration_are_a_no_from_every_hook() {
    let dir = private_dir();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("config={}", path.display())
    };
    let bad = [
        vec!["debug".to_owned()],
        vec![format!("config={}/missing.toml", dir.path().display())],
        vec![file("unknown.toml", "host = 'web-1'\nhots = 'x'\n")],
        vec![file("garbage.toml", "[[[")],
        vec![file("empty.toml", "")],
    ];
    for arguments in bad {
        for hook in HOOKS {
            let mut script = Scripted::ssh().complains(crate::refusal::OUT_OF_ORDER);
            assert_eq!(call(hook, &arguments, &mut script), Answer::No, "{hook:?} {arguments:?}");
        }
    }
}

/// An instance without people, with a syslog of its own.
struct Instance {
    dir: tempfile::TempDir,
    log: UnixDatagram,
}

impl Instance {
    fn new() -> Self {
        let dir = private_dir();
        let at = dir.path().display();
        let text = format!(
            "host = 'web-1'\nstate_dir = '{at}'\nrun_dir = '{at}'\nmaster_key_file = '{at}/key'\n\
             policy_file = '{at}/policy.toml'\n[log]\nsyslog_socket = '{at}/log'\n"
        );
        std::fs::write(dir.path().join("jit.toml"), text).unwrap();
        std::fs::write(dir.path().join("policy.toml"), "").unwrap();
        Vault::create_file(&dir.path().join("key")).unwrap();
        let config = Config::load(&dir.path().join("jit.toml")).unwrap();
        Authority::open(config, "test", Opener::Admin).unwrap();
        let log = UnixDatagram::bind(dir.path().join("log")).unwrap();
        log.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Instance { dir, log }
    }

    fn call(&self, hook: Hook, script: &mut Scripted) -> Answer {
        call(hook, &[format!("config={}/jit.toml", self.dir.path().display())], script)
    }

    fn line(&self) -> String {
        let mut line = [0; 2048];
        let length = self.log.recv(&mut line).unwrap();
        String::from_utf8_lossy(&line[..length]).into_owned()
    }
}

#[test]
fn what_is_out_of_order_denies_and_syslog_says_what_it_is() {
    type Spoil = fn(&std::path::Path);
    let mishaps: [(&str, Spoil); 5] = [
        ("key", |file| std::fs::remove_file(file).unwrap()),
        ("key", |file| std::fs::write(file, "x").unwrap()),
        ("jit.db", |file| std::fs::write(file, "this is no database ".repeat(400)).unwrap()),
        ("policy.toml", |file| std::fs::remove_file(file).unwrap()),
        ("policy.toml", |file| std::fs::write(file, "[[role]]\nnmae = 'x'\n").unwrap()),
    ];
    for (name, spoil) in mishaps {
        let instance = Instance::new();
        // As it should be, it asks, and nobody's key gets no further.
        let mut script = script(Hook::Authenticate, Scripted::ssh());
        assert_eq!(instance.call(Hook::Authenticate, &mut script), Answer::No);
        assert!(instance.line().contains("action=factor.verify"));
        for file in ["jit.db-wal", "jit.db-shm"] {
            let _ = std::fs::remove_file(instance.dir.path().join(file));
        }
        spoil(&instance.dir.path().join(name));
        for hook in ASKING {
            let mut script = Scripted::ssh().complains(crate::refusal::OUT_OF_ORDER);
            assert_eq!(instance.call(hook, &mut script), Answer::No, "{hook:?} {name}");
            let line = instance.line();
            let who = format!("{} denied, user \"alice\", service \"test\"", hook.name());
            for word in ["pam_jit", who.as_str(), name] {
                assert!(line.contains(word), "{word} in {line}");
            }
        }
    }
}

#[test]
fn a_hook_whose_conversation_fails_is_a_no() {
    let mut script =
        Scripted::ssh().no_answer("Verification code: ", Echo::Off, NoAnswer::CannotAsk);
    assert!(Stage::new().play(Hook::Authenticate, Told::good(), &mut script).0.is_err());
}

//! Who does not get in, what they are told, and what the log says.

use crate::pam;
use tests::error::Result;
use tests::{Instance, Methods, Options, Outcome, ServerOptions};

fn with_methods(methods: Methods) -> Result<Instance> {
    let mut options = Options::default();
    options.server.methods = methods;
    let i = Instance::with(options)?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    Ok(i)
}

fn sign(i: &Instance, grant: &str) -> Result<()> {
    let key = i.alice.window_public_key().display().to_string();
    i.ssh_ca(&["sign", "--grant", grant, "--key", &key])?.ok()?;
    Ok(())
}

#[test]
fn a_code_alone_never_logs_in() -> Result<()> {
    let i = with_methods(Methods::CodeAlone)?;
    let mark = i.log.mark();
    i.ssh(&i.alice, &[&i.alice.code()?], &["web-1", "true"])?.refused()?;
    i.log.wait_for_since(mark, &[&i.alice.name])?;
    Ok(())
}

#[test]
fn a_key_alone_never_logs_in() -> Result<()> {
    let i = with_methods(Methods::KeyAlone)?;
    let mark = i.log.mark();
    i.ssh(&i.alice, &[], &["web-1", "true"])?.refused()?;
    i.log.wait_for_since(mark, &[&i.alice.name])?;
    Ok(())
}

#[test]
fn a_certificate_alone_never_logs_in() -> Result<()> {
    let mut options = Options::default();
    options.server.methods = Methods::KeyAlone;
    let i = Instance::with(options)?;
    let grant = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &grant)?;
    i.ssh_by_certificate(&i.alice, &[], &["web-1", "true"])?.refused()?;
    // sshd took the certificate; it was PAM that refused.
    let log = i.web().sshd_log();
    assert!(log.contains(&format!("ID jit/1 grant={grant}")), "{log}");
    Ok(())
}

#[test]
fn a_code_asked_for_before_the_key_never_logs_in() -> Result<()> {
    let i = with_methods(Methods::CodeThenKey)?;
    i.ssh(&i.alice, &[&i.alice.code()?], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn key_and_code_without_a_grant_never_log_in_and_the_person_learns_what_to_do() -> Result<()> {
    let i = Instance::start()?;
    let mark = i.log.mark();
    i.ssh(&i.alice, &[&i.alice.code()?, ""], &["web-1", "true"])?
        .refused()?
        .says(&format!("No active grant for {}@web-1.", i.alice.name))?
        .says("Reason for access (empty to leave): ")?;
    i.log.wait_for_since(mark, &[&i.alice.name])?;
    Ok(())
}

#[test]
fn a_certificate_of_a_revoked_grant_never_logs_in() -> Result<()> {
    let i = Instance::start()?;
    let grant = i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    sign(&i, &grant)?;
    i.ssh_by_certificate(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "true"])?.ok()?;
    i.jitctl(&["revoke", &grant, "--reason", "over"])?.ok()?;
    i.ssh_by_certificate(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?
        .refused()?;
    Ok(())
}

#[test]
fn a_certificate_from_a_ca_in_the_users_own_authorized_keys_is_refused() -> Result<()> {
    let mut options = Options::default();
    options.server.authorized_keys = ".ssh/authorized_keys".to_owned();
    let i = Instance::with(options)?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let own = i.alice.home.join("own-ca");
    let own = own.display().to_string();
    tests::run::must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &own])?;
    let ssh = format!("/home/{}/.ssh", i.alice.name);
    std::fs::create_dir(&ssh)?;
    let ca = std::fs::read_to_string(format!("{own}.pub"))?;
    std::fs::write(format!("{ssh}/authorized_keys"), format!("cert-authority {ca}"))?;
    tests::run::must("chown", &["-R", &i.alice.name, &ssh])?;
    let key = i.alice.window_public_key().display().to_string();
    let id = format!("jit/1 grant=k7q2-m9xd user={} may=login,sudo", i.alice.name);
    let principals = format!("{},{}@web-1", i.alice.name, i.alice.name);
    let sign = ["-q", "-s", &own, "-I", &id, "-n", &principals, "-V", "+5m", &key];
    tests::run::must("ssh-keygen", &sign)?;
    i.ssh_by_certificate(&i.alice, &[&i.alice.code()?, ""], &["web-1", "true"])?.refused()?;
    // sshd took it, as it trusts the user's own file; it was the module that refused.
    let log = i.web().sshd_log();
    assert!(log.contains(&format!("Partial publickey for {}", i.alice.name)), "{log}");
    Ok(())
}

#[test]
fn a_key_that_nobody_enrolled_is_not_even_asked_for_a_code() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let stranger = i.alice.home.join("stranger").display().to_string();
    tests::run::must("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &stranger])?;
    let key = format!("IdentityFile={stranger}");
    let line = ["-F", "none", "-o", "IdentitiesOnly=yes", "-o", &key, "-p"];
    let port = i.web().port.to_string();
    let known = format!("UserKnownHostsFile={}/known_hosts", i.dir.display());
    let target = format!("{}@127.0.0.1", i.alice.name);
    let mut line = line.to_vec();
    line.extend([&*port, "-o", "HostKeyAlias=web-1", "-o", &known, &target, "true"]);
    i.ssh(&i.alice, &[&i.alice.code()?], &line)?
        .refused()?
        .says("Permission denied (publickey)")?
        .does_not_say("Verification code")?;
    Ok(())
}

#[test]
fn only_the_key_that_sshd_authenticated_counts() -> Result<()> {
    // Bob's public key is offered first, without its private key: that proves nothing.
    let i = Instance::start()?;
    i.grant(&i.bob, &i.at_web(&i.deploy), &["--sudo"])?;
    let bobs = i.alice.home.join("bobs").display().to_string();
    std::fs::copy(i.bob.public_key(), format!("{bobs}.pub"))?;
    let key = format!("IdentityFile={bobs}");
    let target = i.at_web(&i.deploy);
    i.ssh(&i.alice, &[&i.bob.code()?, ""], &["-o", &key, &target, "true"])?.refused()?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["-o", &key, &target, "true"])?.refused()?;
    Ok(())
}

#[test]
fn a_code_is_good_once() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let code = i.alice.code()?;
    i.ssh(&i.alice, &[&code], &["web-1", "true"])?.ok()?;
    let mark = i.log.mark();
    i.ssh(&i.alice, &[&code], &["web-1", "true"])?.refused()?.says("Permission denied")?;
    i.log.wait_for_since(mark, &["used before", &i.alice.name])?;
    Ok(())
}

#[test]
fn a_code_is_exactly_six_ascii_digits() -> Result<()> {
    let mut options = Options::default();
    options.settings.attempts = 50;
    let i = Instance::with(options)?;
    let code = i.alice.code()?;
    let (head, tail) = code.split_at(3);
    let near = [
        format!(" {code}"),
        format!("{code} "),
        format!("{head} {tail}"),
        format!("{code}0"),
        format!("0{code}"),
        format!("{head}a{tail}"),
        format!("+{code}"),
        code[..5].to_owned(),
        String::new(),
        "9".repeat(5000),
    ];
    for typed in &near {
        let said = pam::authenticate(&i, &i.alice, typed)?;
        assert_ne!(said.code, 0, "{typed:?} was taken\n{}", said.told());
    }
    pam::authenticate(&i, &i.alice, &code)?.ok()?;
    Ok(())
}

#[test]
fn a_factor_is_bound_to_one_person() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.ssh(&i.alice, &[&i.bob.code()?], &["web-1", "true"])?.refused()?;
    i.ssh(&i.alice, &[&i.bob.recovery_code()?], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn too_many_wrong_codes_stop_one_person_and_no_other() -> Result<()> {
    let mut options = Options::default();
    options.settings.attempts = 3;
    let i = Instance::with(options)?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.grant(&i.bob, &i.at_web(&i.bob.name), &[])?;
    let wrong = i.alice.wrong_code()?;
    for _ in 0..3 {
        pam::authenticate(&i, &i.alice, &wrong)?.refused()?;
    }
    let mark = i.log.mark();
    i.ssh(&i.alice, &[&i.alice.code()?], &["web-1", "true"])?.refused()?;
    i.log.wait_for_since(mark, &["too many failures", &i.alice.name])?;
    // A recovery code is an attempt like any other.
    i.ssh(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "true"])?.refused()?;
    i.ssh(&i.bob, &[&i.bob.code()?], &["web-1", "true"])?.ok()?;
    Ok(())
}

#[test]
fn an_unenrolled_person_gets_the_same_prompt_and_the_same_answer() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let wrong = i.ssh(&i.alice, &[&i.alice.wrong_code()?], &["web-1", "true"])?.refused()?;
    i.jitctl(&["mfa", "reset", &i.alice.name])?.ok()?;
    let none = i.ssh(&i.alice, &["123456"], &["web-1", "true"])?.refused()?;
    let seen = |outcome: &Outcome| outcome.both();
    assert_eq!(seen(&wrong), seen(&none));
    Ok(())
}

#[test]
fn a_suspended_person_is_out_and_back_when_resumed() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.jitctl(&["user", "suspend", &i.alice.name])?.ok()?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-1", "true"])?.refused()?;
    i.jitctl(&["user", "resume", &i.alice.name])?.ok()?;
    // Suspending ends the grants: there is no standing access to come back to.
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?], &["web-1", "true"])?.ok()?;
    Ok(())
}

#[test]
fn a_grant_for_one_login_or_host_opens_no_other() -> Result<()> {
    let mut i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    let deploy = i.at_web(&i.deploy);
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &[&deploy, "true"])?.refused()?;
    i.jitctl(&["host", "add", "web-2"])?.ok()?;
    i.add_server(&ServerOptions::host("web-2"))?;
    i.ssh(&i.alice, &[&i.alice.recovery_code()?, ""], &["web-2", "true"])?
        .refused()?
        .says(&format!("No active grant for {}@web-2.", i.alice.name))?;
    Ok(())
}

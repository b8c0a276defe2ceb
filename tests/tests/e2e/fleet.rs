//! A fleet: an authority that serves the network, a host that asks it, people on their own machines.

use std::time::Duration;
use tests::error::Result;
use tests::{Fleet, Release};

/// By when a host of the fleet has heard what was decided, and acted on it.
const SOON: Duration = Duration::from_secs(6);

#[test]
fn from_nothing_to_a_shell_and_out_again() -> Result<()> {
    let fleet = Fleet::set_up(Release::Trixie)?;
    let id = fleet.approved()?;

    // A code is asked for on the target, which the authority checks.
    let mut session = fleet.session()?;
    session.type_line("echo $(id -un) on $(hostname)")?;
    session.expect("alice on web-1")?;
    // A certificate is not needed: an enrolled key and a code do as well.
    let wrong = fleet.alice.wrong_code()?;
    fleet.alice.ssh(&[&wrong], &["web-1", "true"])?.refused()?;
    fleet.alice.ssh(&[&fleet.alice.code()?], &["web-1", "id -un"])?.ok()?.says("alice")?;

    // What is revoked on the authority is over on the target.
    fleet.jitctl(&["revoke", &id, "--reason", "over"])?.ok()?;
    session.end_within(SOON)?;
    fleet.alice.ssh(&[&fleet.alice.code()?], &["web-1", "true"])?.refused()?;
    Ok(())
}

#[test]
fn a_certificate_with_its_factor_logs_in_while_the_authority_is_down() -> Result<()> {
    let fleet = Fleet::set_up(Release::Trixie)?;
    fleet.approved()?;
    fleet.target.must(
        "sed -i '/^.authority/,$ s/^#second_factor = .*/second_factor = \"certificate\"/' \
             /etc/jit/jit.toml && systemctl restart jit-link",
    )?;
    let certificate = fleet.alice.home.join("web-1-cert.pub").display().to_string();
    fleet.alice.jitctl("", &["cert", "web-1", "--out", &certificate])?.ok()?;
    fleet.authority.must("systemctl stop ssh-ca-serve.socket ssh-ca-serve jit-signer")?;

    // No code is asked for; without the certificate there is nobody who could check one.
    let option = format!("CertificateFile={certificate}");
    fleet.alice.ssh(&[], &["-o", &option, "web-1", "id -un"])?.ok()?.says("alice")?;
    fleet.alice.ssh(&[&fleet.alice.code()?], &["web-1", "true"])?.refused()?;
    Ok(())
}

//! A host in the fleet of a served authority, over TLS: it joins, is kept in step, and is believed by
//! its key alone.

use std::path::Path;

use jit_client::{Invitation, SigningKey, join_host};
use jit_core::authority::{Authority, RevokeWhich};
use jit_core::config::Config;
use jit_core::grant::{Actor, Phase};
use jit_core::invitation::Invited;
use jit_core::name::{HostName, Reason};
use jit_core::rootfile;
use jit_core::seal::Vault;
use jit_core::store::CaKind;
use jit_core::store::sqlite::Opener;

use crate::served::Served;

/// The fingerprint of the host CA's key.
fn ca(served: &Served) -> String {
    served.desk.authority.ca_keys(CaKind::Host).unwrap().remove(0).fingerprint
}

/// web-2's own files, in the fleet of `served`, which it knows by `pin`, and its answers by `ca`.
fn host(served: &Served, pin: &str, ca: &str) -> Config {
    let dir = served.desk.path("host");
    std::fs::create_dir_all(&dir).unwrap();
    let at = dir.display();
    let text = format!(
        "host = 'web-2'\nstate_dir = '{at}/state'\nrun_dir = '{at}/run'\n\
         master_key_file = '{at}/master.key'\npolicy_file = '{at}/policy.toml'\n\
         [log]\nsyslog_socket = ''\n\
         [authority]\nurl = 'https://localhost:{}'\nname = 'localhost'\npin = '{pin}'\n\
         ca = '{ca}'\n",
        served.address.port()
    );
    let config = Config::parse(&dir.join("jit.toml"), &text).unwrap();
    if !config.state_dir.exists() {
        rootfile::create_private_dir(&config.state_dir).unwrap();
        Vault::create_file(&config.master_key_file).unwrap();
    }
    config
}

fn invitation(served: &Served, ca: &str) -> Invitation {
    let web_2 = HostName::parse("web-2").unwrap();
    let root = Actor::Root;
    let authority = &served.desk.authority;
    authority.put_host(&root, &web_2, &[].into()).unwrap();
    let (code, _) = authority.invite(&root, &Invited::Host(web_2)).unwrap();
    let (port, pin) = (served.address.port(), served.pin.trim_start_matches("sha256:"));
    let text =
        format!("jit://localhost:{port}/host/web-2?code={}&pin={pin}&ca={ca}", code.expose());
    Invitation::parse(&text).unwrap()
}

fn key(config: &Config) -> SigningKey {
    SigningKey::make(Path::new(&config.host_key()), "host web-2").unwrap()
}

#[test]
fn a_host_joins_and_is_kept_in_step_over_tls() {
    let served = Served::new();
    let ca = ca(&served);
    let config = host(&served, &served.pin, &ca);
    let once = invitation(&served, &ca);
    let joined = join_host(&once, &key(&config)).unwrap();
    assert_eq!((joined.server.as_str(), joined.host.as_str()), ("localhost", "web-2"));
    let again = join_host(&once, &key(&config)).unwrap_err();
    assert_eq!(again.kind(), jit_core::Kind::Refused, "an invitation is good once: {again}");
    // Whose key is another now than the one that joined is nobody.
    assert!(jit_link::once(config.clone()).is_err());
    join_host(&invitation(&served, &ca), &key(&config)).unwrap();

    let grant = served.desk.grant("web-2", 600, false);
    let elsewhere = served.desk.grant("web-1", 600, false);
    jit_link::once(config.clone()).unwrap();
    let here = Authority::open(config.clone(), "test", Opener::Admin).unwrap();
    assert_eq!(here.grant(grant.id()).unwrap().0, grant);
    assert!(here.grant(elsewhere.id()).is_err(), "what is not its business it does not hear of");
    let reason = Reason::parse("over").unwrap();
    served.desk.authority.revoke(&RevokeWhich::All, &Actor::Root, &reason).unwrap();
    jit_link::once(config).unwrap();
    let (known, now) = here.grant(grant.id()).unwrap();
    assert_eq!(known.phase(now), Phase::Revoked);
}

#[test]
fn a_host_believes_no_other_key_than_its_authoritys() {
    let served = Served::new();
    let ca = ca(&served);
    let config = host(&served, &served.pin, &ca);
    join_host(&invitation(&served, &ca), &key(&config)).unwrap();
    let other = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let error = jit_link::once(host(&served, other, &ca)).unwrap_err();
    assert!(error.what().contains("not the server that is expected"), "{error}");
    jit_link::once(config).unwrap();
}

/// The front has the pinned key of the certificate. What it says is believed for the signature alone.
#[test]
fn a_host_takes_no_answer_that_its_authoritys_ca_did_not_sign() {
    let served = Served::new();
    let (ca, other) = (ca(&served), format!("SHA256:{}", "A".repeat(43)));
    let config = host(&served, &served.pin, &ca);
    let error = join_host(&invitation(&served, &other), &key(&config)).unwrap_err();
    assert_eq!(error.kind(), jit_core::Kind::Tampered, "{error}");
    join_host(&invitation(&served, &ca), &key(&config)).unwrap();

    let grant = served.desk.grant("web-2", 600, false);
    let error = jit_link::once(host(&served, &served.pin, &other)).unwrap_err();
    assert!(error.what().contains("is not the authority's"), "{error}");
    let here = Authority::open(config.clone(), "test", Opener::Admin).unwrap();
    assert!(here.grant(grant.id()).is_err(), "nothing was taken in");
    jit_link::once(config).unwrap();
    assert_eq!(here.grant(grant.id()).unwrap().0, grant);
}

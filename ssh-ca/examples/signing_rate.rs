//! How many certificates are signed per second on one core, beside raw Ed25519 signatures of
//! messages of the same length, which are the limit. The kinds take turns in one run, so that noise
//! meets them alike; medians count. What is done in memory is measured in the processor's time, so
//! that other programs on the same cores do not count. Run as root with `--release`; `--json` prints
//! for programs.

// Measuring is what clocks are for; nothing is decided here.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/it/desk.rs"]
mod desk;

use std::hint::black_box;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use jit_core::certificate::{KeyId, Specification};
use jit_core::grant::{Actor, Permission, Window};
use jit_core::store::CaKind;
use jit_core::{Error, Result};
use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use ssh_ca::issue::issue;
use ssh_ca::key::{self, CaKeyPair};
use ssh_ca::sign::Signer;
use ssh_key::public::{Ed25519PublicKey, KeyData};

const PROCESSOR: ClockId = ClockId::CLOCK_PROCESS_CPUTIME_ID;
const BATCHES: usize = 15;
const BATCH: Duration = Duration::from_millis(300);
/// In a durable one most of the time goes to the disk.
const DURABLE_BATCHES: usize = 5;

fn main() -> Result<()> {
    let signer = Signer::new(CaKeyPair::generate(CaKind::User)?)?;
    let wanted = specification()?;
    let length = signer.sign(&wanted)?.to_bytes().map_or(0, |bytes| bytes.len());
    let raw = SigningKey::from_bytes(&[3; 32]);
    let message = vec![5; length];

    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..BATCHES {
        rates[0].push(rate(PROCESSOR, BATCH, || {
            black_box(raw.sign(black_box(&message)));
            Ok(())
        })?);
        rates[1].push(rate(PROCESSOR, BATCH, || {
            let made = signer.sign_without_reading_back(black_box(&wanted))?;
            black_box(made.to_bytes().ok());
            Ok(())
        })?);
        rates[2].push(rate(PROCESSOR, BATCH, || {
            black_box(signer.sign(black_box(&wanted))?.to_bytes().ok());
            Ok(())
        })?);
    }
    let [raw, signed, read_back] = rates.map(median);
    let durable = durable()?;
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{}",
            json!({
                "certificate_bytes": length, "raw_signatures": raw, "certificates": signed,
                "certificates_read_back": read_back, "recorded": durable,
                "ratio": signed / raw, "ratio_read_back": read_back / raw,
            })
        );
    } else {
        println!("  raw Ed25519 signatures of {length} bytes          {raw:>8.0}/s");
        println!(
            "  certificates                               {signed:>8.0}/s  {:.2}",
            signed / raw
        );
        println!(
            "  certificates, each read back and verified  {read_back:>8.0}/s  {:.2}",
            read_back / raw
        );
        println!("  certificates of grants, durably on record  {durable:>8.0}/s");
    }
    Ok(())
}

fn specification() -> Result<Specification> {
    let now = jit_core::time::Timestamp::from_unix(1_800_000_000)?;
    Ok(Specification {
        serial: 7,
        public_key: subject(),
        key_id: KeyId {
            grant: "k7q2-m9xd".parse()?,
            person: desk::alice(),
            sudo: true,
            factor: None,
            rule: false,
        },
        principals: vec!["deploy@web-1".into()],
        validity: Window::new(now, now.after(jit_core::time::Span::from_secs(1800)?)?)?,
        permissions: [Permission::Pty].into(),
        restrictions: jit_core::restriction::Restrictions::default(),
    })
}

fn subject() -> KeyData {
    let key = SigningKey::from_bytes(&[4; 32]).verifying_key();
    KeyData::Ed25519(Ed25519PublicKey(key.to_bytes()))
}

/// Issuing as `ssh-ca sign` does, the certificate and its audit record synced to the disk below
/// /var/lib. A fresh transaction each, one after the other.
fn durable() -> Result<f64> {
    let desk = desk::Desk::below("/var/lib");
    key::ensure(&desk.authority, CaKind::User)?;
    let grant = desk.grant("web-1", 3600, true);
    let rates = (0..DURABLE_BATCHES)
        .map(|_| {
            rate(ClockId::CLOCK_MONOTONIC, BATCH, || {
                black_box(issue(&desk.authority, &Actor::Root, grant.id(), &subject(), None)?);
                Ok(())
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(median(rates))
}

/// How often per second of `clock` `work` was done in about the time given.
fn rate(clock: ClockId, time: Duration, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let now = || -> Result<Duration> {
        let time =
            clock_gettime(clock).map_err(|e| Error::unavailable(format!("{clock:?}: {e}")))?;
        Ok(time.into())
    };
    let start = now()?;
    let mut done = 0_u32;
    loop {
        work()?;
        done += 1;
        let passed = now()? - start;
        if passed >= time {
            return Ok(f64::from(done) / passed.as_secs_f64());
        }
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

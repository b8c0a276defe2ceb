//! What a host is told is signed, so that whoever passes it on can't tell it something else.

use jit_core::Result;
use jit_core::name::HostName;

use crate::asked::{Answered, Asked, Turn};
use crate::caller::Caller;
use crate::office::{Log, Office};
use crate::proof::{self, Proof};

impl Office {
    /// With the signature that an answer to a host has. Who did not prove to be one gets none: that
    /// answer can only be a refusal.
    pub(crate) fn signed(&self, asked: &Asked<'_>, log: &Log, turn: Turn) -> Turn {
        let Caller::Host(host) = &log.caller else { return turn };
        let Turn::Answer(answered) = turn else { return turn };
        match self.signature(asked, host, &answered) {
            Ok(signature) => Turn::Answer(Answered { signature: Some(signature), ..answered }),
            Err(error) => Turn::Answer(log.problem(&error.into())),
        }
    }

    fn signature(&self, asked: &Asked<'_>, host: &HostName, answered: &Answered) -> Result<String> {
        // It was read before: without one nobody is a host.
        let proof = Proof::parse(asked.headers.proof.unwrap_or_default())?;
        let text = proof::Answer {
            server: self.name(),
            host: host.as_str(),
            method: asked.method,
            target: &asked.target(),
            nonce: &proof.nonce,
            status: answered.status,
            body: &answered.body,
        }
        .text()?;
        let authority = self.pool.take()?;
        Ok(proof::bare(&self.issuer().sign_answer(&authority, &text)?))
    }
}

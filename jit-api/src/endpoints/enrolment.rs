//! A person's first enrolment: an invitation's code and a key that they hold, then a code of the
//! new second factor.

use jit_core::person::{fingerprint, parse_public_key};
use jit_core::sshsig;

use crate::proof;
use crate::wire::{self, Nothing};

endpoint!(
    /// The first step.
    Enrol = "enrol", Post "/v1/enrolment", Public,
    "Enrols a key by an invitation; nothing counts until it is confirmed",
    (Nothing, Nothing, wire::Enrol) -> wire::Enrolled,
    |desk, _, _, _, enrol| {
        desk.limit()?;
        let key = parse_public_key(&enrol.public_key)?;
        let print = fingerprint(key.key_data());
        let text = proof::enrol_person(desk.office.name(), &enrol.person, &enrol.code, &print)?;
        sshsig::check(&enrol.signature, proof::ENROL, &text, [enrol.public_key.trim()])
            .map_err(|error| error.context("the proof that the key is held"))?;
        let began = desk.authority.enrol_person(&enrol.person, &enrol.code, &enrol.public_key)?;
        Ok(wire::Enrolled {
            otpauth_uri: began.otpauth_uri.expose().to_owned(),
            confirmation: began.confirmation.expose().to_owned(),
        })
    }
);

endpoint!(
    /// The second step.
    Confirm = "enrol-confirm", Post "/v1/enrolment/confirm", Public,
    "Confirms an enrolment by a code of the new second factor",
    (Nothing, Nothing, wire::Confirm) -> wire::Confirmed,
    |desk, _, _, _, confirm| {
        desk.limit()?;
        let (person, codes) = desk.authority.confirm_person(&confirm.confirmation, &confirm.code)?;
        Ok(wire::Confirmed::of(person, &codes))
    }
);

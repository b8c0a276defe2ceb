//! Requests to the authority, some in a row, by callers of every kind, made of valid ones: no panic, no
//! answer that the server failed, and each of the form that is described. Every input has a server of
//! its own, in the middle of its work, so it finds again what it found. Root's, as the authority is.
#![no_main]

#[allow(dead_code)]
#[path = "../../jit-api/tests/it/desk.rs"]
mod desk;
#[path = "../../jit-api/tests/it/shape.rs"]
mod shape;
#[path = "../../jit-api/tests/it/world.rs"]
mod world;

use jit_api::ENDPOINTS;
use libfuzzer_sys::fuzz_target;

use crate::shape::Choices;
use crate::world::{Description, Kept};

/// So many in a row, at most.
const IN_A_ROW: usize = 6;

thread_local! {
    static KEPT: (Kept, Description) = (Kept::new(), Description::new());
}

fuzz_target!(|bytes: &[u8]| {
    KEPT.with(|(kept, described)| {
        let (world, mut choices) = (kept.world(), Choices(bytes));
        for _ in 0..IN_A_ROW {
            let entry = choices.pick(ENDPOINTS);
            world.ask(entry, described, &mut choices);
            if choices.0.is_empty() {
                break;
            }
        }
    });
});

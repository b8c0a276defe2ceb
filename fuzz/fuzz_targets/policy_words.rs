//! What stands in a policy's values: places, hours, patterns, addresses, commands. What is read is
//! written as it was meant, and deciding by it never panics. A change of the text is one that leads
//! there and nowhere else.
#![no_main]

use jit_core::name::Reason;
use jit_core::policy::{Hours, Pattern, Places, ReasonRule, apply, difference};
use jit_core::restriction::{ForcedCommand, Network};
use jit_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, u32)| {
    let (one, two, time) = input;
    if let Ok(places) = Places::parse(one) {
        assert_eq!(Places::parse(&places.to_string()), Ok(places));
    }
    if let (Ok(hours), Ok(now)) = (Hours::parse(one), Timestamp::from_unix(u64::from(time))) {
        let open = hours.open_for(now, 200_000);
        assert_eq!(hours.open_at(now), open > 0);
        let _ = hours.wall(now);
    }
    if let (Ok(pattern), Ok(reason)) = (Pattern::parse(one), Reason::parse(two)) {
        let rule = ReasonRule { ticket: Some(pattern), ..ReasonRule::default() };
        if let Ok(Some(ticket)) = rule.ticket(&reason) {
            assert!(!ticket.is_empty() && reason.as_str().contains(&ticket));
        }
    }
    if let Ok(network) = Network::parse(one) {
        assert_eq!(Network::parse(&network.to_string()), Ok(network.clone()));
        assert!(network.contains(&network));
    }
    if let Ok(command) = ForcedCommand::parse(one) {
        assert!(!command.to_string().contains(['"', '\\', '\n', '$', '`', ';', '|', '&']));
    }
    assert_eq!(apply(one, &difference(one, two)).as_deref(), Some(two));
    let _ = apply(one, two);
});

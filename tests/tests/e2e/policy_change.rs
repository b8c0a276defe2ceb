//! When the policy changes, what it no longer gives ends, sessions included.

use std::time::Duration;
use tests::error::Result;
use tests::process::{of_account, wait_until};
use tests::{Instance, instance};

#[test]
fn a_policy_that_no_longer_gives_it_ends_the_session() -> Result<()> {
    let i = Instance::start()?;
    let target = i.at_web(&i.alice.name);
    let id = i.request(&i.alice, &target, &["--for", "30m"])?;
    i.approve(&i.bob, &id)?;
    let _terminal = i.session(&i.alice, "web-1")?;
    let gone = || of_account(&i.alice.name).is_ok_and(|processes| processes.is_empty());
    // One that gives it still, in other words.
    i.write_policy(&format!("# again\n{}", instance::POLICY))?;
    std::thread::sleep(Duration::from_secs(4));
    assert!(!gone(), "the policy gives it still");
    i.write_policy(&format!("{}\n[[deny]]\nmembers = [\"@alice@\"]\n", instance::POLICY))?;
    wait_until("alice's processes end", Duration::from_secs(15), gone)?;
    i.jitctl(&["show", &id])?.ok()?.says("by program:jitd: the policy no longer gives it")?;
    Ok(())
}

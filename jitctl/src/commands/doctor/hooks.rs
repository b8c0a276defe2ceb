//! The doctor's checks of who is told of events.

use std::path::Path;

use jit_core::authority::Authority;
use jit_core::config::Config;
use jit_core::hook::{Hook, Hooks};

use super::ask::ask;
use super::report::Report;
use crate::commands::hooks::program;
use crate::output::count;

const WHY: &str = "Those who should hear of requests, decisions and break-glass do not.";
/// An event that waits for longer than this, in seconds, is not on its way.
const LONG: u64 = 3600;

/// Whether the file is sound, `jit-hooks` runs, and nothing waits.
pub fn examine(config: &Config, path: &Path, authority: Option<&Authority>, report: &mut Report) {
    let file = &config.hooks_file;
    if file.symlink_metadata().is_err() {
        report.ok(format!("nobody is told of events: there is no {}", file.display()));
        return;
    }
    let sound = |hooks: &Hooks| {
        format!("{} is sound: {}", file.display(), count(hooks.0.len() as u64, "hook"))
    };
    let Some(hooks) = report.check(Hooks::load(file), sound, WHY) else { return };
    if hooks.0.is_empty() {
        return;
    }
    let Some(program) = report.check(program(), |_| "jit-hooks is installed".into(), WHY) else {
        return;
    };
    let config = path.display().to_string();
    match ask(&program.display().to_string(), &["--config", &config, "--check"]) {
        Ok(said) if said.ok => report.ok("what the hooks need is there".into()),
        Ok(said) => {
            let what = said.trouble.strip_prefix("jit-hooks: ").unwrap_or(&said.trouble).to_owned();
            report.fail(what, WHY, "jitctl hooks check");
        }
        Err(how) => report.fail(how, WHY, "jitctl hooks check"),
    }
    let Some(authority) = authority else { return };
    if authority.hooks_run() {
        report.ok("jit-hooks runs".into());
    } else {
        report.fail("jit-hooks does not run".into(), WHY, "systemctl enable --now jit-hooks");
    }
    hooks.0.iter().for_each(|hook| waits(authority, hook, report));
}

fn waits(authority: &Authority, hook: &Hook, report: &mut Report) {
    let name = &hook.name;
    match authority.waiting(hook) {
        Ok(waiting) if waiting.oldest > LONG => report.warn(
            format!("the hook {name} was not told for an hour: {} wait", waiting.events),
            WHY,
            format!("jitctl hooks list says what is wrong; jitctl hooks test {name}"),
        ),
        Ok(_) => report.ok(format!("nothing waits for the hook {name} for long")),
        Err(error) => {
            report.check(Err::<(), _>(error), |()| String::new(), WHY);
        }
    }
}

//! The doctor's checks of a host whose authority is elsewhere.

use jit_core::authority::Authority;
use jit_core::rootfile;
use jit_core::time::spoken;

use super::report::Report;
use crate::output::safe;

const WHY: &str =
    "Nobody's code can be checked, and what is granted or taken away does not get here.";
/// After so many seconds without a word, something is wrong.
const LONG: u64 = 120;
/// So many seconds may the clocks differ: certificates open that much earlier.
const APART: u64 = 30;

/// Whether `jit-link` runs, when the authority last answered, and how far the clocks are apart.
pub fn examine(authority: &Authority, report: &mut Report) {
    let config = authority.config();
    let Some(upstream) = &config.authority else { return };
    report
        .ok(format!("{} decides for this host: {}, {}", upstream.name, upstream.url, upstream.pin));
    report.check(
        rootfile::read_private(&config.host_key(), 4096).map(drop),
        |()| format!("the host's key {} is root's alone", config.host_key().display()),
        "Whoever has it can ask the authority in this host's name.",
    );
    if authority.link_runs() {
        report.ok("jit-link runs".into());
    } else {
        report.fail("jit-link does not run".into(), WHY, "systemctl enable --now jit-link");
    }
    let Some(link) =
        report.check(authority.link(), |_| "what is kept of the link is sound".into(), WHY)
    else {
        return;
    };
    if let Some(trouble) = &link.trouble {
        let what = format!("not in step with {}: {}", upstream.name, safe(trouble));
        report.fail(what, WHY, "journalctl -u jit-link -n 20");
    }
    let Ok(now) = authority.wall_clock() else { return };
    match link.contact_at.map(|at| now.since(at)) {
        Some(ago) if ago <= LONG => report.ok("the authority answered just now".into()),
        Some(ago) => report.warn(
            format!("the authority last answered {} ago", spoken(ago)),
            WHY,
            "journalctl -u jit-link -n 20",
        ),
        None => report.warn("the authority never answered".into(), WHY, "jit-link --once"),
    }
    match link.ahead.unsigned_abs() {
        apart if apart <= APART => report.ok(format!("the clocks are {apart} s apart")),
        apart => report.warn(
            format!("this clock and the authority's are {} apart", spoken(apart)),
            "Access starts and ends here by this clock; a certificate may not be valid yet.",
            "timedatectl",
        ),
    }
}

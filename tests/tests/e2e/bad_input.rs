//! Bad input is a clear error and changes nothing.

use tests::Instance;
use tests::error::Result;

/// No name of anything.
const BAD_NAMES: &[&str] = &[
    "",
    " ",
    "al ice",
    "alice@web-1",
    "alice,root",
    "alice\"",
    "ali'ce",
    "alice\nroot",
    "alice\t",
    "alice\x1b[31m",
    "älice",
    "alicе", // the last letter is Cyrillic
    "../alice",
    "-alice",
    "alice;id",
    "$(id)",
    "{person}",
    "*",
];

fn state(i: &Instance) -> Result<String> {
    let mut all = String::new();
    for line in [["list", "--json"], ["user", "list"], ["host", "list"]] {
        all.push_str(&i.jitctl(&line)?.ok()?.stdout);
    }
    Ok(all)
}

#[test]
fn names_have_a_strict_character_set_wherever_they_enter() -> Result<()> {
    let i = Instance::start()?;
    let before = state(&i)?;
    let long = "a".repeat(5000);
    for bad in BAD_NAMES.iter().copied().chain([&*long]) {
        for line in [
            vec!["user", "add", bad],
            vec!["user", "add", "mallory", "--group", bad],
            vec!["host", "add", bad],
            vec!["host", "add", "web-9", "--label", bad],
            vec!["request", bad, "--as", &i.alice.name, "--for", "5m", "--reason", "INC-1 x"],
            vec!["request", "web-1", "--as", bad, "--for", "5m", "--reason", "INC-1 x"],
            vec!["grant", bad, "web-1", "--for", "5m", "--reason", "INC-1 x"],
            vec!["grant", &i.alice.name, bad, "--for", "5m", "--reason", "INC-1 x"],
        ] {
            // `alice@web-1` is a target, and a name that nobody has is well formed.
            if bad == "alice@web-1" && line[1] != "add" {
                continue;
            }
            let said = i.jitctl(&line)?.refused()?;
            assert!(!said.stderr.is_empty(), "{}", said.told());
            assert!(!said.both().contains('\x1b'), "{}", said.told());
            assert!(!said.stderr.contains("panicked"), "{}", said.told());
        }
    }
    assert_eq!(state(&i)?, before);
    Ok(())
}

#[test]
fn durations_and_times_that_make_no_sense_are_refused() -> Result<()> {
    let i = Instance::start()?;
    let before = state(&i)?;
    let target = i.at_web(&i.alice.name);
    let who = ["--as", &i.alice.name, "--reason", "INC-1 x"];
    for bad in
        ["0", "0s", "-5m", "5", "m", "", "61m", "2h", "99999999999999999999h", "1e9h", "5 m", "٥m"]
    {
        let duration = format!("--for={bad}");
        let mut line = vec!["request", &target, &duration];
        line.extend(who);
        i.jitctl(&line)?.refused()?;
    }
    for bad in
        ["yesterday", "1960-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "99999-01-01T00:00:00Z", ""]
    {
        let mut line = vec!["request", &target, "--for", "5m", "--at", bad];
        line.extend(who);
        i.jitctl(&line)?.refused()?;
    }
    for bad in ["", "  ", "line one\nline two", "bell \x07", "\u{202e}gnol"] {
        let line = ["request", &target, "--for", "5m", "--as", &i.alice.name, "--reason", bad];
        i.jitctl(&line)?.refused()?;
    }
    assert_eq!(state(&i)?, before);
    Ok(())
}

#[test]
fn unknown_ids_people_and_hosts_are_not_found() -> Result<()> {
    let i = Instance::start()?;
    let before = state(&i)?;
    i.jitctl(&["show", "zzzz-zzzz"])?.code_is(4)?;
    i.jitctl(&["revoke", "zzzz-zzzz", "--reason", "over"])?.code_is(4)?;
    i.jitctl(&["user", "show", "nobody"])?.code_is(4)?;
    i.jitctl(&["host", "show", "nowhere"])?.code_is(4)?;
    let approve = ["approve", "zzzz-zzzz", "--as", &i.carol.name];
    i.jitctl_with(&approve, &format!("{}\n", i.carol.recovery_code()?))?.code_is(4)?;
    for bad in ["", "zzzz", "zzzz-zzzz-zzzz", "zzzz zzzz", "zzzz-zzz\n", "k7q2-m9x'"] {
        i.jitctl(&["show", bad])?.refused()?;
    }
    assert_eq!(state(&i)?, before);
    Ok(())
}

#[test]
fn usage_errors_say_so() -> Result<()> {
    let i = Instance::start()?;
    i.jitctl(&["frobnicate"])?.code_is(2)?;
    i.jitctl(&["request"])?.code_is(2)?;
    i.jitctl(&["revoke", "--frob"])?.code_is(2)?;
    Ok(())
}

#[test]
fn a_key_that_is_none_is_refused() -> Result<()> {
    let i = Instance::start()?;
    let before = state(&i)?;
    let file = i.dir.join("bad.pub");
    let name = file.display().to_string();
    let good = std::fs::read_to_string(i.alice.public_key())?;
    let bad = [
        String::new(),
        "not a key".to_owned(),
        format!("command=\"id\" {good}"),
        format!("{good}{good}"),
        std::fs::read_to_string(i.alice.key())?,
        format!("ssh-ed25519 {}", "A".repeat(100_000)),
    ];
    for text in bad {
        std::fs::write(&file, &text)?;
        i.jitctl(&["user", "add", "mallory", "--key", &name])?.refused()?;
    }
    // One key names one person.
    let hers = i.alice.public_key().display().to_string();
    i.jitctl(&["user", "add", "mallory", "--key", &hers])?.refused()?;
    assert_eq!(state(&i)?, before);
    Ok(())
}

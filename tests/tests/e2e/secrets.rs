//! No secret is found where it does not belong.

use std::path::Path;
use tests::Instance;
use tests::error::Result;

/// All files below `directory`, except what stands for people's own laptops.
fn contents(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let kind = std::fs::symlink_metadata(&path)?.file_type();
        let laptop = ["people", "answers", "bin", "lib"].iter().any(|name| path.ends_with(name));
        if kind.is_dir() && !laptop {
            contents(&path, found)?;
        } else if kind.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(())
}

#[test]
fn secrets_appear_in_no_log_record_or_store() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &["--sudo"])?;
    let (code, recovery) = (i.alice.code()?, i.alice.recovery_code()?);
    let wrong = "CANARY-4711-canary";
    i.ssh(&i.alice, &[wrong], &["web-1", "true"])?.refused()?;
    i.ssh(&i.alice, &[&code], &["web-1", "true"])?.ok()?;
    i.ssh(&i.alice, &[&recovery], &["web-1", "true"])?.ok()?;
    let secret = i.alice.with_app(|app| Ok(app.secret().to_owned()))?;
    let bare = recovery.replace('-', "");
    let audit = i.jitctl(&["audit", "show", "--json"])?.ok()?.stdout;
    let mut everything = vec![("the audit log".to_owned(), audit.into_bytes())];
    contents(&i.dir, &mut everything)?;
    for secret in [&*secret, &recovery, &bare, wrong] {
        for (place, bytes) in &everything {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {place}");
        }
    }
    Ok(())
}

#[test]
fn codes_appear_in_no_log() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let (right, wrong) = (i.alice.code()?, i.alice.wrong_code()?);
    i.ssh(&i.alice, &[&wrong], &["web-1", "true"])?.refused()?;
    i.ssh(&i.alice, &[&right], &["web-1", "true"])?.ok()?;
    let audit = i.jitctl(&["audit", "show", "--json"])?.ok()?.stdout;
    for log in [audit, i.log.text(), i.web().sshd_log(), i.web().keeper_log()] {
        assert!(!log.contains(&right) && !log.contains(&wrong), "a code stands in:\n{log}");
    }
    Ok(())
}

#[test]
fn a_local_user_reads_nothing() -> Result<()> {
    let i = Instance::start()?;
    i.grant(&i.alice, &i.at_web(&i.alice.name), &[])?;
    let d = i.dir.display();
    let tried = format!(
        "cat {d}/master.key {d}/state/* {d}/run/*/* 2>/dev/null | wc -c; \
         {d}/bin/jitctl --config {d}/jit.toml list >/dev/null 2>&1; echo jitctl $?; \
         {d}/bin/jit-authorized --config {d}/jit.toml keys {} 2>/dev/null | wc -c",
        i.alice.name
    );
    let said = i.login(&i.alice, &i.alice.name, &tried)?.ok()?.stdout;
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("Access")).collect();
    assert_eq!(lines.first().copied(), Some("0"), "{said}");
    assert!(!said.contains("jitctl 0"), "{said}");
    assert_eq!(lines.last().copied(), Some("0"), "{said}");
    Ok(())
}

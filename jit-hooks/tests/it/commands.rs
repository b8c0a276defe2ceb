//! Commands: what they get, what they don't, and that they end.

use std::time::{Duration, Instant};

use crate::ground::{Ground, program, wait_until};

fn command(ground: &Ground, script: &str, more: &str) {
    program(&ground.file("tell"), script);
    ground.hooks(&format!(
        "[[command]]\nname = 'tell'\nrun = ['@/tell', 'a b', '$HOME;`id`']\n\
         events = ['grant.*']\n{more}\n"
    ));
}

/// A directory that the command can write into.
fn room(ground: &Ground) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let room = ground.file("room");
    std::fs::create_dir(&room).unwrap();
    std::fs::set_permissions(&room, PermissionsExt::from_mode(0o777)).unwrap();
    room
}

#[test]
fn a_command_gets_the_event_and_nothing_of_ours() {
    let mut ground = Ground::new();
    let room = room(&ground);
    let at = room.display();
    let script = format!(
        "#!/bin/sh\ncat > {at}/stdin\nprintf '%s\\n' \"$@\" > {at}/arguments\n\
         env > {at}/env\nid > {at}/id\npwd > {at}/pwd\nls -l /proc/self/fd > {at}/fds\n"
    );
    command(&ground, &script, "");
    ground.start();
    let reason = r#"INC-1 "x"; $(reboot) `id` größer"#;
    let record = ground.event(reason);
    ground.wait_told("tell", &record);
    let text = |name: &str| std::fs::read_to_string(room.join(name)).unwrap();
    let event: serde_json::Value = serde_json::from_str(&text("stdin")).unwrap();
    assert_eq!(event["detail"]["reason"], reason);
    assert_eq!(event["id"], record.sequence);
    assert_eq!(text("arguments"), "a b\n$HOME;`id`\n", "no shell has seen them");
    let mut names: Vec<_> =
        text("env").lines().map(|l| l.split('=').next().unwrap().to_owned()).collect();
    // A shell adds these to nothing.
    names.retain(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(&name.as_str()));
    names.sort();
    assert_eq!(names, ["LANG", "PATH"]);
    let id = text("id");
    assert!(id.starts_with("uid=65534(nobody)") && !id.contains("root"), "{id}");
    assert_eq!(text("pwd"), "/\n");
    assert!(!text("fds").contains("jit.db"), "{}", text("fds"));
}

#[test]
fn an_exit_code_is_a_failure_with_its_words() {
    let mut ground = Ground::new();
    let script = "#!/bin/sh\necho \"no such channel\" >&2\nexit 3\n";
    command(&ground, script, "");
    ground.start();
    ground.event("INC-1 x");
    let trouble = ground.wait_failed("tell", 1);
    assert_eq!(trouble, "it ended with exit code 3: no such channel");
    program(&ground.file("tell"), "#!/bin/sh\nkill -9 $$\n");
    let signal = "it was ended by signal 9";
    wait_until("a signal", || {
        ground.standing("tell").failing.is_some_and(|failing| failing.trouble == signal)
    });
    // One that reads nothing and floods is no failure.
    program(&ground.file("tell"), "#!/bin/sh\nhead -c 1000000 /dev/zero >&2\n");
    wait_until("success", || ground.standing("tell").failing.is_none());
}

#[test]
fn a_command_that_hangs_is_killed_with_all_it_started() {
    let mut ground = Ground::new();
    let room = room(&ground);
    let script = format!(
        "#!/bin/sh\nsleep 600 &\necho $! > {at}/child\nsh -c 'echo $$ > {at}/deeper; exec sleep 601' &\n\
         trap '' TERM\nsleep 602\n",
        at = room.display()
    );
    command(&ground, &script, "timeout = '1s'");
    ground.start();
    ground.event("INC-1 x");
    let began = Instant::now();
    let trouble = ground.wait_failed("tell", 1);
    assert_eq!(trouble, "it did not end within 1s and was killed");
    assert!(began.elapsed() < Duration::from_secs(5));
    gone(&room, &["child", "deeper"]);
}

#[test]
fn what_a_command_leaves_behind_goes_with_it() {
    let mut ground = Ground::new();
    let room = room(&ground);
    let script = format!("#!/bin/sh\nsleep 600 &\necho $! > {}/child\n", room.display());
    command(&ground, &script, "");
    ground.start();
    let record = ground.event("INC-1 x");
    ground.wait_told("tell", &record);
    gone(&room, &["child"]);
}

fn gone(room: &std::path::Path, names: &[&str]) {
    for name in names {
        let pid = std::fs::read_to_string(room.join(name)).unwrap();
        let cmdline = format!("/proc/{}/cmdline", pid.trim());
        // A zombie that nobody waited for yet has an empty one.
        let runs = || std::fs::read(&cmdline).is_ok_and(|line| !line.is_empty());
        wait_until(name, || !runs());
    }
}

#[test]
fn a_program_that_others_can_change_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut ground = Ground::new();
    let room = room(&ground);
    command(&ground, &format!("#!/bin/sh\ntouch {}/ran\n", room.display()), "");
    let file = ground.file("tell");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o777)).unwrap();
    let (code, said) = ground.run(&["--check"]);
    assert!(code == 1 && said.contains("others can write"), "{said}");
    ground.start();
    ground.event("INC-1 x");
    assert!(ground.wait_failed("tell", 1).contains("others can write"));
    assert!(!room.join("ran").exists());
}

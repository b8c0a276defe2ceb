//! The examples that are shipped, run with a curl that keeps what it is given.

use std::path::{Path, PathBuf};

use crate::ground::{Ground, program, wait_until};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/hooks").join(name)
}

/// A ground with an example of ours in it, whose `curl` writes into a directory.
fn ground(example: &str, arguments: &str) -> (Ground, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let ground = Ground::new();
    let room = ground.file("room");
    std::fs::create_dir(&room).unwrap();
    std::fs::set_permissions(&room, PermissionsExt::from_mode(0o777)).unwrap();
    let curl = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {at}/arguments\ncat > {at}/stdin\n\
         cat /dev/fd/3 > {at}/config 2>/dev/null; mv {at}/arguments {at}/done\n",
        at = room.display()
    );
    program(&ground.file("curl"), &curl);
    // A hook's PATH is given, so our curl is put into it by a line more in the copy.
    let text = std::fs::read_to_string(shipped(example)).unwrap();
    let set = format!("set -eu\nPATH={}:$PATH\n", ground.dir.path().display());
    assert!(text.contains("set -eu\n"));
    program(&ground.file("example"), &text.replacen("set -eu\n", &set, 1));
    std::fs::write(ground.file("url"), "https://chat.example.org/s3cret\n").unwrap();
    ground.hooks(&format!(
        "[[command]]\nname = 'example'\nrun = ['@/example', {arguments}]\nevents = ['grant.*']\n"
    ));
    (ground, room)
}

const HOSTILE: &str = r#"INC-1 <!channel> @here "q" \n $(id) größer"#;

fn told(ground: &mut Ground, room: &Path) {
    ground.start();
    let record = ground.event(HOSTILE);
    wait_until("it is told", || {
        let standing = ground.standing("example");
        assert_eq!(standing.failing, None);
        standing.after >= record.sequence
    });
    assert!(room.join("done").exists());
}

#[test]
fn the_chat_is_told_and_nobody_is_called_by_a_reason() {
    let (mut ground, room) = ground("tell-chat", "'@/url'");
    told(&mut ground, &room);
    let text = |name: &str| std::fs::read_to_string(room.join(name)).unwrap();
    let sent: serde_json::Value = serde_json::from_str(&text("stdin")).unwrap();
    let expected = "web-1: root grant.revoke all: done\n\
                    INC-1 &lt;!channel&gt; (at)here \"q\" \\n $(id) größer";
    assert_eq!(sent, serde_json::json!({ "text": expected }));
    assert_eq!(text("config").trim(), "url = \"https://chat.example.org/s3cret\"");
    assert!(!text("done").contains("s3cret"), "arguments are seen by everybody");
}

#[test]
fn the_mail_has_its_headers_and_nobody_elses() {
    let (mut ground, room) =
        ground("send-mail", "'smtp://127.0.0.1', 'jit@example.org', 'security@example.org'");
    told(&mut ground, &room);
    let mail = std::fs::read_to_string(room.join("stdin")).unwrap();
    let (headers, body) = mail.split_once("\n\n").unwrap();
    let names: Vec<_> = headers.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "From",
            "To",
            "Date",
            "Message-ID",
            "Subject",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Auto-Submitted"
        ]
    );
    assert!(headers.contains("\nSubject: [jit web-1] grant.revoke all: done\n"), "{headers}");
    let detail = body.lines().last().unwrap();
    let detail: serde_json::Value = serde_json::from_str(detail).unwrap();
    assert_eq!(detail["reason"], HOSTILE);
    let arguments = std::fs::read_to_string(room.join("done")).unwrap();
    let ends =
        "--mail-from\njit@example.org\n--mail-rcpt\nsecurity@example.org\nsmtp://127.0.0.1\n";
    assert!(arguments.ends_with(ends), "{arguments}");
}

#[test]
fn the_commented_file_has_no_hook_and_its_examples_parse() {
    use jit_core::hook::Hooks;
    let text = std::fs::read_to_string(shipped("hooks.toml")).unwrap();
    assert_eq!(Hooks::parse(Path::new("/h"), &text).unwrap(), Hooks::default());
    let examples: String = text
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(Hooks::parse(Path::new("/h"), &examples).unwrap().0.len(), 2);
    // So do those in the head of each script.
    for name in ["tell-chat", "send-mail"] {
        let text = std::fs::read_to_string(shipped(name)).unwrap();
        let toml: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("#   "))
            .skip_while(|line| !line.starts_with("[["))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(Hooks::parse(Path::new("/h"), &toml).unwrap().0.len(), 1, "{name}");
    }
}

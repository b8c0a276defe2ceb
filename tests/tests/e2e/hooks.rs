//! Events on their way out: a request at the prompt is heard of at once, and approved by whoever heard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tests::error::{Context, Result, ensure};
use tests::{Instance, process};

/// Ended when dropped.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A web server that says yes to everything; what it is sent.
fn receiver() -> Result<(u16, Receiver<serde_json::Value>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut reader = BufReader::new(connection.try_clone()?);
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line)? > 2 {
                let (name, value) = line.split_once(':').unwrap_or_default();
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
            if send.send(serde_json::from_slice(&body)?).is_err() {
                break;
            }
        }
        Ok::<(), std::io::Error>(())
    });
    Ok((port, receive))
}

#[test]
fn a_request_at_the_prompt_is_heard_of_at_once() -> Result<()> {
    let i = Instance::start()?;
    let (port, events) = receiver()?;
    let secret = i.dir.join("hook.secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n")?;
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let hooks = format!(
        "[[webhook]]\nname = \"pager\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         secret_file = \"{}\"\nevents = [\"grant.request\", \"grant.approve\"]\n",
        secret.display()
    );
    std::fs::write(i.dir.join("hooks.toml"), hooks)?;
    i.jitctl(&["hooks", "check"])?.ok()?.says("is sound: 1 hook")?;
    i.jitctl(&["doctor"])?.code_is(1)?.says("jit-hooks does not run")?;
    let service = Command::new(i.dir.join("bin/jit-hooks"))
        .arg("--config")
        .arg(i.dir.join("jit.toml"))
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting jit-hooks")?;
    let _service = Service(service);
    process::wait_until("the hook is taken up", Duration::from_secs(10), || {
        i.jitctl(&["audit", "show"]).is_ok_and(|said| said.said("hook.start"))
    })?;
    i.jitctl(&["hooks", "test", "pager"])?.ok()?.says("200 OK")?;
    let next = || events.recv_timeout(Duration::from_secs(10)).context("an event");
    assert_eq!(next()?["action"], "hook.test");

    let mut terminal = i.terminal(&i.alice, "ssh web-1")?;
    terminal.answer("Verification code: ", &i.alice.code()?)?;
    let reason = "INC-9 \"disk\" full; $(reboot)";
    terminal.answer("Reason for access (empty to leave): ", reason)?;
    terminal.answer("For how long? [30m, at most 1h]: ", "")?;
    terminal.expect("Press Enter")?;
    let asked = next()?;
    assert_eq!(asked["action"], "grant.request");
    assert_eq!(asked["host"], "web-1");
    ensure(asked.to_string().contains("INC-9 \\\"disk\\\" full; $(reboot)"), || asked.to_string())?;
    let id = asked["object"].as_str().context("the request's id")?;
    i.approve(&i.bob, id)?;
    assert_eq!(next()?["action"], "grant.approve");
    terminal.type_line("")?;
    terminal.expect(&format!("Grant {id}."))?;
    i.jitctl(&["doctor"])?.says("jit-hooks runs")?.does_not_say("hook pager was not told")?;
    i.jitctl(&["hooks", "list"])?.ok()?.says("pager")?;
    Ok(())
}

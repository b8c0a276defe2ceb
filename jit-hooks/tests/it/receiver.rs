//! A little web server that keeps what it was sent, and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::ground::wait_until;

/// What it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Sent {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn reason(&self) -> String {
        self.json()["detail"]["reason"].as_str().unwrap().to_owned()
    }
}

/// How it answers.
pub enum Reply {
    /// With this, as it stands.
    Say(String),
    /// Not at all, for so long.
    Silence(Duration),
    /// With a body that never ends.
    Endless,
    /// A byte of a head now and then.
    Drip,
}

pub fn status(code: &str) -> Reply {
    Reply::Say(format!("HTTP/1.1 {code}\r\nContent-Length: 2\r\n\r\nok"))
}

/// A running one; it ends with the test's process.
pub struct Receiver {
    pub port: u16,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Receiver {
    /// Answers the n-th request, from 0 on, with `answer(n)`.
    pub fn start(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Receiver::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub fn on(
        listener: TcpListener,
        answer: impl Fn(usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = sent.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || serve(connection, &kept, answer.as_ref()));
            }
        });
        Receiver { port, sent }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/s3cret?x=1", self.port)
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// Waits until it was sent so many.
    pub fn wait(&self, number: usize) -> Vec<Sent> {
        wait_until("a request", || self.sent().len() >= number);
        self.sent()
    }
}

fn serve(connection: TcpStream, kept: &Mutex<Vec<Sent>>, answer: &dyn Fn(usize) -> Reply) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut sent = Sent { line: lines.remove(0), headers, body: String::new() };
    let mut body = vec![0; sent.header("Content-Length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    sent.body = String::from_utf8(body).unwrap();
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(sent);
        kept.len() - 1
    };
    let mut connection = connection;
    // Who is answered may have gone.
    match answer(number) {
        Reply::Say(text) => drop(connection.write_all(text.as_bytes())),
        Reply::Silence(time) => std::thread::sleep(time),
        Reply::Endless => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = connection.write_all(head.as_bytes());
            while connection.write_all(b"4\r\nabcd\r\n").is_ok() {}
        }
        Reply::Drip => {
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ");
            while connection.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

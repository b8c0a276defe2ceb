//! Plain HTTP in, and out by the way of one caller: what comes from programs that know neither our proofs
//! nor our pins nor Unix sockets reaches the server unchanged but for who asks.

use std::io::{Error, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use crate::https::Https;
use crate::person::{Host, Person};
use crate::served::Served;

/// Who asks.
pub enum Caller {
    /// Over TLS, without a token.
    Nobody,
    /// Over TLS, each request signed.
    Person(Box<Person>),
    /// The same, by a host.
    Host(Box<Host>),
    /// At the Unix socket.
    Root,
}

pub struct Relay {
    address: SocketAddr,
    pin: String,
    socket: PathBuf,
    caller: Caller,
}

/// A head with its empty line, and a body.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Relay {
    /// Relays from the address that it returns, for as long as the test runs.
    pub fn start(served: &Served, caller: Caller) -> SocketAddr {
        let (address, pin) = (served.address, served.pin.clone());
        let relay = Arc::new(Relay { address, pin, socket: served.socket("api.sock"), caller });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let relay = relay.clone();
                std::thread::spawn(move || relay.all(&mut client.unwrap()));
            }
        });
        address
    }

    /// All requests of a connection.
    fn all(&self, client: &mut TcpStream) {
        while let Ok(request) = Message::read(client, false) {
            let answer = self.ask(&request).unwrap_or_else(|error| {
                panic!("{error} for {} {:?}", request.head, String::from_utf8_lossy(&request.body))
            });
            if client.write_all(&answer.bytes("")).is_err() {
                return;
            }
        }
    }

    fn ask(&self, request: &Message) -> Result<Message> {
        let mut words = request.head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let proof = match &self.caller {
            Caller::Person(person) => person.headers(method, target, &request.body),
            Caller::Host(host) => host.headers(method, target, &request.body),
            Caller::Nobody | Caller::Root => String::new(),
        };
        let request = request.bytes(&proof);
        if let Caller::Root = self.caller {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.write_all(&request)?;
            return Message::read(&mut stream, method == "HEAD");
        }
        let mut https = Https::connect(self.address, &self.pin)?;
        // It may be answered before all of it is sent.
        let sent = https.send(&request);
        Message::read(https.stream(), method == "HEAD").or_else(|error| sent.and(Err(error)))
    }
}

impl Message {
    fn read(from: &mut impl Read, bodyless: bool) -> Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut one = [0];
            from.read_exact(&mut one)?;
            head.push(one[0]);
        }
        let head = String::from_utf8(head).map_err(Error::other)?;
        let small = head.to_ascii_lowercase();
        assert!(!small.contains("\r\ntransfer-encoding:"), "{head}");
        let length = small.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; if bodyless { 0 } else { length }];
        from.read_exact(&mut body)?;
        Ok(Message { head, body })
    }

    /// As it is sent, with these headers first.
    fn bytes(&self, more: &str) -> Vec<u8> {
        let (first, rest) = self.head.split_once("\r\n").unwrap();
        [format!("{first}\r\n{more}{rest}").as_bytes(), &self.body].concat()
    }
}

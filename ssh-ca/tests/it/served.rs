//! An authority that is served: both daemons as they are run, on a port of this machine.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use jit_core::grant::Actor;
use jit_core::name::{GroupName, PersonName};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::desk::Desk;
use crate::https::{Answer, Https};
use crate::person::Person;

/// How long anything here may take that has to happen.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What stands in `[serve]` where nobody is to be held up.
pub const UNLIMITED: &str = "rate = 1000000\nrate_per_person = 1000000\n\
    requests_per_person = 1000000\nwaiting_per_person = 1000000\n";

pub struct Served {
    pub desk: Desk,
    pub address: SocketAddr,
    pub pin: String,
    pub front: Daemon,
    pub signer: Daemon,
}

impl Served {
    /// With these lines more in `[serve]`.
    pub fn with(more: &str) -> Self {
        Served::below("/run", more)
    }

    /// The same, in another place.
    pub fn below(parent: &str, more: &str) -> Self {
        let served = Served::set_up_below(parent, more);
        let mut served = Served { signer: served.run("signer"), ..served };
        wait_until("the signer listens", || served.socket("front.sock").exists());
        served.front = served.run("serve");
        wait_until("the front serves", || {
            Https::connect(served.address, &served.pin)
                .is_ok_and(|mut https| https.get("/healthz").status == 200)
        });
        served
    }

    /// Without limits that a test could reach.
    pub fn new() -> Self {
        Served::with(UNLIMITED)
    }

    /// Everything but the daemons.
    pub fn set_up(more: &str) -> Self {
        Served::set_up_below("/run", more)
    }

    fn set_up_below(parent: &str, more: &str) -> Self {
        let desk = Desk::below(parent);
        // Others may reach the sockets, as below /run.
        std::fs::set_permissions(desk.path(""), PermissionsExt::from_mode(0o711)).unwrap();
        let address = free_address();
        let name = format!("localhost:{}", address.port());
        let made = desk.ssh_ca(&["init", "--json", "--serve", &name]).ok().json();
        let pin = made["serve"]["pin"].as_str().unwrap().to_owned();
        let config = desk.path("jit.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains("\n[serve]\n"), "{text}");
        std::fs::write(config, text + more).unwrap();
        Served { desk, address, pin, front: Daemon(None), signer: Daemon(None) }
    }

    pub fn run(&self, daemon: &str) -> Daemon {
        let log = std::fs::File::options().create(true).append(true).open(self.log(daemon));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ssh-ca"));
        command.arg("--config").arg(self.desk.path("jit.toml")).arg(daemon);
        command.stdin(Stdio::null()).stderr(log.unwrap());
        Daemon(Some(command.spawn().unwrap()))
    }

    pub fn log(&self, daemon: &str) -> PathBuf {
        self.desk.path(&format!("{daemon}.log"))
    }

    pub fn socket(&self, name: &str) -> PathBuf {
        self.desk.path("run-signer").join(name)
    }

    pub fn connect(&self) -> Https {
        Https::connect(self.address, &self.pin).unwrap()
    }

    /// Somebody new, who is logged in.
    #[allow(dead_code)]
    pub fn person(&self, name: &str, group: &str) -> Person {
        let groups = [GroupName::parse(group).unwrap()].into();
        let new = PersonName::parse(name).unwrap();
        self.desk.authority.add_person(&Actor::Root, &new, &groups, &[]).unwrap();
        let mut person = Person::enrolled(&self.desk.authority, name);
        person.log_in(&mut self.connect());
        person
    }

    pub fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    /// A connection without TLS, from another address of this machine.
    pub fn connect_from(&self, source: [u8; 4]) -> std::io::Result<TcpStream> {
        use nix::sys::socket::{
            AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket,
        };
        let [a, b, c, d] = source;
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &SockaddrIn::new(a, b, c, d, 0))?;
        let to = SockaddrIn::new(127, 0, 0, 1, self.address.port());
        connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &to)?;
        Ok(TcpStream::from(socket))
    }
}

/// An address that nothing listens on. Not one that the kernel gives: between its being free and its
/// being listened on, the thousands of connections of another test could take it.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = 20_000 + own + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

/// A daemon that ends with the test.
pub struct Daemon(pub Option<Child>);

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Sends the signal, and waits until the daemon has ended; whether it ended well.
    pub fn end(&mut self, signal: Signal) -> bool {
        self.signal(signal);
        let mut child = self.0.take().unwrap();
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it did not end on {signal}");
    }
}

impl Daemon {
    /// Ends it by force.
    pub fn end_by(&mut self, signal: Signal) {
        let _ = self.end(signal);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

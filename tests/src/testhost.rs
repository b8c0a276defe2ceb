//! A test host: a real Debian with its own systemd, logind, sshd and sudo, without a container
//! runtime. It has namespaces of its own, a cgroup of its own and an overlay over a pristine tree;
//! people reach it from a network namespace that holds nothing but them and it.
//!
//! The machine's kernel is shared: what a test host must not change is mounted read-only or made
//! anew for it (`/proc/sys`, `/sys`, `/dev`, the boot id).

mod pristine;

use crate::error::{Context, Result};
use crate::ground::random_tag;
use crate::need;
use crate::process::wait_until;
use crate::run::{Outcome, must, run_within};
use crate::terminal::Terminal;
use crate::undo::{self, Guard};
use crate::{Person, process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub use pristine::Release;

/// The host's address, in a network that only it and its people share.
pub const ADDRESS: &str = "10.77.0.2";
/// The address of its people there.
pub const CLIENT: &str = "10.77.0.1";

/// A cable from a host to its people, and the addresses at its two ends.
struct Cable {
    name: &'static str,
    host: &'static str,
    people: &'static str,
}

/// Where its people are: a network, and what names mean there.
#[derive(Clone)]
struct People {
    /// The process whose network it is.
    pid: u32,
    /// Of the host that was there first.
    dir: PathBuf,
}

impl People {
    /// The file in place of /etc/hosts.
    fn hosts(&self) -> PathBuf {
        self.dir.join("hosts")
    }

    /// Has them know an address by its names.
    fn know(&self, address: &str, names: &str) -> Result<()> {
        use std::io::Write;
        let mut hosts = std::fs::OpenOptions::new().create(true).append(true).open(self.hosts())?;
        Ok(writeln!(hosts, "{address} {names}")?)
    }

    /// Writes the program that starts others there.
    fn lay_out(&self) -> Result<()> {
        self.know("127.0.0.1", "localhost")?;
        let text = LAPTOP
            .replace("@PEOPLE@", &self.pid.to_string())
            .replace("@HOSTS@", &self.hosts().display().to_string());
        crate::ground::write_program(&self.launcher(), &text)
    }

    fn launcher(&self) -> PathBuf {
        self.dir.join("sh/laptop")
    }
}

const FIRST: Cable = Cable { name: "cable", host: ADDRESS, people: CLIENT };
/// That of a second host: the people pass on what the two hosts send each other.
const SECOND: Cable = Cable { name: "cable2", host: "10.78.0.2", people: "10.78.0.1" };
/// Where all cables are.
const NETWORKS: &str = "10.76.0.0/14";

/// A running test host. Dropping it removes everything, as does the end of this process.
pub struct TestHost {
    /// Its host name.
    pub name: String,
    /// Which Debian it is.
    pub release: Release,
    /// Its directory on this machine: the overlay, the people's laptops.
    pub dir: PathBuf,
    cgroup: PathBuf,
    launcher: Child,
    /// The host's first process, as this machine numbers it.
    init: u32,
    cable: &'static Cable,
    people: People,
    // Last, as fields drop in order: the guard removes the rest.
    #[expect(dead_code, reason = "held, not read")]
    guard: Guard,
}

impl TestHost {
    /// Boots a fresh host and waits until systemd is through and sshd listens.
    pub fn boot(release: Release, name: &str) -> Result<Self> {
        Self::boot_at(release, name, &FIRST, None)
    }

    /// Boots a second host that the same people reach, and that reaches this one. It ends first.
    pub fn boot_beside(&self, release: Release, name: &str) -> Result<Self> {
        self.people_run("sysctl", &["--quiet", "--write", "net.ipv4.ip_forward=1"])?;
        Self::boot_at(release, name, &SECOND, Some(self.people.clone()))
    }

    fn boot_at(
        release: Release,
        name: &str,
        cable: &'static Cable,
        people: Option<People>,
    ) -> Result<Self> {
        need::test_hosts()?;
        crate::instance::clear_leftovers()?;
        pristine::tree(release)?;
        let tag = random_tag()?;
        let dir = Path::new(undo::HOME).join(format!("jit-throwaway.host-{tag}"));
        let cgroup = cgroup2()?.join(format!("jit-test-host-{tag}"));
        let guard = {
            let _lock = undo::machine_lock()?;
            std::fs::create_dir(&dir).context(format!("making {}", dir.display()))?;
            let text = UNDO
                .replace("@DIR@", &dir.display().to_string())
                .replace("@CGROUP@", &cgroup.display().to_string());
            // The guard's network namespace is the people's: it lasts as long as the guard.
            Guard::of(&dir, &text, &["unshare", "--net"])?
        };
        for below in ["upper/etc", "work", "root", "people", "sh"] {
            std::fs::create_dir_all(dir.join(below))?;
        }
        std::fs::write(dir.join("upper/etc/hostname"), format!("{name}\n"))?;
        let hosts =
            format!("127.0.0.1 localhost\n{} {name}\n{} client\n", cable.host, cable.people);
        std::fs::write(dir.join("upper/etc/hosts"), hosts)?;
        std::fs::create_dir_all(cgroup.join("console"))?;
        let name = name.to_owned();
        let launcher = launch(&dir, &cgroup, &name, release)?;
        let people = match people {
            Some(people) => people,
            None => {
                let people = People { pid: guard.pid(), dir: dir.clone() };
                people.lay_out()?;
                people
            }
        };
        people.know(cable.host, &name)?;
        let mut host = Self { name, release, dir, cgroup, launcher, init: 0, cable, people, guard };
        host.come_up()?;
        Ok(host)
    }

    /// Shuts the host down and boots it again, from the same files.
    pub fn reboot(&mut self) -> Result<()> {
        // The connection to systemd breaks when it goes down: what it says does not matter.
        let _ = self.run("systemctl poweroff --no-block")?;
        wait_until("the host goes down", Duration::from_secs(60), || {
            matches!(self.launcher.try_wait(), Ok(Some(_)))
        })?;
        std::fs::create_dir_all(self.cgroup.join("console"))?;
        self.launcher = launch(&self.dir, &self.cgroup, &self.name, self.release)?;
        self.come_up()
    }

    /// Ends the host as a loss of power does, and boots it again.
    pub fn power_cycle(&mut self) -> Result<()> {
        std::fs::write(self.cgroup.join("cgroup.kill"), "1")?;
        self.launcher.wait()?;
        // Made anew: the kernel kills what a process of a cgroup that was killed once starts in a
        // younger one (CLONE_INTO_CGROUP, as systemd 257 does it; seen with Linux 6.18).
        let cgroup = self.cgroup.display().to_string();
        wait_until("the host's processes are gone", Duration::from_secs(10), || {
            must("find", &[&cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]).is_ok()
        })?;
        std::fs::create_dir_all(self.cgroup.join("console"))?;
        self.launcher = launch(&self.dir, &self.cgroup, &self.name, self.release)?;
        self.come_up()
    }

    /// Its address, for its people and for a host beside it.
    pub fn address(&self) -> &'static str {
        self.cable.host
    }

    /// Its file tree, as seen from outside.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    /// A program as root starts it on the host's console, with arguments to be added.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.console());
        command.arg(program);
        command
    }

    /// Runs a line of shell as root on the host, at most a minute long.
    pub fn run(&self, line: &str) -> Result<Outcome> {
        self.run_within(line, Duration::from_secs(60))
    }

    /// Runs a line of shell as root on the host, at most `limit` long.
    pub fn run_within(&self, line: &str, limit: Duration) -> Result<Outcome> {
        let mut outcome = run_within(self.command("sh").args(["-c", line]), "", limit)?;
        outcome.command = format!("root@{}# {line}", self.name);
        Ok(outcome)
    }

    /// Runs a line of shell that must succeed; returns what it said.
    pub fn must(&self, line: &str) -> Result<String> {
        Ok(self.run(line)?.ok()?.stdout)
    }

    /// A terminal of root on the host's console that runs `line`.
    pub fn root_terminal(&self, line: &str) -> Result<Terminal> {
        let line = format!("{} sh -c {}", self.console().display(), crate::run::quoted(line));
        Terminal::open(Command::new("sh").env("PATH", "/usr/sbin:/usr/bin"), &line)
    }

    /// The program that starts others on the host.
    fn console(&self) -> PathBuf {
        self.dir.join("sh/console")
    }

    /// Makes a person with a laptop, from which the host is reached as `ssh NAME` over the network.
    pub fn person(&self, name: &str) -> Result<Person> {
        let person = Person::new(&self.dir, name)?;
        self.reaches(&person)?;
        Ok(person)
    }

    /// Has a person's ssh find the host; anew after the host's key changed.
    pub fn reaches(&self, person: &Person) -> Result<()> {
        person.goes_by(&self.way_in())?;
        let key = std::fs::read_to_string(self.root().join("etc/ssh/ssh_host_ed25519_key.pub"))
            .context("reading the host's key")?;
        std::fs::write(self.dir.join("known_hosts"), format!("{} {key}", self.name))?;
        person.configure_ssh(&format!(
            "Host {name}
    HostName {}
    HostKeyAlias {name}
    User {}
    IdentityFile {}
    IdentitiesOnly yes
    UserKnownHostsFile {}/known_hosts
    StrictHostKeyChecking yes
    UpdateHostKeys no
    ConnectTimeout 10
",
            self.cable.host,
            person.name,
            person.key().display(),
            self.dir.display(),
            name = self.name,
        ))
    }

    /// Has its people, and this and another host, know it by another name, too.
    pub fn is_called(&self, name: &str, beside: &TestHost) -> Result<()> {
        self.people.know(self.address(), name)?;
        for host in [self, beside] {
            host.must(&format!("echo '{} {name}' >> /etc/hosts", self.address()))?;
        }
        Ok(())
    }

    /// What starts a program on a machine of its people.
    pub fn way_in(&self) -> String {
        self.people.launcher().display().to_string()
    }

    /// A program as one of its people starts it on a machine of theirs, with arguments to be added.
    pub fn outside(&self, program: &str) -> Command {
        let mut command = Command::new(self.people.launcher());
        command.arg(program);
        command
    }

    /// Waits until `line` succeeds on the host.
    pub fn wait_until(&self, what: &str, limit: Duration, line: &str) -> Result<Duration> {
        let run = || self.run(line).is_ok_and(|outcome| outcome.code == 0);
        wait_until(&format!("{what} on {}", self.name), limit, run)
    }

    fn come_up(&mut self) -> Result<()> {
        let console = self.dir.join("console");
        let told = || std::fs::read_to_string(&console).unwrap_or_default();
        let launcher = self.launcher.id();
        let mut init = None;
        wait_until("the host's first process", Duration::from_secs(10), || {
            init = process::children(launcher).first().copied();
            init.is_some()
        })
        .context(told())?;
        self.init = init.context("the host has no first process")?;
        let console = CONSOLE
            .replace("@CGROUP@", &self.cgroup.display().to_string())
            .replace("@INIT@", &self.init.to_string());
        crate::ground::write_program(&self.console(), &console)?;
        self.connect().context(told())?;
        // It is systemd once the namespaces are set up and the tree is its root.
        let up = |host: &Self| {
            let state = host.run("systemctl is-system-running; systemctl is-active ssh");
            state.is_ok_and(|s| {
                ["running\nactive\n", "degraded\nactive\n"].contains(&s.stdout.as_str())
            })
        };
        wait_until(&format!("{} is up", self.name), Duration::from_secs(60), || up(self))
            .context(told())?;
        Ok(())
    }

    /// Lays the cable between the people's network namespace and the host's.
    fn connect(&self) -> Result<()> {
        let init = self.init.to_string();
        let Cable { name, host: address, people: client } = self.cable;
        let people = |arguments: &[&str]| self.people_run("ip", arguments);
        // The old one may still be there for a moment after the host went down.
        let gone = || people(&["link", "show", name]).is_err();
        wait_until("the old cable is gone", Duration::from_secs(10), gone)?;
        let own = std::fs::read_link("/proc/self/ns/net")?;
        wait_until("the host's network", Duration::from_secs(10), || {
            std::fs::read_link(format!("/proc/{init}/ns/net")).is_ok_and(|net| net != own)
        })?;
        people(&["link", "set", "lo", "up"])?;
        people(&["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", &init])?;
        people(&["addr", "add", &format!("{client}/24"), "dev", name])?;
        people(&["link", "set", name, "up"])?;
        let host = |arguments: &[&str]| -> Result<()> {
            let mut line = vec!["--target", &init, "--net", "ip"];
            line.extend(arguments);
            must("nsenter", &line).map(drop)
        };
        host(&["addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        host(&["link", "set", "eth0", "up"])?;
        host(&["route", "add", NETWORKS, "via", client])
    }

    /// Runs a program in the people's network.
    fn people_run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let people = self.people.pid.to_string();
        let mut line = vec!["--target", &people, "--net", program];
        line.extend(arguments);
        must("nsenter", &line).map(drop)
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        // The guard does the rest; the launcher is ours to wait for.
        let _ = std::fs::write(self.cgroup.join("cgroup.kill"), "1");
        let _ = self.launcher.wait();
    }
}

fn launch(dir: &Path, cgroup: &Path, name: &str, release: Release) -> Result<Child> {
    let console = std::fs::File::create(dir.join("console"))?;
    let script = BOOT
        .replace("@DIR@", &dir.display().to_string())
        .replace("@PRISTINE@", &pristine::tree(release)?.display().to_string())
        .replace("@NAME@", name);
    std::fs::write(dir.join("boot.sh"), script)?;
    let enter = format!(
        "echo 0 > {}/cgroup.procs && exec unshare --mount --pid --net --uts --ipc --cgroup --fork \
         --kill-child sh {}/boot.sh",
        cgroup.display(),
        dir.display()
    );
    Command::new("setsid")
        .args(["sh", "-c", &enter])
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .current_dir("/")
        .spawn()
        .context("booting a test host")
}

/// Where the version 2 hierarchy of cgroups is mounted.
fn cgroup2() -> Result<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4))?
    });
    Ok(found.context("no cgroup2 is mounted, which a test host needs")?.into())
}

/// Into the host's cgroup first, or the host could not tell where its processes are.
const CONSOLE: &str = r#"#!/bin/sh
echo 0 > '@CGROUP@/console/cgroup.procs'
exec nsenter --target @INIT@ --mount --uts --ipc --net --pid --cgroup -- env -i HOME=/root \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 "$@"
"#;

/// In the people's network, where names mean what they do there.
const LAPTOP: &str = r#"#!/bin/sh
exec nsenter --target @PEOPLE@ --net unshare --mount \
    sh -c 'mount --bind "@HOSTS@" /etc/hosts && exec "$@"' laptop "$@"
"#;

/// Runs as the first process of the new namespaces.
const BOOT: &str = r#"set -e
D='@DIR@'
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=@PRISTINE@,upperdir=$D/upper,workdir=$D/work" "$D/root"
mount -t proc proc "$D/root/proc"
# Every boot has an id of its own, and nothing of the machine's kernel can be set from in here.
cat /proc/sys/kernel/random/uuid > "$D/boot_id"
mount --bind "$D/root/proc/sys" "$D/root/proc/sys"
mount --bind "$D/boot_id" "$D/root/proc/sys/kernel/random/boot_id"
mount -o remount,bind,ro "$D/root/proc/sys"
mount -t sysfs -o ro sysfs "$D/root/sys"
mount -t cgroup2 cgroup2 "$D/root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$D/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$D/root/tmp"
# The machine's own /dev is one for all: systemd would put its socket for the log in there.
mount -t tmpfs -o mode=755 tmpfs "$D/root/dev"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$D/root/dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 "$D/root/dev/tty" c 5 0
mkdir "$D/root/dev/pts" "$D/root/dev/shm"
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$D/root/dev/pts"
ln -s pts/ptmx "$D/root/dev/ptmx"
ln -s /proc/self/fd "$D/root/dev/fd"
hostname '@NAME@'
ip link set lo up
cd "$D/root"
mkdir -p .old
pivot_root . .old
exec /usr/bin/env -i container=test PATH=/usr/sbin:/usr/bin \
    /bin/sh -c 'umount -l /.old; rmdir /.old; exec /lib/systemd/systemd'
"#;

/// Removes the host. Safe to run twice.
const UNDO: &str = r#"#!/bin/sh
# Removes all of this test host. Its mounts and its network end with its processes.
D='@DIR@'
C='@CGROUP@'
cd /
if [ -d "$C" ]; then
    echo 1 > "$C/cgroup.kill"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -qx 'populated 0' "$C/cgroup.events" && break
        sleep 0.1
    done
    find "$C" -depth -type d -exec rmdir {} +
fi
rm -rf --one-file-system "$D"
"#;

//! The Debian packages, as built from this checkout.
//!
//! `packaging/debian` is copied beside what cargo built and what the programs say of themselves (man
//! pages, completions), and dpkg-buildpackage makes packages of it.

use crate::error::{Context, Failed, Result, ensure};
use crate::run::{must, run_within};
use crate::{need, product};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// What is built, in an order in which it can be installed.
pub const NAMES: [&str; 6] = ["jitctl", "jitd", "libpam-jit", "ssh-ca", "jit-hooks", "jit-link"];

/// The programs that have completions and man pages of their own making, and where they go.
const TALKING: [&str; 2] = ["jitctl", "ssh-ca"];

/// How long dpkg-buildpackage or lintian may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Packages of one version. No other process builds that version in this checkout meanwhile.
pub struct Packages {
    directory: Directory,
    version: String,
}

impl Packages {
    /// Builds the packages of the version that Cargo.toml says.
    pub fn build() -> Result<Self> {
        Self::of(env!("CARGO_PKG_VERSION"))
    }

    /// Builds the same as another version, as if it were a later one.
    pub fn build_as(version: &str) -> Result<Self> {
        Self::of(version)
    }

    /// Those of this version, built once in a process.
    pub fn built() -> Result<&'static Self> {
        static BUILT: OnceLock<std::result::Result<Packages, String>> = OnceLock::new();
        let built = BUILT.get_or_init(|| Self::build().map_err(|error| error.to_string()));
        built.as_ref().map_err(|error| Failed::new(error.clone()))
    }

    /// The package files, in the order of [`NAMES`].
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let architecture = must("dpkg", &["--print-architecture"])?;
        let file = |name| format!("{name}_{}_{}.deb", self.version, architecture.trim());
        let files: Vec<_> = NAMES.iter().map(|name| self.directory.0.join(file(name))).collect();
        for file in &files {
            ensure(file.exists(), || format!("no package {} was built", file.display()))?;
        }
        Ok(files)
    }

    /// Has lintian look at them; an error of it is an error here. Returns what it said.
    pub fn lint(&self) -> Result<String> {
        let mut lintian = Command::new("lintian");
        lintian.args(["--fail-on", "error", "--allow-root", "--display-level", ">=warning"]);
        Ok(run_within(lintian.args(self.files()?), "", LIMIT)?.ok()?.stdout)
    }

    fn of(version: &str) -> Result<Self> {
        need::packaging()?;
        let programs = product::build()?;
        let target = programs.parent().context("cargo's target directory")?;
        let directory = Directory::create(target, version)?;
        let source = directory.0.join("jit");
        stage(&source, &programs, version)?;
        let mut build = Command::new("dpkg-buildpackage");
        build.args(["--build=binary", "--no-sign", "--no-pre-clean"]).current_dir(&source);
        run_within(&mut build, "", LIMIT)?.ok().context("building the packages")?;
        Ok(Self { directory, version: version.to_owned() })
    }
}

/// A directory below cargo's for one version, and the lock that keeps other processes out of it.
struct Directory(PathBuf, #[expect(dead_code, reason = "held, not read")] File);

impl Directory {
    fn create(target: &Path, version: &str) -> Result<Self> {
        let path = target.join("debian-build").join(version);
        fs::create_dir_all(&path).context(path.display())?;
        let lock = File::create(target.join("debian-build").join(format!("{version}.lock")))
            .context("making a lock")?;
        lock.lock().context("locking")?;
        fs::remove_dir_all(&path).context(path.display())?;
        fs::create_dir(&path).context(path.display())?;
        Ok(Self(path, lock))
    }
}

/// Puts a Debian source tree into `source`, with everything built.
fn stage(source: &Path, programs: &Path, version: &str) -> Result<()> {
    let packaging = product::workspace().join("packaging");
    copy(&packaging.join("debian"), &source.join("debian"))?;
    changelog(&source.join("debian/changelog"), version)?;
    // Where debhelper looks for the units of a package.
    for (unit, to) in [
        ("jitd.service", "jitd.service"),
        ("jit-hooks.service", "jit-hooks.service"),
        ("jit-link.service", "jit-link.service"),
        ("jit-sshd-reload.path", "jit-link.jit-sshd-reload.path"),
        ("jit-sshd-reload.service", "jit-link.jit-sshd-reload.service"),
        ("jit-setup-rollback.service", "jitctl.jit-setup-rollback.service"),
        ("jit-signer.service", "ssh-ca.jit-signer.service"),
        ("ssh-ca-serve.service", "ssh-ca.ssh-ca-serve.service"),
        ("ssh-ca-serve.socket", "ssh-ca.ssh-ca-serve.socket"),
    ] {
        copy(&packaging.join("systemd").join(unit), &source.join("debian").join(to))?;
    }

    let stage = source.join("stage");
    let triplet = must("dpkg-architecture", &["-qDEB_HOST_MULTIARCH"])?;
    let module = format!("usr/lib/{}/security/pam_jit.so", triplet.trim());
    for (artefact, to) in [
        ("jitctl", "usr/bin/jitctl"),
        ("ssh-ca", "usr/bin/ssh-ca"),
        ("jitd", "usr/sbin/jitd"),
        ("jit-hooks", "usr/sbin/jit-hooks"),
        ("jit-link", "usr/sbin/jit-link"),
        ("jit-authorized", "usr/sbin/jit-authorized"),
        ("libpam_jit.so", &module),
    ] {
        copy(&programs.join(artefact), &stage.join(to))?;
    }
    copy(&packaging.join("man"), &stage.join("usr/share/man/man8"))?;
    for name in TALKING {
        talk(&programs.join(name), name, &stage)?;
    }

    let examples = source.join("examples");
    copy(&packaging.join("pam"), &examples.join("pam"))?;
    copy(&packaging.join("sshd"), &examples.join("sshd"))?;
    copy(&packaging.join("hooks"), &examples.join("hooks"))?;
    copy(&packaging.join("examples"), &examples.join("policy"))?;
    copy(&packaging.join("etc"), &examples)?;
    let configuration = examples.join("jit.toml");
    let text = fs::read_to_string(&configuration)?.replace("@HOST@", "web-1");
    fs::write(&configuration, text).context(configuration.display())
}

/// Has a program say its completions and man pages.
fn talk(program: &Path, name: &str, stage: &Path) -> Result<()> {
    let program = program.to_str().context("a path in UTF-8")?;
    let share = stage.join("usr/share");
    let man = share.join("man/man1");
    must(program, &["man", man.to_str().context("a path in UTF-8")?])?;
    for (shell, file) in [
        ("bash", format!("bash-completion/completions/{name}")),
        ("zsh", format!("zsh/vendor-completions/_{name}")),
        ("fish", format!("fish/vendor_completions.d/{name}.fish")),
    ] {
        let file = share.join(file);
        fs::create_dir_all(file.parent().context("a directory")?)?;
        fs::write(&file, must(program, &["completions", shell])?).context(file.display())?;
    }
    Ok(())
}

/// The changelog says the version of all packages: it must know the one of Cargo.toml, and gets an
/// entry more for any other.
fn changelog(file: &Path, version: &str) -> Result<()> {
    let text = fs::read_to_string(file).context(file.display())?;
    let cargo = env!("CARGO_PKG_VERSION");
    ensure(text.starts_with(&format!("jit ({cargo}) ")), || {
        format!("packaging/debian/changelog has no entry for {cargo}; put one at its head")
    })?;
    if version == cargo {
        return Ok(());
    }
    let signed = text.lines().find(|line| line.starts_with(" -- ")).context("a signature")?;
    let entry = format!("jit ({version}) unstable; urgency=medium\n\n  * Trial.\n\n{signed}\n\n");
    fs::write(file, entry + &text).context(file.display())
}

/// Copies a file, or a directory with everything in it, with modes that don't depend on the umask.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let doing = || format!("copying {} to {}", from.display(), to.display());
    if from.is_dir() {
        fs::create_dir_all(to).context(doing())?;
        for entry in fs::read_dir(from).context(doing())? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a directory")?).context(doing())?;
    fs::copy(from, to).context(doing())?;
    let executable = fs::metadata(to)?.permissions().mode() & 0o100 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).context(doing())
}

//! The product's programs, as built from this checkout.

use crate::error::{Context, Failed, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs and the module that an instance is made of.
pub const ARTEFACTS: &[&str] =
    &["jitctl", "jitd", "jit-hooks", "jit-link", "ssh-ca", "jit-authorized", "libpam_jit.so"];

/// The crates they come from.
const CRATES: &[&str] = &["jitctl", "jitd", "jit-hooks", "jit-link", "ssh-ca", "pam_jit"];

/// The workspace's directory.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Builds the product in release mode, once in a process, and says where it lies.
pub fn build() -> Result<PathBuf> {
    static BUILT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    BUILT.get_or_init(|| run().map_err(|error| error.to_string())).clone().map_err(Failed::new)
}

fn run() -> Result<PathBuf> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(workspace()).args(["build", "--quiet", "--release", "--locked"]);
    for name in CRATES {
        cargo.args(["--package", name]);
    }
    let status = cargo.status().context("starting cargo")?;
    ensure(status.success(), || "the product does not build; see above".to_owned())?;
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => workspace().join(directory),
        None => workspace().join("target"),
    }
    .join("release");
    for name in ARTEFACTS {
        ensure(target.join(name).exists(), || {
            format!("cargo built no {name} in {}", target.display())
        })?;
    }
    Ok(target)
}

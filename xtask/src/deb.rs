//! `cargo xtask deb`: the Debian packages of this checkout.

use std::fs;
use std::path::PathBuf;
use tests::error::{Context, Result};
use tests::packages::Packages;
use tests::product;

/// Builds them, has lintian look, and puts them into `out`.
pub fn run(out: Option<PathBuf>) -> Result<()> {
    let out = out.unwrap_or_else(|| product::workspace().join("target/debian"));
    let packages = Packages::build()?;
    print!("{}", packages.lint()?);
    fs::create_dir_all(&out).context(out.display())?;
    for file in packages.files()? {
        let name = file.file_name().context("a file name")?;
        let to = out.join(name);
        let bytes = fs::copy(&file, &to).context(to.display())?;
        println!("{:>6} kB  {}", bytes.div_ceil(1000), to.display());
    }
    Ok(())
}

//! What the module's file itself must be like.

use crate::pam;
use tests::error::Result;
use tests::run::must;
use tests::{Instance, product};

fn module() -> Result<String> {
    Ok(product::build()?.join("libpam_jit.so").display().to_string())
}

#[test]
fn the_module_exports_the_six_hooks_and_nothing_else() -> Result<()> {
    let listed = must("nm", &["--dynamic", "--defined-only", &module()?])?;
    let mut names: Vec<_> = listed.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    names.sort_unstable();
    let hooks =
        ["acct_mgmt", "authenticate", "chauthtok", "close_session", "open_session", "setcred"];
    let hooks: Vec<_> = hooks.iter().map(|hook| format!("pam_sm_{hook}")).collect();
    assert_eq!(names, hooks);
    Ok(())
}

#[test]
fn the_module_is_small_and_links_no_tls_and_no_async_runtime() -> Result<()> {
    let size = std::fs::metadata(module()?)?.len();
    assert!(size < 4 << 20, "{size} bytes");
    let needed = must("ldd", &[&module()?])?;
    for library in ["ssl", "crypto", "gnutls", "nss3"] {
        assert!(!needed.contains(&format!("lib{library}")), "{needed}");
    }
    let tree = must("cargo", &["tree", "--quiet", "--locked", "-e", "normal", "-p", "pam_jit"])?;
    for name in ["tokio", "async-std", "smol", "rustls", "openssl", "native-tls"] {
        assert!(!tree.contains(&format!(" {name} ")), "{name} in\n{tree}");
    }
    Ok(())
}

#[test]
fn the_module_starts_no_thread() -> Result<()> {
    let i = Instance::start()?;
    let mut child = pam::at_the_prompt(&i, &i.alice)?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    let threads = std::fs::read_dir(format!("/proc/{}/task", child.id()))?.count();
    child.kill()?;
    child.wait()?;
    assert_eq!(threads, 1);
    Ok(())
}

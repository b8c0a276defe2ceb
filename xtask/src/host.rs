//! `cargo xtask host`: a test host with the product on it, to look around in.

use std::io::Read;

use tests::error::Result;
use tests::{Release, Site};

/// Boots and sets up a host, and leaves it running until the standard input ends.
pub fn run(release: Release) -> Result<()> {
    println!("Booting Debian {} …", release.name());
    let site = Site::set_up(release)?;
    let d = site.host.dir.display();
    println!(
        "
  on its console            {d}/sh/console bash
  as alice, from outside    {d}/people/alice/sh/ssh web-1
  a code for alice          oathtool --totp -b SECRET   (SECRET: see {d}/people/alice/otpauth-uri)
  end it                    Ctrl-D here
"
    );
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    Ok(())
}

//! `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

/// `backup`
#[derive(Debug, Args)]
#[command(after_help = "\
It is made while everything runs, and looked through before it counts. It holds the store, the
configuration, the policy, the public CA keys, the hooks with their secrets and the master key:
whoever has such a file can read every secret in it. Keep it offline; or keep the key apart, with
--without-master-key.

Examples:
  jitctl backup /media/usb/web-1.tar
  jitctl backup --without-master-key /srv/backup/web-1.tar")]
pub struct Backup {
    /// The file to write; one that is there is never overwritten
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leave the master key out; to restore takes a copy of it
    #[arg(long)]
    pub without_master_key: bool,
}

/// `restore`
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is put in place before all of it was looked through, and nothing that is there is
deleted: it is moved aside. Configuration and policy that are there stay; a policy that gives
nothing yet gives way. What was ended or used up since the backup must not count again, so
living grants end and recovery codes are void.

Examples:
  jitctl restore /media/usb/web-1.tar
  systemctl stop jitd; jitctl restore web-1.tar --replace; systemctl start jitd")]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Move a store or master key that is there aside
    #[arg(long)]
    pub replace: bool,
    /// Keep the grants that are alive in the backup; what was revoked since would live again
    #[arg(long)]
    pub keep_grants: bool,
}

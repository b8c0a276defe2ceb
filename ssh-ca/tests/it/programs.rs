//! Running the programs, and ssh-keygen.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::desk::Desk;

impl Desk {
    pub fn new() -> Self {
        Desk::below("/run")
    }

    pub fn ssh_ca(&self, arguments: &[&str]) -> Said {
        self.run(env!("CARGO_BIN_EXE_ssh-ca"), arguments)
    }

    pub fn authorized(&self, arguments: &[&str]) -> Said {
        self.run(env!("CARGO_BIN_EXE_jit-authorized"), arguments)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(program);
        command.arg("--config").arg(self.path("jit.toml")).args(arguments);
        Said::from(command.env("TZ", "UTC").current_dir(self.path("")).output().unwrap())
    }

    /// A key made by ssh-keygen, its public file; `kind` is `-t` and more, Ed25519 if empty.
    pub fn key(&self, name: &str, kind: &[&str]) -> PathBuf {
        let path = self.path(name);
        let kind = if kind.is_empty() { &["-t", "ed25519"] } else { kind };
        keygen(&[&["-q", "-N", "", "-C", name, "-f", path.to_str().unwrap()], kind].concat());
        path.with_extension("pub")
    }

    /// What stands in the directory.
    pub fn names(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.path("")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> Said {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It ended with `code`, said `why` on standard error and nothing else.
    #[track_caller]
    pub fn refused(self, code: i32, why: &str) -> Said {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(why), "{why}: {self:?}");
        assert_eq!(self.out, "");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs ssh-keygen, in UTC; it must succeed.
#[track_caller]
pub fn keygen(arguments: &[&str]) -> String {
    let output = Command::new("ssh-keygen").args(arguments).env("TZ", "UTC").output().unwrap();
    Said::from(output).ok().out
}

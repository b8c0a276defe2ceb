//! The Match blocks of sshd_config, and connections that they speak of: `sshd -T -C` tells what holds
//! for a connection, so each block is asked about with one that it is for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The criteria of one `Match` line: names in lower case, patterns as they stand.
pub type Criteria = Vec<(String, String)>;

/// Included files below included files that are read, as sshd does it.
const DEPTH: u8 = 16;

/// A connection to ask about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The account.
    pub user: String,
    /// The client's name and address.
    pub host: String,
    pub addr: String,
    /// Where it comes in.
    pub laddr: String,
    pub lport: String,
}

impl Connection {
    /// From an address that no block is likely to speak of (RFC 5737).
    pub fn of(user: &str) -> Self {
        Connection {
            user: user.into(),
            host: "client.invalid".into(),
            addr: "192.0.2.77".into(),
            laddr: "192.0.2.1".into(),
            lport: "22".into(),
        }
    }

    /// As `sshd -C` takes it.
    pub fn specification(&self) -> String {
        let Connection { user, host, addr, laddr, lport } = self;
        format!("user={user},host={host},addr={addr},laddr={laddr},lport={lport}")
    }

    /// What of it a block spoke of, besides the account.
    pub fn from(&self) -> Option<String> {
        let plain = Connection::of(&self.user);
        let parts = [
            (&self.addr, &plain.addr),
            (&self.host, &plain.host),
            (&self.laddr, &plain.laddr),
            (&self.lport, &plain.lport),
        ];
        parts.iter().find(|(mine, usual)| mine != usual).map(|(mine, _)| (*mine).clone())
    }
}

/// Every Match line of a configuration, those of included files too.
pub fn criteria(path: &Path, read: &dyn Fn(&Path) -> Vec<(PathBuf, String)>) -> Vec<Criteria> {
    let mut found = Vec::new();
    collect(path, read, DEPTH, &mut found);
    found
}

fn collect(
    path: &Path,
    read: &dyn Fn(&Path) -> Vec<(PathBuf, String)>,
    depth: u8,
    found: &mut Vec<Criteria>,
) {
    for (_, text) in read(path) {
        for line in text.lines() {
            let words = words(line);
            match words.split_first() {
                Some((word, rest)) if word.eq_ignore_ascii_case("match") => {
                    found.push(pairs(rest));
                }
                Some((word, rest)) if word.eq_ignore_ascii_case("include") && depth > 0 => {
                    for file in rest {
                        collect(&Path::new("/etc/ssh").join(file), read, depth - 1, found);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The words of a line; `=` may stand between the first and the second, quotes around any.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        let between = c.is_whitespace() || (c == '=' && words.len() == 1);
        match (c, words.last_mut()) {
            ('"', _) => quoted = !quoted,
            ('#', Some(word)) if word.is_empty() && !quoted => break,
            (_, Some(word)) if !between || quoted => word.push(c),
            (_, Some(word)) if !word.is_empty() => words.push(String::new()),
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `User a,b Address x`; from OpenSSH 9.9 on also `User=a`.
fn pairs(words: &[String]) -> Criteria {
    let mut pairs = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some((name, value)) = word.split_once('=') {
            pairs.push((name.to_ascii_lowercase(), value.to_owned()));
        } else if let Some(value) = words.next() {
            pairs.push((word.to_ascii_lowercase(), value.clone()));
        }
    }
    pairs
}

/// A group of this host.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: Vec<String>,
}

/// The connections to ask about: each of `logins` as it usually comes, and for each block those that
/// it is for. What a block names in full is asked about although there may be no such account yet.
pub fn connections(
    blocks: &[Criteria],
    logins: &BTreeSet<String>,
    groups: &[Group],
) -> BTreeSet<Connection> {
    let mut asked: BTreeSet<Connection> = logins.iter().map(|l| Connection::of(l)).collect();
    for block in blocks {
        let mut users: BTreeSet<String> = logins.clone();
        let mut sample = Connection::of("");
        for (name, patterns) in block {
            match name.as_str() {
                "user" => {
                    users.retain(|user| matches(patterns, user));
                    users.extend(named(patterns).filter(|n| !n.contains(['*', '?'])));
                }
                "group" => {
                    let chosen = groups.iter().filter(|group| matches(patterns, &group.name));
                    let members: BTreeSet<String> =
                        chosen.flat_map(|group| group.members.clone()).collect();
                    users = members;
                }
                "host" => sample.host = example(patterns, "x").unwrap_or(sample.host),
                "address" => sample.addr = example(patterns, "1").unwrap_or(sample.addr),
                "localaddress" => sample.laddr = example(patterns, "1").unwrap_or(sample.laddr),
                "localport" => sample.lport = example(patterns, "1").unwrap_or(sample.lport),
                _ => {}
            }
        }
        asked.extend(users.into_iter().map(|user| Connection { user, ..sample.clone() }));
    }
    asked
}

fn named(patterns: &str) -> impl Iterator<Item = String> {
    patterns.split(',').filter(|p| !p.starts_with('!')).map(ToOwned::to_owned)
}

/// Something that the first pattern takes: the network's own address, or `*` filled in.
fn example(patterns: &str, filling: &str) -> Option<String> {
    let first = named(patterns).next()?;
    let address = first.split('/').next().unwrap_or_default();
    Some(address.replace(['*', '?'], filling))
}

/// Whether a list of patterns takes a name: one of them does, and none with `!` before it.
pub fn matches(patterns: &str, name: &str) -> bool {
    let mut taken = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if glob(not.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => taken |= glob(pattern.as_bytes(), name.as_bytes()),
        }
    }
    taken
}

/// `*` is any text, `?` any one character.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        (Some((b'?', rest)), Some((_, after))) => glob(rest, after),
        (Some((one, rest)), Some((other, after))) => one == other && glob(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        files: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&Path) -> Vec<(PathBuf, String)> {
        move |path| {
            let chosen = files.iter().filter(|(name, _)| matches(path.to_str().unwrap(), name));
            chosen.map(|(name, text)| (PathBuf::from(name), (*text).to_owned())).collect()
        }
    }

    #[test]
    fn blocks_are_found_in_included_files_too() {
        let files = &[
            (
                "/etc/ssh/sshd_config",
                "Include /etc/ssh/sshd_config.d/*.conf\n#Match User x\nUsePAM yes\n\
                 match user deploy,!root Address 10.0.0.0/8\n  AuthenticationMethods publickey\n",
            ),
            (
                "/etc/ssh/sshd_config.d/50-x.conf",
                "Match=Group \"ops\" # Match User z\nMatch User=a\nMatch all\n",
            ),
        ];
        let found = criteria(Path::new("/etc/ssh/sshd_config"), &read(files));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [
                vec![pair("group", "ops")],
                vec![pair("user", "a")],
                vec![],
                vec![pair("user", "deploy,!root"), pair("address", "10.0.0.0/8")],
            ]
        );
        let round = &[("/etc/ssh/a", "Include a\nMatch User b\n")];
        assert_eq!(criteria(Path::new("/etc/ssh/a"), &read(round)).len(), usize::from(DEPTH) + 1);
    }

    #[test]
    fn every_block_is_asked_about_with_connections_that_it_is_for() {
        let logins: BTreeSet<String> = ["alice", "deploy", "root"].map(Into::into).into();
        let groups = [Group { name: "ops".into(), members: vec!["olga".into()] }];
        let ask = |block: &[(&str, &str)]| -> Vec<String> {
            let block = block.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
            let all = connections(&[block], &logins, &groups);
            let usual = connections(&[], &logins, &groups);
            let more = all.difference(&usual);
            more.map(|c| format!("{} {}", c.user, c.from().unwrap_or_default())).collect()
        };
        assert_eq!(ask(&[("user", "backup")]), ["backup "]);
        assert_eq!(ask(&[("user", "dep*"), ("address", "10.0.0.0/8")]), ["deploy 10.0.0.0"]);
        assert_eq!(ask(&[("address", "!10.9.9.9,10.*")]).len(), 3);
        assert_eq!(ask(&[("group", "o*")]), ["olga "]);
        assert_eq!(ask(&[("user", "*,!root"), ("host", "*.lan")]), ["alice x.lan", "deploy x.lan"]);
        assert_eq!(ask(&[("localport", "2222"), ("user", "root")]), ["root 2222"]);
        assert_eq!(connections(&[], &logins, &groups).len(), 3);
    }

    #[test]
    fn a_connection_is_told_as_sshd_takes_it() {
        let text = Connection::of("root").specification();
        assert_eq!(text, "user=root,host=client.invalid,addr=192.0.2.77,laddr=192.0.2.1,lport=22");
    }
}

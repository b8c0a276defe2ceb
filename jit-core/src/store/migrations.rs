//! The schema, as numbered migrations: the n-th brings a store of version n-1 to version n. One
//! that was released is never changed.

pub(super) const MIGRATIONS: &[&str] = &[
    // 1: the first schema. A row is a JSON body with its tag; other columns repeat parts of the
    // body for looking up, and are checked against it when read.
    "CREATE TABLE person (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE identity_key (key TEXT PRIMARY KEY, person TEXT NOT NULL,
         body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE INDEX identity_key_person ON identity_key (person);
     CREATE TABLE factors (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE host (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE grant_ (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,
         version INTEGER NOT NULL, person TEXT NOT NULL, alive_until INTEGER NOT NULL,
         body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE INDEX grant_person ON grant_ (person, alive_until);
     CREATE INDEX grant_alive ON grant_ (alive_until);
     CREATE TABLE issued (serial INTEGER PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE ca_key (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
         body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE session (id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL,
         over INTEGER NOT NULL, audit_session INTEGER, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE INDEX session_open ON session (host) WHERE over = 0;
     CREATE INDEX session_audit ON session (audit_session);
     CREATE TABLE audit (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL,
         action TEXT NOT NULL, object TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL,
         previous BLOB NOT NULL, hash BLOB NOT NULL) STRICT;",
    // 2: stays, by `login@host`.
    "CREATE TABLE stay (key TEXT PRIMARY KEY, host TEXT NOT NULL, body TEXT NOT NULL,
         tag BLOB NOT NULL) STRICT;",
    // 3: break-glass codes and their uses, by host.
    "CREATE TABLE break_glass (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL)
         STRICT;",
    // 4: how far each hook is.
    "CREATE TABLE hook (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;",
    // 5: the last policy that took effect, under `accepted`.
    "CREATE TABLE policy (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;",
    // 6: invitations, by whom they invite; answers kept for whoever asks again.
    "CREATE TABLE invitation (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE TABLE kept (key TEXT PRIMARY KEY, caller TEXT NOT NULL, at INTEGER NOT NULL,
         body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     CREATE INDEX kept_caller ON kept (caller);
     CREATE INDEX kept_at ON kept (at);",
    // 7: links between hosts and their authority, by host; until when a certificate of a grant can
    // be valid.
    "CREATE TABLE link (key TEXT PRIMARY KEY, body TEXT NOT NULL, tag BLOB NOT NULL) STRICT;
     ALTER TABLE grant_ ADD COLUMN certified_until INTEGER NOT NULL DEFAULT 0;
     UPDATE grant_ SET certified_until = max(
         coalesce(json_extract(body, '$.state.window.not_after'), 0),
         coalesce(json_extract(body, '$.shortened.from'), 0));
     CREATE INDEX grant_certified ON grant_ (certified_until);",
];

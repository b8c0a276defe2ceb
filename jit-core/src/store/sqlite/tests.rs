//! The conformance suite on this engine, and what is its own: files, damage, edits by hand.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::authority::testing::private_dir;
use crate::grant::testing::{active, ask, at};
use crate::store::conformance;

fn open_as(path: &Path, opener: Opener) -> Result<SqliteStore> {
    let vault = Arc::new(Vault::from_master_key(&[5; 32]));
    SqliteStore::open(path, vault, Span::from_secs(10).unwrap(), opener)
}

fn open(path: &Path) -> SqliteStore {
    open_as(path, Opener::Admin).unwrap()
}

#[test]
fn it_conforms() {
    let fresh: &dyn Fn(conformance::Case<'_>) = &|case| {
        let dir = private_dir();
        let path = dir.path().join("jit.db");
        case(&|| Box::new(open(&path)));
    };
    conformance::suite(fresh, &|path| Box::new(open(path)));
}

/// Puts `name` and commits, or says why not.
fn put(store: &SqliteStore, name: &str) -> Result<()> {
    let name = PersonName::parse(name)?;
    let tx = store.begin(Mode::Write)?;
    tx.put_person(&Person { name, groups: [].into(), suspended: false, created_at: at(1) })?;
    tx.commit()
}

fn count(store: &SqliteStore) -> usize {
    store.begin(Mode::Read).unwrap().people().unwrap().len()
}

#[test]
fn of_what_is_committed_together_nothing_stays_when_that_fails() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let (store, other) = (open(&path), open(&path));
    // What makes a commit fail whose parts were all good.
    store
        .connection
        .execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE one (key INTEGER PRIMARY KEY);
             CREATE TABLE many (one INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)",
        )
        .unwrap();
    let done = store.together(&mut || {
        put(&store, "alice").unwrap();
        store.connection.execute_batch("INSERT INTO many VALUES (7)").unwrap();
        put(&store, "bob").unwrap();
    });
    assert!(done.is_err());
    assert_eq!((count(&store), count(&other)), (0, 0));
    // What an engine does that is out of room or memory.
    let done = store.together(&mut || {
        put(&store, "alice").unwrap();
        store.connection.execute_batch("ROLLBACK").unwrap();
        assert_eq!(put(&store, "bob").unwrap_err().kind(), Kind::Unavailable, "by itself");
        assert!(store.begin(Mode::Read).is_err(), "what was seen before is gone");
    });
    assert_eq!(done.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!((count(&store), count(&other)), (0, 0));
    // A part that can't be taken back alone takes the rest with it.
    let done = store.together(&mut || {
        put(&store, "alice").unwrap();
        let part = store.begin(Mode::Write).unwrap();
        store.connection.execute_batch("RELEASE part").unwrap();
        drop(part);
    });
    assert!(done.is_err());
    assert_eq!((count(&store), count(&other)), (0, 0));
    store.together(&mut || put(&store, "alice").unwrap()).unwrap();
    put(&other, "bob").unwrap();
    assert_eq!((count(&store), count(&other)), (2, 2));
}

#[test]
fn those_who_write_together_wait_for_the_lock_once() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let other = open(&path);
    let vault = Arc::new(Vault::from_master_key(&[5; 32]));
    let second = Span::from_secs(1).unwrap();
    let store = SqliteStore::open(&path, vault, second, Opener::Admin).unwrap();
    let writer = other.begin(Mode::Write).unwrap();
    let waited = crate::clock::Stopwatch::start();
    let done = store.together(&mut || {
        for name in ["alice", "bob", "carol"] {
            assert_eq!(put(&store, name).unwrap_err().kind(), Kind::Unavailable);
            assert_eq!(count(&store), 0, "looking is possible all the time");
        }
    });
    assert_eq!(done, Ok(()), "nothing was done that could be lost");
    assert!(waited.elapsed() < Duration::from_secs(2), "{:?}", waited.elapsed());
    drop(writer);
    store.together(&mut || put(&store, "alice").unwrap()).unwrap();
    assert_eq!(count(&other), 1);
}

#[test]
fn an_edited_row_gives_an_error_whatever_was_edited() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let store = open(&path);
    let (mine, other) = (active(ask("alice", 60), 1000), active(ask("bob", 60), 1000));
    let tx = store.begin(Mode::Write).unwrap();
    tx.add_grant(&mine).unwrap();
    tx.add_grant(&other).unwrap();
    tx.commit().unwrap();
    let id = mine.id().as_str();
    let other_id = other.id().as_str();
    for edit in [
        format!("UPDATE grant_ SET body = replace(body, '1060', '9060') WHERE key = '{id}'"),
        format!("UPDATE grant_ SET body = replace(body, 'alice', 'mallory') WHERE key = '{id}'"),
        format!(
            r#"UPDATE grant_ SET body = replace(body, '"approvals":[]', '"approvals":[{{"by":"bob","at":1}}]') WHERE key = '{id}'"#
        ),
        format!("UPDATE grant_ SET tag = x'00' WHERE key = '{id}'"),
        format!("UPDATE grant_ SET tag = zeroblob(32) WHERE key = '{id}'"),
        format!(
            "UPDATE grant_ SET (body, tag) = (SELECT body, tag FROM grant_ WHERE key = '{other_id}')
             WHERE key = '{id}'"
        ),
    ] {
        let editor = Connection::open(&path).unwrap();
        editor.execute_batch("SAVEPOINT before").unwrap();
        editor.execute_batch(&edit).unwrap();
        editor.execute_batch("RELEASE before").unwrap();
        let tx = store.begin(Mode::Read).unwrap();
        let error = tx.grant(mine.id()).unwrap_err();
        assert_eq!(error.kind(), Kind::Tampered, "{edit}");
        assert!(tx.grants(&GrantFilter::default()).is_err());
        drop(tx);
        let (body, tag) =
            SqliteTx { tx: Scope::read(&store.connection).unwrap(), vault: &store.vault }
                .seal_row("grant", id, &mine)
                .unwrap();
        editor
            .execute("UPDATE grant_ SET body = ?1, tag = ?2 WHERE key = ?3", params![body, tag, id])
            .unwrap();
    }
    assert_eq!(store.begin(Mode::Read).unwrap().grant(mine.id()).unwrap(), Some(mine));
}

#[test]
fn a_column_moved_to_another_person_gives_them_nothing() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let store = open(&path);
    let mallory = PersonName::parse("mallory").unwrap();
    let tx = store.begin(Mode::Write).unwrap();
    tx.add_identity_key(&IdentityKey {
        person: PersonName::parse("alice").unwrap(),
        fingerprint: "SHA256:a".into(),
        public_key: "ssh-ed25519 AAAA".into(),
        comment: String::new(),
        added_at: at(1),
    })
    .unwrap();
    tx.commit().unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("UPDATE identity_key SET person = 'mallory'")
        .unwrap();
    let tx = store.begin(Mode::Read).unwrap();
    assert!(tx.identity_keys(&mallory).is_err());
}

#[test]
fn an_edited_session_hides_no_other_and_is_told() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let store = open(&path);
    let tx = store.begin(Mode::Write).unwrap();
    let session = crate::store::conformance::session("alice");
    let (first, second) = (tx.add_session(&session).unwrap(), tx.add_session(&session).unwrap());
    tx.commit().unwrap();
    let edit =
        format!("UPDATE session SET body = replace(body, 'alice', 'bob') WHERE id = {first}");
    Connection::open(&path).unwrap().execute_batch(&edit).unwrap();
    let tx = store.begin(Mode::Read).unwrap();
    assert_eq!(tx.sessions(&session.host).unwrap_err().kind(), Kind::Tampered);
    let (read, damage) = tx.sessions_and_damage(&session.host).unwrap();
    assert_eq!(read.iter().map(|session| session.id).collect::<Vec<_>>(), [second]);
    assert!(damage[0].what().contains(&format!("session {first}")), "{damage:?}");
}

#[test]
fn a_store_that_is_no_database_or_cut_off_is_an_error_that_says_how_to_restore() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let error = open_as(&path, Opener::Login).err().unwrap();
    assert_eq!(error.kind(), Kind::Tampered);
    assert!(error.to_string().contains("jitctl restore FILE --replace"), "{error}");
    std::fs::remove_file(&path).unwrap();

    let store = open(&path);
    let tx = store.begin(Mode::Write).unwrap();
    for _ in 0..200 {
        tx.add_grant(&active(ask("alice", 60), 1000)).unwrap();
    }
    tx.commit().unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let store = open(&path);
    let found = store
        .check()
        .err()
        .or_else(|| store.begin(Mode::Read).unwrap().grants(&GrantFilter::default()).err());
    assert_eq!(found.unwrap().kind(), Kind::Tampered);
}

#[test]
fn state_lives_in_root_owned_private_directories_only() {
    let dir = private_dir();
    let state = dir.path().join("state");
    std::fs::create_dir(&state).unwrap();
    for mode in [0o755, 0o770, 0o777, 0o701] {
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = open_as(&state.join("jit.db"), Opener::Admin).err().unwrap();
        assert_eq!(error.kind(), Kind::Misconfigured, "mode {mode:o}");
    }
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    open(&state.join("jit.db"));
    std::os::unix::fs::chown(&state, Some(65534), None).unwrap();
    assert!(open_as(&state.join("jit.db"), Opener::Admin).is_err(), "another's directory");
    std::os::unix::fs::chown(&state, Some(0), None).unwrap();
    // A link in place of the file, or of the directory.
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&state, &link).unwrap();
    assert!(open_as(&link.join("jit.db"), Opener::Admin).is_err());
    std::os::unix::fs::symlink(state.join("jit.db"), state.join("other.db")).unwrap();
    assert!(open_as(&state.join("other.db"), Opener::Admin).is_err());
    let parent = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(dir.path(), parent).unwrap();
    assert!(open_as(&state.join("jit.db"), Opener::Admin).is_err(), "a writable parent");
}

#[test]
fn a_login_neither_makes_nor_migrates_a_store() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    assert_eq!(open_as(&path, Opener::Login).err().unwrap().kind(), Kind::Unavailable);
    assert!(!path.exists());
    let store = open(&path);
    store.connection.pragma_update(None, "user_version", 0).unwrap();
    let error = open_as(&path, Opener::Login).err().unwrap();
    assert!(error.to_string().contains("jitctl setup"), "{error}");
    store.connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(open_as(&path, Opener::Admin).is_err(), "of a later version");
}

#[test]
fn a_locked_store_is_waited_for_and_then_an_error() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let store = open(&path);
    let _writer = store.begin(Mode::Write).unwrap();
    let vault = Arc::new(Vault::from_master_key(&[5; 32]));
    let patience = Span::from_secs(1).unwrap();
    let other = SqliteStore::open(&path, vault, patience, Opener::Login).unwrap();
    let error = other.begin(Mode::Write).err().unwrap();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.what().contains("locked"), "{error}");
    assert!(other.begin(Mode::Read).unwrap().people().is_ok(), "reading goes on");
}

#[test]
fn looking_for_damage_finds_an_edited_row_in_every_table() {
    let dir = private_dir();
    let path = dir.path().join("jit.db");
    let store = open(&path);
    let tables: Vec<&str> = TAGGED.iter().map(|(_, sql)| sql.rsplit_once(' ').unwrap().1).collect();
    let editor = Connection::open(&path).unwrap();
    let tagged: i64 = editor
        .query_row(
            "SELECT count(*) FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
                    WHERE c.name = 'tag'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        usize::try_from(tagged).unwrap(),
        tables.len(),
        "a table is looked through by nobody"
    );
    for table in tables {
        let tx = store.begin(Mode::Write).unwrap();
        tx.put_host(&crate::host::Host {
            name: HostName::parse("web-1").unwrap(),
            labels: [].into(),
            created_at: at(1),
            key: None,
        })
        .unwrap();
        tx.commit().unwrap();
        store.check().unwrap();
        // Whatever else the row needs is filled in; its tag is nobody's.
        let columns: Vec<(String, String)> = editor
            .prepare(&format!("SELECT name, type FROM pragma_table_info('{table}')"))
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<&str> = columns
            .iter()
            .map(|(_, of)| match of.as_str() {
                "INTEGER" => "1",
                "BLOB" => "zeroblob(32)",
                _ => "'{}'",
            })
            .collect();
        let row =
            format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "));
        editor.execute(&row, []).unwrap();
        assert_eq!(store.check().unwrap_err().kind(), Kind::Tampered, "{table}");
        editor.execute(&format!("DELETE FROM {table}"), []).unwrap();
    }
}

//! A server in the middle of its work, with callers of every kind, and what would be valid to ask of
//! it: for sending it something else.

use std::collections::HashMap;
use std::rc::Rc;

use jit_api::{ENDPOINTS, Entry, Office, proof};
use jit_core::grant::Actor;
use jit_core::invitation::Invited;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::desk::{
    App, Client, Desk, Files, NOW, SERVER, certify, host, key, line, person, read, sign,
};
use crate::shape::{Choices, Words};

/// What is asked for, and what is promised of the answers.
pub struct Description {
    document: Value,
    /// Of the answers, by endpoint and status.
    answers: HashMap<(&'static str, u16), Validator>,
}

/// A server in the middle of its work.
pub struct World {
    desk: Desk,
    furniture: Rc<Furniture>,
}

/// What it takes to make it again; lies in no directory.
pub struct Kept {
    files: Files,
    furniture: Rc<Furniture>,
}

struct Furniture {
    callers: Vec<Client>,
    words: Words,
    /// By endpoint, where it is not root who asks, about alice, web-1 or what waits, with no body.
    examples: HashMap<&'static str, Example>,
}

/// What would be done.
#[derive(Clone)]
struct Example {
    by: usize,
    /// What stands in the path.
    at: String,
    body: Value,
}

/// The callers, in their order.
const NOBODY: usize = 0;
const ALICE: usize = 1;
const BOB: usize = 2;
const ADA: usize = 3;
const HOST: usize = 4;
const ROOT: usize = 5;

impl Description {
    pub fn new() -> Self {
        let document = Office::openapi();
        let mut answers = HashMap::new();
        for entry in ENDPOINTS {
            let responses = &operation(&document, entry)["responses"];
            for (status, response) in responses.as_object().unwrap() {
                let (kind, content) =
                    response["content"].as_object().unwrap().iter().next().unwrap();
                let status = status.parse().unwrap();
                let problem = if status == 200 { "" } else { "problem+" };
                assert_eq!(*kind, format!("application/{problem}json"));
                let mut schema = content["schema"].clone();
                if schema.is_object() {
                    schema["components"] = document["components"].clone();
                }
                let validator = jsonschema::validator_for(&schema).unwrap();
                answers.insert((entry.name, status), validator);
            }
        }
        Description { document, answers }
    }

    fn check(&self, entry: &Entry, status: u16, answer: &Value, what: &str) {
        let validator = self.answers.get(&(entry.name, status));
        let validator = validator.unwrap_or_else(|| panic!("{what}: {status} is not described"));
        let wrong: Vec<_> = validator.iter_errors(answer).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{what}: {status} is another than described: {wrong:?} {answer}");
    }
}

fn operation<'a>(document: &'a Value, entry: &Entry) -> &'a Value {
    &document["paths"][entry.path][entry.method.as_str().to_lowercase()]
}

impl Kept {
    pub fn new() -> Self {
        let desk = Desk::new();
        let (alice_app, bob_app) = (desk.app("alice"), desk.app("bob"));
        let log_in = |name: &str, app: &App| {
            let (status, answer) = desk.login(name, &key(name), &app.code(&desk));
            assert_eq!(status, 200, "{answer}");
            Client::token(name, answer["token"].as_str().unwrap().to_owned())
        };
        let (alice, bob) = (log_in("alice", &alice_app), log_in("bob", &bob_app));
        let ada = desk.logged_in("ada");
        let host = desk.enrolled_host();
        let callers = vec![Client::nobody(), alice, bob, ada, host, Client::root()];
        let (words, examples) = (Words::new(), HashMap::new());
        let mut furniture = Furniture { callers, words, examples };
        furniture.fit(&desk, &alice_app, &bob_app);
        Kept { files: desk.files(), furniture: Rc::new(furniture) }
    }

    /// A server with a store of its own.
    pub fn world(&self) -> World {
        World { desk: Desk::of(&self.files), furniture: self.furniture.clone() }
    }
}

impl Furniture {
    /// Finds words and examples that fit what it makes happen.
    fn fit(&mut self, desk: &Desk, alice_app: &App, bob_app: &App) {
        let callers = &self.callers;
        let done = |who: usize, method: &str, target: &str, body: Value| {
            let (status, answer) = desk.ask(&callers[who], method, target, body);
            assert_eq!(status, 200, "{target}: {answer}");
            answer
        };
        let approve = |view: &Value| {
            let id = view["grant"]["id"].as_str().unwrap();
            done(BOB, "POST", &format!("/v1/grants/{id}/approve"), desk.yes(view, "bob"));
            id.to_owned()
        };
        let active = approve(&desk.request(&callers[ALICE]));
        let ask = json!({ "login": "alice", "place": "web-1", "duration": 600, "sudo": true,
            "reason": "INC-2 as myself" });
        let pending = done(ALICE, "POST", "/v1/requests", ask.clone());
        let id = pending["grant"]["id"].as_str().unwrap().to_owned();
        desk.clock.pass(60);

        let invite = |invited: &Invited| {
            let (code, _) = desk.authority.invite(&Actor::Root, invited).unwrap();
            code.expose().to_owned()
        };
        let enrolment = |name: &str, code: &str, text: &str, what: &str| {
            json!({ "code": code, what: name, "public_key": line(&key(name)),
                "signature": sign(&key(name), proof::ENROL, text) })
        };
        let print = |name: &str| key(name).fingerprint(ssh_key::HashAlg::Sha256).to_string();
        let enrol = |name: &str| {
            let code = invite(&Invited::Person(person(name)));
            let text = proof::enrol_person(SERVER, &person(name), &code, &print(name)).unwrap();
            enrolment(name, &code, &text, "person")
        };
        for name in ["frank", "grace"] {
            let (root, none) = (Actor::Root, Default::default());
            desk.authority.add_person(&root, &person(name), &none, &[]).unwrap();
        }
        let enrol_frank = enrol("frank");
        let begun = done(NOBODY, "POST", "/v1/enrolment", enrol("grace"));
        let grace_app = App::of(begun["otpauth_uri"].as_str().unwrap());
        let confirm =
            json!({ "confirmation": begun["confirmation"], "code": grace_app.code(desk) });
        desk.authority.put_host(&Actor::Root, &host("web-2"), &Default::default()).unwrap();
        let code = invite(&Invited::Host(host("web-2")));
        let text = proof::enrol_host(SERVER, &host("web-2"), &code, &print("web-2")).unwrap();
        let enrol_host = enrolment("web-2", &code, &text, "host");

        let another = desk.authority.begin_enrolment(&Actor::Root, &person("bob")).unwrap();
        let first = json!({ "code": App::of(another.otpauth_uri.expose()).code(desk) });
        let alice_code = alice_app.code(desk);
        let reason = json!({ "reason": "INC-1 enough of it" });
        let attempt = json!({ "action": "login", "login": "deploy", "service": "sshd" });
        let told = json!({ "sequence": 1, "time": NOW, "actor": "root", "action": "session.open",
            "object": "alice", "outcome": "done", "detail": {}, "hash": "00" });
        let host_ask = json!({ "person": "alice", "login": "deploy", "sudo": false });
        let filing = json!({ "ask": host_ask, "reason": "INC-3 typed", "duration": 600,
            "origin": { "rhost": null, "tty": "ssh" } });
        let mut for_bob = ask.clone();
        for_bob["person"] = json!("bob");
        let examples = [
            ("login", (NOBODY, desk.login_body("bob", &key("bob"), &bob_app.code(desk)))),
            ("enrol", (NOBODY, enrol_frank.clone())),
            ("enrol-confirm", (NOBODY, confirm.clone())),
            ("host-enrol", (NOBODY, enrol_host.clone())),
            ("request", (ALICE, ask.clone())),
            ("edit", (ALICE, json!({ "duration": 300, "reason": "INC-2 shorter" }))),
            ("cancel", (ALICE, json!({}))),
            ("extend", (ALICE, json!({ "duration": 300 }))),
            ("approve", (BOB, desk.yes(&pending, "bob"))),
            ("deny", (BOB, reason.clone())),
            ("shorten", (BOB, json!({ "left": 60 }))),
            ("withdraw", (BOB, json!({}))),
            ("revoke", (ALICE, reason.clone())),
            ("certificate", (ALICE, certify(&active, "alice"))),
            ("grant-alone", (ADA, for_bob)),
            ("revocations", (ADA, json!({ "all": true, "reason": "INC-1 all of it" }))),
            ("person-add", (ADA, json!({ "name": "heidi", "keys": [line(&key("heidi"))] }))),
            ("key-add", (ADA, json!({ "public_key": line(&key("another")) }))),
            ("mfa-confirm", (ROOT, first)),
            ("policy-check", (ADA, json!({ "text": "[[role]]\nname = \"a\"\n" }))),
            (
                "host-factor",
                (
                    HOST,
                    json!({ "person": "alice", "code": alice_code,
                "attempt": attempt, "who": "key SHA256:x" }),
                ),
            ),
            ("host-askers", (HOST, json!({ "login": "deploy" }))),
            ("host-offer", (HOST, host_ask)),
            ("host-request", (HOST, filing)),
            ("host-log", (HOST, json!({ "records": [told] }))),
            ("host-certificate", (HOST, json!({ "public_key": line(&key("web-1")) }))),
            ("host-state", (HOST, Value::Null)),
            ("host-standing", (HOST, Value::Null)),
            ("inbox", (BOB, Value::Null)),
            ("explain", (ALICE, Value::Null)),
        ];
        for entry in ENDPOINTS {
            let example = examples.iter().find(|(name, _)| *name == entry.name);
            let (by, body) = example.map_or((ROOT, Value::Null), |(_, example)| example.clone());
            let at = match entry.name {
                "extend" | "shorten" | "revoke" => &active,
                // The server's own host is not removed.
                "host-remove" => "web-2",
                "mfa-confirm" => "bob",
                _ if entry.path.starts_with("/v1/people/") => "alice",
                _ if entry.path.starts_with("/v1/hosts/") => "web-1",
                _ => &id,
            };
            self.examples.insert(entry.name, Example { by, at: at.to_owned(), body });
        }
        let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
        let people = texts(&["alice", "bob", "frank", "ada", "nobody-here"]);
        let seconds = [json!(60), json!(600), json!(3600), json!(86_400)].to_vec();
        let reasons = texts(&["INC-1 why", "INC-2 of ä"]);
        self.words = Words::from([
            ("id", texts(&[&id, &active, "aaaa-aaaa"])),
            ("grant", texts(&[&active, &id])),
            ("person", people.clone()),
            // Of a person, or of a host.
            ("name", [people, texts(&["web-1", "web-2", "heidi"])].concat()),
            ("host", texts(&["web-1", "web-2"])),
            ("login", texts(&["deploy", "alice", "root"])),
            ("place", texts(&["web-1", "env=prod"])),
            ("duration", seconds.clone()),
            ("most", seconds.clone()),
            ("left", seconds),
            ("start", [json!(NOW + 3600), json!(253_402_300_799_u64)].to_vec()),
            ("reason", reasons.clone()),
            ("note", reasons),
            (
                "digest",
                [desk.yes(&pending, "bob")["digest"].clone(), json!("0".repeat(64))].to_vec(),
            ),
            ("code", [json!(alice_code), enrol_frank["code"].clone(), json!("000000")].to_vec()),
            ("confirmation", [confirm["confirmation"].clone()].to_vec()),
            ("nonce", [json!("AAAA")].to_vec()),
            ("public_key", texts(&[&line(&key("alice")), &line(&key("another"))])),
            ("proof_key", texts(&[&line(&key("alice")), &line(&key("another"))])),
            ("keys", texts(&[&line(&key("heidi")), &line(&key("alice"))])),
            ("signature", [enrol_frank["signature"].clone()].to_vec()),
            ("fingerprint", texts(&[&print("alice"), &print("bob"), "SHA256:x"])),
            ("labels", texts(&["env=prod", "env=dev", "a=b"])),
            ("groups", texts(&["leads", "dev", "admins"])),
            ("add", texts(&["leads", "dev"])),
            ("remove", texts(&["leads", "dev"])),
            ("state", texts(&["requested", "active", "denied"])),
            ("text", texts(&["", "[[role]]\nname = 'a'\n"])),
            ("action", texts(&["session.open", "login.check", "policy.change"])),
            ("outcome", texts(&["done", "refused"])),
            ("from", [json!(0), json!(1), json!(u64::MAX), json!(i64::MAX)].to_vec()),
            ("limit", [json!(0), json!(1), json!(u32::MAX)].to_vec()),
            ("wait", [json!(0), json!(u32::MAX)].to_vec()),
            ("version", [json!(1), json!("x"), json!(u64::MAX)].to_vec()),
            ("before", [json!(3), json!(0), json!(u64::MAX)].to_vec()),
            ("since", [json!(NOW), json!(u64::MAX)].to_vec()),
            ("until", [json!(NOW + 60), json!(0)].to_vec()),
            ("sequence", [json!(0), json!(1), json!(u64::MAX)].to_vec()),
            ("time", [json!(NOW), json!(0)].to_vec()),
        ]);
    }
}

impl World {
    /// Asks the endpoint something that is made of `choices`, checks the answer, and says its status.
    pub fn ask(
        &self,
        entry: &'static Entry,
        described: &Description,
        choices: &mut Choices<'_>,
    ) -> u16 {
        let furniture = &self.furniture;
        let operation = operation(&described.document, entry);
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let Example { by, at, body: example } = &furniture.examples[entry.name];
        let caller = if choices.one_in(3) { choices.below(furniture.callers.len()) } else { *by };
        let mut target = entry.path.to_owned();
        let mut query = Vec::new();
        for parameter in operation["parameters"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            let needed = parameter["required"] == true;
            if parameter["in"] == "path" {
                let word = match name {
                    "id" | "name" if !choices.one_in(3) => at.clone(),
                    _ => choices.encoded(name, &furniture.words),
                };
                target = target.replace(&format!("{{{name}}}"), &word);
            } else if needed || choices.one_in(4) {
                query.push(format!("{name}={}", choices.encoded(name, &furniture.words)));
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let method = entry.method.as_str();
        let body = match method {
            "GET" | "DELETE" => Vec::new(),
            _ => choices.body(schema, &described.document, example, &furniture.words),
        };
        let client = &furniture.callers[caller];
        let mut request = client.signed(&self.desk, method, &target, body.clone());
        if choices.one_in(16) {
            request.idempotency_key = Some("once".into());
        }
        let answered = self.desk.answered(&self.desk.office, &request);
        let what =
            format!("{method} {target:.300} by {caller}, {:.2000}", String::from_utf8_lossy(&body));
        assert!(answered.status < 500, "{what}: {}", String::from_utf8_lossy(&answered.body));
        assert_eq!(answered.retry_after.is_some(), answered.status == 429, "{what}");
        let problem = if answered.status == 200 { "" } else { "problem+" };
        assert_eq!(answered.content_type, format!("application/{problem}json"), "{what}");
        // Noise in the path may lead elsewhere.
        if answered.endpoint == Some(entry.name) {
            described.check(entry, answered.status, &read(&answered), &what);
        }
        if choices.one_in(16) {
            self.desk.clock.pass(30);
        }
        answered.status
    }
}

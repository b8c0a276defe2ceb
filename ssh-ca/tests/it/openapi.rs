//! Every endpoint of the OpenAPI document, asked by root and by nobody with bodies and parameters of
//! every shape: the server answers with what is documented, and never that something of its own is
//! wrong.

use std::io::Write;
use std::os::unix::net::UnixStream;

use jit_api::Office;
use serde_json::{Value, json};

use crate::https::{Answer, read_answer};
use crate::served::Served;

/// Rounds of each endpoint.
const ROUNDS: usize = 40;

/// Numbers that look random and are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn text(&mut self) -> &'static str {
        let all = [
            "alice",
            "web-1",
            "k7q2-m9xd",
            "@admins",
            "deploy",
            "",
            " ",
            "0",
            "-1",
            "x",
            "a b",
            "../..",
            "ä",
            "\u{0}",
            "\"",
            "99999999999999999999",
            "env=prod",
            "INC-1 why",
            "SHA256:abc",
            "ssh-ed25519 AAAA",
            "all",
            "true",
            "\u{202e}",
            "requested",
        ];
        all[self.below(all.len())]
    }

    /// Anything, not too deep.
    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => Value::from(self.below(2) == 0),
            2 => [json!(0), json!(-1), json!(1.5), json!(600), json!(u64::MAX)][self.below(5)]
                .clone(),
            3..=5 => Value::from(self.text()),
            6 => Value::from_iter((0..self.below(4)).map(|_| self.value(depth - 1))),
            _ => {
                let keys = ["reason", "person", "name", "duration", "digest", "evidence", "code"];
                let mut map = serde_json::Map::new();
                for _ in 0..self.below(5) {
                    map.insert(keys[self.below(keys.len())].into(), self.value(depth - 1));
                }
                Value::Object(map)
            }
        }
    }

    /// What the schema asks for, more or less.
    fn like(&mut self, schema: &Value, all: &Value, depth: usize) -> Value {
        if depth == 0 || self.below(8) == 0 {
            return self.value(2);
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            return self.like(&all["components"]["schemas"][name], all, depth - 1);
        }
        for many in ["anyOf", "oneOf"] {
            if let Some(kinds) = schema[many].as_array() {
                let which = self.below(kinds.len());
                return self.like(&kinds[which], all, depth - 1);
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let mut map = serde_json::Map::new();
            for (name, schema) in properties {
                if self.below(6) != 0 {
                    map.insert(name.clone(), self.like(schema, all, depth - 1));
                }
            }
            return Value::Object(map);
        }
        match schema["type"].as_str() {
            Some("integer" | "number") => json!(self.below(1000)),
            Some("boolean") => json!(self.below(2) == 0),
            Some("array") => json!([self.like(&schema["items"], all, depth - 1)]),
            Some("string") => Value::from(self.text()),
            _ => self.value(2),
        }
    }

    fn encoded(&mut self) -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") };
        let text = self.text().bytes().map(one).collect::<String>();
        // A dot alone, or nothing, would be another path.
        if text.trim_matches('.').is_empty() { "x".into() } else { text }
    }
}

fn ask(served: &Served, method: &str, target: &str, body: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(served.socket("api.sock")).unwrap();
    let length = body.len();
    write!(stream, "{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
        .unwrap();
    stream.write_all(body).unwrap();
    read_answer(&mut stream).unwrap()
}

#[test]
fn a_refusal_says_what_it_takes() {
    let served = Served::new();
    let (other, unknown) = (served.connect().ask("PUT", "/v1/me", "", b""), served.get("/v1/me"));
    assert_eq!((other.status, other.header("allow")), (405, Some("get")));
    assert_eq!((unknown.status, unknown.header("www-authenticate")), (401, Some("jit, jit-host")));
    for list in ["[]", " [\"alice\"]", "null"] {
        let answer = ask(&served, "POST", "/v1/people/alice/suspend", list.as_bytes());
        assert_eq!(answer.status, 400, "{list}: {answer:?}");
    }
}

#[test]
fn whatever_is_asked_the_answer_is_a_documented_one_and_no_5xx() {
    let served = Served::new();
    let document = Office::openapi();
    assert_eq!(served.get("/v1/openapi.json").json(), document);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let (mut asked, mut good) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for round in 0..ROUNDS {
                let mut target = path.clone();
                let mut query = Vec::new();
                for parameter in operation["parameters"].as_array().unwrap() {
                    let name = parameter["name"].as_str().unwrap();
                    match parameter["in"].as_str() {
                        Some("path") => {
                            target = target.replace(&format!("{{{name}}}"), &dice.encoded());
                        }
                        // Waiting is tested elsewhere.
                        _ if name != "wait" && dice.below(2) == 0 => {
                            query.push(format!("{name}={}", dice.encoded()));
                        }
                        _ => {}
                    }
                }
                if !query.is_empty() {
                    target = format!("{target}?{}", query.join("&"));
                }
                let body = match round % 8 {
                    0 => Vec::new(),
                    1 => b"{\"a\":".to_vec(),
                    2 => vec![0xff; 100],
                    3 => "[".repeat(10_000).into_bytes(),
                    4 => dice.value(3).to_string().into_bytes(),
                    // None is asked for.
                    _ if schema.is_null() => Vec::new(),
                    _ => dice.like(schema, &document, 6).to_string().into_bytes(),
                };
                let upper = method.to_uppercase();
                let by_root = ask(&served, &upper, &target, &body);
                let by_nobody = served.connect().ask(&upper, &target, "", &body);
                for answer in [&by_root, &by_nobody] {
                    let documented = &operation["responses"][answer.status.to_string()];
                    let what = || {
                        format!("{upper} {target} {}: {answer:?}", String::from_utf8_lossy(&body))
                    };
                    assert!(answer.status < 500, "{}", what());
                    assert!(documented.is_object(), "{}", what());
                    let kind = answer.header("content-type").unwrap_or_default();
                    assert!(documented["content"][kind].is_object(), "{}", what());
                    asked += 1;
                    good += usize::from(answer.status == 200);
                }
            }
        }
    }
    assert!(asked > 1000 && good > 50, "only {asked} asked, {good} of them well");
}

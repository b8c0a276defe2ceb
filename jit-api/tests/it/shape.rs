//! What strangers might send, made of choices: values after a schema with words that fit, valid bodies
//! with something wrong in them, and noise.

use serde_json::{Map, Value, json};

/// Choices, made by bytes: a fuzzer's, or random ones. Where they have ended, the first of each, which is
/// what is right.
pub struct Choices<'a>(pub &'a [u8]);

/// Words that fit where a property or parameter has a name.
pub type Words = std::collections::BTreeMap<&'static str, Vec<Value>>;

impl Choices<'_> {
    pub fn below(&mut self, most: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % most.max(1)
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// A body after the schema, or the example with some things changed, or no JSON at all.
    pub fn body(&mut self, schema: &Value, all: &Value, example: &Value, words: &Words) -> Vec<u8> {
        match self.below(16) {
            15 => self.noise(),
            0..8 if !example.is_null() => {
                let mut body = example.clone();
                for _ in 0..self.below(4) {
                    self.change(&mut body, "", words);
                }
                body.to_string().into_bytes()
            }
            _ => self.like(schema, all, "", words, 8).to_string().into_bytes(),
        }
    }

    /// A word for a path or a query, percent-encoded, mostly.
    pub fn encoded(&mut self, name: &str, words: &Words) -> String {
        let word = match self.word(name, words) {
            Value::Null => self.odd(1),
            word => word,
        };
        let word = word.as_str().map_or_else(|| word.to_string(), str::to_owned);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let bare = self.one_in(32);
        let one = |b: u8| match bare || plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        };
        word.bytes().take(2000).map(one).collect()
    }

    /// Changes one thing somewhere in a value.
    fn change(&mut self, value: &mut Value, name: &str, words: &Words) {
        match value {
            Value::Object(map) if !map.is_empty() && !self.one_in(8) => {
                let names: Vec<_> = map.keys().cloned().collect();
                let name = self.pick(&names).clone();
                match self.below(8) {
                    0 => drop(map.remove(&name)),
                    1 => drop(map.insert(format!("{name}x"), json!(1))),
                    _ => self.change(&mut map[name.as_str()], &name, words),
                }
            }
            Value::Array(list) if !list.is_empty() && !self.one_in(8) => {
                let at = self.below(list.len());
                match self.below(4) {
                    0 => drop(list.remove(at)),
                    1 => list.push(list[at].clone()),
                    _ => self.change(&mut list[at], name, words),
                }
            }
            Value::String(text) if !text.is_empty() && self.one_in(3) => {
                let at = self.below(text.len());
                let flipped = text.char_indices().map(|(i, c)| if i == at { '~' } else { c });
                *value = flipped.collect::<String>().into();
            }
            other => *other = self.word(name, words),
        }
    }

    /// What the schema asks for, mostly.
    fn like(&mut self, schema: &Value, all: &Value, name: &str, words: &Words, depth: u8) -> Value {
        if depth == 0 || self.one_in(24) {
            return self.odd(2);
        }
        let depth = depth - 1;
        if let Some(pointer) = schema["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
            let schema = all.pointer(pointer).unwrap_or(&Value::Null);
            return self.like(schema, all, name, words, depth);
        }
        for many in ["anyOf", "oneOf"] {
            if let Some(kinds) = schema[many].as_array() {
                let kind = self.pick(kinds);
                return self.like(kind, all, name, words, depth);
            }
        }
        if let Some(properties) = schema["properties"].as_object() {
            let mut map = Map::new();
            let required = schema["required"].as_array();
            for (name, schema) in properties {
                let needed = required.is_some_and(|all| all.iter().any(|one| one == name));
                // Most are left out that may be: few fit together.
                if (needed && !self.one_in(24)) || (!needed && self.one_in(3)) {
                    map.insert(name.clone(), self.like(schema, all, name, words, depth));
                }
            }
            return Value::Object(map);
        }
        if schema["type"] == "object" && !schema["additionalProperties"].is_object() {
            return json!({});
        }
        if schema["type"] == "array" {
            let many = self.below(3);
            return (0..many)
                .map(|_| self.like(&schema["items"], all, name, words, depth))
                .collect();
        }
        match self.word(name, words) {
            Value::Null if schema["type"] == "boolean" => json!(self.one_in(2)),
            Value::Null if schema["type"] == "integer" => json!(self.below(250)),
            word => word,
        }
    }

    fn word(&mut self, name: &str, words: &Words) -> Value {
        match words.get(name) {
            Some(fitting) if !self.one_in(8) => self.pick(fitting).clone(),
            Some(_) => self.odd(2),
            None => Value::Null,
        }
    }

    /// Something that fits nowhere.
    fn odd(&mut self, depth: usize) -> Value {
        let numbers =
            [json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!(i64::MIN), json!(1e300)];
        let texts = [
            "",
            " ",
            "0",
            "-1",
            "..",
            "a b",
            "ä",
            "\u{0}",
            "\n",
            "\"",
            "\u{202e}",
            "%",
            "&name=x",
            "@leads",
            "18446744073709551616",
            "1e9",
            "null",
            "../../etc/passwd",
            "'; --",
            "{id}",
        ];
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.one_in(2)),
            2 => self.pick(&numbers).clone(),
            3 | 4 => json!(self.pick(&texts)),
            5 => json!("x".repeat(self.below(256) * 40)),
            6 | 7 => (0..self.below(4)).map(|_| self.odd(depth - 1)).collect(),
            _ => json!({ "person": self.odd(depth - 1), "": self.odd(depth - 1) }),
        }
    }

    /// What is no JSON, or hardly.
    fn noise(&mut self) -> Vec<u8> {
        let open = ["[", "{\"a\":", "[{\"a\":["];
        match self.below(4) {
            0 => Vec::new(),
            1 => self.pick(&open).repeat(1 + self.below(256) * 100).into_bytes(),
            2 => b"{\"person\":\"alice\",\"person\":\"bob\"}{}".to_vec(),
            _ => self.0.iter().take(64).copied().collect(),
        }
    }
}

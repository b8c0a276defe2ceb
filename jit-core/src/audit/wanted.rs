//! Which records somebody looks for.

use serde_json::Value;

use super::Record;
use crate::hook::Filter;
use crate::id::GrantId;
use crate::name::PersonName;
use crate::time::Timestamp;

/// What a record must have; nothing asked for takes all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Somebody who did it, or whom it is about.
    pub person: Option<PersonName>,
    /// What was done.
    pub action: Option<Filter>,
    /// A grant that it is about.
    pub grant: Option<GrantId>,
    /// The first second.
    pub since: Option<Timestamp>,
    /// The first second that is too late.
    pub until: Option<Timestamp>,
}

impl Wanted {
    /// Whether a record is among them.
    pub fn takes(&self, record: &Record) -> bool {
        let Wanted { person, action, grant, since, until } = self;
        since.is_none_or(|since| record.time >= since)
            && until.is_none_or(|until| record.time < until)
            && action.as_ref().is_none_or(|action| action.matches(&record.action))
            && person.as_ref().is_none_or(|name| is_about(record, name.as_str()))
            && grant.as_ref().is_none_or(|id| is_about(record, id.as_str()))
    }
}

/// Whether a person or a grant has to do with a record.
fn is_about(record: &Record, name: &str) -> bool {
    record.object == name
        || record.actor.strip_prefix("person:") == Some(name)
        || record.object.strip_prefix("person:") == Some(name)
        || serde_json::from_str(&record.detail).is_ok_and(|detail| names(&detail, name))
}

/// Whether a value in `detail` is this name and nothing else.
fn names(detail: &Value, name: &str) -> bool {
    match detail {
        // The actor of a host's record is within the authority's.
        Value::String(text) => text.strip_prefix("person:").unwrap_or(text) == name,
        Value::Array(items) => items.iter().any(|item| names(item, name)),
        Value::Object(fields) => fields.values().any(|value| names(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Event, Outcome};
    use crate::grant::Actor;
    use serde_json::json;

    fn record(actor: Actor, action: &'static str, object: &str, detail: Value, at: u64) -> Record {
        let event = Event { actor, action, object: object.into(), outcome: Outcome::Done, detail };
        Record::after(None, &event, Timestamp::from_unix(at).unwrap())
    }

    #[test]
    fn each_filter_takes_what_it_names_and_together_they_take_what_all_do() {
        let alice = PersonName::parse("alice").unwrap();
        let id = GrantId::parse("k7q2-m9xd").unwrap();
        let ask = json!({ "ask": { "person": "alice", "reason": "for bob" } });
        let asked = record(Actor::Root, "grant.request", id.as_str(), ask, 100);
        let entered = record(
            Actor::Person(alice.clone()),
            "login.check",
            "deploy@web-1",
            json!({ "grants": [id] }),
            200,
        );
        let other = record(Actor::Root, "host.put", "web-1", json!({ "labels": [] }), 300);
        let which = |wanted: Wanted| [&asked, &entered, &other].map(|one| wanted.takes(one));
        let at = |seconds| Some(Timestamp::from_unix(seconds).unwrap());
        let of = |name: &str| PersonName::parse(name).ok();
        let all = Wanted::default;
        assert_eq!(which(all()), [true, true, true]);
        assert_eq!(which(Wanted { person: Some(alice.clone()), ..all() }), [true, true, false]);
        assert_eq!(which(Wanted { person: of("bob"), ..all() }), [false; 3], "that is a reason");
        assert_eq!(which(Wanted { grant: Some(id.clone()), ..all() }), [true, true, false]);
        let action = Filter::parse("grant.*").ok();
        assert_eq!(which(Wanted { action: action.clone(), ..all() }), [true, false, false]);
        assert_eq!(which(Wanted { since: at(200), ..all() }), [false, true, true]);
        assert_eq!(which(Wanted { until: at(200), ..all() }), [true, false, false]);
        let both = Wanted { person: Some(alice), since: at(150), action, ..all() };
        assert_eq!(which(both), [false; 3]);
    }
}

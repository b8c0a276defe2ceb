//! From a path to a line of the table, and back.

use jit_core::{Error, Result};
use serde_json::Value;

use crate::endpoint::{Endpoint, Entry};
use crate::problem::Failure;
use crate::table::ENDPOINTS;

/// The line for a method and path, and what stood in the path's braces, written as a query.
///
/// # Errors
/// Not found, or method not allowed.
pub(crate) fn find(method: &str, path: &str) -> Result<(&'static Entry, String), Failure> {
    let mut others = Vec::new();
    for entry in ENDPOINTS {
        if let Some(values) = matched(entry.path, path) {
            if entry.method.as_str() == method {
                return Ok((entry, values));
            }
            others.push(entry.method.as_str());
        }
    }
    if !others.is_empty() {
        return Err(Failure::method_not_allowed(others.join(", ")));
    }
    Err(Error::not_found("there is nothing at this path").next("See /v1/openapi.json.").into())
}

fn matched(pattern: &str, path: &str) -> Option<String> {
    let mut values = String::new();
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(values),
            (Some(wanted), Some(given)) => match braced(wanted) {
                Some(name) if !given.is_empty() => {
                    if !values.is_empty() {
                        values.push('&');
                    }
                    // In a path these three are themselves; in a query they are not.
                    let given = given.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
                    values.push_str(&format!("{name}={given}"));
                }
                _ if wanted == given => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn braced(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path and query with which a client asks for `E`.
///
/// # Errors
/// Invalid when a value can't be written there.
pub fn target<E: Endpoint>(path: &E::Path, query: &E::Query) -> Result<String> {
    let bad = |what: &str| Error::invalid(format!("{what} can't be written into a URL"));
    let values = serde_json::to_value(path).map_err(|_| bad("the path"))?;
    let mut target = String::new();
    for segment in E::PATH.split('/').skip(1) {
        target.push('/');
        match braced(segment) {
            Some(name) => match values.get(name) {
                Some(Value::String(text)) if !text.is_empty() => {
                    target.push_str(&percent_encoded(text));
                }
                Some(Value::Number(number)) => target.push_str(&number.to_string()),
                _ => return Err(bad(name)),
            },
            None => target.push_str(segment),
        }
    }
    let query = serde_urlencoded::to_string(query).map_err(|_| bad("the query"))?;
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query);
    }
    Ok(target)
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            _ => format!("%{b:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_matched_as_a_whole() {
        assert_eq!(matched("/a/{x}/b", "/a/1/b").unwrap(), "x=1");
        assert_eq!(matched("/a/{x}/{y}", "/a/1+2/3&z=4").unwrap(), "x=1%2B2&y=3%26z%3D4");
        for bad in ["/a/1", "/a//b", "/a/1/b/", "/a/1/c", "a/1/b", "/a/1/b/c", ""] {
            assert_eq!(matched("/a/{x}/b", bad), None, "{bad}");
        }
    }

    #[test]
    fn no_two_lines_of_the_table_are_the_same() {
        for (index, one) in ENDPOINTS.iter().enumerate() {
            assert_eq!(find(one.method.as_str(), one.path).unwrap().0.name, one.name);
            for other in &ENDPOINTS[index + 1..] {
                assert_ne!(one.name, other.name);
            }
        }
    }

    #[test]
    fn the_wrong_method_is_told_from_the_wrong_path() {
        let wrong = find("PATCH", "/v1/people/alice").err().unwrap();
        assert_eq!((wrong.problem().status, wrong.allow.as_deref()), (405, Some("GET, DELETE")));
        assert_eq!(find("GET", "/v2").err().unwrap().problem().status, 404);
    }
}

//! The log of provider API requests: decoded, with secrets masked.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::deliveries::outbox::Provider;
use crate::moment::Moment;

/// How many requests are kept.
const KEPT: usize = 100_000;
/// Members whose values are never kept, as they are named in forms and JSON bodies.
const SECRETS: [&str; 10] = [
    "client_secret",
    "refresh_token",
    "code",
    "code_verifier",
    "id_token_hint",
    "password",
    "token",
    "card[number]",
    "card[cvv]",
    "tmp_token",
];

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) provider: Provider,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Value,
    pub(crate) body: Value,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) status: u16,
    /// The fault that was met.
    pub(crate) fault: Option<&'static str>,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<(u64, Moment, Entry)>,
    next: u64,
}

impl Log {
    pub(crate) fn push(&mut self, entry: Entry, now: Moment) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.next += 1;
        self.entries.push_back((self.next, now, entry));
    }

    /// How many requests are kept.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The newest requests with their instants, newest first.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = (Moment, &Entry)> {
        self.entries.iter().rev().take(count).map(|(_, at, entry)| (*at, entry))
    }

    /// The kept requests that fit, oldest first; with a limit the newest of them. `total` counts all that fit.
    pub(crate) fn render(&self, wanted: &Wanted<'_>) -> Value {
        let fitting: Vec<_> =
            self.entries.iter().filter(|(id, _, entry)| *id > wanted.after && wanted.fits(entry)).collect();
        let shown = wanted.limit.map_or(0, |limit| fitting.len().saturating_sub(limit));
        let requests: Vec<Value> = fitting[shown..]
            .iter()
            .map(|(id, at, entry)| {
                json!({
                    "id": format!("req_{id}"),
                    "at": at.rfc3339(),
                    "provider": entry.provider.as_str(),
                    "method": entry.method,
                    "path": entry.path,
                    "query": entry.query,
                    "body": entry.body,
                    "idempotencyKey": entry.idempotency_key,
                    "status": entry.status,
                    "fault": entry.fault,
                })
            })
            .collect();
        json!({ "total": fitting.len(), "requests": requests })
    }
}

/// Which requests are asked for; what is `None` fits all.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) provider: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    /// A path that ends in `*` fits everything it begins.
    pub(crate) path: Option<&'a str>,
    pub(crate) limit: Option<usize>,
    /// Only later ones than this id, without its prefix.
    pub(crate) after: u64,
}

impl Wanted<'_> {
    fn fits(&self, entry: &Entry) -> bool {
        self.provider.is_none_or(|provider| entry.provider.as_str() == provider)
            && self.method.is_none_or(|method| entry.method.eq_ignore_ascii_case(method))
            && self.path.is_none_or(|path| match path.strip_suffix('*') {
                Some(beginning) => entry.path.starts_with(beginning),
                None => entry.path == path,
            })
    }
}

/// The pairs of a form or a query as an object of texts, named as on the wire, secrets masked.
pub(crate) fn masked_pairs(pairs: &[(String, String)]) -> Value {
    let masked = pairs.iter().map(|(name, value)| {
        let value = if SECRETS.contains(&name.as_str()) { "***" } else { value };
        (name.clone(), Value::from(value))
    });
    Value::Object(masked.collect::<Map<_, _>>())
}

/// A JSON body with its secrets masked; null where there is none, a text where it is no JSON.
pub(crate) fn masked_json(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let mut value = serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)));
    if let Some(object) = value.as_object_mut() {
        for (name, value) in object.iter_mut() {
            if SECRETS.contains(&name.as_str()) {
                *value = "***".into();
            }
        }
    }
    value
}

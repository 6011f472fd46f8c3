//! The log of provider API requests: decoded, with secrets masked.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use crate::deliveries::outbox::Provider;
use crate::moment::Moment;

/// How many requests are kept.
const KEPT: usize = 100_000;
/// Members whose values are never kept, as they are named in forms and JSON bodies.
const SECRETS: [&str; 9] = [
    "client_secret",
    "refresh_token",
    "code",
    "code_verifier",
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

    /// The kept requests that fit, oldest first. A path that ends in `*` fits everything it begins.
    pub(crate) fn render(&self, provider: Option<&str>, method: Option<&str>, path: Option<&str>) -> Value {
        let fits = |entry: &Entry| {
            provider.is_none_or(|provider| entry.provider.as_str() == provider)
                && method.is_none_or(|method| entry.method.eq_ignore_ascii_case(method))
                && path.is_none_or(|path| match path.strip_suffix('*') {
                    Some(beginning) => entry.path.starts_with(beginning),
                    None => entry.path == path,
                })
        };
        let requests: Vec<Value> = self
            .entries
            .iter()
            .filter(|(_, _, entry)| fits(entry))
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
                    "fault": null,
                })
            })
            .collect();
        json!({ "total": requests.len(), "requests": requests })
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

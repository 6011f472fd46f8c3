//! Search: `status:'active' AND metadata['organizationId']:'org_1'`.
//!
//! Served: `:` (equal) on members and metadata, `:null`, `-` before a clause, `>`, `<`, `>=`, `<=` on numbers, clauses
//! joined by `AND` or by `OR`, not both. Here everything is found at once; the provider takes up to a minute.
//!
//! Source: Stripe docs, "Search", with its section "Search query language".

use serde_json::{Value, json};

use super::list::limit;
use super::params::Params;
use super::problem;
use crate::stripe::account::refusal::Refusal;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    negated: bool,
    /// The member, and a key of metadata.
    member: String,
    key: Option<String>,
    operator: &'static str,
    /// `None` is null.
    value: Option<String>,
}

/// A query and the page that is asked for.
#[derive(Debug)]
pub(super) struct Search {
    clauses: Vec<Clause>,
    any: bool,
    limit: usize,
    skip: usize,
}

impl Search {
    pub(super) fn read(params: &mut Params) -> Result<Self, Refusal> {
        let query = params.required("query")?;
        let limit = limit(params)?;
        // A page is opaque to callers: how many results came before.
        let skip = match params.text("page")? {
            None => 0,
            Some(page) => page.parse().map_err(|_| problem::invalid("page", "Invalid page"))?,
        };
        let (clauses, any) = parse(&query)
            .ok_or_else(|| problem::invalid("query", &format!("We were unable to parse your search query: {query}")))?;
        Ok(Self { clauses, any, limit, skip })
    }

    /// The page of those objects that fit; `rows` come newest first.
    pub(super) fn page(&self, url: &str, rows: impl Iterator<Item = Value>) -> Value {
        let fits = |value: &Value| {
            let mut clauses = self.clauses.iter();
            if self.any { clauses.any(|one| one.fits(value)) } else { clauses.all(|one| one.fits(value)) }
        };
        let mut found = rows.filter(fits).skip(self.skip);
        let data: Vec<Value> = found.by_ref().take(self.limit).collect();
        let has_more = found.next().is_some();
        let next_page = has_more.then(|| (self.skip + self.limit).to_string());
        json!({ "object": "search_result", "data": data, "has_more": has_more, "next_page": next_page, "url": url })
    }
}

impl Clause {
    fn fits(&self, object: &Value) -> bool {
        let member = &object[&self.member];
        let member = match &self.key {
            Some(key) => &member[key],
            None => member,
        };
        let fits = match (&self.value, self.operator) {
            (None, _) => member.is_null(),
            (Some(value), ":") => match member {
                Value::String(text) => text.eq_ignore_ascii_case(value),
                Value::Number(number) => value.parse().is_ok_and(|value: i64| number.as_i64() == Some(value)),
                Value::Bool(flag) => value.parse() == Ok(*flag),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            },
            (Some(value), operator) => match (member.as_i64(), value.parse::<i64>()) {
                (Some(member), Ok(value)) => match operator {
                    ">" => member > value,
                    "<" => member < value,
                    ">=" => member >= value,
                    _ => member <= value,
                },
                _ => false,
            },
        };
        fits != self.negated
    }
}

/// The clauses of a query, and whether one of them is enough.
fn parse(query: &str) -> Option<(Vec<Clause>, bool)> {
    let mut rest = query.trim();
    let mut clauses = Vec::new();
    let mut joint: Option<bool> = None;
    loop {
        let (clause, after) = parse_clause(rest)?;
        clauses.push(clause);
        let after = after.trim_start();
        if after.is_empty() {
            return Some((clauses, joint.unwrap_or(false)));
        }
        let (word, next) = after.split_once(' ').unwrap_or((after, ""));
        let any = match word {
            "AND" | "and" => false,
            "OR" | "or" => true,
            // Without a word between them both are meant.
            _ => {
                if joint == Some(true) {
                    return None;
                }
                joint = Some(false);
                rest = after;
                continue;
            }
        };
        if joint.is_some_and(|joint| joint != any) {
            return None;
        }
        joint = Some(any);
        rest = next.trim_start();
    }
}

fn parse_clause(text: &str) -> Option<(Clause, &str)> {
    let (negated, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')?;
    let (member, rest) = text.split_at(end);
    if member.is_empty() {
        return None;
    }
    let (key, rest) = match rest.strip_prefix('[') {
        None => (None, rest),
        Some(inner) => {
            let (key, after) = quoted(inner)?;
            (Some(key), after.strip_prefix(']')?)
        }
    };
    let operator = [":", ">=", "<=", ">", "<"].into_iter().find(|operator| rest.starts_with(operator))?;
    let rest = &rest[operator.len()..];
    let (value, rest) = if let Some((value, rest)) = quoted(rest) {
        (Some(value), rest)
    } else {
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        let bare = word.parse::<i64>().is_ok() || word == "true" || word == "false";
        match word {
            "null" | "NULL" => (None, rest),
            word if bare => (Some(word.to_owned()), rest),
            _ => return None,
        }
    };
    Some((Clause { negated, member: member.to_owned(), key, operator, value }, rest))
}

/// A text in quotes, single or double, where a backslash takes the next letter as it is.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return Some((value, &text[at + 1..]));
        }
        value.push(if letter == '\\' { letters.next()?.1 } else { letter });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(query: &str, object: &Value) -> bool {
        let (clauses, any) = parse(query).unwrap_or_else(|| panic!("{query}"));
        if any { clauses.iter().any(|one| one.fits(object)) } else { clauses.iter().all(|one| one.fits(object)) }
    }

    #[test]
    fn clauses_are_equalities_bounds_and_negations() {
        let object = json!({ "status": "active", "metadata": { "a b": "it's" }, "created": 10, "name": null });
        for query in [
            "status:'active'",
            r#"status:"active" AND metadata["a b"]:"it's""#,
            r"metadata['a b']:'it\'s' AND created>9 AND created<=10",
            "status:'canceled' OR created:10",
            "-status:'canceled' name:null",
        ] {
            assert!(fits(query, &object), "{query}");
        }
        for query in ["status:'canceled'", "created>10", "metadata['c']:'d'", "-name:null"] {
            assert!(!fits(query, &object), "{query}");
        }
        for query in ["", "status", "status:active", "status:'active", "a:'1' AND b:'1' OR c:'1'", "a:'1' AND"] {
            assert_eq!(parse(query), None, "{query}");
        }
    }
}

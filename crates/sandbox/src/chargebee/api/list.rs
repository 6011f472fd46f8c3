//! Lists: filters, sorting and paging.
//!
//! A filter is `attribute[operator]=value`; `in`, `not_in` and `between` carry a JSON array in one field. `offset` is
//! opaque to callers: the sort value and the position of the last row, so that new rows do not shift a page.
//! A filter on an attribute that the list does not have is refused, where the provider's answer is not documented.
//!
//! Source: Chargebee API docs, "List operations".

use serde_json::Value;

use super::{Answer, Form};
use crate::chargebee::refusal::Refusal;

/// The value of an attribute that can be filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute<'a> {
    Text(&'a str),
    Number(i64),
    /// The row has no value.
    Absent,
}

impl<'a> Attribute<'a> {
    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Attribute::Absent, Attribute::Text)
    }

    pub(super) fn number(number: Option<i64>) -> Self {
        number.map_or(Attribute::Absent, Attribute::Number)
    }

    pub(super) fn boolean(value: bool) -> Self {
        Attribute::Text(if value { "true" } else { "false" })
    }
}

struct Filter {
    attribute: String,
    operator: Operator,
    operands: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    StartsWith,
    IsPresent,
    In,
    NotIn,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Between,
}

/// Answers one page of a list.
pub(super) fn page<'t, T: 't>(
    rows: impl Iterator<Item = &'t T>,
    query: &Form,
    filters: &'static [&'static str],
    sorts: &'static [&'static str],
    attribute: impl Fn(&'t T, &str) -> Attribute<'t>,
    includes: impl Fn(&T) -> bool,
    entry: impl Fn(usize) -> String,
) -> Result<Answer, Refusal> {
    let wanted = parse_filters(query, filters)?;
    let (sort, descending) = parse_sort(query, sorts)?;
    let limit = parse_limit(query)?;
    let after = parse_offset(query)?;

    // Rows lie in the order of their creation, so that the default order needs no look at what comes before or after.
    let in_order = !descending && sorts.first() == Some(&sort) && sort != "updated_at";
    let skipped = match after {
        Some((_, last)) if in_order => usize::try_from(last.saturating_add(1)).unwrap_or(0),
        _ => 0,
    };
    let mut keys: Vec<(i64, usize)> = Vec::new();
    for (position, row) in rows.enumerate().skip(skipped) {
        if in_order && keys.len() > limit {
            break;
        }
        let key = match attribute(row, sort) {
            Attribute::Number(value) => value,
            Attribute::Text(_) | Attribute::Absent => 0,
        };
        let position_key = i64::try_from(position).unwrap_or(i64::MAX);
        let comes_later = match after {
            Some((value, last)) if descending => (key, position_key) < (value, last),
            Some((value, last)) => (key, position_key) > (value, last),
            None => true,
        };
        if comes_later
            && includes(row)
            && wanted.iter().all(|filter| matches(filter, &attribute(row, &filter.attribute)))
        {
            keys.push((key, position));
        }
    }
    if descending {
        keys.sort_unstable_by(|one, two| two.cmp(one));
    } else if keys.len() > limit + 1 {
        keys.select_nth_unstable(limit);
        keys.truncate(limit + 1);
        keys.sort_unstable();
    } else {
        keys.sort_unstable();
    }
    let more = keys.len() > limit;
    keys.truncate(limit);
    let entries: Vec<String> = keys.iter().map(|(_, position)| entry(*position)).collect();
    let next = keys.last().filter(|_| more).map(|(value, position)| {
        let offset = Value::from(vec![value.to_string(), position.to_string()]).to_string();
        format!(",\"next_offset\":{}", Value::from(offset))
    });
    Ok(Answer::text(format!("{{\"list\":[{}]{}}}", entries.join(","), next.unwrap_or_default())))
}

fn parse_filters(query: &Form, known: &[&str]) -> Result<Vec<Filter>, Refusal> {
    let mut filters = Vec::new();
    for (name, value) in query.pairs() {
        let Some((attribute, operator)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else {
            continue;
        };
        if attribute == "sort_by" {
            continue;
        }
        let wrong = |message: String| Refusal::wrong_value(name.as_str(), message);
        if !known.contains(&attribute) {
            return Err(wrong(format!("{attribute} is not a filter of this list")));
        }
        let operator = match operator {
            "is" | "on" => Operator::Is,
            "is_not" => Operator::IsNot,
            "starts_with" => Operator::StartsWith,
            "is_present" => Operator::IsPresent,
            "in" => Operator::In,
            "not_in" => Operator::NotIn,
            "lt" | "before" => Operator::Less,
            "lte" => Operator::AtMost,
            "gt" | "after" => Operator::Greater,
            "gte" => Operator::AtLeast,
            "between" => Operator::Between,
            other => return Err(wrong(format!("{other} is not an operator"))),
        };
        let operands = match operator {
            Operator::In | Operator::NotIn | Operator::Between => parse_array(value)
                .ok_or_else(|| wrong(format!("{attribute} : must be a JSON array, for example [\"one\",\"two\"]")))?,
            _ => vec![value.clone()],
        };
        let is_numeric = matches!(
            operator,
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast | Operator::Between
        );
        if is_numeric && operands.iter().any(|operand| operand.parse::<i64>().is_err()) {
            return Err(wrong(format!("{attribute} : must be a number")));
        }
        if operator == Operator::Between && operands.len() != 2 {
            return Err(wrong(format!("{attribute} : must be two numbers")));
        }
        filters.push(Filter { attribute: attribute.to_owned(), operator, operands });
    }
    Ok(filters)
}

fn parse_array(text: &str) -> Option<Vec<String>> {
    let Ok(Value::Array(values)) = serde_json::from_str(text) else { return None };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

fn parse_sort<'q>(query: &'q Form, known: &[&'static str]) -> Result<(&'q str, bool), Refusal> {
    let default = known.first().copied().unwrap_or("created_at");
    for (name, descending) in [("sort_by[asc]", false), ("sort_by[desc]", true)] {
        if let Some(attribute) = query.get(name) {
            if !known.contains(&attribute) {
                return Err(Refusal::wrong_value(name, format!("cannot be sorted by {attribute}")));
            }
            return Ok((attribute, descending));
        }
    }
    Ok((default, false))
}

fn parse_limit(query: &Form) -> Result<usize, Refusal> {
    match query.get("limit") {
        None => Ok(10),
        Some(given) => match given.parse() {
            Ok(limit @ 1..=100) => Ok(limit),
            _ => Err(Refusal::wrong_value("limit", "limit : must be between 1 and 100")),
        },
    }
}

fn parse_offset(query: &Form) -> Result<Option<(i64, i64)>, Refusal> {
    let Some(given) = query.get("offset").filter(|given| !given.is_empty()) else { return Ok(None) };
    let parsed = parse_array(given).and_then(|parts| match parts.as_slice() {
        [value, position] => Some((value.parse().ok()?, position.parse().ok()?)),
        _ => None,
    });
    parsed.map(Some).ok_or_else(|| Refusal::wrong_value("offset", "offset : is not a valid offset"))
}

fn matches(filter: &Filter, attribute: &Attribute<'_>) -> bool {
    let text = match attribute {
        Attribute::Text(text) => Some((*text).to_owned()),
        Attribute::Number(number) => Some(number.to_string()),
        Attribute::Absent => None,
    };
    let operand = filter.operands.first().map(String::as_str).unwrap_or_default();
    let compare = |accept: &dyn Fn(i64) -> bool| matches!(attribute, Attribute::Number(number) if accept(*number));
    let bound = |index: usize| filter.operands.get(index).and_then(|operand| operand.parse::<i64>().ok()).unwrap_or(0);
    match filter.operator {
        Operator::Is => text.as_deref() == Some(operand),
        Operator::IsNot => text.as_deref() != Some(operand),
        Operator::StartsWith => text.is_some_and(|text| text.starts_with(operand)),
        Operator::IsPresent => text.is_some() == (operand == "true"),
        Operator::In => text.is_some_and(|text| filter.operands.contains(&text)),
        Operator::NotIn => text.is_none_or(|text| !filter.operands.contains(&text)),
        Operator::Less => compare(&|number| number < bound(0)),
        Operator::AtMost => compare(&|number| number <= bound(0)),
        Operator::Greater => compare(&|number| number > bound(0)),
        Operator::AtLeast => compare(&|number| number >= bound(0)),
        Operator::Between => compare(&|number| (bound(0)..=bound(1)).contains(&number)),
    }
}

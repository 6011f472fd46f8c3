//! The filters of lists, as predicates on rows.
//!
//! Source: Chargebee API docs, "List operations".

use serde_json::Value;

use super::Form;
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::Site;

/// The value of an attribute that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// An id; empty where there is none.
    pub(super) fn id(id: &'a str) -> Self {
        Self::text(Some(id).filter(|id| !id.is_empty()))
    }

    pub(super) fn number(number: Option<i64>) -> Self {
        number.map_or(Attribute::Absent, Attribute::Number)
    }

    pub(super) fn boolean(value: bool) -> Self {
        Attribute::Text(if value { "true" } else { "false" })
    }
}

/// Reads an attribute of a row.
pub(super) type Column<T> = for<'a> fn(&'a Site, &'a T) -> Attribute<'a>;

/// The attributes of a list by name.
pub(super) type Columns<T> = &'static [(&'static str, Column<T>)];

/// A condition on one attribute.
pub(super) struct Filter<T: 'static> {
    pub(super) name: &'static str,
    read: Column<T>,
    test: Test,
}

enum Test {
    Among {
        values: Vec<String>,
        numbers: Vec<i64>,
        negated: bool,
    },
    StartsWith(String),
    IsPresent(bool),
    /// Numbers from the first to the last, both included.
    Within(i64, i64),
}

impl<T> Filter<T> {
    pub(super) fn accepts(&self, site: &Site, row: &T) -> bool {
        let attribute = (self.read)(site, row);
        match (&self.test, attribute) {
            (Test::Among { values, negated, .. }, Attribute::Text(text)) => {
                values.iter().any(|value| value == text) != *negated
            }
            (Test::Among { numbers, negated, .. }, Attribute::Number(number)) => numbers.contains(&number) != *negated,
            (Test::Among { negated, .. }, Attribute::Absent) => *negated,
            (Test::StartsWith(start), Attribute::Text(text)) => text.starts_with(start.as_str()),
            (Test::IsPresent(wanted), attribute) => (attribute != Attribute::Absent) == *wanted,
            (Test::Within(lowest, highest), Attribute::Number(number)) => (*lowest..=*highest).contains(&number),
            (Test::StartsWith(_) | Test::Within(..), _) => false,
        }
    }

    /// The values, where the filter names them.
    pub(super) fn named_values(&self) -> Option<&[String]> {
        match &self.test {
            Test::Among { values, negated: false, .. } => Some(values),
            _ => None,
        }
    }

    /// The narrowest range that the filters leave to a number.
    pub(super) fn bounds(filters: &[Self], name: &str) -> (i64, i64) {
        let ranges = filters.iter().filter(|filter| filter.name == name).filter_map(|filter| match filter.test {
            Test::Within(lowest, highest) => Some((lowest, highest)),
            _ => None,
        });
        ranges.fold((i64::MIN, i64::MAX), |(low, high), (lowest, highest)| (low.max(lowest), high.min(highest)))
    }
}

pub(super) fn parse_filters<T>(query: &Form, columns: Columns<T>) -> Result<Vec<Filter<T>>, Refusal> {
    let mut filters = Vec::new();
    for (name, value) in query.pairs() {
        let Some((attribute, operator)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else {
            continue;
        };
        if attribute == "sort_by" {
            continue;
        }
        let Some((known, read)) = columns.iter().find(|(known, _)| *known == attribute) else {
            return Err(Refusal::wrong_value(name.as_str(), format!("{attribute} is not a filter of this list")));
        };
        let test = parse_test(attribute, operator, value);
        let test = test.map_err(|message| Refusal::wrong_value(name.as_str(), message))?;
        filters.push(Filter { name: known, read: *read, test });
    }
    Ok(filters)
}

fn parse_test(attribute: &str, operator: &str, value: &str) -> Result<Test, String> {
    let array = || {
        parse_array(value).ok_or_else(|| format!("{attribute} : must be a JSON array, for example [\"one\",\"two\"]"))
    };
    let parse = |text: &str| text.parse::<i64>().map_err(|_| format!("{attribute} : must be a number"));
    let among = |values: Vec<String>, negated| {
        let numbers = values.iter().filter_map(|value| value.parse().ok()).collect();
        Test::Among { values, numbers, negated }
    };
    Ok(match operator {
        "is" | "on" => among(vec![value.to_owned()], false),
        "is_not" => among(vec![value.to_owned()], true),
        "in" => among(array()?, false),
        "not_in" => among(array()?, true),
        "starts_with" => Test::StartsWith(value.to_owned()),
        "is_present" => Test::IsPresent(value == "true"),
        "lt" | "before" => Test::Within(i64::MIN, parse(value)?.saturating_sub(1)),
        "lte" => Test::Within(i64::MIN, parse(value)?),
        "gt" | "after" => Test::Within(parse(value)?.saturating_add(1), i64::MAX),
        "gte" => Test::Within(parse(value)?, i64::MAX),
        "between" => match array()?.as_slice() {
            [lowest, highest] => Test::Within(parse(lowest)?, parse(highest)?),
            _ => return Err(format!("{attribute} : must be two numbers")),
        },
        other => return Err(format!("{other} is not an operator")),
    })
}

/// The values of a JSON array of texts, numbers and truth values, as texts.
pub(super) fn parse_array(text: &str) -> Option<Vec<String>> {
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

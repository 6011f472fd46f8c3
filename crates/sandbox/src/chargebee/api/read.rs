//! Reading typed values out of forms, and the limits that Chargebee puts on them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Form;
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::catalog::Asked;
use crate::chargebee::site::customers::{ADDRESS, CustomerInput, TEXTS};

/// The longest `meta_data`, in characters.
const META_DATA_CHARS: usize = 65_535;

type Read<T> = Result<T, Refusal>;

/// A text of at most `longest` characters; an empty one counts as not given.
pub(super) fn text(form: &Form, name: &str, longest: usize) -> Read<Option<String>> {
    Ok(raw_text(form, name, longest)?.filter(|text| !text.is_empty()))
}

fn raw_text(form: &Form, name: &str, longest: usize) -> Read<Option<String>> {
    let Some(value) = form.get(name) else { return Ok(None) };
    if value.chars().count() > longest {
        return Err(Refusal::wrong_value(name, format!("{name} : must be at most {longest} characters long")));
    }
    Ok(Some(value.to_owned()))
}

pub(super) fn required(form: &Form, name: &str, longest: usize) -> Read<String> {
    text(form, name, longest)?.ok_or_else(|| Refusal::wrong_value(name, format!("{name} : cannot be blank")))
}

/// An `http` or `https` address of at most 250 characters.
pub(super) fn web_address(form: &Form, name: &str) -> Read<Option<String>> {
    let Some(given) = text(form, name, 250)? else { return Ok(None) };
    match url::Url::parse(&given) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(given)),
        _ => Err(Refusal::wrong_value(name, format!("{name} : is not a valid URL"))),
    }
}

pub(super) fn integer(form: &Form, name: &str) -> Read<Option<i64>> {
    match form.get(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => match value.parse() {
            Ok(number) if number >= 0 => Ok(Some(number)),
            _ => Err(Refusal::wrong_value(name, format!("{name} : is not a valid number"))),
        },
    }
}

/// An instant in Unix seconds, before the year 2200: further than any clock here goes.
pub(super) fn instant(form: &Form, name: &str) -> Read<Option<i64>> {
    match integer(form, name)? {
        Some(at) if at >= 7_258_118_400 => Err(Refusal::wrong_value(name, format!("{name} : is too far away"))),
        at => Ok(at),
    }
}

pub(super) fn required_instant(form: &Form, name: &str) -> Read<i64> {
    instant(form, name)?.ok_or_else(|| Refusal::wrong_value(name, format!("{name} : cannot be blank")))
}

/// One of the values of an option, by its word.
pub(super) fn option<T: Copy>(form: &Form, name: &str, values: &[(&str, T)]) -> Read<Option<T>> {
    match form.get(name).filter(|given| !given.is_empty()) {
        None => Ok(None),
        Some(given) => match values.iter().find(|(word, _)| *word == given) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(unknown_option(name)),
        },
    }
}

pub(super) fn unknown_option(param: &str) -> Refusal {
    Refusal::wrong_value(param, format!("{param} : is not one of the allowed values"))
}

pub(super) fn boolean(form: &Form, name: &str) -> Read<Option<bool>> {
    match form.get(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Refusal::wrong_value(name, format!("{name} : must be true or false"))),
    }
}

/// `on` or `off`.
pub(super) fn switch(form: &Form, name: &str) -> Read<Option<bool>> {
    match form.get(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(_) => Err(Refusal::wrong_value(name, format!("{name} : must be on or off"))),
    }
}

/// `meta_data`: one JSON object as a text.
pub(super) fn meta_data(form: &Form) -> Read<Option<Value>> {
    let Some(given) = raw_text(form, "meta_data", META_DATA_CHARS)? else { return Ok(None) };
    if given.is_empty() {
        return Ok(Some(Value::Object(serde_json::Map::new())));
    }
    match serde_json::from_str::<Value>(&given) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        _ => Err(Refusal::wrong_value("meta_data", "meta_data : is not a valid JSON object")),
    }
}

/// The rows of `subscription_items`, in the order of their indices. A missing quantity is 1.
pub(super) fn items(form: &Form) -> Read<Vec<Asked>> {
    rows(form, "subscription_items")
}

/// The same of any table with these two columns.
pub(super) fn rows(form: &Form, table: &str) -> Read<Vec<Asked>> {
    let quantities = form.column(table, "quantity");
    let mut items = Vec::new();
    for (index, id) in form.column(table, "item_price_id") {
        if id.is_empty() || id.chars().count() > 100 {
            let param = format!("{table}[item_price_id][{index}]");
            return Err(Refusal::wrong_value(param, "The id of an item price has 1 to 100 characters."));
        }
        let quantity = match quantities.get(&index).filter(|quantity| !quantity.is_empty()) {
            None => 1,
            Some(given) => match given.parse::<i64>() {
                Ok(quantity) if (1..=1_000_000_000).contains(&quantity) => quantity,
                _ => {
                    let param = format!("{table}[quantity][{index}]");
                    return Err(Refusal::wrong_value(param, "The quantity must be a positive number."));
                }
            },
        };
        let item = Asked { item_price_id: id.to_owned(), quantity };
        if items.iter().any(|other: &Asked| other.item_price_id == item.item_price_id) {
            let param = format!("{table}[item_price_id][{index}]");
            return Err(Refusal::wrong_value(param, "The item price is given twice."));
        }
        items.push(item);
    }
    Ok(items)
}

/// The members of a customer; `prefix` is empty, or `customer` for `customer[email]`.
pub(super) fn customer(form: &Form, prefix: &str) -> Read<CustomerInput> {
    let named = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") };
    let mut texts = BTreeMap::new();
    for (name, longest) in TEXTS {
        if let Some(given) = raw_text(form, &named(name), longest)? {
            texts.insert(name, given);
        }
    }
    if let Some(email) = texts.get("email").filter(|email| !email.is_empty())
        && !email.contains('@')
    {
        return Err(Refusal::wrong_value(named("email"), "email : is not a valid email address"));
    }
    let billing_address = billing_address(form)?;
    let auto_collection = switch(form, &named("auto_collection"))?;
    let meta_data = if prefix.is_empty() { meta_data(form)? } else { None };
    Ok(CustomerInput { texts, billing_address, auto_collection, meta_data })
}

/// The members of `billing_address`.
pub(super) fn billing_address(form: &Form) -> Read<BTreeMap<&'static str, String>> {
    let mut address = BTreeMap::new();
    for (name, longest) in ADDRESS {
        if let Some(given) = raw_text(form, &format!("billing_address[{name}]"), longest)? {
            address.insert(name, given);
        }
    }
    Ok(address)
}

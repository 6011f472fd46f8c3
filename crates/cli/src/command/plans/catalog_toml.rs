//! Prices of a provider, written as the catalog writes them.

use tollkeeper::{
    catalog::Interval,
    ids::{PriceId, Provider},
    ports::{Offer, PriceRecord},
};
use toml::Value;

/// The lines of a price as our catalog has it, under another id.
pub(super) fn of_offer(provider: &Provider, id: &PriceId, offer: &Offer, is_plan: bool) -> Vec<String> {
    let per_seat = is_plan && offer.each;
    let lines = offer.amounts.iter();
    lines.map(|(currency, amount)| line(provider, id, offer.interval, currency.as_str(), *amount, per_seat)).collect()
}

/// The lines of a price as the provider has it; `None` for what the catalog cannot say.
pub(super) fn of_record(provider: &Provider, record: &PriceRecord, is_plan: bool) -> Option<Vec<String>> {
    let (interval, each) = (record.interval?, record.each?);
    let mut lines = Vec::new();
    for (currency, amount) in &record.amounts {
        lines.push(line(provider, &record.id, interval, currency.as_str(), (*amount)?, is_plan && each));
    }
    (!lines.is_empty()).then_some(lines)
}

fn line(provider: &Provider, id: &PriceId, interval: Interval, currency: &str, amount: i64, per_seat: bool) -> String {
    let [provider, id] = [provider.as_str(), id.as_str()].map(text);
    let interval = interval.as_str();
    let per_seat = if per_seat { ", per_seat = true" } else { "" };
    format!(
        "{{ provider = {provider}, id = {id}, interval = \"{interval}\", currency = \"{currency}\", amount = {amount}{per_seat} }},"
    )
}

/// A text with its quotes.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

/// What a plan could be called, by what it is called there: letters, digits and dashes.
pub(super) fn key(title: &str) -> String {
    let mut key = String::new();
    for letter in title.chars() {
        match letter {
            'a'..='z' | '0'..='9' | '_' => key.push(letter),
            'A'..='Z' => key.push(letter.to_ascii_lowercase()),
            _ if key.is_empty() || key.ends_with('-') => {}
            _ => key.push('-'),
        }
    }
    let key = key.trim_end_matches('-');
    if key.is_empty() { "plan".to_owned() } else { key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_a_key_and_a_text_keeps_its_quotes() {
        for (title, wanted) in [("growth", "growth"), ("Pro (2026)", "pro-2026"), ("  Ü!", "plan"), ("a_b-c", "a_b-c")]
        {
            assert_eq!(key(title), wanted);
        }
        let table: toml::Table = format!("a = {}", text("say \"hi\"\n")).parse().unwrap();
        assert_eq!(table["a"].as_str(), Some("say \"hi\"\n"));
    }
}

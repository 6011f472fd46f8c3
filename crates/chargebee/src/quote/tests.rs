use serde_json::{Value, json};

use super::*;

fn estimate(members: Value) -> Estimate {
    let mut whole = json!({
        "created_at": 1000, "subscription_estimate": { "currency_code": "USD", "next_billing_at": 2000 },
        "credit_note_estimates": [],
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn quoted(members: Value) -> Quote {
    quote(&estimate(members), None).unwrap()
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(seconds))
}

fn amounts(quote: &Quote) -> Vec<(&str, i64, bool)> {
    quote.lines.iter().map(|line| (line.description.as_str(), line.amount, line.proration)).collect()
}

#[test]
fn an_upgrade_is_charged_at_once_less_what_is_given_back() {
    let quote = quoted(json!({
        "invoice_estimate": {
            "currency_code": "EUR", "price_type": "tax_exclusive", "amount_due": 4000, "credits_applied": 1000,
            "line_items": [
                { "description": "Scale - Prorated Charges", "amount": 5200, "discount_amount": 200,
                    "date_from": 1000, "date_to": 2000 },
                { "description": "Setup", "amount": 0 },
            ],
            "taxes": [{ "name": "VAT", "amount": 0 }],
        },
        "credit_note_estimates": [{
            "type": "refundable", "total": 1500, "amount_allocated": 1000, "amount_available": 500,
            "line_items": [{ "description": "Growth", "amount": 1500, "date_from": 1000, "date_to": 2000 }],
        }],
    }));
    assert_eq!(quote.currency, "EUR".parse().unwrap());
    assert_eq!((quote.amount_due, quote.credit, quote.next_invoice.clone()), (4000, 500, None));
    let lines = [("Scale - Prorated Charges", 5000, true), ("Setup", 0, false), ("Growth", -1500, true)];
    assert_eq!(amounts(&quote), lines);
    assert_eq!((quote.lines[0].period_start, quote.lines[0].period_end), (at(1000), at(2000)));
    let sum: i64 = quote.lines.iter().map(|line| line.amount).sum();
    assert_eq!(sum, quote.amount_due - quote.credit, "the lines are what the two amounts are made of");
    assert_eq!(Some(quote.proration_date), at(1000));
}

#[test]
fn a_change_at_the_periods_end_costs_nothing_now_and_shows_the_next_invoice() {
    let quote = quoted(json!({ "next_invoice_estimate": {
        "currency_code": "USD", "amount_due": 9900, "line_items": [{ "description": "Starter", "amount": 9900 }] } }));
    assert_eq!((quote.amount_due, quote.credit, quote.lines.len()), (0, 0, 0));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: at(2000), amount: 9900 }), "at the next billing");
    let dated = quoted(json!({ "next_invoice_estimate": { "amount_due": 1, "date": 3000 } }));
    assert_eq!(dated.next_invoice, Some(NextInvoice { at: at(3000), amount: 1 }), "or when it says itself");
}

#[test]
fn taxes_are_lines_only_where_they_come_on_top() {
    let with = |price_type: &str| {
        quoted(json!({ "invoice_estimate": {
            "price_type": price_type, "amount_due": 119,
            "line_items": [{ "description": "Plan", "amount": 100, "proration_mode": "delta" }],
            "taxes": [{ "name": "VAT", "amount": 19 }] } }))
    };
    assert_eq!(amounts(&with("tax_exclusive")), [("Plan", 100, true), ("VAT", 19, false)]);
    assert_eq!(amounts(&with("tax_inclusive")), [("Plan", 100, true)]);
}

#[test]
fn only_what_stays_for_later_is_a_credit() {
    let quote = quoted(json!({ "credit_note_estimates": [
        { "type": "adjustment", "total": 300, "amount_available": 300 },
        { "type": "store", "total": 20, "amount_available": 20 },
        { "total": 7, "amount_available": 4 },
    ]}));
    assert_eq!(quote.credit, 24);
    assert_eq!(amounts(&quote), [("Credit", -300, true), ("Credit", -20, true), ("Credit", -7, true)]);
}

#[test]
fn without_a_currency_or_an_instant_there_is_no_quote() {
    let nameless = json!({ "subscription_estimate": { "currency_code": "dollars" } });
    assert_eq!(quote(&estimate(nameless), at(5)), None);
    let timeless = json!({ "created_at": null });
    assert_eq!(quote(&estimate(timeless.clone()), None), None);
    assert_eq!(quote(&estimate(timeless), at(5)).map(|quote| quote.proration_date), at(5), "the clock stands in");
}

#[test]
fn no_number_is_too_large_to_add_up() {
    let note = json!({ "total": i64::MIN, "amount_available": i64::MAX,
        "line_items": [{ "amount": i64::MIN, "discount_amount": i64::MAX }] });
    let quote = quoted(json!({ "credit_note_estimates": [note, note, { "total": i64::MIN, "amount_available": 1 }] }));
    assert_eq!(quote.credit, i64::MAX);
    assert_eq!(amounts(&quote), [("", i64::MAX, true), ("", i64::MAX, true), ("Credit", i64::MAX, true)]);
}

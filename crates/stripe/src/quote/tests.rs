use serde_json::{Value, json};

use super::*;

fn invoice(members: Value) -> Invoice {
    let mut whole =
        json!({ "id": "upcoming_in_1", "currency": "usd", "total": 0, "amount_due": 0, "starting_balance": 0 });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A period from 1,000 to 2,000, changed at 1,500.
fn around() -> Around {
    Around { period_end: Some(at(2000)), ends: false, proration_date: Some(at(1500)), now: Some(at(1600)) }
}

fn proration(amount: i64) -> Value {
    json!({ "description": "Part of a period", "amount": amount, "period": { "start": 1500, "end": 2000 },
        "parent": { "type": "subscription_item_details", "subscription_item_details": { "proration": true } } })
}

fn whole(amount: i64, start: i64, end: i64) -> Value {
    json!({ "description": "A period", "amount": amount, "period": { "start": start, "end": end },
        "parent": { "type": "subscription_item_details", "subscription_item_details": { "proration": false } } })
}

fn lines(lines: &[Value]) -> Value {
    json!({ "data": lines, "has_more": false })
}

fn regular(total: i64) -> Invoice {
    invoice(json!({ "total": total, "amount_due": total, "lines": lines(&[whole(total, 2000, 3000)]) }))
}

#[test]
fn a_step_up_costs_what_its_invoice_says() {
    let asked = invoice(json!({ "total": 3000, "amount_due": 2600, "starting_balance": -400,
        "lines": lines(&[proration(-2000), proration(5000)]) }));
    let quote = at_once(&asked, Some(&regular(16_000)), around()).unwrap();
    assert_eq!((quote.amount_due, quote.credit, quote.proration_date), (2600, 0, at(1500)));
    assert_eq!(quote.lines.iter().map(|line| line.amount).collect::<Vec<_>>(), [-2000, 5000]);
    assert!(quote.lines.iter().all(|line| line.proration && line.period_end == Some(at(2000))));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: Some(at(2000)), amount: 16_000 }), "the credit is used up");
}

#[test]
fn a_step_down_gives_credit_that_lowers_the_next_invoice() {
    let asked = invoice(json!({ "total": -3000, "amount_due": 0, "starting_balance": -100,
        "lines": lines(&[proration(-5000), proration(2000)]) }));
    let quote = at_once(&asked, Some(&regular(2500)), around()).unwrap();
    assert_eq!((quote.amount_due, quote.credit), (0, 3000));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: Some(at(2000)), amount: 0 }));
    let quote = at_once(&asked, Some(&regular(9000)), around()).unwrap();
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: Some(at(2000)), amount: 5900 }));
}

#[test]
fn a_line_of_the_next_period_is_not_due_now() {
    let taxed = json!({ "amount": 5000, "period": { "start": 1500, "end": 2000 }, "discount_amounts": [{ "amount": 1000 }],
        "taxes": [{ "amount": 800, "tax_behavior": "exclusive" }, { "amount": 9, "tax_behavior": "inclusive" }],
        "parent": { "invoice_item_details": { "proration": true } } });
    let asked = invoice(json!({ "total": 99_999, "amount_due": 99_999, "starting_balance": -300,
        "lines": lines(&[proration(-2000), taxed, whole(16_000, 2000, 3000)]) }));
    let quote = at_once(&asked, None, around()).unwrap();
    assert_eq!((quote.amount_due, quote.credit, quote.next_invoice), (2500, 0, None));
    let shown: Vec<_> = quote.lines.iter().map(|line| (line.description.as_str(), line.amount)).collect();
    assert_eq!(shown, [("Part of a period", -2000), ("", 4000), ("Tax", 800)]);
}

#[test]
fn another_interval_begins_a_period_that_is_due_now() {
    let asked = invoice(json!({ "total": 47_000, "amount_due": 47_000,
        "lines": lines(&[proration(-2000), whole(49_000, 1501, 31_501)]) }));
    let quote = at_once(&asked, Some(&regular(49_000)), around()).unwrap();
    assert_eq!((quote.amount_due, quote.lines.len()), (47_000, 2));
    assert_eq!(
        quote.next_invoice,
        Some(NextInvoice { at: Some(at(31_501)), amount: 49_000 }),
        "at the new period's end"
    );
}

#[test]
fn usage_of_this_period_is_not_due_because_it_began_earlier() {
    let asked = invoice(json!({ "total": 3700, "amount_due": 3700,
        "lines": lines(&[proration(3000), whole(700, 1000, 2000)]) }));
    assert_eq!(at_once(&asked, None, around()).unwrap().amount_due, 3000);
}

#[test]
fn an_older_invoice_says_proration_on_the_line_itself() {
    let old = json!({ "amount": 3000, "proration": true, "period": { "start": 1500, "end": 2000 } });
    let asked = invoice(json!({ "total": 3000, "amount_due": 3000, "subscription_proration_date": 1400,
        "lines": lines(&[old]) }));
    let quote = at_once(&asked, None, Around { proration_date: None, ..around() }).unwrap();
    assert_eq!((quote.lines[0].proration, quote.proration_date), (true, at(1400)));
}

#[test]
fn the_instant_is_read_in_both_versions_where_nobody_named_it() {
    let unnamed = Around { proration_date: None, ..around() };
    let details = json!({ "subscription_details": { "subscription": "sub_1", "subscription_proration_date": 1450 } });
    for (members, instant) in [
        (json!({ "parent": details }), 1450),
        (json!({ "parent": null, "subscription_proration_date": 1400 }), 1400),
        (json!({ "parent": { "type": "quote_details", "subscription_details": null } }), 1600),
    ] {
        assert_eq!(at_once(&invoice(members), None, unnamed).unwrap().proration_date, at(instant));
    }
}

#[test]
fn a_list_that_is_cut_is_not_summed() {
    let cut = json!({ "data": [proration(1), whole(5, 2000, 3000)], "has_more": true });
    let asked = invoice(json!({ "total": 3000, "amount_due": 2900, "lines": cut }));
    assert_eq!(at_once(&asked, None, around()).unwrap().amount_due, 2900);
}

#[test]
fn what_ends_has_no_next_invoice() {
    let ends = Around { ends: true, ..around() };
    let asked = invoice(json!({ "lines": lines(&[proration(0)]) }));
    assert_eq!(at_once(&asked, Some(&regular(5)), ends).unwrap().next_invoice, None);
    assert_eq!(at_period_end(&regular(5), ends).unwrap().next_invoice, None);
}

#[test]
fn a_change_at_the_periods_end_costs_nothing_now() {
    let quote = at_period_end(&regular(16_000), around()).unwrap();
    assert_eq!((quote.amount_due, quote.credit, quote.lines.len()), (0, 0, 0));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: Some(at(2000)), amount: 16_000 }));
    assert_eq!(quote.proration_date, at(1500));
}

#[test]
fn without_currency_sums_or_instant_it_cannot_be_used() {
    let good = json!({ "total": 1, "amount_due": 1 });
    for (name, value) in [("currency", json!(null)), ("amount_due", json!(null)), ("currency", json!("dollars"))] {
        let mut members = good.clone();
        members[name] = value;
        assert_eq!(at_once(&invoice(members.clone()), None, around()), None, "{members}");
        assert_eq!(at_period_end(&invoice(members), around()), None);
    }
    let timeless = Around { proration_date: None, now: None, ..around() };
    assert_eq!(at_once(&invoice(good.clone()), None, timeless), None);
    assert_eq!(at_period_end(&invoice(good), timeless), None);
}

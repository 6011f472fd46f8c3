//! Changing, pausing, resuming.

use std::sync::Arc;

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, CancelWhen, ChangeRequest, ChangeWhen, CheckoutState, ErrorKind, HostedChange, NextInvoice},
    snapshot::ItemType,
    status::Status,
    subscription::CheckoutItem,
    time::{Clock, MachineTime, Timestamp},
};

use crate::{
    contracts::Contracts,
    fake::{Fake, Play, Recorded, answer},
};

fn subscription(members: Value) -> Value {
    let mut whole = json!({
        "id": "sub_1", "customer_id": "org_acme", "status": "active", "currency_code": "USD", "current_term_end": 900,
        "subscription_items": [{ "item_price_id": "growth", "item_type": "plan", "quantity": 5 }],
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({ "subscription": whole })
}

fn refusal(status: u16, members: Value) -> Play {
    let mut body = json!({ "message": "no", "api_error_code": "invalid_request" });
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    answer(status, &body)
}

fn conflict() -> Play {
    refusal(409, json!({ "api_error_code": "invalid_state_for_request" }))
}

fn change(when: ChangeWhen) -> ChangeRequest {
    let item = |price: &str, quantity, item_type| CheckoutItem { price_id: price.into(), quantity, item_type };
    ChangeRequest {
        items: vec![item("support", 1, ItemType::Addon), item("scale", 8, ItemType::Plan)],
        when,
        proration_date: None,
    }
}

fn hosted_change() -> HostedChange {
    HostedChange {
        key: "k".into(),
        id: "sub_1".into(),
        subscription_id: "tks_1".into(),
        organization_id: "org_acme".into(),
        customer_id: "org_acme".into(),
        items: change(ChangeWhen::Now).items,
        redirect_url: "https://app.test/a".into(),
        cancel_url: "https://app.test/b".into(),
    }
}

fn pairs(request: &Recorded) -> Vec<(String, String)> {
    request.pairs().into_iter().filter(|(name, _)| !name.starts_with("subscription[")).collect()
}

#[tokio::test]
async fn a_preview_asks_for_exactly_what_the_change_will_do() {
    for (when, at_once, option) in
        [(ChangeWhen::Now, "true", "immediately"), (ChangeWhen::PeriodEnd, "false", "end_of_term")]
    {
        let estimate = json!({ "estimate": { "created_at": 5, "subscription_estimate": { "currency_code": "USD" } } });
        let fake = Fake::playing([answer(200, &estimate), answer(200, &subscription(json!({})))]).await;
        fake.chargebee.preview(&"sub_1".into(), &change(when)).await.unwrap();
        fake.chargebee.change(&"sub_1".into(), &change(when), "key").await.unwrap();
        let [preview, update] = <[_; 2]>::try_from(fake.requests()).unwrap();
        assert_eq!(pairs(&preview), pairs(&update));
        let expected = [
            ("subscription_items[item_price_id][0]", "scale"),
            ("subscription_items[quantity][0]", "8"),
            ("subscription_items[item_price_id][1]", "support"),
            ("subscription_items[quantity][1]", "1"),
            ("prorate", at_once),
            ("invoice_immediately", at_once),
            ("replace_items_list", "true"),
            ("change_option", option),
            ("reactivate", "false"),
        ];
        assert_eq!(pairs(&update), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(
            (preview.path.as_str(), update.path.as_str()),
            ("/api/v2/estimates/update_subscription_for_items", "/api/v2/subscriptions/sub_1/update_for_items",)
        );
        assert_eq!(preview.value("subscription[id]").as_deref(), Some("sub_1"));
        let key = "chargebee-idempotency-key";
        assert_eq!((preview.header(key), update.header(key)), (None, Some("key")));
    }
}

#[tokio::test]
async fn the_recorded_estimate_is_read() {
    let Some(contracts) = Contracts::open("estimate") else { return };
    let fake = Fake::playing([answer(200, &contracts.response("estimate.update_subscription"))]).await;
    let quote = fake.chargebee.preview(&"sub_acme_1".into(), &change(ChangeWhen::Now)).await.unwrap();
    assert_eq!((quote.currency, quote.amount_due, quote.credit), ("USD".parse().unwrap(), 4839, 0));
    let renewal = Some(Timestamp::from_unix_seconds(1_771_113_600));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: renewal, amount: 16_000 }));
    assert_eq!(quote.proration_date, Timestamp::from_unix_seconds(1_768_953_600));
}

#[tokio::test]
async fn a_preview_that_fails_has_changed_nothing() {
    for (play, kind) in [
        (refusal(500, json!({ "api_error_code": "internal_error" })), ErrorKind::Transient),
        (Play::Answer { status: 502, headers: vec![], body: "<html>".into() }, ErrorKind::Transient),
        (refusal(404, json!({ "api_error_code": "resource_not_found" })), ErrorKind::NotFound),
        (refusal(400, json!({ "api_error_code": "param_wrong_value" })), ErrorKind::Rejected),
        (conflict(), ErrorKind::Conflict),
    ] {
        let fake = Fake::playing([play]).await;
        let error = fake.chargebee.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "preview change"));
    }
}

#[tokio::test]
async fn a_hostile_estimate_is_an_error() {
    let with = |invoice: Value| {
        let mut estimate = json!({ "created_at": 5, "subscription_estimate": { "currency_code": "USD" } });
        estimate["invoice_estimate"] = invoice;
        json!({ "estimate": estimate })
    };
    for body in [
        json!({}),
        json!([]),
        json!({ "estimate": null }),
        json!({ "estimate": {} }),
        json!({ "estimate": { "created_at": 5 } }),
        json!({ "estimate": { "created_at": i64::MAX, "subscription_estimate": { "currency_code": "USD" } } }),
        json!({ "estimate": { "created_at": "now", "subscription_estimate": { "currency_code": "USD" } } }),
        with(json!({})),
        with(json!({ "amount_due": null })),
        with(json!({ "amount_due": "12" })),
        with(json!({ "amount_due": 1e30 })),
        with(json!({ "amount_due": 1, "line_items": "odd" })),
        with(json!({ "amount_due": 1, "line_items": [{ "amount": 1.5 }] })),
    ] {
        let fake = Fake::playing([answer(200, &body)]).await;
        let error = fake.chargebee.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{body}");
    }
}

struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0)
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0)
    }
}

#[tokio::test]
async fn the_clock_stands_in_for_an_estimate_without_a_time() {
    let estimate = json!({ "estimate": { "subscription_estimate": { "currency_code": "USD" } } });
    let chargebee = Fake::playing([answer(200, &estimate)]).await.chargebee.with_clock(Arc::new(At(77)));
    let quote = chargebee.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap();
    assert_eq!(quote.proration_date, Timestamp::from_unix_seconds(77));
}

#[tokio::test]
async fn a_change_tells_what_was_charged_where_the_answer_does() {
    for (invoice, charged) in [
        (json!(null), Some(0)),
        (json!({ "amount_paid": 4839, "amount_due": 0 }), Some(4839)),
        (json!({ "amount_due": 700 }), Some(700)),
        (json!({ "amount_paid": i64::MAX, "amount_due": 1 }), Some(i64::MAX)),
        (json!({ "id": "INV-1" }), None),
        (json!({ "amount_paid": "4839" }), None),
        (json!(5), None),
    ] {
        let mut body = subscription(json!({}));
        body["invoice"] = invoice.clone();
        let fake = Fake::playing([answer(200, &body)]).await;
        let changed = fake.chargebee.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap();
        assert_eq!((changed.charged, changed.snapshot.seats()), (charged, Some(5)), "{invoice}");
    }
}

#[tokio::test]
async fn a_change_that_waits_is_read_with_everything_that_will_be_sold() {
    let now = subscription(json!({ "has_scheduled_changes": true, "changes_scheduled_at": 900 }));
    let then = subscription(json!({ "subscription_items": [
        { "item_price_id": "scale", "item_type": "plan", "quantity": 8 },
        { "item_price_id": "support", "item_type": "addon", "quantity": 1 } ] }));
    let fake = Fake::playing([answer(200, &now), answer(200, &then)]).await;
    let changed = fake.chargebee.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap();
    let waiting = changed.snapshot.scheduled.as_ref().unwrap();
    assert_eq!((waiting.items.len(), waiting.seats), (2, Some(8)));
    assert_eq!((changed.charged, changed.snapshot.seats()), (Some(0), Some(5)), "until then it is what it was");
}

#[tokio::test]
async fn a_refused_charge_is_declined_and_a_lost_answer_unknown() {
    let declined = json!({ "type": "payment", "api_error_code": "payment_processing_failed" });
    for (play, kind) in [
        (refusal(400, declined), ErrorKind::Declined),
        (refusal(400, json!({ "type": "invalid_request" })), ErrorKind::Rejected),
        (refusal(404, json!({ "api_error_code": "resource_not_found" })), ErrorKind::NotFound),
        (refusal(500, json!({ "api_error_code": "internal_error" })), ErrorKind::OutcomeUnknown),
        (conflict(), ErrorKind::Conflict),
        (answer(200, &json!({ "subscription": null })), ErrorKind::OutcomeUnknown),
        (answer(200, &json!({})), ErrorKind::OutcomeUnknown),
    ] {
        let fake = Fake::playing([play]).await;
        let error = fake.chargebee.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "change subscription"));
        assert_eq!(fake.requests().len(), 1, "and it is not repeated here");
    }
}

#[tokio::test]
async fn a_change_that_is_made_but_cannot_be_read_is_not_undone_in_words() {
    let now = subscription(json!({ "has_scheduled_changes": true }));
    let fake = Fake::playing([answer(200, &now), refusal(500, json!({}))]).await;
    let error = fake.chargebee.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_scheduled_change_is_taken_back() {
    let fake = Fake::playing([answer(200, &subscription(json!({}))), conflict()]).await;
    let snapshot = fake.chargebee.undo_change(&"sub_1".into(), "key").await.unwrap();
    assert_eq!(snapshot.scheduled, None);
    let error = fake.chargebee.undo_change(&"sub_1".into(), "key").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Conflict, "undo change"));
    let request = &fake.requests()[0];
    assert_eq!(request.path, "/api/v2/subscriptions/sub_1/remove_scheduled_changes");
    assert_eq!((request.body.as_str(), request.header("chargebee-idempotency-key")), ("", Some("key")));
}

#[tokio::test]
async fn a_hosted_change_is_a_page_of_its_own() {
    let page = json!({ "hosted_page": { "id": "hp_1", "url": "https://pay", "state": "created", "created_at": 1000 } });
    let fake = Fake::playing([answer(200, &page)]).await;
    let made = fake.chargebee.hosted_change(&hosted_change()).await.unwrap();
    assert_eq!((made.state, made.url.as_deref()), (CheckoutState::Open, Some("https://pay")));
    assert_eq!((made.subscription_id, made.customer_id), (Some("tks_1".into()), Some("org_acme".into())));
    let request = fake.request();
    assert_eq!(request.value("subscription[id]").as_deref(), Some("sub_1"));
    assert_eq!(request.value("subscription_items[item_price_id][0]").as_deref(), Some("scale"), "the plan comes first");
    for (name, value) in [("replace_items_list", "true"), ("change_option", "immediately"), ("reactivate", "false")] {
        assert_eq!(request.value(name).as_deref(), Some(value));
    }
    for name in ["prorate", "invoice_immediately", "card[gateway_account_id]"] {
        assert_eq!(request.value(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_hosted_change_says_when_nobody_can_charge() {
    let fake = Fake::playing([
        refusal(400, json!({ "api_error_code": "configuration_incompatible" })),
        answer(200, &json!({ "hosted_page": { "id": "hp_1", "state": "created" } })),
        answer(200, &json!({ "hosted_page": { "id": null } })),
    ])
    .await;
    let hosted = async || fake.chargebee.hosted_change(&hosted_change()).await.unwrap_err();
    assert_eq!(hosted().await.code.as_deref(), Some("no_applicable_gateway"));
    assert_eq!(hosted().await.kind, ErrorKind::OutcomeUnknown, "without any time");
    assert_eq!(hosted().await.kind, ErrorKind::OutcomeUnknown, "without an id");
}

#[tokio::test]
async fn a_pause_begins_at_once_or_is_scheduled() {
    let until = Timestamp::from_unix_seconds(1_780_617_600);
    let paused = subscription(json!({ "status": "paused", "pause_date": 5, "resume_date": 1_780_617_600 }));
    let pausing = subscription(json!({ "pause_date": 900 }));
    let fake = Fake::playing([answer(200, &paused), answer(200, &pausing), conflict()]).await;
    let chargebee = &fake.chargebee;

    let snapshot = chargebee.pause(&"sub_1".into(), ChangeWhen::Now, Some(until), "k-1").await.unwrap();
    assert_eq!((Status::of(&snapshot), snapshot.pause_at), (Status::Paused, None));
    let snapshot = chargebee.pause(&"sub_1".into(), ChangeWhen::PeriodEnd, None, "k-2").await.unwrap();
    assert_eq!((Status::of(&snapshot), snapshot.pause_at), (Status::Active, Some(Timestamp::from_unix_seconds(900))));
    let error = chargebee.pause(&"sub_1".into(), ChangeWhen::Now, None, "k-3").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Conflict, "pause subscription"));
    let bodies: Vec<_> = fake.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(
        bodies,
        ["pause_option=immediately&resume_date=1780617600", "pause_option=end_of_term", "pause_option=immediately"]
    );
}

#[tokio::test]
async fn a_pause_ends_the_way_it_stands() {
    let paused = subscription(json!({ "status": "paused", "pause_date": 5 }));
    let pausing = subscription(json!({ "pause_date": 900 }));
    let running = subscription(json!({}));
    for (before, action, body) in [
        (paused, "resume", "resume_option=immediately&charges_handling=invoice_immediately"),
        (pausing, "remove_scheduled_pause", ""),
    ] {
        let fake = Fake::playing([answer(200, &before), answer(200, &running)]).await;
        let snapshot = fake.chargebee.resume(&"sub_1".into(), "key").await.unwrap();
        assert_eq!((Status::of(&snapshot), snapshot.pause_at), (Status::Active, None));
        let request = &fake.requests()[1];
        assert_eq!(request.path, format!("/api/v2/subscriptions/sub_1/{action}"));
        assert_eq!((request.body.as_str(), request.header("chargebee-idempotency-key")), (body, Some("key")));
    }
}

#[tokio::test]
async fn what_is_not_paused_cannot_be_resumed() {
    let fake = Fake::playing([answer(200, &subscription(json!({})))]).await;
    let error = fake.chargebee.resume(&"sub_1".into(), "key").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Conflict, "resume subscription"));
    assert_eq!(fake.requests().len(), 1, "nothing is written");

    let paused = || answer(200, &subscription(json!({ "status": "paused" })));
    let declined = json!({ "type": "payment", "api_error_code": "payment_processing_failed" });
    for (script, kind) in [
        (vec![refusal(404, json!({ "api_error_code": "resource_not_found" }))], ErrorKind::NotFound),
        (vec![refusal(500, json!({}))], ErrorKind::Transient),
        (vec![paused(), conflict()], ErrorKind::Conflict),
        (vec![paused(), refusal(400, declined)], ErrorKind::Declined),
        (vec![paused(), refusal(500, json!({}))], ErrorKind::OutcomeUnknown),
        (vec![paused(), answer(200, &json!({ "subscription": [] }))], ErrorKind::OutcomeUnknown),
    ] {
        let fake = Fake::playing(script).await;
        assert_eq!(fake.chargebee.resume(&"sub_1".into(), "key").await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_second_cancellation_with_credit_is_no_error_once_it_is_over() {
    let over = subscription(json!({ "status": "cancelled", "cancelled_at": 5 }));
    let ending =
        subscription(json!({ "status": "non_renewing", "cancelled_at": 900, "cancel_schedule_created_at": 5 }));
    let fake = Fake::playing([conflict(), answer(200, &over), conflict(), answer(200, &ending)]).await;
    let cancel = async || fake.chargebee.cancel(&"sub_1".into(), CancelWhen::NowCredited, "key").await;
    assert_eq!(Status::of(&cancel().await.unwrap()), Status::Cancelled);
    assert_eq!(cancel().await.unwrap_err().kind, ErrorKind::Conflict, "an end that is only scheduled is not now");
}

//! Previewing, changing now, changing later.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ChangeRequest, ChangeWhen, ErrorKind, NextInvoice},
    snapshot::ItemType,
    status::Status,
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::fake::{Fake, Play, Recorded, answer, missing, next_phase, refusal, schedule, subscription};

fn change(when: ChangeWhen) -> ChangeRequest {
    let item = |price: &str, quantity, item_type| CheckoutItem { price_id: price.into(), quantity, item_type };
    ChangeRequest {
        items: vec![item("support", 1, ItemType::Addon), item("scale", 8, ItemType::Plan)],
        when,
        proration_date: None,
    }
}

fn sub(members: Value) -> Play {
    answer(200, &subscription(members))
}

/// A subscription on which `scale` waits.
fn held() -> Play {
    sub(json!({ "schedule": schedule(&[next_phase("scale", 2)]) }))
}

fn preview(total: i64, lines: &[Value]) -> Play {
    answer(
        200,
        &json!({ "id": "upcoming_in_1", "currency": "usd", "total": total, "amount_due": total.max(0),
        "starting_balance": 0, "lines": { "data": lines, "has_more": false } }),
    )
}

fn proration(amount: i64) -> Value {
    json!({ "amount": amount, "description": "x", "period": { "start": 500, "end": 900 },
        "parent": { "subscription_item_details": { "proration": true } } })
}

fn declined() -> Play {
    refusal(402, "card_error", "card_declined")
}

fn released() -> Play {
    answer(200, &json!({ "id": "sub_sched_1", "status": "released" }))
}

/// The lines of a change, as they are sent under this name.
fn lines(request: &Recorded, name: &str) -> Vec<(String, String)> {
    let pairs = request.pairs().into_iter();
    pairs.filter_map(|(key, value)| Some((key.strip_prefix(name)?.to_owned(), value))).collect()
}

#[tokio::test]
async fn a_preview_asks_for_exactly_what_the_change_will_do() {
    let script = [sub(json!({})), preview(30, &[proration(30)]), preview(100, &[]), sub(json!({})), sub(json!({}))];
    let fake = Fake::playing_at(500, script).await;
    let quote = fake.stripe.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap();
    assert_eq!((quote.amount_due, quote.proration_date), (30, Timestamp::from_unix_seconds(500)));
    let renewal = Some(Timestamp::from_unix_seconds(900));
    assert_eq!(quote.next_invoice, Some(NextInvoice { at: renewal, amount: 100 }));
    let pinned = ChangeRequest { proration_date: Some(quote.proration_date), ..change(ChangeWhen::Now) };
    fake.stripe.change(&"sub_1".into(), &pinned, "key").await.unwrap();

    let requests = fake.requests();
    let (asked, regular, changed) = (&requests[1], &requests[2], &requests[4]);
    assert_eq!(
        (asked.line(), changed.line()),
        ("POST /v1/invoices/create_preview".into(), "POST /v1/subscriptions/sub_1".into())
    );
    assert_eq!((asked.header("idempotency-key"), changed.header("idempotency-key")), (None, Some("key")));
    let expected = [
        ("[0][id]", "si_1"),
        ("[0][price]", "scale"),
        ("[0][quantity]", "8"),
        ("[0][metadata][itemType]", "plan"),
        ("[1][price]", "support"),
        ("[1][quantity]", "1"),
        ("[1][metadata][itemType]", "addon"),
    ];
    let sent = lines(changed, "items");
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for request in [asked, regular] {
        assert_eq!(lines(request, "subscription_details[items]"), sent);
        assert_eq!(request.value("subscription").as_deref(), Some("sub_1"));
    }
    assert_eq!(asked.value("subscription_details[proration_behavior]").as_deref(), Some("always_invoice"));
    assert_eq!(asked.value("subscription_details[proration_date]").as_deref(), Some("500"));
    assert_eq!(regular.value("subscription_details[proration_behavior]").as_deref(), Some("none"));
    for (name, value) in [
        ("proration_behavior", "always_invoice"),
        ("proration_date", "500"),
        ("payment_behavior", "error_if_incomplete"),
    ] {
        assert_eq!(changed.value(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_preview_of_a_later_change_costs_nothing_now() {
    let fake = Fake::playing_at(500, [sub(json!({})), preview(160, &[])]).await;
    let quote = fake.stripe.preview(&"sub_1".into(), &change(ChangeWhen::PeriodEnd)).await.unwrap();
    let renewal = Some(Timestamp::from_unix_seconds(900));
    assert_eq!((quote.amount_due, quote.next_invoice), (0, Some(NextInvoice { at: renewal, amount: 160 })));
    assert_eq!(fake.requests()[1].value("subscription_details[proration_behavior]").as_deref(), Some("none"));
}

#[tokio::test]
async fn an_instant_of_a_period_that_is_over_is_not_asked_for() {
    for (named, asked) in [(99, "500"), (100, "100"), (901, "500")] {
        let fake = Fake::playing_at(500, [sub(json!({})), preview(30, &[]), preview(1, &[])]).await;
        let proration_date = Some(Timestamp::from_unix_seconds(named));
        let request = ChangeRequest { proration_date, ..change(ChangeWhen::Now) };
        let quote = fake.stripe.preview(&"sub_1".into(), &request).await.unwrap();
        assert_eq!(fake.requests()[1].value("subscription_details[proration_date]").as_deref(), Some(asked));
        assert_eq!(quote.proration_date.as_unix_seconds().to_string(), asked);
    }
}

#[tokio::test]
async fn what_ends_is_previewed_without_a_next_invoice() {
    let fake =
        Fake::playing_at(500, [sub(json!({ "cancel_at_period_end": true })), preview(30, &[proration(30)])]).await;
    let quote = fake.stripe.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap();
    assert_eq!((quote.amount_due, quote.next_invoice, fake.requests().len()), (30, None, 2));
}

#[tokio::test]
async fn a_preview_that_fails_has_changed_nothing() {
    for (play, kind) in [
        (refusal(500, "api_error", ""), ErrorKind::Transient),
        (refusal(400, "invalid_request_error", "parameter_unknown"), ErrorKind::Rejected),
        (answer(200, &json!({})), ErrorKind::Transient),
        (answer(200, &json!({ "currency": "usd", "amount_due": "12" })), ErrorKind::Transient),
        (answer(200, &json!({ "currency": "usd", "amount_due": 1e30 })), ErrorKind::Transient),
        (answer(200, &json!([])), ErrorKind::Transient),
    ] {
        let fake = Fake::playing([sub(json!({})), play]).await;
        let error = fake.stripe.preview(&"sub_1".into(), &change(ChangeWhen::PeriodEnd)).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "preview change"));
    }
    for (play, kind) in [(missing(), ErrorKind::NotFound), (sub(json!({ "status": "canceled" })), ErrorKind::Conflict)]
    {
        let fake = Fake::playing([play]).await;
        let error = fake.stripe.preview(&"sub_1".into(), &change(ChangeWhen::Now)).await.unwrap_err();
        assert_eq!(error.kind, kind);
    }
}

#[tokio::test]
async fn a_change_tells_what_was_charged_where_the_answer_does() {
    for (invoice, charged) in [
        (json!({ "id": "in_1", "amount_due": 5 }), Some(0)),
        (json!("in_1"), Some(0)),
        (json!({ "id": "in_2", "status": "paid", "amount_due": 4839 }), Some(4839)),
        (json!({ "id": "in_2" }), None),
        (json!("in_2"), None),
    ] {
        let fake = Fake::playing([sub(json!({})), sub(json!({ "latest_invoice": invoice }))]).await;
        let changed = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap();
        assert_eq!((changed.charged, changed.snapshot.seats()), (charged, Some(5)), "{invoice}");
    }
}

#[tokio::test]
async fn a_change_of_seats_says_nothing_about_a_scheduled_end() {
    let ending = || sub(json!({ "cancel_at_period_end": true, "cancel_at": 900 }));
    let fake = Fake::playing([ending(), ending()]).await;
    let seats = CheckoutItem { price_id: "growth".into(), quantity: 9, item_type: ItemType::Plan };
    let request = ChangeRequest { items: vec![seats], when: ChangeWhen::Now, proration_date: None };
    let changed = fake.stripe.change(&"sub_1".into(), &request, "key").await.unwrap();
    assert_eq!(Status::of(&changed.snapshot), Status::NonRenewing);
    assert!(!fake.requests()[1].body.contains("cancel"), "{}", fake.requests()[1].body);
}

#[tokio::test]
async fn a_refused_charge_is_declined_and_a_lost_answer_unknown() {
    for (play, kind) in [
        (declined(), ErrorKind::Declined),
        (refusal(400, "invalid_request_error", ""), ErrorKind::Rejected),
        (refusal(500, "api_error", ""), ErrorKind::OutcomeUnknown),
        (refusal(429, "", "lock_timeout"), ErrorKind::Throttled(std::time::Duration::from_secs(2))),
        (answer(200, &json!({})), ErrorKind::OutcomeUnknown),
    ] {
        let fake = Fake::playing([sub(json!({})), play]).await;
        let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
        assert_eq!((error.kind, error.operation), (kind, "change subscription"));
        assert_eq!(fake.requests().len(), 2, "and it is not repeated here");
    }
    let fake = Fake::playing([sub(json!({ "status": "canceled" }))]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
    assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1));
}

#[tokio::test]
async fn a_change_at_once_replaces_what_waits() {
    let fake = Fake::playing([held(), released(), sub(json!({}))]).await;
    let changed = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap();
    assert_eq!(changed.snapshot.scheduled, None);
    let requests = fake.requests();
    assert_eq!(requests[1].line(), "POST /v1/subscription_schedules/sub_sched_1/release");
    assert_eq!(requests[1].header("idempotency-key"), Some("key/release"));
    assert_eq!(requests[2].line(), "POST /v1/subscriptions/sub_1");
}

#[tokio::test]
async fn what_waits_waits_again_when_the_change_is_refused() {
    let again = schedule(&[]);
    let script = [held(), released(), declined(), sub(json!({})), answer(200, &again), answer(200, &again), held()];
    let fake = Fake::playing(script).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Declined, "nothing has changed");
    let requests = fake.requests();
    assert_eq!(requests[4].header("idempotency-key"), Some("key/again/schedule"));
    assert_eq!(requests[5].value("phases[1][items][0][price]").as_deref(), Some("scale"));
    assert_eq!(requests[5].value("phases[1][items][0][quantity]").as_deref(), Some("2"));

    let fake = Fake::playing([held(), released(), declined(), sub(json!({})), refusal(400, "", "")]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "something has: whoever asked must look");
    let fake = Fake::playing([held(), released(), refusal(429, "", "rate_limit")]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::Now), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_change_at_the_periods_end_is_a_phase_of_a_schedule() {
    let script = [sub(json!({})), answer(200, &schedule(&[])), answer(200, &schedule(&[])), held()];
    let fake = Fake::playing(script).await;
    let changed = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap();
    assert_eq!((changed.charged, changed.snapshot.seats()), (Some(0), Some(5)), "until then it is what it was");
    let waiting = changed.snapshot.scheduled.unwrap();
    assert_eq!((waiting.price_id, waiting.at), (Some("scale".into()), Timestamp::from_unix_seconds(900)));
    let requests = fake.requests();
    assert_eq!(
        (requests[1].line(), requests[1].body.as_str()),
        ("POST /v1/subscription_schedules".into(), "from_subscription=sub_1")
    );
    assert_eq!(requests[1].header("idempotency-key"), Some("key/schedule"));
    assert_eq!(requests[2].line(), "POST /v1/subscription_schedules/sub_sched_1");
    assert_eq!(requests[2].header("idempotency-key"), Some("key/phases"));
    let expected = [
        ("end_behavior", "release"),
        ("proration_behavior", "none"),
        ("phases[0][start_date]", "100"),
        ("phases[0][end_date]", "900"),
        ("phases[0][currency]", "usd"),
        ("phases[0][discounts][0][discount]", "di_1"),
        ("phases[0][items][0][price]", "growth"),
        ("phases[0][items][0][quantity]", "5"),
        ("phases[1][currency]", "usd"),
        ("phases[1][discounts][0][discount]", "di_1"),
        ("phases[1][proration_behavior]", "none"),
        ("phases[1][duration][interval]", "day"),
        ("phases[1][duration][interval_count]", "1"),
        ("phases[1][items][0][price]", "scale"),
        ("phases[1][items][0][quantity]", "8"),
        ("phases[1][items][0][metadata][itemType]", "plan"),
        ("phases[1][items][1][price]", "support"),
        ("phases[1][items][1][quantity]", "1"),
        ("phases[1][items][1][metadata][itemType]", "addon"),
    ];
    assert_eq!(requests[2].pairs(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn another_change_at_the_periods_end_takes_the_schedule_that_is_there() {
    let mut trial = schedule(&[next_phase("scale", 2)]);
    trial["phases"][0]["trial_end"] = 800.into();
    let before = sub(json!({ "status": "trialing", "schedule": trial }));
    let fake = Fake::playing([before, answer(200, &schedule(&[])), held()]).await;
    fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap();
    let request = &fake.requests()[1];
    assert_eq!(request.line(), "POST /v1/subscription_schedules/sub_sched_1");
    assert_eq!(request.value("phases[0][trial_end]").as_deref(), Some("800"), "the trial goes on");
}

#[tokio::test]
async fn a_schedule_that_could_not_be_filled_holds_nothing() {
    let refused = || refusal(400, "invalid_request_error", "parameter_unknown");
    let fake = Fake::playing([sub(json!({})), answer(200, &schedule(&[])), refused(), released()]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(fake.lines()[3], "POST /v1/subscription_schedules/sub_sched_1/release");

    let throttled = refusal(429, "", "rate_limit");
    let fake = Fake::playing([sub(json!({})), answer(200, &schedule(&[])), throttled]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "a schedule was made");

    let fake = Fake::playing([sub(json!({ "cancel_at": 900 }))]).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap_err();
    assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1));
}

#[tokio::test]
async fn a_change_that_is_made_but_cannot_be_read_is_not_undone_in_words() {
    let script = [held(), answer(200, &schedule(&[])), refusal(500, "api_error", "")];
    let fake = Fake::playing(script).await;
    let error = fake.stripe.change(&"sub_1".into(), &change(ChangeWhen::PeriodEnd), "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}

#[tokio::test]
async fn a_scheduled_change_is_taken_back() {
    let fake = Fake::playing([held(), released(), sub(json!({}))]).await;
    let snapshot = fake.stripe.undo_change(&"sub_1".into(), "key").await.unwrap();
    assert_eq!(snapshot.scheduled, None);
    let request = &fake.requests()[1];
    assert_eq!(request.line(), "POST /v1/subscription_schedules/sub_sched_1/release");
    assert_eq!((request.body.as_str(), request.header("idempotency-key")), ("preserve_cancel_date=true", Some("key")));
    for members in [json!({}), json!({ "schedule": schedule(&[]) })] {
        let fake = Fake::playing([sub(members)]).await;
        let error = fake.stripe.undo_change(&"sub_1".into(), "key").await.unwrap_err();
        assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1));
    }
}

use serde_json::{Value, json};
use tollkeeper_core::{
    snapshot::{ItemType, ScheduledItems},
    status::Status,
};

use super::*;

const OURS: &str = "tks_00000000000000000000000000000001";

/// A subscription of the current version with these members over the usual ones.
fn subscription(members: Value) -> Subscription {
    let mut whole = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "currency": "usd", "created": 50,
        "items": { "data": [item("si_1", "growth", 5)], "has_more": false },
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn item(id: &str, price: &str, quantity: i64) -> Value {
    json!({ "id": id, "price": { "id": price, "currency": "usd", "unit_amount": 2000 }, "quantity": quantity,
        "current_period_start": 100, "current_period_end": 200 })
}

fn of(members: Value) -> Snapshot {
    snapshot(&subscription(members), None, None)
}

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(seconds))
}

#[test]
fn every_status_has_its_phase_and_its_gate() {
    for (word, phase, status) in [
        ("incomplete", Phase::Incomplete, Status::Incomplete),
        ("incomplete_expired", Phase::NeverStarted, Status::Expired),
        ("trialing", Phase::Trialing, Status::InTrial),
        ("active", Phase::Active, Status::Active),
        ("past_due", Phase::PastDue, Status::PastDue),
        ("unpaid", Phase::Unpaid, Status::Unpaid),
        ("paused", Phase::Paused, Status::Paused),
        ("canceled", Phase::Ended, Status::Cancelled),
        ("brand_new", Phase::Incomplete, Status::Incomplete),
    ] {
        let snapshot = of(json!({ "status": word }));
        assert_eq!((snapshot.phase, Status::of(&snapshot)), (phase, status), "{word}");
        assert_eq!(
            (snapshot.provider_status.as_str(), snapshot.version, snapshot.origin),
            (word, None, Origin::Fetched)
        );
    }
}

#[test]
fn the_period_is_read_in_both_versions() {
    let mut longer = item("si_2", "support", 1);
    longer["current_period_start"] = 90.into();
    longer["current_period_end"] = 400.into();
    let now = of(json!({ "items": { "data": [item("si_1", "growth", 5), longer] } }));
    assert_eq!((now.period_start, now.period_end), (at(90), at(400)), "the first to begin and the last to end");
    let old =
        json!({ "id": "si_1", "price": { "id": "growth", "unit_amount": 2000, "currency": "usd" }, "quantity": 5 });
    let before = of(
        json!({ "current_period_start": 100, "current_period_end": 200, "items": { "data": [old], "has_more": false } }),
    );
    assert_eq!((before.period_start, before.period_end), (at(100), at(200)));
    assert_eq!(before.seats(), Some(5));
}

#[test]
fn an_end_is_read_from_either_place() {
    let dates = |members| {
        let snapshot = of(members);
        (snapshot.cancel_at, snapshot.cancelled_at, snapshot.ended_at)
    };
    let by_date = json!({ "cancel_at": 180, "canceled_at": 150 });
    assert_eq!(dates(by_date), (at(180), at(150), None));
    let with_period = json!({ "cancel_at_period_end": true, "canceled_at": 150 });
    assert_eq!(dates(with_period), (at(200), at(150), None));
    let both = json!({ "cancel_at_period_end": true, "cancel_at": 200, "canceled_at": 150 });
    assert_eq!(dates(both), (at(200), at(150), None));
    let over = json!({ "status": "canceled", "cancel_at_period_end": true, "cancel_at": 200, "canceled_at": 150,
        "ended_at": 200 });
    assert_eq!(dates(over), (None, at(150), at(200)));
    assert_eq!(dates(json!({ "status": "canceled", "canceled_at": 170 })), (None, at(170), at(170)));
    // Taken back: nothing is scheduled, whatever is left over.
    assert_eq!(dates(json!({ "cancel_at_period_end": false, "canceled_at": 90 })), (None, None, None));
    let trial = of(json!({ "status": "trialing", "cancel_at_period_end": true, "trial_end": 200 }));
    assert_eq!((Status::of(&trial), trial.cancel_at), (Status::InTrial, at(200)));
    assert_eq!(Status::of(&of(json!({ "cancel_at": 180 }))), Status::NonRenewing);
}

#[test]
fn lines_have_their_amounts_where_the_price_tells() {
    let tiered = json!({ "id": "si_2", "price": { "id": "tiered", "currency": "usd" }, "quantity": 3 });
    let foreign = json!({ "id": "si_3", "price": { "id": "eur", "currency": "eur", "unit_amount": 9 }, "quantity": 2 });
    let nameless = json!({ "id": "si_4", "quantity": 1 });
    let snapshot = of(json!({ "items": { "data": [item("si_1", "growth", 5), tiered, foreign, nameless] } }));
    let lines: Vec<_> =
        snapshot.items.iter().map(|item| (item.item_type, item.quantity, item.unit_price, item.amount)).collect();
    assert_eq!(
        lines,
        [
            (ItemType::Plan, 5, Some(2000), Some(10_000)),
            (ItemType::Addon, 3, None, None),
            (ItemType::Addon, 2, None, None),
        ]
    );
    assert_eq!(snapshot.currency, Some("USD".parse().unwrap()));
    assert!(snapshot.items.iter().all(|item| item.currency == snapshot.currency));
}

#[test]
fn whose_it_is_is_read_from_its_metadata_and_its_customer() {
    let own = of(json!({ "metadata": { "subscriptionId": OURS, "organizationId": "org_1", "userId": "usr_1" } }));
    assert_eq!((own.our_id, own.organization_id), (Some(OURS.into()), Some("org_1".into())));
    assert_eq!(of(json!({ "metadata": { "subscriptionId": "cookbook_7" } })).our_id, None);
    let customer = json!({ "id": "cus_1", "metadata": { "organizationId": "org_2", "pendingSubscriptionId": "ls_1" } });
    let snapshot = of(json!({ "customer": customer }));
    assert_eq!((snapshot.customer_id, snapshot.organization_id), ("cus_1".into(), Some("org_2".into())));
    assert_eq!(snapshot.pending_id, Some("ls_1".into()));
    let gone = of(json!({ "customer": { "id": "cus_1", "object": "customer", "deleted": true } }));
    assert_eq!((gone.customer_id, gone.organization_id), ("cus_1".into(), None));
    for metadata in [json!({}), json!({ "organizationId": "" }), json!({ "organizationId": 5 }), json!([]), json!(null)]
    {
        assert_eq!(of(json!({ "metadata": metadata })).organization_id, None);
    }
}

fn invoice(members: Value) -> Invoice {
    let mut whole = json!({ "id": "in_1", "status": "open", "created": 100, "attempted": true, "attempt_count": 1 });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

#[test]
fn dues_begin_with_the_oldest_open_invoice() {
    let subscription = subscription(json!({ "status": "past_due", "latest_invoice": "in_9" }));
    let open = [
        invoice(json!({ "id": "in_2", "created": 300, "next_payment_attempt": 450 })),
        invoice(json!({ "id": "in_1", "created": 100, "attempt_count": 3, "next_payment_attempt": 400 })),
        invoice(json!({ "id": "in_0", "created": 10, "status": "paid" })),
        invoice(json!({ "id": "in_3", "created": 5, "attempted": false, "attempt_count": 0 })),
    ];
    assert_eq!(
        dues(&subscription, &open).unwrap(),
        Dues {
            since: Timestamp::from_unix_seconds(100),
            attempts: 3,
            next_attempt_at: at(400),
            invoice: Some("in_1".into()),
            exhausted: false,
        }
    );
}

#[test]
fn dues_are_given_up_when_the_status_says_so_or_nobody_tries_any_more() {
    let open = [invoice(json!({ "next_payment_attempt": 400 }))];
    let last = [invoice(json!({}))];
    let exhausted = |members, open: &[Invoice]| dues(&subscription(members), open).unwrap().exhausted;
    assert!(!exhausted(json!({ "status": "past_due" }), &open));
    assert!(exhausted(json!({ "status": "past_due" }), &last));
    assert!(exhausted(json!({ "status": "unpaid" }), &open));
    let sent = json!({ "status": "past_due", "collection_method": "send_invoice" });
    assert!(!exhausted(sent.clone(), &last), "nobody tries where an invoice is sent");
    let due = [invoice(json!({ "due_date": 130, "attempted": false, "attempt_count": 0 }))];
    assert_eq!(dues(&subscription(sent), &due).unwrap().since, Timestamp::from_unix_seconds(130));
}

#[test]
fn dues_without_an_open_invoice_are_still_dues() {
    let latest = json!({ "id": "in_7", "status": "uncollectible", "created": 120, "attempt_count": 4 });
    let known = dues(&subscription(json!({ "status": "unpaid", "latest_invoice": latest })), &[]).unwrap();
    assert_eq!((known.invoice.as_deref(), known.attempts, known.since.as_unix_seconds()), (Some("in_7"), 4, 120));
    let unknown = dues(&subscription(json!({ "status": "past_due" })), &[]).unwrap();
    assert_eq!((unknown.since.as_unix_seconds(), unknown.invoice, unknown.exhausted), (100, None, false));
    for status in ["active", "trialing", "canceled", "incomplete", "paused"] {
        assert_eq!(dues(&subscription(json!({ "status": status })), &[invoice(json!({}))]), None, "{status}");
    }
}

fn schedule(next: Value) -> Value {
    json!({ "id": "sub_sched_1", "status": "active", "current_phase": { "start_date": 100, "end_date": 200 },
        "phases": [
            { "start_date": 100, "items": [{ "price": "growth", "quantity": 5 }] },
            { "start_date": 200, "items": next },
            { "start_date": 300, "items": [] },
        ] })
}

#[test]
fn the_phase_after_the_current_one_is_what_waits() {
    let change = |next| of(json!({ "schedule": schedule(next) })).scheduled;
    let ScheduledItems { price_id, seats, items, at: begins } =
        change(json!([{ "price": "scale", "quantity": 8 }, { "price": "support", "quantity": 1 }])).unwrap();
    assert_eq!((price_id, seats, Some(begins)), (Some("scale".into()), Some(8), at(200)));
    assert_eq!(items.iter().map(|item| item.item_type).collect::<Vec<_>>(), [ItemType::Plan, ItemType::Addon]);
    let seats = change(json!([{ "price": "growth", "quantity": 3 }])).unwrap();
    assert_eq!((seats.price_id, seats.seats, seats.items[0].unit_price), (None, Some(3), Some(2000)));
    let marked = change(json!([{ "price": "support", "metadata": { "itemType": "addon" } },
        { "price": "scale", "quantity": 2, "metadata": { "itemType": "plan" } }]));
    assert_eq!(marked.unwrap().price_id, Some("scale".into()));
    assert_eq!(change(json!([{ "price": "growth", "quantity": 5 }])), None, "nothing changes then");
}

#[test]
fn a_schedule_that_holds_nothing_waits_for_nothing() {
    let next = json!([{ "price": "scale", "quantity": 8 }]);
    for word in ["released", "canceled", "completed"] {
        let mut schedule = schedule(next.clone());
        schedule["status"] = word.into();
        let subscription = subscription(json!({ "schedule": schedule }));
        assert_eq!((crate::schedule::attached(&subscription), crate::schedule::scheduled(&subscription)), (None, None));
    }
    let mut last = schedule(next.clone());
    last["current_phase"] = json!({ "start_date": 300, "end_date": 400 });
    let held = subscription(json!({ "schedule": last }));
    assert_eq!(crate::schedule::attached(&held), Some("sub_sched_1"));
    assert_eq!(crate::schedule::scheduled(&held), None);
    assert_eq!(of(json!({ "status": "canceled", "schedule": schedule(next) })).scheduled, None);
    assert_eq!(of(json!({ "schedule": "sub_sched_1" })).scheduled, None, "an id alone tells nothing");
}

#[test]
fn a_paused_collection_closes_the_gate_only_when_we_asked_for_it() {
    let held = |metadata: Value, now| {
        let members = json!({ "pause_collection": { "behavior": "void", "resumes_at": null }, "metadata": metadata });
        let snapshot = snapshot(&subscription(members), None, now);
        (snapshot.phase, snapshot.pause_at)
    };
    assert_eq!(held(json!({}), at(150)), (Phase::Active, None));
    assert_eq!(held(json!({ "pausedBy": "somebody" }), at(150)), (Phase::Active, None));
    assert_eq!(held(json!({ "pausedBy": "tollkeeper" }), at(150)), (Phase::Paused, None));
    let later = json!({ "pausedBy": "tollkeeper", "pausedFrom": "200" });
    assert_eq!(held(later.clone(), at(199)), (Phase::Active, at(200)));
    assert_eq!(held(later.clone(), at(200)), (Phase::Paused, None));
    assert_eq!(held(later, None), (Phase::Active, at(200)), "the period that runs stands in for a clock");
    assert_eq!(held(json!({ "pausedBy": "tollkeeper", "pausedFrom": "soon" }), at(150)), (Phase::Paused, None));
    let until = json!({ "pausedBy": "tollkeeper", "pausedUntil": "300" });
    assert_eq!(held(until.clone(), at(299)), (Phase::Paused, None));
    assert_eq!(held(until, at(300)), (Phase::Active, None), "ours is over, and this is somebody else's");
    let over = json!({ "metadata": { "pausedBy": "tollkeeper" } });
    assert_eq!(of(over).phase, Phase::Active, "it goes on again, and the mark is left over");
    let ended = json!({ "status": "canceled", "pause_collection": {}, "metadata": { "pausedBy": "tollkeeper" } });
    assert_eq!(of(ended).phase, Phase::Ended);
}

#[test]
fn a_collection_that_somebody_else_paused_is_told() {
    let told = |members: Value, now| snapshot(&subscription(members), None, now).collection_paused;
    let held = |metadata: Value| json!({ "pause_collection": { "behavior": "void" }, "metadata": metadata });
    assert!(told(held(json!({})), at(150)));
    assert!(told(held(json!({ "pausedBy": "somebody" })), at(150)));
    assert!(!told(json!({}), at(150)));
    for ours in [json!({}), json!({ "pausedFrom": "200" })] {
        let mut marks = ours;
        marks["pausedBy"] = "tollkeeper".into();
        assert!(!told(held(marks), at(150)), "a pause of ours is told as one");
    }
    assert!(told(held(json!({ "pausedBy": "tollkeeper", "pausedUntil": "100" })), at(150)), "ours is over");
    let mut still = held(json!({ "pausedBy": "tollkeeper" }));
    still["status"] = "paused".into();
    assert!(!told(still.clone(), at(150)), "ours, and then the subscription was paused too");
    still["metadata"] = json!({});
    assert!(told(still, at(150)));
}

#[test]
fn a_snapshot_is_as_old_as_its_reading_or_as_the_subscription() {
    assert_eq!(of(json!({})).observed_at, Timestamp::from_unix_seconds(50));
    assert_eq!(snapshot(&subscription(json!({})), None, at(900)).observed_at, Timestamp::from_unix_seconds(900));
}

#[test]
fn an_instant_without_a_date_is_none() {
    let snapshot = of(json!({ "trial_end": i64::MAX, "cancel_at": -1, "created": 253_402_207_201_i64 }));
    assert_eq!((snapshot.trial_end, snapshot.cancel_at), (None, None));
    assert_eq!(snapshot.observed_at, Timestamp::from_micros(0));
}

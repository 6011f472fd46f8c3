use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ErrorKind},
    snapshot::{Origin, Phase},
    time::Timestamp,
};

use crate::fake::{Fake, answer, list, missing, next_phase, page, schedule, subscription};

const DAY: i64 = 86_400;

fn event(id: &str, event_type: &str, object: Value) -> Value {
    json!({ "id": id, "object": "event", "type": event_type, "created": 5, "data": { "object": object } })
}

fn at(day: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(day * DAY))
}

#[tokio::test]
async fn everything_comes_page_by_page_and_nobody_is_asked_about_a_row() {
    let row = |id: &str, members: Value| {
        let mut row = subscription(members);
        row["id"] = id.into();
        row
    };
    let rows = [
        row("whole", json!({ "metadata": { "organizationId": "org_acme" } })),
        row("owing", json!({ "status": "past_due", "latest_invoice": "in_1" })),
        row("changing", json!({ "schedule": "sub_sched_1" })),
        row("large", json!({ "items": { "data": [], "has_more": true } })),
        row("over", json!({ "status": "canceled" })),
    ];
    let fake = Fake::playing([page(&rows), list(&[])]).await;
    let first = fake.stripe.subscriptions(None, None).await.unwrap();
    let listed: Vec<_> = first.rows.iter().map(|row| (row.snapshot.id.as_str(), row.is_complete)).collect();
    assert_eq!(listed, [("whole", true), ("owing", false), ("changing", false), ("large", false), ("over", true)]);
    assert_eq!((first.rows[4].snapshot.phase, first.rows[0].snapshot.origin), (Phase::Ended, Origin::Fetched));
    assert_eq!(first.rows[0].snapshot.organization_id, Some("org_acme".into()));
    assert_eq!(first.next.as_deref(), Some("all:over"));
    let second = fake.stripe.subscriptions(None, first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (0, None));
    let queries: Vec<_> = fake.requests().into_iter().map(|request| (request.path, request.query)).collect();
    assert_eq!(
        queries,
        [
            ("/v1/subscriptions".to_owned(), "status=all&limit=100".to_owned()),
            ("/v1/subscriptions".to_owned(), "status=all&limit=100&starting_after=over".to_owned()),
        ]
    );
}

#[tokio::test]
async fn what_changed_is_told_by_events_and_read_again_once() {
    let events = [
        event("evt_3", "customer.subscription.updated", subscription(json!({}))),
        event("evt_2", "invoice.paid", json!({ "id": "in_1", "object": "invoice", "subscription": "sub_1" })),
        event("evt_1", "subscription_schedule.updated", json!({ "id": "sub_sched_1", "subscription": "sub_2" })),
        event(
            "evt_0",
            "invoice.paid",
            json!({ "id": "in_0", "object": "invoice", "customer": "cus_1", "parent": null }),
        ),
    ];
    let held = subscription(json!({ "schedule": schedule(&[next_phase("scale", 8)]) }));
    let fake = Fake::playing_at(
        100 * DAY,
        [
            page(&events),
            answer(200, &held),
            missing(),
            list(&[event("evt_00", "customer.subscription.deleted", json!(5))]),
        ],
    )
    .await;
    let first = fake.stripe.subscriptions(at(99), None).await.unwrap();
    let listed: Vec<_> = first.rows.iter().map(|row| (row.snapshot.id.as_str(), row.is_complete)).collect();
    assert_eq!(listed, [("sub_1", true)], "one that is gone is no row");
    assert!(first.rows[0].snapshot.scheduled.is_some(), "it was read whole");
    let second = fake.stripe.subscriptions(at(99), first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (0, None));
    assert_eq!(
        fake.lines(),
        ["GET /v1/events", "GET /v1/subscriptions/sub_1", "GET /v1/subscriptions/sub_2", "GET /v1/events"]
    );
    let requests = fake.requests();
    assert_eq!(requests[0].value("created[gte]"), Some((99 * DAY).to_string()));
    assert_eq!(requests[0].value("types[0]").as_deref(), Some("customer.subscription.created"));
    assert_eq!(requests[3].value("starting_after").as_deref(), Some("evt_0"));
}

#[tokio::test]
async fn what_changed_long_ago_is_everything() {
    let fake = Fake::playing_at(100 * DAY, [list(&[]), list(&[])]).await;
    fake.stripe.subscriptions(at(60), None).await.unwrap();
    fake.stripe.customers(at(60), None).await.unwrap();
    assert_eq!(fake.lines(), ["GET /v1/subscriptions", "GET /v1/customers"]);
    let timeless = Fake::playing([list(&[])]).await;
    timeless.stripe.subscriptions(at(99), None).await.unwrap();
    assert_eq!(timeless.lines(), ["GET /v1/subscriptions"]);
}

#[tokio::test]
async fn customers_come_with_their_names_and_the_deleted_ones_behind_them() {
    let acme =
        json!({ "id": "cus_1", "name": "Acme", "email": "a@acme.test", "metadata": { "organizationId": "org_acme" } });
    let stranger = json!({ "id": "cus_2", "name": "", "metadata": {} });
    let gone =
        event("evt_1", "customer.deleted", json!({ "id": "cus_3", "metadata": { "organizationId": "org_gone" } }));
    let fake = Fake::playing([page(std::slice::from_ref(&acme)), list(&[stranger]), list(&[gone])]).await;
    let first = fake.stripe.customers(None, None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("all:cus_1"));
    let second = fake.stripe.customers(None, first.next.as_deref()).await.unwrap();
    assert_eq!(second.next.as_deref(), Some("deleted:"));
    let third = fake.stripe.customers(None, second.next.as_deref()).await.unwrap();
    assert_eq!(third.next, None);
    let [acme] = first.rows.as_slice() else { panic!("{first:?}") };
    assert_eq!((acme.display_name.as_deref(), acme.email.as_deref()), (Some("Acme"), Some("a@acme.test")));
    assert_eq!((&second.rows[0].display_name, second.rows[0].deleted), (&None, false));
    let [gone] = third.rows.as_slice() else { panic!("{third:?}") };
    assert_eq!(
        (gone.id.as_str(), gone.deleted, gone.organization_id.clone()),
        ("cus_3", true, Some("org_gone".into()))
    );
    let deletions = &fake.requests()[2];
    assert_eq!(deletions.query, "types%5B0%5D=customer.deleted&limit=100");
}

#[tokio::test]
async fn changed_customers_are_read_again_and_deleted_ones_are_not() {
    let customer = |id: &str| json!({ "id": id, "object": "customer", "name": "Old", "metadata": {} });
    let events = [
        event("evt_3", "customer.deleted", customer("cus_2")),
        event("evt_2", "customer.updated", customer("cus_1")),
        event("evt_1", "customer.created", customer("cus_1")),
        event("evt_0", "customer.updated", customer("cus_2")),
    ];
    let fresh = json!({ "id": "cus_1", "name": "New", "metadata": {} });
    let fake = Fake::playing_at(100 * DAY, [list(&events), answer(200, &fresh)]).await;
    let rows = fake.stripe.customers(at(99), None).await.unwrap().rows;
    let seen: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.display_name.as_deref(), row.deleted)).collect();
    assert_eq!(seen, [("cus_2", Some("Old"), true), ("cus_1", Some("New"), false)]);
    assert_eq!(fake.lines(), ["GET /v1/events", "GET /v1/customers/cus_1"]);
}

#[tokio::test]
async fn a_hostile_list_is_an_error_and_not_half_a_list() {
    let whole = || subscription(json!({}));
    for data in [
        json!(null),
        json!(5),
        json!([5]),
        json!([{}]),
        json!([{ "id": 5 }]),
        json!([whole(), subscription(json!({ "status": null }))]),
        json!([subscription(json!({ "items": null }))]),
        json!([subscription(json!({ "trial_end": 1e300 }))]),
    ] {
        let fake = Fake::playing([answer(200, &json!({ "data": data }))]).await;
        let error = fake.stripe.subscriptions(None, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{data}");
    }
    let fake = Fake::playing([answer(200, &json!({}))]).await;
    let error = fake.stripe.customers(None, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "a list that is left out is not an empty one");
    let fake = Fake::playing([]).await;
    for page in ["cus_1", "other:1"] {
        assert_eq!(fake.stripe.customers(None, Some(page)).await.unwrap_err().kind, ErrorKind::Rejected);
    }
    assert!(fake.requests().is_empty());
}

//! Customers, subscriptions, cancelling.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, CancelWhen, CustomerPatch, ErrorKind, NewCustomer},
    snapshot::Origin,
    status::Status,
    time::Timestamp,
};

use crate::fake::{Fake, Play, answer, list, missing, next_phase, offline, page, refusal, schedule, subscription};

fn new_customer() -> NewCustomer {
    NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme".into(),
        email: Some("billing@acme.test".into()),
        currency: Some("USD".parse().unwrap()),
    }
}

fn customer(id: &str, organization: &str, created: i64) -> Value {
    json!({ "id": id, "object": "customer", "created": created, "metadata": { "organizationId": organization } })
}

fn sub(members: Value) -> Play {
    answer(200, &subscription(members))
}

#[tokio::test]
async fn a_customer_is_made_under_an_id_of_stripes() {
    let made = json!({ "id": "cus_1", "name": "Acme", "email": "billing@acme.test", "metadata": { "organizationId": "org_acme" } });
    let fake = Fake::playing([answer(200, &made)]).await;
    let record = fake.stripe.create_customer(Some(&"ignored".into()), &new_customer(), "org_acme").await.unwrap();
    assert_eq!((record.id.as_str(), record.organization_id, record.deleted), ("cus_1", Some("org_acme".into()), false));
    let request = fake.request();
    assert_eq!(
        request.body,
        "name=Acme&email=billing%40acme.test&metadata%5BorganizationId%5D=org_acme&metadata%5BcustomerType%5D=organization"
    );
    assert_eq!(
        (request.line(), request.header("idempotency-key")),
        ("POST /v1/customers".to_owned(), Some("org_acme"))
    );
    assert_eq!(fake.stripe.customer_id_for(&"org_acme".into(), 0), None);
}

#[tokio::test]
async fn a_customer_is_there_deleted_or_nowhere() {
    let deleted = json!({ "id": "cus_1", "object": "customer", "deleted": true });
    let fake = Fake::playing([answer(200, &deleted), missing()]).await;
    assert!(fake.stripe.customer(&"cus_1".into()).await.unwrap().unwrap().deleted);
    assert_eq!(fake.stripe.customer(&"cus_2".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_customer_is_found_by_the_organization_it_names() {
    let others = [customer("cus_9", "org_other", 9), json!({ "id": "cus_8", "metadata": {} })];
    let ours = [customer("cus_3", "org_acme", 3), customer("cus_2", "org_acme", 2)];
    let fake = Fake::playing([page(&others), list(&ours), list(&others)]).await;
    let since = Timestamp::from_unix_seconds(1_767_225_600);
    let found = fake.stripe.find_customer(&"org_acme".into(), since).await.unwrap().unwrap();
    assert_eq!(found.id.as_str(), "cus_2", "the first of several");
    assert_eq!(fake.stripe.find_customer(&"org_acme".into(), since).await.unwrap(), None);
    let requests = fake.requests();
    assert_eq!(requests[0].value("created[gte]").as_deref(), Some("1767225000"));
    assert_eq!(requests[0].value("limit").as_deref(), Some("100"));
    assert_eq!(requests[1].value("starting_after").as_deref(), Some("cus_8"));
}

#[tokio::test]
async fn an_empty_patch_asks_nobody_and_a_full_one_has_no_key() {
    let fake = Fake::playing([answer(200, &customer("cus_1", "org_acme", 1))]).await;
    fake.stripe.update_customer(&"cus_1".into(), &CustomerPatch::default()).await.unwrap();
    let patch = CustomerPatch { display_name: Some("Acme Inc".into()), ..CustomerPatch::default() };
    fake.stripe.update_customer(&"cus_1".into(), &patch).await.unwrap();
    let request = fake.request();
    assert_eq!((request.body.as_str(), request.header("idempotency-key")), ("name=Acme+Inc", None));
}

#[tokio::test]
async fn a_subscription_is_read_with_what_belongs_to_it() {
    let fake = Fake::playing([
        sub(json!({ "customer": { "id": "cus_1", "metadata": { "organizationId": "o" } } })),
        missing(),
    ])
    .await;
    let snapshot = fake.stripe.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!((Status::of(&snapshot), snapshot.seats(), snapshot.origin), (Status::Active, Some(5), Origin::Fetched));
    assert_eq!(snapshot.organization_id, Some("o".into()));
    assert_eq!(fake.stripe.subscription(&"sub_2".into()).await.unwrap(), None);
    let request = &fake.requests()[0];
    assert_eq!(request.query, "expand%5B0%5D=customer&expand%5B1%5D=latest_invoice&expand%5B2%5D=schedule");
    assert_eq!(request.header("stripe-version"), Some("2026-10-28.endive"));
    assert_eq!(request.header("authorization"), Some("Bearer sk_test_key"));
}

#[tokio::test]
async fn what_did_not_come_whole_is_asked_for() {
    let many = json!({ "data": [], "has_more": true });
    let rows: Vec<_> =
        (0..12).map(|n| json!({ "id": format!("si_{n}"), "price": { "id": format!("p{n}") } })).collect();
    let held = schedule(&[next_phase("scale", 8)]);
    let fake =
        Fake::playing([sub(json!({ "items": many, "schedule": "sub_sched_1" })), list(&rows), answer(200, &held)])
            .await;
    let snapshot = fake.stripe.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!((snapshot.items.len(), snapshot.scheduled.unwrap().seats), (12, Some(8)));
    assert_eq!(
        fake.lines(),
        ["GET /v1/subscriptions/sub_1", "GET /v1/subscription_items", "GET /v1/subscription_schedules/sub_sched_1"]
    );
    let gone = Fake::playing([sub(json!({ "schedule": "sub_sched_1" })), missing()]).await;
    assert_eq!(gone.stripe.subscription(&"sub_1".into()).await.unwrap().unwrap().scheduled, None);
}

#[tokio::test]
async fn overdue_subscriptions_are_read_with_their_invoices() {
    let open = [json!({ "id": "in_5", "status": "open", "created": 700, "attempted": true, "attempt_count": 2,
        "next_payment_attempt": 800 })];
    for (word, status) in [("past_due", Status::PastDue), ("unpaid", Status::Unpaid)] {
        let fake = Fake::playing([sub(json!({ "status": word })), list(&open)]).await;
        let snapshot = fake.stripe.subscription(&"sub_1".into()).await.unwrap().unwrap();
        assert_eq!(Status::of(&snapshot), status);
        let dues = snapshot.dues.unwrap();
        assert_eq!((dues.since, dues.attempts), (Timestamp::from_unix_seconds(700), 2));
        let asked = &fake.requests()[1];
        assert_eq!(
            (asked.path.as_str(), asked.query.as_str()),
            ("/v1/invoices", "subscription=sub_1&status=open&limit=100")
        );
    }
}

#[tokio::test]
async fn all_of_a_customers_subscriptions_are_read_to_the_end() {
    let row = |id: &str, status: &str| subscription(json!({ "id": id, "status": status }));
    let fake = Fake::playing([page(&[row("sub_1", "active")]), list(&[row("sub_2", "canceled")])]).await;
    let all = fake.stripe.subscriptions_of(&"cus_1".into()).await.unwrap();
    assert_eq!(all.iter().map(|snapshot| snapshot.id.as_str()).collect::<Vec<_>>(), ["sub_1", "sub_2"]);
    let requests = fake.requests();
    assert_eq!(requests[0].value("status").as_deref(), Some("all"));
    assert_eq!(requests[0].value("customer").as_deref(), Some("cus_1"));
    assert_eq!(requests[0].value("expand[2]").as_deref(), Some("data.schedule"));
    assert_eq!(requests[1].value("starting_after").as_deref(), Some("sub_1"));
    let gone = Fake::playing([refusal(400, "invalid_request_error", "resource_missing")]).await;
    assert!(gone.stripe.subscriptions_of(&"cus_1".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_that_does_not_move_is_given_up() {
    let row = subscription(json!({}));
    let same = || page(std::slice::from_ref(&row));
    let fake = Fake::playing([same(), same()]).await;
    assert_eq!(fake.stripe.subscriptions_of(&"cus_1".into()).await.unwrap_err().kind, ErrorKind::Rejected);
    let fake = Fake::playing([page(&[])]).await;
    assert_eq!(fake.stripe.subscriptions_of(&"cus_1".into()).await.unwrap_err().kind, ErrorKind::Rejected);
    let endless = (0..60).map(|n| page(&[subscription(json!({ "id": format!("sub_{n}") }))]));
    let fake = Fake::playing(endless).await;
    assert_eq!(fake.stripe.subscriptions_of(&"cus_1".into()).await.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(fake.requests().len(), 50);
}

#[tokio::test]
async fn cancelling_says_when_and_what_is_given_back() {
    let over = || sub(json!({ "status": "canceled", "canceled_at": 5, "ended_at": 5 }));
    let ending = sub(json!({ "cancel_at_period_end": true, "canceled_at": 5 }));
    let live = || sub(json!({}));
    let fake = Fake::playing([live(), over(), live(), over(), live(), ending]).await;
    for (when, status) in [
        (CancelWhen::Now, Status::Cancelled),
        (CancelWhen::NowCredited, Status::Cancelled),
        (CancelWhen::PeriodEnd, Status::NonRenewing),
    ] {
        let snapshot = fake.stripe.cancel(&"sub_1".into(), when, "key").await.unwrap();
        assert_eq!(Status::of(&snapshot), status);
    }
    let requests = fake.requests();
    let sent = |index: usize| (requests[index].line(), requests[index].header("idempotency-key").map(str::to_owned));
    assert_eq!(sent(1), ("DELETE /v1/subscriptions/sub_1".to_owned(), None));
    assert!(requests[1].query.starts_with("prorate=false&invoice_now=false&expand"), "{}", requests[1].query);
    assert!(requests[3].query.starts_with("prorate=true&invoice_now=true&expand"), "{}", requests[3].query);
    assert!(requests[1].body.is_empty() && requests[3].body.is_empty(), "parameters go into the query");
    assert_eq!(sent(5), ("POST /v1/subscriptions/sub_1".to_owned(), Some("key".to_owned())));
    assert!(requests[5].body.starts_with("cancel_at_period_end=true&expand"), "{}", requests[5].body);
}

#[tokio::test]
async fn cancelling_what_is_over_or_ends_already_asks_for_nothing() {
    for (members, when) in [
        (json!({ "status": "canceled", "ended_at": 5 }), CancelWhen::Now),
        (json!({ "status": "incomplete_expired" }), CancelWhen::PeriodEnd),
        (json!({ "cancel_at": 900 }), CancelWhen::PeriodEnd),
    ] {
        let fake = Fake::playing([sub(members)]).await;
        fake.stripe.cancel(&"sub_1".into(), when, "key").await.unwrap();
        assert_eq!(fake.requests().len(), 1);
    }
    let fake = Fake::playing([missing()]).await;
    let error = fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_waits_is_let_go_before_the_end() {
    let held = || sub(json!({ "schedule": schedule(&[next_phase("scale", 8)]) }));
    let ending = || sub(json!({ "cancel_at_period_end": true }));
    let released = || answer(200, &json!({ "id": "sub_sched_1", "status": "released" }));
    let fake = Fake::playing([held(), released(), ending()]).await;
    let snapshot = fake.stripe.cancel(&"sub_1".into(), CancelWhen::PeriodEnd, "key").await.unwrap();
    assert_eq!((Status::of(&snapshot), snapshot.scheduled), (Status::NonRenewing, None));
    let release = &fake.requests()[1];
    assert_eq!(release.line(), "POST /v1/subscription_schedules/sub_sched_1/release");
    assert_eq!(release.header("idempotency-key"), Some("key/release"));

    let lost = Fake::playing([held(), released(), refusal(429, "", "")]).await;
    let error = lost.stripe.cancel(&"sub_1".into(), CancelWhen::PeriodEnd, "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "something was done: it waits no more");
}

#[tokio::test]
async fn a_refused_cancellation_is_the_answer_only_when_it_is_so_already() {
    let refused = || refusal(400, "invalid_request_error", "");
    let fake = Fake::playing([sub(json!({})), refused(), sub(json!({ "status": "canceled" }))]).await;
    assert!(fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.is_ok());
    let fake = Fake::playing([sub(json!({})), refused(), sub(json!({}))]).await;
    let error = fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Rejected, "cancel subscription"));
    let fake =
        Fake::playing([sub(json!({})), sub(json!({ "status": "past_due" })), refusal(500, "api_error", "")]).await;
    let error = fake.stripe.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "the work is done, whatever the reading says");
}

#[tokio::test]
async fn an_end_is_taken_back_the_way_it_was_asked_for() {
    let running = || sub(json!({}));
    for (before, body) in [
        (json!({ "cancel_at_period_end": true, "cancel_at": 900 }), "cancel_at_period_end=false"),
        (json!({ "cancel_at": 700, "cancel_at_period_end": false }), "cancel_at="),
    ] {
        let fake = Fake::playing([sub(before), running()]).await;
        let snapshot = fake.stripe.undo_cancellation(&"sub_1".into(), "key").await.unwrap();
        assert_eq!(Status::of(&snapshot), Status::Active);
        let request = &fake.requests()[1];
        assert!(request.body.starts_with(&format!("{body}&expand")), "{}", request.body);
    }
    let half = sub(json!({ "cancel_at": 700, "cancel_at_period_end": false }));
    let fake = Fake::playing([sub(json!({ "cancel_at_period_end": true })), half, running()]).await;
    fake.stripe.undo_cancellation(&"sub_1".into(), "key").await.unwrap();
    assert_eq!(fake.requests()[2].header("idempotency-key"), Some("key/date"));
    let fake = Fake::playing([running()]).await;
    let error = fake.stripe.undo_cancellation(&"sub_1".into(), "key").await.unwrap_err();
    assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Conflict, 1));
}

#[test]
fn ids_are_chosen_by_stripe() {
    let stripe = offline();
    assert_eq!(stripe.provider().as_str(), "stripe");
    assert_eq!(stripe.subscription_id_for(&"tks_1".into()), None);
}

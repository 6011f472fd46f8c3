use std::sync::Arc;

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, CancelWhen, CheckoutState, ErrorKind, NewCustomer},
    snapshot::{ItemType, Origin, ScheduledItems},
    status::Status,
    time::{Clock, MachineTime, Timestamp},
};

use crate::{
    contracts::Contracts,
    fake::{Fake, answer},
};

const OURS: &str = "tks_00000000000000000000000000000001";

fn subscription(members: Value) -> Value {
    let mut whole = json!({
        "id": "sub_1", "customer_id": "org_acme", "status": "active", "currency_code": "USD",
        "resource_version": 1000, "updated_at": 1, "current_term_end": 900, "has_scheduled_changes": false,
        "subscription_items": [{ "item_price_id": "growth", "item_type": "plan", "quantity": 5 }],
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({ "subscription": whole, "customer": { "id": "org_acme", "meta_data": { "organizationId": "org_acme" } } })
}

fn refusal(status: u16, code: &str) -> crate::fake::Play {
    answer(status, &json!({ "message": "no", "type": "invalid_request", "api_error_code": code }))
}

fn new_customer() -> NewCustomer {
    NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme".into(),
        email: Some("billing@acme.test".into()),
        currency: None,
    }
}

#[tokio::test]
async fn a_customer_that_exists_is_answered_instead_of_made() {
    let customer = json!({ "customer": {
        "id": "org_acme", "email": "billing@acme.test", "deleted": false, "meta_data": { "organizationId": "org_other" } } });
    let fake = Fake::playing([refusal(400, "duplicate_entry"), answer(200, &customer)]).await;
    let record = fake.chargebee.create_customer(Some(&"org_acme".into()), &new_customer(), "key").await.unwrap();
    assert_eq!((record.id.as_str(), record.deleted), ("org_acme", false));
    assert_eq!(record.organization_id, Some("org_other".into()), "whose it is, is for the engine to judge");
    let paths: Vec<_> = fake.requests().into_iter().map(|request| (request.method.to_string(), request.path)).collect();
    assert_eq!(
        paths,
        [("POST".into(), "/api/v2/customers".to_owned()), ("GET".into(), "/api/v2/customers/org_acme".to_owned()),]
    );
}

#[tokio::test]
async fn a_deleted_customer_is_found_in_the_list() {
    let deleted = json!({ "list": [{ "customer": {
        "id": "org_acme", "deleted": true, "meta_data": { "organizationId": "org_acme" } } }] });
    let script = [refusal(400, "duplicate_entry"), refusal(404, "resource_not_found"), answer(200, &deleted)];
    let fake = Fake::playing(script).await;
    let record = fake.chargebee.create_customer(Some(&"org_acme".into()), &new_customer(), "key").await.unwrap();
    assert!(record.deleted);
    assert_eq!(record.organization_id, Some("org_acme".into()));
    let requests = fake.requests();
    assert_eq!(requests[2].value("id[is]").as_deref(), Some("org_acme"));
    assert_eq!(requests[2].value("include_deleted").as_deref(), Some("true"));
}

#[tokio::test]
async fn an_id_that_is_taken_and_nowhere_counts_as_deleted() {
    let other = json!({ "list": [{ "customer": { "id": "org_other" } }] });
    for (taken, expected) in [(true, Some(true)), (false, None)] {
        let lookup = [refusal(404, "resource_not_found"), answer(200, &other)];
        if taken {
            let script = std::iter::once(refusal(400, "duplicate_entry")).chain(lookup);
            let fake = Fake::playing(script).await;
            let record =
                fake.chargebee.create_customer(Some(&"org_acme".into()), &new_customer(), "key").await.unwrap();
            assert_eq!(Some(record.deleted), expected);
        } else {
            let fake = Fake::playing(lookup).await;
            assert_eq!(fake.chargebee.customer(&"org_acme".into()).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_lost_customer_is_found_by_the_id_that_stands_for_its_organization() {
    let customer = |deleted: bool, organization: &str| {
        let meta_data = json!({ "organizationId": organization });
        answer(200, &json!({ "customer": { "id": "org_acme", "deleted": deleted, "meta_data": meta_data } }))
    };
    let script = [customer(false, "org_acme"), customer(true, "org_acme"), customer(false, "org_other")];
    let fake = Fake::playing(script).await;
    let find =
        async || fake.chargebee.find_customer(&"org_acme".into(), Timestamp::from_unix_seconds(0)).await.unwrap();
    assert_eq!(find().await.unwrap().id.as_str(), "org_acme");
    assert_eq!(find().await, None, "it was deleted");
    assert_eq!(find().await, None, "it is somebody else's");
    assert!(fake.requests().iter().all(|request| request.path == "/api/v2/customers/org_acme"));
}

#[tokio::test]
async fn a_customer_gets_its_id_also_where_nobody_chose_one() {
    let fake = Fake::playing([answer(200, &json!({ "customer": { "id": "org_acme" } }))]).await;
    fake.chargebee.create_customer(None, &new_customer(), "key").await.unwrap();
    assert_eq!(fake.request().value("id").as_deref(), Some("org_acme"));
}

#[tokio::test]
async fn recorded_answers_are_read() {
    let Some(contracts) = Contracts::open("answers") else { return };
    let fake = Fake::playing([
        answer(200, &contracts.response("customer.create")),
        answer(200, &contracts.response("hosted_page.created")),
        answer(200, &contracts.response("hosted_page.succeeded")),
        answer(200, &contracts.response("portal_session.create")),
        answer(200, &contracts.response("subscription.list")),
        answer(200, &json!({ "list": [] })),
        answer(404, &contracts.response("error.404")),
    ])
    .await;
    let chargebee = &fake.chargebee;

    let record = chargebee.create_customer(Some(&"cus_acme".into()), &new_customer(), "key").await.unwrap();
    assert_eq!((record.id.as_str(), record.organization_id), ("cus_acme", Some("org_acme".into())));
    assert_eq!(record.display_name.as_deref(), Some("Acme Inc"));

    let open = chargebee.checkout("hp_test_abc123").await.unwrap().unwrap();
    assert_eq!((open.state, open.reference.as_str()), (CheckoutState::Open, "hp_test_abc123"));
    assert_eq!(open.expires_at, Timestamp::from_unix_seconds(1_767_236_400));
    assert!(open.url.is_some());

    let done = chargebee.checkout("hp_test_abc123").await.unwrap().unwrap();
    assert_eq!((done.state, done.url), (CheckoutState::Completed, None));
    assert_eq!(done.provider_subscription_id, Some("sub_acme_1".into()));
    assert_eq!(done.customer_id, Some("cus_acme".into()));

    let url = chargebee.portal(&"cus_acme".into(), "https://app.example.test/billing").await.unwrap();
    assert!(url.ends_with("token=cd_test_token"));

    let all = chargebee.subscriptions_of(&"cus_acme".into()).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].origin, Status::of(&all[0]), all[0].seats()), (Origin::Fetched, Status::Active, Some(5)));

    assert_eq!(chargebee.subscription(&"sub_missing".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let page = |id: &str, next: Option<&str>| {
        let mut row = subscription(json!({ "id": id }));
        row["customer"] = json!(null);
        match next {
            Some(next) => answer(200, &json!({ "list": [row], "next_offset": next })),
            None => answer(200, &json!({ "list": [row] })),
        }
    };
    let fake = Fake::playing([page("sub_1", Some(r#"["1","2"]"#)), page("sub_2", None)]).await;
    let all = fake.chargebee.subscriptions_of(&"org_acme".into()).await.unwrap();
    assert_eq!(all.iter().map(|snapshot| snapshot.id.as_str()).collect::<Vec<_>>(), ["sub_1", "sub_2"]);
    let requests = fake.requests();
    assert_eq!(requests[0].value("limit").as_deref(), Some("100"));
    assert_eq!(requests[0].value("include_deleted").as_deref(), Some("true"));
    assert_eq!(requests[0].value("customer_id[is]").as_deref(), Some("org_acme"));
    assert_eq!(requests[1].value("offset").as_deref(), Some(r#"["1","2"]"#));
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let page = || answer(200, &json!({ "list": [], "next_offset": "again" }));
    let fake = Fake::playing(std::iter::repeat_with(page).take(60)).await;
    let error = fake.chargebee.subscriptions_of(&"org_acme".into()).await.unwrap_err();
    assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Rejected, 50));
}

#[tokio::test]
async fn overdue_subscriptions_are_read_with_their_invoices() {
    let overdue = subscription(json!({ "due_since": 700, "due_invoices_count": 1 }));
    for (invoice_status, status) in [("payment_due", Status::PastDue), ("not_paid", Status::Unpaid)] {
        let invoices = json!({ "list": [{ "invoice": {
            "id": "INV-5", "status": invoice_status, "date": 700, "next_retry_at": 800, "subscription_id": "sub_1",
            "dunning_attempts": [{ "attempt": 0 }, { "attempt": 1 }] } }] });
        let fake = Fake::playing([answer(200, &overdue), answer(200, &invoices)]).await;
        let snapshot = fake.chargebee.subscription(&"sub_1".into()).await.unwrap().unwrap();
        assert_eq!(Status::of(&snapshot), status);
        let dues = snapshot.dues.unwrap();
        assert_eq!((dues.since, dues.attempts), (Timestamp::from_unix_seconds(700), 2));
        assert_eq!(dues.invoice.as_deref(), Some("INV-5"));
        let asked = &fake.requests()[1];
        assert_eq!(asked.path, "/api/v2/invoices");
        assert_eq!(asked.value("status[in]").as_deref(), Some(r#"["payment_due","not_paid"]"#));
        assert_eq!(asked.value("subscription_id[is]").as_deref(), Some("sub_1"));
    }
}

#[tokio::test]
async fn an_invoice_for_several_subscriptions_is_found_by_its_lines() {
    let overdue = subscription(json!({ "due_since": 700 }));
    let invoices = json!({ "list": [
        { "invoice": { "id": "INV-1", "status": "not_paid", "date": 1, "line_items": [{ "subscription_id": "sub_9" }] } },
        { "invoice": { "id": "INV-2", "status": "not_paid", "date": 2,
            "line_items": [{ "subscription_id": "sub_9" }, { "subscription_id": "sub_1" }] } },
    ]});
    let script = [answer(200, &overdue), answer(200, &json!({ "list": [] })), answer(200, &invoices)];
    let fake = Fake::playing(script).await;
    let snapshot = fake.chargebee.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!(Status::of(&snapshot), Status::Unpaid);
    assert_eq!(snapshot.dues.unwrap().invoice.as_deref(), Some("INV-2"));
    assert_eq!(fake.requests()[2].value("customer_id[is]").as_deref(), Some("org_acme"));
}

#[tokio::test]
async fn a_scheduled_change_is_read_beside_the_subscription() {
    let now = subscription(json!({ "has_scheduled_changes": true, "changes_scheduled_at": 900 }));
    let then = subscription(json!({
        "subscription_items": [{ "item_price_id": "scale", "item_type": "plan", "quantity": 8 }] }));
    let fake = Fake::playing([answer(200, &now), answer(200, &then)]).await;
    let snapshot = fake.chargebee.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!(Status::of(&snapshot), Status::Active, "a waiting change keeps the status");
    let at = Timestamp::from_unix_seconds(900);
    let ScheduledItems { price_id, seats, items, at: scheduled_at } = snapshot.scheduled.unwrap();
    assert_eq!((price_id, seats, scheduled_at), (Some("scale".into()), Some(8), at));
    assert_eq!((items.len(), items[0].item_type), (1, ItemType::Plan));
    assert_eq!(fake.requests()[1].path, "/api/v2/subscriptions/sub_1/retrieve_with_scheduled_changes");
}

#[tokio::test]
async fn a_change_that_is_gone_at_the_second_look_is_no_failure() {
    let now = subscription(json!({ "has_scheduled_changes": true, "changes_scheduled_at": 900 }));
    let fake = Fake::playing([answer(200, &now), refusal(409, "invalid_state_for_request")]).await;
    assert_eq!(fake.chargebee.subscription(&"sub_1".into()).await.unwrap().unwrap().scheduled, None);
}

#[tokio::test]
async fn cancelling_what_is_over_is_not_an_error() {
    let over = subscription(json!({ "status": "cancelled", "cancelled_at": 5 }));
    for when in [CancelWhen::Now, CancelWhen::PeriodEnd] {
        let fake = Fake::playing([refusal(409, "invalid_state_for_request"), answer(200, &over)]).await;
        let snapshot = fake.chargebee.cancel(&"sub_1".into(), when, "key").await.unwrap();
        assert_eq!(Status::of(&snapshot), Status::Cancelled);
    }
}

#[tokio::test]
async fn a_cancellation_that_is_scheduled_already_is_the_answer_only_when_it_was_asked_for() {
    let scheduled = subscription(json!({
        "status": "non_renewing", "cancelled_at": 900, "cancel_schedule_created_at": 500 }));
    let script = || [refusal(409, "invalid_state_for_request"), answer(200, &scheduled)];
    let fake = Fake::playing(script()).await;
    let snapshot = fake.chargebee.cancel(&"sub_1".into(), CancelWhen::PeriodEnd, "key").await.unwrap();
    assert_eq!(Status::of(&snapshot), Status::NonRenewing);
    let fake = Fake::playing(script()).await;
    let error = fake.chargebee.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Conflict, "cancel subscription"));
}

#[tokio::test]
async fn a_refused_cancellation_of_a_live_subscription_stays_refused() {
    let fake = Fake::playing([refusal(409, "invalid_state_for_request"), answer(200, &subscription(json!({})))]).await;
    let error = fake.chargebee.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn a_failure_after_the_work_is_done_does_not_look_like_nothing_was_done() {
    let overdue = subscription(json!({ "status": "cancelled", "cancelled_at": 5, "due_since": 1 }));
    let fake = Fake::playing([answer(200, &overdue), refusal(503, "internal_temporary_error")]).await;
    let error = fake.chargebee.cancel(&"sub_1".into(), CancelWhen::Now, "key").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutcomeUnknown);
}

fn hosted(id: &str, created_at: i64, state: &str, row: &str) -> Value {
    let carried = json!({ "subscriptionId": row, "organizationId": "org_acme" }).to_string();
    json!({ "hosted_page": {
        "id": id, "url": "https://pay", "state": state, "created_at": created_at, "expires_at": created_at + 10_800,
        "pass_thru_content": carried } })
}

#[tokio::test]
async fn a_lost_checkout_is_found_by_what_it_carries() {
    let find = |rows: Vec<Value>| async move {
        let fake = Fake::playing([answer(200, &json!({ "list": rows }))]).await;
        let not_before = Timestamp::from_unix_seconds(1_767_225_600);
        let page = fake.chargebee.find_checkout(&OURS.into(), &"org_acme".into(), not_before).await.unwrap();
        let request = fake.request();
        assert_eq!(request.value("type[is]").as_deref(), Some("checkout_new"));
        assert_eq!(request.value("updated_at[after]").as_deref(), Some("1767225000"));
        page.map(|page| (page.reference, page.state))
    };
    let other = hosted("hp_0", 9, "created", "tks_00000000000000000000000000000002");
    let free =
        json!({ "hosted_page": { "id": "hp_9", "state": "created", "created_at": 1, "pass_thru_content": "text" } });
    assert_eq!(find(vec![other.clone(), free]).await, None);
    let old = hosted("hp_1", 1, "cancelled", OURS);
    let new = hosted("hp_2", 2, "created", OURS);
    let paid = hosted("hp_3", 0, "succeeded", OURS);
    let found = |id: &str, state| Some((id.to_owned(), state));
    assert_eq!(find(vec![new.clone(), old.clone(), other]).await, found("hp_2", CheckoutState::Open));
    assert_eq!(find(vec![paid, new, old]).await, found("hp_3", CheckoutState::Completed));
}

#[tokio::test]
async fn a_page_that_nobody_knows_is_none_and_expiring_asks_nobody() {
    let fake = Fake::playing([refusal(404, "resource_not_found")]).await;
    assert_eq!(fake.chargebee.checkout("hp_1").await.unwrap(), None);
    fake.chargebee.expire_checkout("hp_1").await.unwrap();
    assert_eq!(fake.requests().len(), 1);
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
async fn with_a_clock_old_pages_are_dead_and_snapshots_are_fresh() {
    let fake =
        Fake::playing([answer(200, &hosted("hp_1", 1, "requested", OURS)), answer(200, &subscription(json!({})))]);
    let chargebee = fake.await.chargebee.with_clock(Arc::new(At(20_000)));
    assert_eq!(chargebee.checkout("hp_1").await.unwrap().unwrap().state, CheckoutState::Dead);
    let snapshot = chargebee.subscription(&"sub_1".into()).await.unwrap().unwrap();
    assert_eq!(snapshot.observed_at, Timestamp::from_unix_seconds(20_000));
}

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, ErrorKind},
    snapshot::{Origin, Phase},
    time::Timestamp,
};

use crate::fake::{Fake, Play, answer};

fn row(id: &str, members: Value) -> Value {
    let mut whole = json!({ "id": id, "customer_id": "org_acme", "status": "active", "resource_version": 7 });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({ "subscription": whole, "customer": { "id": "org_acme", "meta_data": { "organizationId": "org_acme" } } })
}

fn page(rows: &[Value], next: Option<&str>) -> Play {
    let mut page = json!({ "list": rows });
    if let Some(next) = next {
        page["next_offset"] = next.into();
    }
    answer(200, &page)
}

#[tokio::test]
async fn subscriptions_come_page_by_page_and_nobody_is_asked_about_a_row() {
    let rows = [
        row("whole", json!({})),
        row("owing", json!({ "due_invoices_count": 1 })),
        row("overdue", json!({ "status": "cancelled", "due_since": 5 })),
        row("changing", json!({ "has_scheduled_changes": true })),
        row("deleted", json!({ "deleted": true })),
    ];
    let fake = Fake::playing([page(&rows, Some(r#"["1","2"]"#)), page(&[], None)]).await;
    let first = fake.chargebee.subscriptions(None, None).await.unwrap();
    let listed: Vec<_> = first.rows.iter().map(|row| (row.snapshot.id.as_str(), row.is_complete)).collect();
    let expected = [("whole", true), ("owing", false), ("overdue", false), ("changing", false), ("deleted", true)];
    assert_eq!(listed, expected);
    assert_eq!(first.rows[4].snapshot.phase, Phase::Ended);
    assert_eq!(first.rows[0].snapshot.origin, Origin::Fetched);
    assert_eq!(first.rows[0].snapshot.organization_id, Some("org_acme".into()));
    assert_eq!((first.rows[0].snapshot.version, first.next.as_deref()), (Some(7), Some(r#"["1","2"]"#)));

    let second = fake.chargebee.subscriptions(None, first.next.as_deref()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (0, None));
    let requests = fake.requests();
    assert_eq!(requests.len(), 2);
    let query = |index: usize| requests[index].query.clone();
    assert_eq!(query(0), "limit=100&include_deleted=true&sort_by%5Basc%5D=created_at");
    assert_eq!(query(1), "limit=100&offset=%5B%221%22%2C%222%22%5D&include_deleted=true&sort_by%5Basc%5D=created_at");
}

#[tokio::test]
async fn what_changed_in_the_very_second_is_not_missed() {
    let fake = Fake::playing([page(&[], None), page(&[], None), page(&[], None)]).await;
    let since = Timestamp::from_micros(1_767_225_600_900_000);
    fake.chargebee.subscriptions(Some(since), Some("")).await.unwrap();
    fake.chargebee.customers(Some(since), None).await.unwrap();
    fake.chargebee.customers(Some(Timestamp::from_micros(-5)), None).await.unwrap();
    let queries: Vec<_> = fake.requests().into_iter().map(|request| (request.path, request.query)).collect();
    let query = |after: &str| {
        format!("limit=100&include_deleted=true&sort_by%5Basc%5D=updated_at&updated_at%5Bafter%5D={after}")
    };
    assert_eq!(
        queries,
        [
            ("/api/v2/subscriptions".to_owned(), query("1767225599")),
            ("/api/v2/customers".to_owned(), query("1767225599")),
            ("/api/v2/customers".to_owned(), query("0000000000")),
        ]
    );
}

#[tokio::test]
async fn customers_come_with_their_names_also_deleted_ones() {
    let rows = [
        json!({ "customer": { "id": "org_acme", "company": "Acme Inc", "email": "a@acme.test",
            "meta_data": { "organizationId": "org_acme" } } }),
        json!({ "customer": { "id": "stranger", "company": "", "deleted": true } }),
    ];
    let fake = Fake::playing([page(&rows, None)]).await;
    let customers = fake.chargebee.customers(None, None).await.unwrap();
    let [acme, stranger] = customers.rows.as_slice() else { panic!("{customers:?}") };
    assert_eq!((acme.display_name.as_deref(), acme.email.as_deref()), (Some("Acme Inc"), Some("a@acme.test")));
    assert_eq!((acme.organization_id.clone(), acme.deleted), (Some("org_acme".into()), false));
    assert_eq!((stranger.display_name.clone(), stranger.organization_id.clone(), stranger.deleted), (None, None, true));
}

#[tokio::test]
async fn a_list_that_repeats_its_page_is_given_up() {
    let fake = Fake::playing([page(&[], Some("again")), page(&[], Some("again"))]).await;
    let first = fake.chargebee.subscriptions(None, None).await.unwrap();
    let error = fake.chargebee.subscriptions(None, first.next.as_deref()).await.unwrap_err();
    assert_eq!((error.kind, error.operation), (ErrorKind::Rejected, "list subscriptions"));
}

#[tokio::test]
async fn a_hostile_list_is_an_error_and_not_half_a_list() {
    let nothing = || row("s", json!({}));
    let mut broken = nothing();
    broken["subscription"]["status"] = json!(null);
    for list in [
        json!(null),
        json!({}),
        json!([5]),
        json!([{}]),
        json!([{ "subscription": null }]),
        json!([{ "subscription": { "id": 5 } }]),
        json!([nothing(), broken]),
        json!([row("s", json!({ "due_since": 1e300 }))]),
    ] {
        let fake = Fake::playing([answer(200, &json!({ "list": list }))]).await;
        let error = fake.chargebee.subscriptions(None, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{list}");
    }
    for list in [json!(5), json!([{ "customer": null }]), json!([{ "customer": { "id": null } }, nothing()])] {
        let fake = Fake::playing([answer(200, &json!({ "list": list }))]).await;
        let error = fake.chargebee.customers(None, None).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Transient, "{list}");
    }
    let missing = Fake::playing([answer(200, &json!({}))]).await;
    let error = missing.chargebee.customers(None, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "a list that is left out is not an empty one");
}

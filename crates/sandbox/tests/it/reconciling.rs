//! Lists as somebody reads them who reconciles: what changed since, page by page.

use serde_json::Value;

use crate::support::*;

const DAY: i64 = 86_400;

async fn page(world: &World, path: &str, query: &[(&str, &str)], kind: &str) -> (Vec<String>, Option<String>) {
    let body = world.read(path, query).await;
    let ids = body["list"].as_array().unwrap().iter().map(|entry| entry[kind]["id"].as_str().unwrap().to_owned());
    (ids.collect(), body["next_offset"].as_str().map(str::to_owned))
}

/// All pages, three rows each.
async fn all(world: &World, path: &str, query: &[(&str, &str)], kind: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut offset = String::new();
    loop {
        let mut query = query.to_vec();
        query.extend([("limit", "3"), ("offset", offset.as_str())]);
        let (more, next) = page(world, path, &query, kind).await;
        assert!(more.len() <= 3);
        ids.extend(more);
        match next {
            Some(next) => offset = next,
            None => return ids,
        }
    }
}

/// Eight subscriptions, one a day, of which the third and the first change later, in that order.
async fn world_of_eight() -> World {
    let world = World::without_webhooks(Receiver::default()).await;
    for number in 1..=8 {
        let customer = format!("org_{}", number % 2);
        if number <= 2 {
            world.bill("/customers", &[("id", &customer), ("auto_collection", "off")]).await;
        }
        let id = format!("ls_{number}");
        let form = [("id", id.as_str()), ("subscription_items[item_price_id][0]", "starter-plan-monthly")];
        world.bill(&format!("/customers/{customer}/subscription_for_items"), &form).await;
        world.advance(DAY).await;
    }
    for id in ["ls_3", "ls_1"] {
        world.bill(&format!("/subscriptions/{id}/cancel"), &[("end_of_term", "true")]).await;
        world.advance(DAY).await;
    }
    world
}

#[tokio::test]
async fn what_changed_since_comes_in_the_order_of_the_changes() {
    let world = world_of_eight().await;
    let by_update = ("sort_by[asc]", "updated_at");
    let path = "/subscriptions";
    let order = ["ls_2", "ls_4", "ls_5", "ls_6", "ls_7", "ls_8", "ls_3", "ls_1"];
    assert_eq!(all(&world, path, &[by_update], "subscription").await, order);
    let mut reversed = order;
    reversed.reverse();
    assert_eq!(all(&world, path, &[("sort_by[desc]", "updated_at")], "subscription").await, reversed);
    let since = (START + 5 * DAY).to_string();
    let after = [("updated_at[after]", since.as_str()), by_update];
    assert_eq!(all(&world, path, &after, "subscription").await, ["ls_7", "ls_8", "ls_3", "ls_1"]);
    // The same rows in the order of their creation, which is the default.
    let after = [("updated_at[after]", since.as_str())];
    assert_eq!(all(&world, path, &after, "subscription").await, ["ls_1", "ls_3", "ls_7", "ls_8"]);
    let between = format!("[{},{}]", START + DAY, START + 3 * DAY);
    let between = [("created_at[between]", between.as_str()), ("sort_by[desc]", "created_at")];
    assert_eq!(all(&world, path, &between, "subscription").await, ["ls_4", "ls_3", "ls_2"]);
    let none = [("updated_at[after]", since.as_str()), ("updated_at[before]", since.as_str()), by_update];
    assert_eq!(all(&world, path, &none, "subscription").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_row_that_changes_between_two_pages_is_not_lost() {
    let world = world_of_eight().await;
    let query = [("limit", "3"), ("sort_by[asc]", "updated_at")];
    let (mut seen, offset) = page(&world, "/subscriptions", &query, "subscription").await;
    world.bill("/subscriptions/ls_5/cancel", &[]).await;
    let offset = offset.unwrap();
    let query = [("limit", "100"), ("sort_by[asc]", "updated_at"), ("offset", offset.as_str())];
    let (rest, end) = page(&world, "/subscriptions", &query, "subscription").await;
    seen.extend(rest);
    assert_eq!(end, None);
    assert_eq!(seen, ["ls_2", "ls_4", "ls_5", "ls_6", "ls_7", "ls_8", "ls_3", "ls_1", "ls_5"]);
}

#[tokio::test]
async fn rows_are_found_by_what_they_belong_to() {
    let world = world_of_eight().await;
    let odd = [("customer_id[is]", "org_1")];
    assert_eq!(all(&world, "/subscriptions", &odd, "subscription").await, ["ls_1", "ls_3", "ls_5", "ls_7"]);
    let newest = [("customer_id[is]", "org_1"), ("sort_by[desc]", "updated_at")];
    assert_eq!(all(&world, "/subscriptions", &newest, "subscription").await, ["ls_1", "ls_3", "ls_7", "ls_5"]);
    let both = [("customer_id[in]", r#"["org_1","org_0","nobody"]"#), ("status[in]", r#"["non_renewing"]"#)];
    assert_eq!(all(&world, "/subscriptions", &both, "subscription").await, ["ls_1", "ls_3"]);
    let some = [("id[in]", r#"["ls_8","ls_2","ls_8","no"]"#)];
    assert_eq!(all(&world, "/subscriptions", &some, "subscription").await, ["ls_2", "ls_8"]);
    let of_one = [("subscription_id[is]", "ls_4")];
    assert_eq!(all(&world, "/invoices", &of_one, "invoice").await, ["INV-4"]);
    let of_customer = [("customer_id[is]", "org_0"), ("status[in]", r#"["payment_due"]"#)];
    assert_eq!(all(&world, "/invoices", &of_customer, "invoice").await, ["INV-2", "INV-4", "INV-6", "INV-8"]);
    assert_eq!(all(&world, "/customers/org_0/invoices", &[], "invoice").await.len(), 4);
}

#[tokio::test]
async fn a_deleted_customer_takes_along_what_it_owns() {
    let world = world_of_eight().await;
    world.bill("/customers/org_1/delete", &[]).await;
    assert_eq!(all(&world, "/customers", &[], "customer").await, ["org_0"]);
    assert_eq!(all(&world, "/subscriptions", &[], "subscription").await, ["ls_2", "ls_4", "ls_6", "ls_8"]);
    assert_eq!(all(&world, "/invoices", &[], "invoice").await.len(), 4);
    let deleted = [("include_deleted", "true"), ("customer_id[is]", "org_1")];
    assert_eq!(all(&world, "/subscriptions", &deleted, "subscription").await.len(), 4);
    assert_eq!(all(&world, "/invoices", &deleted, "invoice").await.len(), 4);
    let row = world.read("/customers/org_1", &[]).await["customer"].clone();
    assert_eq!((row["deleted"].as_bool(), row["card_status"].as_str()), (Some(true), Some("no_card")));
    let event = world.read("/events", &[("event_type[in]", r#"["customer_deleted"]"#)]).await;
    let owned = event["list"][0]["event"]["content"]["subscriptions"].as_array().unwrap().clone();
    assert_eq!(owned.len(), 4);
    assert!(owned.iter().all(|row| row["deleted"] == true && row["status"] == "cancelled"));
}

#[tokio::test]
async fn the_tail_of_the_events_is_read_from_an_instant_on() {
    let world = world_of_eight().await;
    let since = (START + 7 * DAY).to_string();
    let kinds = [("event_type[in]", r#"["subscription_created","subscription_cancellation_scheduled"]"#)];
    let mut query = vec![("occurred_at[after]", since.as_str()), ("sort_by[asc]", "occurred_at")];
    query.extend(kinds);
    let body = world.read("/events", &query).await;
    let list: Vec<(&Value, &Value)> = body["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["event"]["event_type"], &entry["event"]["occurred_at"]))
        .collect();
    let kind = Value::from("subscription_cancellation_scheduled");
    assert_eq!(list, [(&kind, &Value::from(START + 8 * DAY)), (&kind, &Value::from(START + 9 * DAY))]);
    assert_eq!(all(&world, "/events", &kinds, "event").await.len(), 10);
}

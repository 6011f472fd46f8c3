//! The site's own catalog, read and written.

use serde_json::{Value, json};
use tollkeeper_core::{
    catalog::Interval,
    ports::{ErrorKind, Offer, PriceList, PriceRecord},
    snapshot::ItemType,
};

use crate::{
    contracts::Contracts,
    fake::{Fake, Play, answer},
};

fn offer(item_type: ItemType, interval: Interval, each: bool) -> Offer {
    Offer {
        id: "basic-monthly".into(),
        item: "basic".into(),
        title: "Basic".into(),
        item_type,
        interval,
        amounts: [("EUR".parse().unwrap(), 900)].into(),
        each,
    }
}

fn missing() -> Play {
    answer(404, &json!({ "message": "no", "api_error_code": "resource_not_found" }))
}

fn duplicate() -> Play {
    answer(400, &json!({ "message": "taken", "api_error_code": "duplicate_entry" }))
}

fn price(members: &Value) -> Value {
    let mut row = json!({ "id": "p", "item_id": "growth", "item_type": "plan", "status": "active",
        "currency_code": "USD", "pricing_model": "per_unit", "price": 5, "period": 1, "period_unit": "month" });
    row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({ "item_price": row })
}

async fn listed(members: Value) -> PriceRecord {
    let fake = Fake::playing([answer(200, &json!({ "list": [price(&members)] }))]).await;
    fake.chargebee.prices(None).await.unwrap().rows.remove(0)
}

#[tokio::test]
async fn a_price_is_told_in_our_words_as_far_as_we_have_them() {
    let told = |record: &PriceRecord| (record.each, record.amounts.values().next().copied().flatten());
    let plain = listed(json!({})).await;
    assert_eq!(told(&plain), (Some(true), Some(5)));
    assert_eq!((plain.interval, plain.item_type, plain.active), (Some(Interval::Month), Some(ItemType::Plan), true));
    assert_eq!(told(&listed(json!({ "pricing_model": "flat_fee" })).await), (Some(false), Some(5)));
    let step = json!({ "pricing_model": "stairstep", "price": null, "tiers": [{ "starting_unit": 1, "price": 7 }] });
    assert_eq!(told(&listed(step).await), (Some(false), Some(7)));
    let steps = json!({ "pricing_model": "stairstep",
        "tiers": [{ "starting_unit": 1, "price": 7 }, { "starting_unit": 9, "price": 8 }] });
    assert_eq!(told(&listed(steps).await), (None, None));
    assert_eq!(told(&listed(json!({ "pricing_model": "volume", "tiers": [] })).await), (None, None));
    for (period, unit, interval) in [(1, "year", Some(Interval::Year)), (3, "month", None), (1, "week", None)] {
        assert_eq!(listed(json!({ "period": period, "period_unit": unit })).await.interval, interval);
    }
    assert_eq!(listed(json!({ "period": null, "period_unit": null })).await.interval, Some(Interval::Once));
    assert!(!listed(json!({ "status": "archived" })).await.active);
}

#[tokio::test]
async fn pages_follow_each_other_and_what_was_deleted_is_left_out() {
    let rows = [price(&json!({ "status": "deleted" })), price(&json!({}))];
    let fake = Fake::playing([
        answer(200, &json!({ "list": rows, "next_offset": "[9]" })),
        answer(200, &json!({ "list": [], "next_offset": "" })),
    ])
    .await;
    let first = fake.chargebee.prices(None).await.unwrap();
    assert_eq!((first.rows.len(), first.next.as_deref()), (1, Some("[9]")));
    assert_eq!(fake.chargebee.prices(first.next.as_deref()).await.unwrap().next, None);
    assert_eq!(fake.requests()[1].value("offset").as_deref(), Some("[9]"));
}

#[tokio::test]
async fn what_is_missing_is_made_from_the_family_on() {
    let fake = Fake::playing([
        missing(),
        answer(200, &json!({ "list": [] })),
        answer(200, &json!({ "item_family": { "id": "default" } })),
        answer(200, &json!({ "item": { "id": "basic" } })),
        answer(200, &price(&json!({}))),
    ])
    .await;
    let id = fake.chargebee.create_price(&offer(ItemType::Plan, Interval::Month, false)).await.unwrap();
    assert_eq!(id.as_str(), "basic-monthly");
    let requests = fake.requests();
    let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).collect();
    let wanted = ["/items/basic", "/item_families", "/item_families", "/items", "/item_prices"];
    assert!(paths.iter().zip(wanted).all(|(path, end)| path.split('?').next().unwrap().ends_with(end)), "{paths:?}");
    assert_eq!(requests[3].value("item_family_id").as_deref(), Some("default"));
    let value = |name: &str| requests[4].value(name);
    assert_eq!((value("pricing_model").as_deref(), value("price")), (Some("stairstep"), None));
    assert_eq!(
        (value("tiers[price][0]").as_deref(), value("tiers[starting_unit][0]").as_deref()),
        (Some("900"), Some("1"))
    );
    assert_eq!((value("period").as_deref(), value("period_unit").as_deref()), (Some("1"), Some("month")));
    assert_eq!((value("currency_code").as_deref(), value("name").as_deref()), (Some("EUR"), Some("basic-monthly")));
}

#[tokio::test]
async fn what_is_there_already_is_not_made_twice() {
    let there = || answer(200, &json!({ "item": { "id": "basic" } }));
    let plan = offer(ItemType::Plan, Interval::Month, true);
    let fake = Fake::playing([there(), duplicate(), answer(200, &price(&json!({})))]).await;
    assert_eq!(fake.chargebee.create_price(&plan).await.unwrap().as_str(), "basic-monthly");
    // A name that is taken by another price is none of ours.
    let fake = Fake::playing([there(), duplicate(), missing()]).await;
    assert_eq!(fake.chargebee.create_price(&plan).await.unwrap_err().kind, ErrorKind::Conflict);
    let mut both = plan;
    both.amounts.insert("USD".parse().unwrap(), 1);
    let fake = Fake::playing([]).await;
    assert_eq!(fake.chargebee.create_price(&both).await.unwrap_err().kind, ErrorKind::Rejected);
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_change_speaks_the_model_of_the_price() {
    let step = json!({ "pricing_model": "stairstep", "tiers": [{ "starting_unit": 1, "price": 7 }] });
    for (model, wanted) in [(json!({}), "price"), (step, "tiers[price][0]")] {
        let fake = Fake::playing([answer(200, &price(&model)), answer(200, &price(&model))]).await;
        let offer = offer(ItemType::Plan, Interval::Month, true);
        fake.chargebee.change_price(&"basic-monthly".into(), &offer).await.unwrap();
        let change = &fake.requests()[1];
        assert_eq!((change.value(wanted).as_deref(), change.value("status").as_deref()), (Some("900"), Some("active")));
    }
}

#[tokio::test]
async fn every_parameter_is_documented() {
    let Some(contracts) = Contracts::open("prices") else { return };
    let description = contracts.json("openapi.trimmed.json");
    for offer in [
        offer(ItemType::Plan, Interval::Month, false),
        offer(ItemType::Addon, Interval::Year, true),
        offer(ItemType::Charge, Interval::Once, true),
    ] {
        let good = || answer(200, &price(&json!({})));
        let family = answer(200, &json!({ "list": [{ "item_family": { "id": "f" } }] }));
        let fake = Fake::playing([missing(), family, good(), good()]).await;
        fake.chargebee.create_price(&offer).await.unwrap();
        let requests = fake.requests();
        for (request, path) in [(&requests[2], "/items"), (&requests[3], "/item_prices")] {
            let body = &description["paths"][path]["post"]["requestBody"]["content"];
            let known = &body["application/x-www-form-urlencoded"]["schema"];
            for name in known["required"].as_array().unwrap() {
                assert!(request.value(name.as_str().unwrap()).is_some(), "{path} wants {name}");
            }
            for (name, _) in request.pairs() {
                let name = name.split('[').next().unwrap();
                assert!(known["properties"].get(name).is_some(), "{path} does not know {name}");
            }
        }
    }
}

#[tokio::test]
async fn several_steps_are_sold_again_as_they_are() {
    let steps = json!({ "pricing_model": "stairstep",
        "tiers": [{ "starting_unit": 1, "price": 7 }, { "starting_unit": 9, "price": 8 }] });
    let fake = Fake::playing([answer(200, &price(&steps)), answer(200, &price(&steps))]).await;
    fake.chargebee.change_price(&"basic-monthly".into(), &offer(ItemType::Plan, Interval::Month, false)).await.unwrap();
    let sent = &fake.requests()[1];
    assert_eq!(sent.value("status").as_deref(), Some("active"));
    assert_eq!((sent.value("tiers[price][0]"), sent.value("price")), (None, None));
}

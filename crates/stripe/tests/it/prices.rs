//! The account's own catalog, read and written.

use serde_json::{Value, json};
use tollkeeper_core::{
    catalog::Interval,
    ports::{Offer, PriceList, PriceRecord},
    snapshot::ItemType,
};

use crate::{
    contracts::Contracts,
    fake::{Fake, answer, list, missing, page, refusal},
};

fn offer(item_type: ItemType, interval: Interval, each: bool) -> Offer {
    Offer {
        id: "basic-monthly".into(),
        item: "basic".into(),
        title: "Basic".into(),
        item_type,
        interval,
        amounts: [("EUR".parse().unwrap(), 800), ("USD".parse().unwrap(), 900)].into(),
        each,
    }
}

fn price(members: &Value) -> Value {
    let mut row = json!({ "id": "price_1", "object": "price", "active": true, "currency": "usd", "unit_amount": 5,
        "billing_scheme": "per_unit", "tiers_mode": null, "lookup_key": null,
        "product": { "id": "prod_1", "name": "Growth", "metadata": {} },
        "recurring": { "interval": "month", "interval_count": 1, "usage_type": "licensed" } });
    row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    row
}

async fn listed(members: Value) -> PriceRecord {
    Fake::playing([list(&[price(&members)])]).await.stripe.prices(None).await.unwrap().rows.remove(0)
}

fn usd(record: &PriceRecord) -> (Option<bool>, Option<i64>) {
    (record.each, record.amounts[&"USD".parse().unwrap()])
}

#[tokio::test]
async fn a_price_is_told_in_our_words_as_far_as_we_have_them() {
    let plain = listed(json!({ "lookup_key": "basic" })).await;
    assert_eq!((usd(&plain), plain.interval), ((Some(true), Some(5)), Some(Interval::Month)));
    assert_eq!((plain.made_as.as_ref().map(|id| id.as_str()), plain.title.as_str()), (Some("basic"), "Growth"));
    // Whether it is a plan or an add-on nobody can see.
    assert_eq!(plain.item_type, None);
    let addon = json!({ "product": { "id": "p", "name": "P", "metadata": { "itemType": "addon" } } });
    assert_eq!(listed(addon).await.item_type, Some(ItemType::Addon));
    let once = listed(json!({ "recurring": null, "product": "prod_1" })).await;
    assert_eq!((once.interval, once.item_type), (Some(Interval::Once), Some(ItemType::Charge)));
    assert_eq!(listed(json!({ "recurring": { "interval": "month", "interval_count": 3 } })).await.interval, None);
    assert_eq!(listed(json!({ "recurring": { "interval": "month", "usage_type": "metered" } })).await.interval, None);
    assert_eq!(usd(&listed(json!({ "unit_amount": null, "unit_amount_decimal": "0.5" })).await), (Some(true), None));

    let tiers = |tiers: Value| json!({ "billing_scheme": "tiered", "tiers_mode": "volume", "unit_amount": null, "tiers": tiers });
    let flat = json!([{ "up_to": null, "flat_amount": 7, "unit_amount": null }]);
    assert_eq!(usd(&listed(tiers(flat.clone())).await), (Some(false), Some(7)));
    let unit = json!([{ "up_to": null, "flat_amount": null, "unit_amount": 7 }]);
    assert_eq!(usd(&listed(tiers(unit)).await), (Some(true), Some(7)));
    let two = json!([{ "up_to": 5, "flat_amount": 7 }, { "up_to": null, "flat_amount": 9 }]);
    assert_eq!(usd(&listed(tiers(two)).await), (None, None));
    // Those of other currencies may not be told.
    let mut other = tiers(flat);
    other["currency_options"] = json!({ "eur": { "unit_amount": null }, "usd": { "unit_amount": null } });
    let other = listed(other).await;
    assert_eq!((usd(&other), other.amounts[&"EUR".parse().unwrap()]), ((Some(false), Some(7)), None));
}

#[tokio::test]
async fn pages_follow_each_other() {
    let fake = Fake::playing([page(&[price(&json!({}))]), list(&[])]).await;
    let first = fake.stripe.prices(None).await.unwrap();
    fake.stripe.prices(first.next.as_deref()).await.unwrap();
    assert_eq!(fake.requests()[1].value("starting_after").as_deref(), Some("price_1"));
    assert_eq!(fake.requests()[0].value("expand[0]").as_deref(), Some("data.currency_options"));
}

#[tokio::test]
async fn what_was_made_before_is_found_by_its_lookup_key() {
    let plan = offer(ItemType::Plan, Interval::Month, false);
    let there = || list(&[price(&json!({ "id": "price_9" }))]);
    let fake = Fake::playing([there()]).await;
    assert_eq!(fake.stripe.create_price(&plan).await.unwrap().as_str(), "price_9");
    assert_eq!(fake.requests()[0].value("lookup_keys[0]").as_deref(), Some("basic-monthly"));
    // Somebody else made it between the look and the try.
    let taken = refusal(400, "invalid_request_error", "");
    let fake = Fake::playing([list(&[]), answer(200, &json!({})), taken, there()]).await;
    assert_eq!(fake.stripe.create_price(&plan).await.unwrap().as_str(), "price_9");
}

#[tokio::test]
async fn every_parameter_is_documented() {
    let Some(contracts) = Contracts::open("prices") else { return };
    let description = contracts.json("openapi.json");
    for (offer, names) in [
        (
            offer(ItemType::Plan, Interval::Month, false),
            ["tiers[0][flat_amount]", "currency_options[usd][tiers][0][up_to]"],
        ),
        (offer(ItemType::Addon, Interval::Year, true), ["unit_amount", "currency_options[usd][unit_amount]"]),
        (offer(ItemType::Charge, Interval::Once, true), ["unit_amount", "product"]),
    ] {
        let made = answer(200, &price(&json!({})));
        let fake = Fake::playing([list(&[]), missing(), answer(200, &json!({})), made]).await;
        fake.stripe.create_price(&offer).await.unwrap();
        let requests = fake.requests();
        assert!(names.iter().all(|name| requests[3].value(name).is_some()), "{:?}", requests[3]);
        for (request, path) in [(&requests[2], "/v1/products"), (&requests[3], "/v1/prices")] {
            let body = &description["paths"][path]["post"]["requestBody"]["content"];
            let known = &body["application/x-www-form-urlencoded"]["schema"];
            for (name, _) in request.pairs() {
                let name = name.split('[').next().unwrap();
                assert!(known["properties"].get(name).is_some(), "{path} does not know {name}");
            }
        }
    }
}

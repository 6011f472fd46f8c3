//! Every request that the adapter makes, held against the contract.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{
        Billing, CancelWhen, ChangeRequest, ChangeWhen, CheckoutRequest, CustomerPatch, HostedChange, NewCustomer,
        PaymentRequest,
    },
    snapshot::ItemType,
    subscription::CheckoutItem,
    time::Timestamp,
};
use tollkeeper_stripe::{Config, MissingMethod, Options, Stripe};

use crate::{
    contracts::Contracts,
    fake::{Fake, Play, Recorded, answer, decode, list, next_phase, page, schedule, subscription},
};

const NOW: i64 = 500;
const UNTIL: Timestamp = Timestamp::from_unix_seconds(5000);

fn options() -> Options {
    Options {
        allow_promotion_codes: true,
        automatic_tax: true,
        cardless_trials: Some(MissingMethod::CreateInvoice),
        portal_configuration: Some("bpc_1".into()),
    }
}

fn items() -> Vec<CheckoutItem> {
    vec![CheckoutItem { price_id: "scale".into(), quantity: 8, item_type: ItemType::Plan }]
}

fn change(when: ChangeWhen) -> ChangeRequest {
    ChangeRequest { items: items(), when, proration_date: Some(Timestamp::from_unix_seconds(NOW)) }
}

fn checkout(trial_end: Option<i64>) -> CheckoutRequest {
    CheckoutRequest {
        key: "k".into(),
        subscription_id: "tks_1".into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        user_id: Some("usr_1".into()),
        items: items(),
        currency: "EUR".parse().unwrap(),
        trial_end: trial_end.map(Timestamp::from_unix_seconds),
        redirect_url: "https://app.test/s".into(),
        cancel_url: "https://app.test/b".into(),
    }
}

fn hosted_change() -> HostedChange {
    HostedChange {
        key: "k".into(),
        id: "sub_1".into(),
        subscription_id: "tks_1".into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        items: items(),
        redirect_url: "https://app.test/a".into(),
        cancel_url: "https://app.test/b".into(),
    }
}

fn payment() -> PaymentRequest {
    PaymentRequest {
        key: "k".into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        user_id: Some("usr_1".into()),
        items: items(),
        currency: "USD".parse().unwrap(),
        success_url: "https://app.test/s".into(),
        cancel_url: "https://app.test/b".into(),
    }
}

fn sub(members: Value) -> Play {
    answer(200, &subscription(members))
}

fn held() -> Play {
    let mut rich = schedule(&[next_phase("scale", 2)]);
    rich["phases"][0]["trial_end"] = 800.into();
    rich["phases"][0]["default_tax_rates"] = json!([{ "id": "txr_1" }]);
    rich["phases"][0]["items"][0] = json!({ "price": "growth", "quantity": 5, "tax_rates": ["txr_2"],
        "discounts": [{ "coupon": "half" }], "metadata": { "itemType": "plan" } });
    sub(json!({ "schedule": rich }))
}

fn done() -> Play {
    answer(200, &schedule(&[]))
}

/// Every request that the adapter makes, at least once.
async fn every_request() -> Vec<Recorded> {
    let customer = || answer(200, &json!({ "id": "cus_1", "metadata": {} }));
    let session = || answer(200, &json!({ "id": "cs_1", "status": "open", "created": 1, "metadata": {} }));
    let portal = || answer(200, &json!({ "id": "bps_1", "url": "https://portal", "created": 1 }));
    let preview = || answer(200, &json!({ "id": "in", "currency": "usd", "total": 1, "amount_due": 1 }));
    let running = || sub(json!({}));
    let ending = || sub(json!({ "cancel_at_period_end": true }));
    let event = json!({ "id": "evt_1", "type": "invoice.created", "data": { "object": {} } });
    let script = [
        customer(),
        customer(),
        customer(),
        page(&[json!({ "id": "cus_1" })]),
        list(&[]),
        session(),
        session(),
        answer(200, &json!({ "id": "cs_2", "url": "https://pay" })),
        session(),
        list(&[]),
        session(),
        // What came cut, and with dues.
        sub(json!({ "status": "past_due", "schedule": "sub_sched_1", "items": { "data": [], "has_more": true } })),
        list(&[]),
        done(),
        list(&[]),
        list(&[]),
        // Cancelling.
        running(),
        sub(json!({ "status": "canceled" })),
        running(),
        sub(json!({ "status": "canceled" })),
        held(),
        done(),
        ending(),
        ending(),
        running(),
        sub(json!({ "cancel_at": 700 })),
        running(),
        // Changing.
        running(),
        preview(),
        preview(),
        running(),
        preview(),
        held(),
        done(),
        running(),
        running(),
        done(),
        done(),
        held(),
        held(),
        done(),
        held(),
        held(),
        done(),
        running(),
        running(),
        portal(),
        // Pausing.
        running(),
        sub(json!({ "status": "paused" })),
        running(),
        running(),
        running(),
        running(),
        sub(json!({ "status": "paused" })),
        running(),
        sub(json!({ "pause_collection": {} })),
        running(),
        // Lists.
        page(&[subscription(json!({}))]),
        list(&[]),
        page(std::slice::from_ref(&event)),
        list(&[]),
        list(&[]),
        list(std::slice::from_ref(&event)),
        list(&[]),
        portal(),
        // Invoices.
        page(&[json!({ "id": "in_1" })]),
        list(&[]),
        answer(200, &json!({ "id": "in_1" })),
        answer(200, &json!({ "id": "in_1" })),
    ];
    let count = script.len();
    let fake = Fake::with(script, |config| Config { options: options(), ..config }).await.at(NOW);
    ask_everything(&fake.stripe).await;
    assert_eq!(fake.requests().len(), count);
    fake.requests()
}

async fn ask_everything(stripe: &Stripe) {
    let (id, customer) = ("sub_1".into(), "cus_1".into());
    let new = NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme".into(),
        email: Some("billing@acme.test".into()),
        currency: None,
    };
    let since = Timestamp::from_unix_seconds(0);
    stripe.create_customer(None, &new, "k-1").await.unwrap();
    stripe.customer(&customer).await.unwrap();
    let patch = CustomerPatch {
        display_name: Some("Acme".into()),
        email: Some("billing@acme.test".into()),
        ..CustomerPatch::default()
    };
    stripe.update_customer(&customer, &patch).await.unwrap();
    stripe.find_customer(&"org_acme".into(), since).await.unwrap();
    stripe.start_checkout(&checkout(Some(1_000_000))).await.unwrap();
    stripe.start_checkout(&checkout(Some(NOW + 60))).await.unwrap();
    stripe.start_payment(&payment()).await.unwrap();
    stripe.checkout("cs_1").await.unwrap();
    stripe.find_checkout(&"tks_1".into(), &customer, since).await.unwrap();
    stripe.expire_checkout("cs_1").await.unwrap();
    stripe.subscription(&id).await.unwrap();
    stripe.subscriptions_of(&customer).await.unwrap();

    for when in [CancelWhen::Now, CancelWhen::NowCredited, CancelWhen::PeriodEnd] {
        stripe.cancel(&id, when, "k-2").await.unwrap();
    }
    stripe.undo_cancellation(&id, "k-3").await.unwrap();
    stripe.undo_cancellation(&id, "k-4").await.unwrap();

    for when in [ChangeWhen::Now, ChangeWhen::PeriodEnd] {
        stripe.preview(&id, &change(when)).await.unwrap();
    }
    for when in [ChangeWhen::Now, ChangeWhen::PeriodEnd, ChangeWhen::PeriodEnd] {
        stripe.change(&id, &change(when), "k-5").await.unwrap();
    }
    stripe.undo_change(&id, "k-6").await.unwrap();
    stripe.hosted_change(&hosted_change()).await.unwrap();

    stripe.pause(&id, ChangeWhen::Now, None, "k-7").await.unwrap();
    stripe.pause(&id, ChangeWhen::Now, Some(UNTIL), "k-8").await.unwrap();
    stripe.pause(&id, ChangeWhen::PeriodEnd, Some(UNTIL), "k-9").await.unwrap();
    stripe.resume(&id, "k-10").await.unwrap();
    stripe.resume(&id, "k-11").await.unwrap();

    for (since, page) in
        [(None, None), (None, Some("all:sub_1")), (Some(since), None), (Some(since), Some("events:evt_1"))]
    {
        stripe.subscriptions(since, page).await.unwrap();
    }
    stripe.customers(None, None).await.unwrap();
    stripe.customers(Some(since), None).await.unwrap();
    stripe.customers(None, Some("deleted:")).await.unwrap();
    stripe.portal(&customer, "https://app.test/b").await.unwrap();
    for page in [None, Some("in_1")] {
        stripe.invoices(&customer, page).await.unwrap();
    }
    stripe.invoice(&"in_1".into()).await.unwrap();
    stripe.invoice_pdf(&"in_1".into()).await.unwrap();
}

/// The operation of a request in the contract.
fn operation<'a>(contract: &'a Value, request: &Recorded) -> &'a Value {
    let is_it = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), request.path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(&path).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
    };
    let paths = contract["paths"].as_object().unwrap();
    // A literal path wins over one with a parameter.
    let found =
        paths.get(&request.path).or_else(|| paths.iter().find(|(template, _)| is_it(template)).map(|(_, it)| it));
    let operations = found.unwrap_or_else(|| panic!("{} is not in the contract", request.path));
    &operations[request.method.as_str().to_ascii_lowercase()]
}

/// `a[b][0]` as `["a", "b", "0"]`.
fn parts(name: &str) -> Vec<&str> {
    name.split('[').map(|part| part.trim_end_matches(']')).collect()
}

/// Whether a schema takes a value under these names.
fn takes(schema: &Value, parts: &[&str], value: &str) -> bool {
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().any(|choice| takes(choice, parts, value));
    }
    let Some((first, rest)) = parts.split_first() else { return is_a(schema, value) };
    match schema["type"].as_str() {
        Some("array") => first.parse::<usize>().is_ok() && takes(&schema["items"], rest, value),
        _ => match schema["properties"].as_object().filter(|members| !members.is_empty()) {
            Some(members) => members.get(*first).is_some_and(|member| takes(member, rest, value)),
            // Metadata have no members of their own.
            None => schema["type"] == "object" && rest.is_empty(),
        },
    }
}

fn is_a(schema: &Value, value: &str) -> bool {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().any(|word| word == value);
    }
    match schema["type"].as_str() {
        Some("integer") => value.parse::<i64>().is_ok(),
        Some("boolean") => ["true", "false"].contains(&value),
        Some("string") => true,
        _ => false,
    }
}

#[tokio::test]
async fn everything_that_is_sent_is_in_the_contract() {
    let Some(contracts) = Contracts::open("requests") else { return };
    let contract = contracts.json("openapi.json");
    for request in every_request().await {
        let operation = operation(&contract, &request);
        assert!(operation.is_object(), "{}", request.line());
        let body = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        let parameters = operation["parameters"].as_array().unwrap();
        for (name, value) in decode(&request.query) {
            let parts = parts(&name);
            let parameter = parameters.iter().find(|parameter| parameter["name"] == parts[0]);
            let is_taken = match parameter {
                Some(parameter) => takes(&parameter["schema"], &parts[1..], &value),
                // The contract has the parameters of a DELETE in its body.
                None => request.method == "DELETE" && takes(body, &parts, &value),
            };
            assert!(is_taken, "{} does not take {name}={value} in its query", request.line());
        }
        for (name, value) in decode(&request.body) {
            assert!(takes(body, &parts(&name), &value), "{} does not take {name}={value}", request.line());
        }
    }
}

#[tokio::test]
async fn every_request_says_who_asks_and_in_which_version() {
    for request in every_request().await {
        assert_eq!(request.header("authorization"), Some("Bearer sk_test_key"));
        assert_eq!(request.header("stripe-version"), Some("2026-10-28.endive"));
        assert_eq!(request.header("accept"), Some("application/json"));
        let is_write = request.method == "POST";
        let form = Some("application/x-www-form-urlencoded; charset=utf-8").filter(|_| is_write);
        assert_eq!(request.header("content-type"), form, "{}", request.line());
        // What may be repeated, must not be answered from memory, or has nothing to lose, has no key.
        let keyless = ["/v1/invoices/create_preview", "/v1/customers/cus_1", "/v1/checkout/sessions/cs_1/expire"];
        let is_portal = request.path == "/v1/billing_portal/sessions";
        if !is_portal {
            let keyed = is_write && !keyless.contains(&request.path.as_str());
            assert_eq!(request.header("idempotency-key").is_some(), keyed, "{}", request.line());
        }
    }
}

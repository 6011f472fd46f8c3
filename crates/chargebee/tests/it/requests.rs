use http::Method;
use serde_json::{Value, json};
use tollkeeper_chargebee::Config;
use tollkeeper_core::{
    ids::Provider,
    ports::{
        Billing, CancelWhen, ChangeRequest, ChangeWhen, CheckoutRequest, CustomerPatch, ErrorKind, HostedChange,
        NewCustomer, PaymentRequest,
    },
    snapshot::ItemType,
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::{
    contracts::Contracts,
    fake::{Fake, Recorded, answer, decode, offline},
};

fn checkout() -> CheckoutRequest {
    let item = |price: &str, quantity, item_type| CheckoutItem { price_id: price.into(), quantity, item_type };
    CheckoutRequest {
        key: "k-1".into(),
        subscription_id: "ls_1".into(),
        organization_id: "org_acme".into(),
        customer_id: "org_acme".into(),
        user_id: Some("usr_1".into()),
        items: vec![item("support-USD-Monthly", 1, ItemType::Addon), item("growth-USD-Monthly", 5, ItemType::Plan)],
        currency: "USD".parse().unwrap(),
        trial_end: Some(Timestamp::from_unix_seconds(1_768_435_200)),
        redirect_url: "http://localhost:3000/api/subscription/success?callbackURL=%2Fbilling&subscriptionId=ls_1"
            .into(),
        cancel_url: "http://localhost:3000/billing".into(),
    }
}

fn customer() -> NewCustomer {
    NewCustomer {
        organization_id: "org_acme".into(),
        customer_type: "organization",
        display_name: "Acme Inc".into(),
        email: None,
        currency: Some("USD".parse().unwrap()),
    }
}

fn subscription() -> Value {
    json!({ "subscription": { "id": "sub_1", "customer_id": "org_acme", "status": "active" } })
}

/// The official client's samples are of this change.
fn change(when: ChangeWhen) -> ChangeRequest {
    let item = CheckoutItem { price_id: "growth-USD-Monthly".into(), quantity: 8, item_type: ItemType::Plan };
    ChangeRequest { items: vec![item], when, proration_date: Some(Timestamp::from_unix_seconds(5)) }
}

fn hosted_change() -> HostedChange {
    let item = CheckoutItem { price_id: "scale-USD-Monthly".into(), quantity: 8, item_type: ItemType::Plan };
    HostedChange {
        key: "k-12".into(),
        id: "sub_acme_1".into(),
        subscription_id: "ls_1".into(),
        organization_id: "org_acme".into(),
        customer_id: "org_acme".into(),
        items: vec![item],
        redirect_url: "http://localhost:3000/billing".into(),
        cancel_url: "http://localhost:3000/cancel".into(),
    }
}

fn payment() -> PaymentRequest {
    let item = |price: &str, quantity| CheckoutItem { price_id: price.into(), quantity, item_type: ItemType::Charge };
    PaymentRequest {
        key: "k-13".into(),
        organization_id: "org_acme".into(),
        customer_id: "org_acme".into(),
        user_id: Some("usr_1".into()),
        items: vec![item("onboarding-USD", 1), item("training-USD", 3)],
        currency: "USD".parse().unwrap(),
        success_url: "http://localhost:3000/thanks".into(),
        cancel_url: "http://localhost:3000/cancel".into(),
    }
}

fn estimate() -> Value {
    json!({ "estimate": { "created_at": 5, "subscription_estimate": { "currency_code": "USD" } } })
}

/// Every request that the adapter makes, once.
async fn every_request() -> Vec<Recorded> {
    let page = json!({ "hosted_page": { "id": "hp_1", "url": "https://pay", "state": "created", "created_at": 1 } });
    let made = json!({ "customer": { "id": "org_acme" } });
    let mut busy = subscription();
    busy["subscription"]["due_since"] = 5.into();
    busy["subscription"]["has_scheduled_changes"] = true.into();
    let with = |name: &str, value: Value| {
        let mut answer = subscription();
        answer["subscription"][name] = value;
        answer
    };
    let (paused, pausing) = (with("status", json!("paused")), with("pause_date", json!(9)));
    let empty = json!({ "list": [] });
    let script = [
        answer(200, &made),
        answer(200, &made),
        answer(200, &page),
        answer(200, &page),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &json!({ "portal_session": { "access_url": "https://portal" } })),
        answer(200, &busy),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &subscription()),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &page),
        answer(404, &json!({ "message": "no", "api_error_code": "resource_not_found" })),
        answer(200, &empty),
        answer(200, &estimate()),
        answer(200, &estimate()),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &page),
        answer(200, &subscription()),
        answer(200, &subscription()),
        answer(200, &paused),
        answer(200, &subscription()),
        answer(200, &pausing),
        answer(200, &subscription()),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &empty),
        answer(200, &json!({ "invoice": { "id": "INV-1", "status": "paid" } })),
        answer(200, &json!({ "download": { "download_url": "https://pdf" } })),
    ];
    let count = script.len();
    let settings = |config| Config { gateway_account_id: Some("gw_test_1".into()), ..config };
    let fake = Fake::with(script, settings).await;
    let chargebee = &fake.chargebee;
    let id = "sub_1".into();
    let patch = CustomerPatch {
        display_name: Some("Acme".into()),
        email: Some("billing@acme.test".into()),
        ..CustomerPatch::default()
    };

    chargebee.create_customer(Some(&"org_acme".into()), &customer(), "k-1").await.unwrap();
    chargebee.update_customer(&"org_acme".into(), &patch).await.unwrap();
    chargebee.start_checkout(&checkout()).await.unwrap();
    chargebee.start_payment(&payment()).await.unwrap();
    chargebee.cancel(&id, CancelWhen::Now, "k-2").await.unwrap();
    chargebee.cancel(&id, CancelWhen::PeriodEnd, "k-3").await.unwrap();
    chargebee.cancel(&id, CancelWhen::NowCredited, "k-11").await.unwrap();
    chargebee.undo_cancellation(&id, "k-4").await.unwrap();
    chargebee.portal(&"org_acme".into(), "http://localhost:3000/billing").await.unwrap();
    chargebee.subscription(&id).await.unwrap();
    chargebee.subscriptions_of(&"org_acme".into()).await.unwrap();
    chargebee.find_checkout(&"ls_1".into(), &"org_acme".into(), Timestamp::from_unix_seconds(0)).await.unwrap();
    chargebee.checkout("hp_1").await.unwrap();
    chargebee.customer(&"org_acme".into()).await.unwrap();
    for when in [ChangeWhen::Now, ChangeWhen::PeriodEnd] {
        chargebee.preview(&id, &change(when)).await.unwrap();
    }
    for when in [ChangeWhen::Now, ChangeWhen::PeriodEnd] {
        chargebee.change(&id, &change(when), "k-5").await.unwrap();
    }
    chargebee.undo_change(&id, "k-6").await.unwrap();
    chargebee.hosted_change(&hosted_change()).await.unwrap();
    let until = Some(Timestamp::from_unix_seconds(1_780_617_600));
    chargebee.pause(&id, ChangeWhen::Now, None, "k-7").await.unwrap();
    chargebee.pause(&id, ChangeWhen::PeriodEnd, until, "k-8").await.unwrap();
    chargebee.resume(&id, "k-9").await.unwrap();
    chargebee.resume(&id, "k-10").await.unwrap();
    for (since, page) in [(None, None), (until, Some(r#"["1","2"]"#))] {
        chargebee.subscriptions(since, page).await.unwrap();
        chargebee.customers(since, page).await.unwrap();
    }
    for page in [None, Some(r#"["1","2"]"#)] {
        chargebee.invoices(&"org_acme".into(), page).await.unwrap();
    }
    chargebee.invoice(&"INV-1".into()).await.unwrap();
    chargebee.invoice_pdf(&"INV-1".into()).await.unwrap();
    assert_eq!(fake.requests().len(), count);
    fake.requests()
}

/// The operation of a request in the contract.
fn operation<'a>(contract: &'a Value, request: &Recorded) -> &'a Value {
    let path = request.path.strip_prefix("/api/v2").unwrap();
    let is_it = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(&path).all(|(wanted, part)| wanted == part || wanted.starts_with('{'))
    };
    let paths = contract["paths"].as_object().unwrap();
    // A literal path wins over one with a parameter.
    let template = paths.get_key_value(path).or_else(|| paths.iter().find(|(template, _)| is_it(template)));
    let (_, operations) = template.unwrap_or_else(|| panic!("{path} is not in the contract"));
    &operations[request.method.as_str().to_ascii_lowercase()]
}

/// `a[b][0]` as `["a", "b", "0"]`.
fn parts(name: &str) -> Vec<&str> {
    name.split('[').map(|part| part.trim_end_matches(']')).collect()
}

#[tokio::test]
async fn every_name_that_is_sent_is_in_the_contract() {
    let Some(contracts) = Contracts::open("names") else { return };
    let contract = contracts.json("openapi.trimmed.json");
    for request in every_request().await {
        let operation = operation(&contract, &request);
        assert!(operation.is_object(), "{} {}", request.method, request.path);
        for (name, value) in decode(&request.query) {
            let parts = parts(&name);
            let parameters = operation["parameters"].as_array().unwrap();
            let parameter = parameters.iter().find(|parameter| parameter["name"] == parts[0]);
            let parameter = parameter.unwrap_or_else(|| panic!("{} has no parameter {name}", request.path));
            if let Some(operator) = parts.get(1) {
                let schema = &parameter["schema"]["properties"][operator];
                assert!(schema.is_object(), "{} has no operator {name}", request.path);
                let words = schema["enum"].as_array();
                if let Some(words) = words.filter(|_| *operator != "in") {
                    assert!(words.iter().any(|word| word == value.as_str()), "{name}={value}");
                }
            }
        }
        let schema = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        for (name, value) in decode(&request.body) {
            let mut schema = schema;
            for part in parts(&name) {
                schema = match schema["type"].as_str() {
                    Some("array") if part.parse::<usize>().is_ok() => &schema["items"],
                    _ => &schema["properties"][part],
                };
            }
            assert!(schema.is_object(), "{} has no member {name}", request.path);
            if let Some(words) = schema["enum"].as_array() {
                assert!(words.iter().any(|word| word == value.as_str()), "{name}={value}");
            }
            if let Some(limit) = schema["maxLength"].as_u64() {
                assert!(value.chars().count() as u64 <= limit, "{name}={value}");
            }
        }
    }
}

#[tokio::test]
async fn requests_look_like_the_official_clients() {
    let Some(contracts) = Contracts::open("requests") else { return };
    let samples = contracts.json("sdk-wire-samples.json");
    let requests = every_request().await;
    let find = |method: Method, path: &str| {
        requests.iter().find(|request| request.method == method && request.path == path).unwrap()
    };

    let sample = &samples["customer.create"];
    let created = find(Method::POST, "/api/v2/customers");
    let body = sample["body"].as_str().unwrap();
    let own = body.split("&billing_address").next().unwrap();
    assert_eq!(created.body, own, "byte for byte, as far as we send");
    for name in ["authorization", "accept", "content-type", "chargebee-idempotency-key"] {
        assert_eq!(created.header(name), sample["headers"][name].as_str(), "{name}");
    }

    let started = find(Method::POST, "/api/v2/hosted_pages/checkout_new_for_items");
    let mut wanted = decode(samples["hostedPage.checkoutNewForItems"]["body"].as_str().unwrap());
    wanted.retain(|(name, _)| !matches!(name.as_str(), "allow_offline_payment_methods" | "pass_thru_content"));
    let mut sent = started.pairs();
    let (_, carried) = sent.pop().unwrap();
    assert_eq!(sent, wanted);
    assert_eq!(carried, r#"{"subscriptionId":"ls_1","organizationId":"org_acme","userId":"usr_1"}"#);

    let items =
        "subscription_items%5Bitem_price_id%5D%5B0%5D=growth-USD-Monthly&subscription_items%5Bquantity%5D%5B0%5D=8";
    let own = "&change_option=immediately&reactivate=false";
    let changed = find(Method::POST, "/api/v2/subscriptions/sub_1/update_for_items");
    let sample = samples["subscription.updateForItems"]["body"].as_str().unwrap();
    assert!(sample.starts_with(items));
    assert_eq!(changed.body, sample.replace("&meta_data=%7B%22seats%22%3A8%7D", own), "byte for byte, and what we add");
    let previewed = find(Method::POST, "/api/v2/estimates/update_subscription_for_items");
    let sample = samples["estimate.updateSubscriptionForItems"]["body"].as_str().unwrap();
    assert_eq!(previewed.body.replace("=sub_1&", "=sub_acme_1&"), format!("{sample}{own}"));
    assert_eq!(previewed.header("chargebee-idempotency-key"), None, "an estimate has none");

    let hosted = find(Method::POST, "/api/v2/hosted_pages/checkout_existing_for_items");
    let ours = ["change_option", "reactivate", "card[gateway_account_id]", "cancel_url", "pass_thru_content"];
    let mut sent = hosted.pairs();
    sent.retain(|(name, _)| !ours.contains(&name.as_str()));
    assert_eq!(sent, decode(samples["hostedPage.checkoutExistingForItems"]["body"].as_str().unwrap()));
    assert_eq!(hosted.value("card[gateway_account_id]").as_deref(), Some("gw_test_1"));
    assert_eq!(
        hosted.value("pass_thru_content").as_deref(),
        Some(r#"{"subscriptionId":"ls_1","organizationId":"org_acme"}"#)
    );

    let opened = find(Method::POST, "/api/v2/portal_sessions");
    assert_eq!(opened.body, samples["portalSession.create"]["body"].as_str().unwrap());
}

#[tokio::test]
async fn a_payment_names_charges_and_what_they_are_paid_in() {
    let page = json!({ "hosted_page": { "id": "hp_1", "url": "https://pay", "state": "created" } });
    let without = json!({ "hosted_page": { "id": "hp_1" } });
    let script = [answer(200, &page), answer(200, &without)];
    let fake = Fake::with(script, |config| Config { gateway_account_id: Some("gw_test_1".into()), ..config }).await;
    assert_eq!(fake.chargebee.start_payment(&payment()).await.unwrap(), "https://pay");
    assert_eq!(fake.chargebee.start_payment(&payment()).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    let sent = &fake.requests()[0];
    assert_eq!(sent.path, "/api/v2/hosted_pages/checkout_one_time_for_items");
    assert_eq!(sent.header("chargebee-idempotency-key"), Some("k-13"));
    let expected = [
        ("item_prices[item_price_id][0]", "onboarding-USD"),
        ("item_prices[quantity][0]", "1"),
        ("item_prices[item_price_id][1]", "training-USD"),
        ("item_prices[quantity][1]", "3"),
        ("currency_code", "USD"),
        ("customer[id]", "org_acme"),
        ("card[gateway_account_id]", "gw_test_1"),
        ("redirect_url", "http://localhost:3000/thanks"),
        ("cancel_url", "http://localhost:3000/cancel"),
        ("pass_thru_content", r#"{"organizationId":"org_acme","userId":"usr_1"}"#),
    ];
    assert_eq!(sent.pairs(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn cancelling_says_when_and_what_is_given_back() {
    let requests = every_request().await;
    let bodies: Vec<_> = requests
        .iter()
        .filter(|request| request.path.ends_with("/cancel_for_items"))
        .map(|request| (request.body.as_str(), request.header("chargebee-idempotency-key").unwrap()))
        .collect();
    assert_eq!(
        bodies,
        [
            ("cancel_option=immediately&credit_option_for_current_term_charges=none", "k-2"),
            ("cancel_option=end_of_term&credit_option_for_current_term_charges=none", "k-3"),
            ("cancel_option=immediately&credit_option_for_current_term_charges=full", "k-11"),
        ]
    );
}

#[tokio::test]
async fn declining_a_trial_is_said_and_no_gateway_is_pinned_unasked() {
    let page = json!({ "hosted_page": { "id": "hp_1", "url": "https://pay", "state": "created", "created_at": 1000 } });
    let fake = Fake::playing([answer(200, &page)]).await;
    let request = CheckoutRequest { trial_end: None, user_id: None, ..checkout() };
    let made = fake.chargebee.start_checkout(&request).await.unwrap();
    assert_eq!(made.expires_at, Timestamp::from_unix_seconds(11_800), "three hours, where it does not say");
    assert_eq!((made.reference.as_str(), made.url.as_deref()), ("hp_1", Some("https://pay")));
    assert_eq!((made.customer_id, made.subscription_id), (Some("org_acme".into()), Some("ls_1".into())));
    let sent = fake.request();
    assert_eq!(sent.value("subscription[trial_end]").as_deref(), Some("0"));
    assert_eq!(sent.value("card[gateway_account_id]"), None);
    let carried = sent.value("pass_thru_content").unwrap();
    assert_eq!(carried, r#"{"subscriptionId":"ls_1","organizationId":"org_acme"}"#);
}

#[tokio::test]
async fn an_address_that_chargebee_would_refuse_is_named_and_not_sent() {
    let long = format!("https://app.example.test/{}", "x".repeat(250));
    let fake = Fake::playing([]).await;
    for (name, request) in [
        ("redirect_url", CheckoutRequest { redirect_url: long.clone(), ..checkout() }),
        ("cancel_url", CheckoutRequest { cancel_url: long.clone(), ..checkout() }),
    ] {
        let error = fake.chargebee.start_checkout(&request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert!(error.message.contains(name), "{error}");
    }
    for (name, change) in [
        ("redirect_url", HostedChange { redirect_url: long.clone(), ..hosted_change() }),
        ("cancel_url", HostedChange { cancel_url: long.clone(), ..hosted_change() }),
        ("pass_thru_content", HostedChange { organization_id: "o".repeat(2048).into(), ..hosted_change() }),
    ] {
        let error = fake.chargebee.hosted_change(&change).await.unwrap_err();
        assert_eq!((error.kind, error.operation), (ErrorKind::Rejected, "start hosted change"));
        assert!(error.message.contains(name), "{error}");
    }
    let error = fake.chargebee.start_payment(&PaymentRequest { success_url: long.clone(), ..payment() }).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(fake.chargebee.portal(&"c".into(), &long).await.unwrap_err().kind, ErrorKind::Rejected);
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn an_empty_patch_asks_nobody() {
    let fake = Fake::playing([]).await;
    fake.chargebee.update_customer(&"c".into(), &CustomerPatch::default()).await.unwrap();
    assert!(fake.requests().is_empty());
}

#[test]
fn ids_are_chosen_by_us() {
    let chargebee = offline();
    assert_eq!(chargebee.provider(), Provider::from("chargebee"));
    assert_eq!(chargebee.customer_id_for(&"org_acme".into(), 0), Some("org_acme".into()));
    assert_eq!(chargebee.subscription_id_for(&"tks_1".into()), Some("tks_1".into()));
}

//! Hosted pages: checkouts, the portal, and changes that are confirmed there.

use serde_json::{Value, json};
use tollkeeper_core::{
    ports::{Billing, CheckoutRequest, CheckoutState, ErrorKind, HostedChange, PaymentRequest},
    snapshot::ItemType,
    subscription::CheckoutItem,
    time::Timestamp,
};
use tollkeeper_stripe::{Config, MissingMethod, Options};

use crate::fake::{Fake, answer, list, missing, refusal, subscription};

const OURS: &str = "tks_00000000000000000000000000000001";

fn item(price: &str, quantity: i64, item_type: ItemType) -> CheckoutItem {
    CheckoutItem { price_id: price.into(), quantity, item_type }
}

fn request() -> CheckoutRequest {
    CheckoutRequest {
        key: "k-1".into(),
        subscription_id: OURS.into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        user_id: Some("usr_1".into()),
        items: vec![item("support", 1, ItemType::Addon), item("growth", 5, ItemType::Plan)],
        currency: "EUR".parse().unwrap(),
        trial_end: None,
        redirect_url: "https://app.test/api/subscription/success?subscriptionId=tks_1".into(),
        cancel_url: "https://app.test/billing".into(),
    }
}

fn session(id: &str, created: i64, status: &str, row: &str) -> Value {
    json!({ "id": id, "object": "checkout.session", "url": "https://pay", "status": status, "created": created,
        "expires_at": created + 86_400, "customer": "cus_1", "subscription": null, "client_reference_id": row,
        "metadata": { "subscriptionId": row, "organizationId": "org_acme" } })
}

fn hosted_change(items: Vec<CheckoutItem>) -> HostedChange {
    HostedChange {
        key: "k".into(),
        id: "sub_1".into(),
        subscription_id: OURS.into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        items,
        redirect_url: "https://app.test/a".into(),
        cancel_url: "https://app.test/b".into(),
    }
}

#[tokio::test]
async fn a_checkout_carries_our_ids_on_itself_and_on_what_comes_of_it() {
    let fake = Fake::playing([answer(200, &session("cs_1", 1000, "open", OURS))]).await;
    let page = fake.stripe.start_checkout(&request()).await.unwrap();
    assert_eq!(
        (page.reference.as_str(), page.url.as_deref(), page.state),
        ("cs_1", Some("https://pay"), CheckoutState::Open)
    );
    assert_eq!(page.expires_at, Timestamp::from_unix_seconds(87_400));
    let request = fake.request();
    assert_eq!(
        (request.line(), request.header("idempotency-key")),
        ("POST /v1/checkout/sessions".to_owned(), Some("k-1"))
    );
    let expected = [
        ("mode", "subscription"),
        ("customer", "cus_1"),
        ("currency", "eur"),
        ("client_reference_id", OURS),
        (
            "success_url",
            "https://app.test/api/subscription/success?subscriptionId=tks_1&session_id={CHECKOUT_SESSION_ID}",
        ),
        ("cancel_url", "https://app.test/billing"),
        ("line_items[0][price]", "growth"),
        ("line_items[0][quantity]", "5"),
        ("line_items[1][price]", "support"),
        ("line_items[1][quantity]", "1"),
        ("metadata[organizationId]", "org_acme"),
        ("subscription_data[metadata][organizationId]", "org_acme"),
        ("metadata[subscriptionId]", OURS),
        ("subscription_data[metadata][subscriptionId]", OURS),
        ("metadata[userId]", "usr_1"),
        ("subscription_data[metadata][userId]", "usr_1"),
    ];
    assert_eq!(request.pairs(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_payment_is_invoiced_and_leads_straight_back() {
    let made = json!({ "id": "cs_1", "url": "https://pay" });
    let options = Options { allow_promotion_codes: true, ..Options::default() };
    let script = [answer(200, &made), answer(200, &json!({ "id": "cs_1", "url": null }))];
    let fake = Fake::with(script, |config| Config { options, ..config }).await;
    let request = PaymentRequest {
        key: "k-1".into(),
        organization_id: "org_acme".into(),
        customer_id: "cus_1".into(),
        user_id: None,
        items: vec![item("onboarding", 1, ItemType::Charge), item("training", 3, ItemType::Charge)],
        currency: "USD".parse().unwrap(),
        success_url: "https://app.test/thanks".into(),
        cancel_url: "https://app.test/billing".into(),
    };
    assert_eq!(fake.stripe.start_payment(&request).await.unwrap(), "https://pay");
    assert_eq!(fake.stripe.start_payment(&request).await.unwrap_err().kind, ErrorKind::OutcomeUnknown);
    let long = PaymentRequest { organization_id: "o".repeat(501).into(), ..request };
    let error = fake.stripe.start_payment(&long).await.unwrap_err();
    assert!(error.kind == ErrorKind::Rejected && error.message.contains("organizationId"), "{error}");
    let requests = fake.requests();
    assert_eq!((requests.len(), requests[0].line().as_str()), (2, "POST /v1/checkout/sessions"));
    assert_eq!(requests[0].header("idempotency-key"), Some("k-1"));
    let expected = [
        ("mode", "payment"),
        ("customer", "cus_1"),
        ("currency", "usd"),
        ("success_url", "https://app.test/thanks"),
        ("cancel_url", "https://app.test/billing"),
        ("invoice_creation[enabled]", "true"),
        ("line_items[0][price]", "onboarding"),
        ("line_items[0][quantity]", "1"),
        ("line_items[1][price]", "training"),
        ("line_items[1][quantity]", "3"),
        ("metadata[organizationId]", "org_acme"),
        ("payment_intent_data[metadata][organizationId]", "org_acme"),
        ("allow_promotion_codes", "true"),
    ];
    assert_eq!(requests[0].pairs(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn what_the_settings_offer_is_asked_for() {
    let options = Options {
        allow_promotion_codes: true,
        automatic_tax: true,
        cardless_trials: Some(MissingMethod::Pause),
        portal_configuration: None,
    };
    let script = || answer(200, &session("cs_1", 1000, "open", OURS));
    let fake = Fake::with([script(), script()], |config| Config { options, ..config }).await;
    let trial_end = Some(Timestamp::from_unix_seconds(1_900_000_000));
    fake.stripe.start_checkout(&CheckoutRequest { trial_end, ..request() }).await.unwrap();
    fake.stripe.start_checkout(&request()).await.unwrap();
    let requests = fake.requests();
    let ending = "subscription_data[trial_settings][end_behavior][missing_payment_method]";
    for (name, with_trial, without) in [
        ("allow_promotion_codes", Some("true"), Some("true")),
        ("automatic_tax[enabled]", Some("true"), Some("true")),
        ("customer_update[address]", Some("auto"), Some("auto")),
        ("subscription_data[trial_end]", Some("1900000000"), None),
        ("payment_method_collection", Some("if_required"), None),
        (ending, Some("pause"), None),
    ] {
        assert_eq!(requests[0].value(name).as_deref(), with_trial, "{name}");
        assert_eq!(requests[1].value(name).as_deref(), without, "{name}");
    }
}

#[tokio::test]
async fn a_trial_too_short_for_a_date_is_asked_for_in_days() {
    let fake = Fake::playing_at(1_000_000, [answer(200, &session("cs_1", 1_000_000, "open", OURS))]).await;
    let trial_end = Some(Timestamp::from_unix_seconds(1_000_000 + 86_400));
    fake.stripe.start_checkout(&CheckoutRequest { trial_end, ..request() }).await.unwrap();
    let request = fake.request();
    assert_eq!(request.value("subscription_data[trial_period_days]").as_deref(), Some("1"));
    assert_eq!(request.value("subscription_data[trial_end]"), None);
}

#[tokio::test]
async fn a_currency_that_is_refused_has_a_code_of_ours() {
    for words in [
        "You cannot combine currencies on a single customer. This customer has an active subscription with currency usd.",
        "The price specified only supports `eur`. This doesn't match the expected currency: `usd`.",
    ] {
        let said = json!({ "error": { "type": "invalid_request_error", "message": words } });
        let fake = Fake::playing([answer(400, &said)]).await;
        let error = fake.stripe.start_checkout(&request()).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Rejected, Some("currency_mismatch")), "{words}");
    }
}

#[tokio::test]
async fn an_account_that_cannot_charge_and_an_id_that_does_not_fit_are_told() {
    let fake = Fake::playing([
        refusal(400, "invalid_request_error", "testmode_charges_only"),
        answer(200, &json!({ "id": "cs_1", "status": "open" })),
        answer(200, &json!({ "id": null })),
    ])
    .await;
    let start = async || fake.stripe.start_checkout(&request()).await.unwrap_err();
    assert_eq!(start().await.code.as_deref(), Some("no_applicable_gateway"));
    assert_eq!(start().await.kind, ErrorKind::OutcomeUnknown, "without any time");
    assert_eq!(start().await.kind, ErrorKind::OutcomeUnknown, "without an id");
    let long = CheckoutRequest { user_id: Some("u".repeat(501)), ..request() };
    let error = fake.stripe.start_checkout(&long).await.unwrap_err();
    assert!(error.kind == ErrorKind::Rejected && error.message.contains("userId"), "{error}");
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn a_lost_checkout_is_found_by_what_it_carries() {
    let find = |rows: Vec<Value>| async move {
        let fake = Fake::playing([list(&rows)]).await;
        let since = Timestamp::from_unix_seconds(1_767_225_600);
        let page = fake.stripe.find_checkout(&OURS.into(), &"cus_1".into(), since).await.unwrap();
        let request = fake.request();
        assert_eq!(request.path, "/v1/checkout/sessions");
        assert_eq!(request.value("customer").as_deref(), Some("cus_1"));
        assert_eq!(request.value("created[gte]").as_deref(), Some("1767225000"));
        page.map(|page| (page.reference, page.state))
    };
    let other = session("cs_0", 9, "open", "tks_00000000000000000000000000000002");
    assert_eq!(find(vec![other.clone()]).await, None);
    let (old, new) = (session("cs_1", 1, "open", OURS), session("cs_2", 2, "expired", OURS));
    let paid = session("cs_3", 0, "complete", OURS);
    let found = |id: &str, state| Some((id.to_owned(), state));
    assert_eq!(find(vec![new.clone(), old.clone(), other]).await, found("cs_1", CheckoutState::Open));
    assert_eq!(find(vec![new.clone(), old, paid]).await, found("cs_3", CheckoutState::Completed));
    assert_eq!(find(vec![new]).await, found("cs_2", CheckoutState::Dead));
}

#[tokio::test]
async fn a_completed_checkout_names_its_subscription() {
    let mut paid = session("cs_1", 1000, "complete", OURS);
    paid["subscription"] = json!({ "id": "sub_1" });
    let fake = Fake::playing([answer(200, &paid), missing()]).await;
    let page = fake.stripe.checkout("cs_1").await.unwrap().unwrap();
    assert_eq!((page.state, page.url), (CheckoutState::Completed, None));
    assert_eq!((page.provider_subscription_id, page.customer_id), (Some("sub_1".into()), Some("cus_1".into())));
    assert_eq!(page.subscription_id, Some(OURS.into()));
    assert_eq!(fake.stripe.checkout("cs_2").await.unwrap(), None);
}

#[tokio::test]
async fn ending_a_checkout_that_is_over_is_no_error() {
    let refused = || refusal(400, "invalid_request_error", "");
    let page = |status| answer(200, &session("cs_1", 1000, status, OURS));
    for (script, expected) in [
        (vec![page("expired")], Ok(())),
        (vec![missing()], Ok(())),
        (vec![refused(), page("complete")], Ok(())),
        (vec![refused(), page("expired")], Ok(())),
        (vec![refused(), page("open")], Err(ErrorKind::Rejected)),
        (vec![refused(), missing()], Err(ErrorKind::Rejected)),
        (vec![refusal(500, "api_error", "")], Err(ErrorKind::OutcomeUnknown)),
    ] {
        let fake = Fake::playing(script).await;
        assert_eq!(fake.stripe.expire_checkout("cs_1").await.map_err(|error| error.kind), expected);
        assert_eq!(fake.requests()[0].line(), "POST /v1/checkout/sessions/cs_1/expire");
    }
}

#[tokio::test]
async fn the_portal_uses_its_own_configuration_where_one_is_named() {
    let portal = || answer(200, &json!({ "id": "bps_1", "url": "https://portal", "created": 5 }));
    let fake = Fake::playing([portal()]).await;
    assert_eq!(fake.stripe.portal(&"cus_1".into(), "https://app.test/b").await.unwrap(), "https://portal");
    assert_eq!(fake.request().body, "customer=cus_1&return_url=https%3A%2F%2Fapp.test%2Fb");
    let options = Options { portal_configuration: Some("bpc_1".into()), ..Options::default() };
    let fake = Fake::with([portal()], |config| Config { options, ..config }).await;
    fake.stripe.portal(&"cus_1".into(), "https://app.test/b").await.unwrap();
    assert_eq!(fake.request().value("configuration").as_deref(), Some("bpc_1"));
}

#[tokio::test]
async fn a_hosted_change_is_confirmed_in_the_portal_and_found_again() {
    let now = subscription(json!({}));
    let portal = json!({ "id": "bps_1", "url": "https://portal", "created": 1000 });
    let fake = Fake::playing([answer(200, &now), answer(200, &portal), answer(200, &now), missing()]).await;
    let change = hosted_change(vec![item("scale", 8, ItemType::Plan)]);
    let page = fake.stripe.hosted_change(&change).await.unwrap();
    assert_eq!((page.url.as_deref(), page.state), (Some("https://portal"), CheckoutState::Open));
    assert_eq!(page.expires_at, Timestamp::from_unix_seconds(1300));
    let sent = &fake.requests()[1];
    let confirm = "flow_data[subscription_update_confirm]";
    for (name, value) in [
        ("customer".to_owned(), "cus_1"),
        ("return_url".to_owned(), "https://app.test/b"),
        ("flow_data[type]".to_owned(), "subscription_update_confirm"),
        (format!("{confirm}[subscription]"), "sub_1"),
        (format!("{confirm}[items][0][id]"), "si_1"),
        (format!("{confirm}[items][0][price]"), "scale"),
        (format!("{confirm}[items][0][quantity]"), "8"),
        ("flow_data[after_completion][type]".to_owned(), "redirect"),
        ("flow_data[after_completion][redirect][return_url]".to_owned(), "https://app.test/a"),
    ] {
        assert_eq!(sent.value(&name).as_deref(), Some(value), "{name}");
    }

    let back = fake.stripe.checkout(&page.reference).await.unwrap().unwrap();
    assert_eq!((back.state, back.subscription_id), (CheckoutState::Completed, Some(OURS.into())));
    assert_eq!((back.provider_subscription_id, back.customer_id), (Some("sub_1".into()), Some("cus_1".into())));
    assert_eq!(fake.stripe.checkout(&page.reference).await.unwrap(), None);
    fake.stripe.expire_checkout(&page.reference).await.unwrap();
    assert_eq!(fake.requests().len(), 4, "a page of the portal has no end");
}

#[tokio::test]
async fn the_portal_changes_one_line_only() {
    let two = vec![item("scale", 8, ItemType::Plan), item("support", 1, ItemType::Addon)];
    let fake = Fake::playing([answer(200, &subscription(json!({})))]).await;
    let error = fake.stripe.hosted_change(&hosted_change(two)).await.unwrap_err();
    assert_eq!((error.kind, fake.requests().len()), (ErrorKind::Rejected, 1));
}

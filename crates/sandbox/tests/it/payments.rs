//! What is paid once, without a subscription, at both billing providers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stripe_support::*;
use crate::support::*;

const ONCE: &str = "/hosted_pages/checkout_one_time_for_items";

/// A page on which `org_acme` pays these prices at Chargebee.
async fn page(world: &World, prices: &[&str]) -> Value {
    let names: Vec<_> = (0..prices.len()).map(|index| format!("item_prices[item_price_id][{index}]")).collect();
    let mut form: Vec<_> = names.iter().map(String::as_str).zip(prices.iter().copied()).collect();
    form.extend([("customer[id]", "org_acme"), ("redirect_url", "http://app.invalid/thanks?x=1")]);
    world.bill(ONCE, &form).await["hosted_page"].clone()
}

#[tokio::test]
async fn a_charge_is_paid_once_and_invoiced() {
    let world = World::start().await;
    world.acme().await;
    let made = page(&world, &["onboarding"]).await;
    assert_eq!((&made["type"], &made["state"]), (&json!("checkout_one_time"), &json!("created")));
    assert_eq!(made["expires_at"], START + 3 * 3_600);
    let url = made["url"].as_str().unwrap();
    let shown = world.client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("SANDBOX") && shown.contains("Onboarding") && shown.contains("499.00"), "{shown}");

    for card in [REFUSED_CARD, STORES_ONLY_CARD] {
        let body = json!({ "url": url, "card": card });
        assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", body).await.0, 402, "{card}");
    }
    assert_eq!(world.read("/invoices", &[]).await["list"], json!([]), "a declined card leaves nothing behind");
    let done = world.done("/sandbox/hosted/complete", json!({ "url": url, "card": GOOD_CARD })).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(done["redirectUrl"], format!("http://app.invalid/thanks?x=1&id={id}&state=succeeded"));
    let again = json!({ "url": url, "card": GOOD_CARD });
    assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", again).await.0, 409);

    let generated = world.receiver.event("invoice_generated").await;
    let invoice = &generated["content"]["invoice"];
    assert_eq!(
        (&invoice["status"], &invoice["total"], &invoice["recurring"]),
        (&json!("paid"), &json!(49_900), &json!(false))
    );
    assert_eq!(invoice.get("subscription_id"), None);
    assert_eq!(invoice["line_items"][0]["entity_type"], "charge_item_price");
    assert_eq!(invoice["line_items"][0].get("subscription_id"), None);
    if let Some(recorded) = crate::contracts::contract("chargebee/fixtures/events/invoice_generated.one_time.json") {
        for member in recorded["content"]["invoice"].as_object().unwrap().keys() {
            assert!(invoice.get(member).is_some(), "{member}");
        }
    }
    let paid = world.receiver.event("payment_succeeded").await;
    assert_eq!(paid["source"], "hosted_page");
    assert_eq!(paid["content"].get("subscription"), None);
    assert_eq!(paid["content"]["customer"]["id"], "org_acme");
    assert_eq!(paid["content"]["transaction"]["amount"], 49_900);
    assert_eq!(paid["content"]["transaction"].get("subscription_id"), None);
    let read = world.read(&format!("/hosted_pages/{id}"), &[]).await["hosted_page"].clone();
    assert_eq!((&read["state"], &read["content"]["invoice"]["id"]), (&json!("succeeded"), &invoice["id"]));
    let listed = world.read("/invoices", &[("customer_id[is]", "org_acme")]).await;
    assert_eq!(listed["list"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/sandbox/truth").await["subscriptions"], json!([]));

    let number = invoice["id"].as_str().unwrap();
    let link =
        world.bill(&format!("/invoices/{number}/pdf"), &[("disposition_type", "inline")]).await["download"].clone();
    if let Some(recorded) = crate::contracts::contract("chargebee/fixtures/responses/invoice.pdf.json") {
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&link), names(&recorded["download"]));
    }
    assert_eq!(link["valid_till"], START + 3_600);
    let download = async || world.client.get(text(&link["download_url"])).send().await.unwrap();
    let document = download().await;
    assert_eq!(document.headers()["content-type"], "application/pdf");
    let document = document.text().await.unwrap();
    assert!(document.starts_with("%PDF-") && document.contains(number) && document.contains("499.00"), "{document}");
    assert_eq!(world.billing(Method::POST, "/invoices/INV-99/pdf", &[]).await.0, 404);
    let odd = [("disposition_type", "sideways")];
    assert_eq!(world.billing(Method::POST, &format!("/invoices/{number}/pdf"), &odd).await.0, 400);
    world.advance(3_600).await;
    assert_eq!(download().await.status(), 404, "it works for an hour");

    // Time has nothing to do with what is paid.
    world.advance(60 * 86_400).await;
    let invoice = invoice["id"].as_str().unwrap();
    let again = world.billing(Method::POST, &format!("/invoices/{invoice}/collect_payment"), &[]).await;
    assert_eq!(again.0, 409, "{}", again.1);
    world.bill("/customers/org_acme/delete", &[]).await;
    assert_eq!(world.read("/invoices", &[]).await["list"], json!([]), "it goes with its customer");
}

#[tokio::test]
async fn only_charges_of_one_currency_are_paid_once() {
    let world = World::start().await;
    let price = "item_prices[item_price_id][0]";
    for (form, param) in [
        (vec![], price),
        (vec![(price, "gold")], price),
        (vec![(price, "growth-plan-monthly")], price),
        (vec![(price, "extra-projects-monthly")], price),
        (vec![(price, "onboarding"), ("currency_code", "EUR")], price),
        (vec![(price, "onboarding"), ("item_prices[quantity][0]", "0")], "item_prices[quantity][0]"),
        (vec![(price, "onboarding"), ("item_prices[item_price_id][1]", "onboarding")], "item_prices[item_price_id][1]"),
        (
            vec![(price, "onboarding"), ("item_prices[item_price_id][1]", "onboarding-eur")],
            "item_prices[item_price_id][1]",
        ),
        (vec![(price, "onboarding"), ("redirect_url", "nowhere")], "redirect_url"),
    ] {
        let (status, answer) = world.billing(Method::POST, ONCE, &form).await;
        assert_eq!((status, answer["param"].as_str()), (400, Some(param)), "{form:?}: {answer}");
    }
    let pinned = [(price, "onboarding"), ("card[gateway_account_id]", "gw_other")];
    assert!(world.billing(Method::POST, ONCE, &pinned).await.0 >= 400);
    // An unknown customer becomes a new one, as on every page.
    let made = page(&world, &["onboarding-eur"]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": made["url"], "card": GOOD_CARD })).await;
    let truth = world.get("/sandbox/truth").await;
    assert_ne!(truth["customers"][0]["id"], "org_acme");
}

#[tokio::test]
async fn a_session_of_mode_payment_is_paid_and_invoiced_where_that_is_asked_for() {
    let world = World::start().await;
    let customer = world.stripe_customer().await;
    let pairs = [
        ("mode", "payment"),
        ("customer", customer.as_str()),
        ("line_items[0][price]", "price_onboarding"),
        ("line_items[0][quantity]", "2"),
        ("success_url", "http://app.invalid/thanks"),
        ("cancel_url", "http://app.invalid/cancelled"),
        ("metadata[organizationId]", "org_acme"),
        ("payment_intent_data[metadata][organizationId]", "org_acme"),
        ("invoice_creation[enabled]", "true"),
    ];
    let session = world.post("/v1/checkout/sessions", &pairs).await;
    assert_eq!((&session["mode"], &session["amount_total"]), (&json!("payment"), &json!(99_800)));
    let shown = world.client.get(text(&session["url"])).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("SANDBOX") && shown.contains("998.00"), "{shown}");
    let declined = json!({ "url": session["url"], "card": DECLINED });
    assert_eq!(world.control(Method::POST, "/sandbox/hosted/complete", declined).await.0, 402);
    let done = world.done("/sandbox/hosted/complete", json!({ "url": session["url"], "card": PAYS })).await;
    assert_eq!(done["redirectUrl"], "http://app.invalid/thanks");
    let paid = world.look(&format!("/v1/checkout/sessions/{}", text(&session["id"])), &[]).await;
    assert_eq!((&paid["status"], &paid["payment_status"]), (&json!("complete"), &json!("paid")));
    assert_eq!(paid["subscription"], Value::Null);
    let invoices = world.look("/v1/invoices", &[("customer", &customer)]).await;
    let [invoice] = &invoices["data"].as_array().unwrap()[..] else { panic!("{invoices}") };
    assert_eq!(
        (&invoice["id"], &invoice["status"], &invoice["total"]),
        (&paid["invoice"], &json!("paid"), &json!(99_800))
    );
    assert_eq!(invoice["parent"], Value::Null);
    let document = world.client.get(text(&invoice["invoice_pdf"])).send().await.unwrap();
    assert_eq!(document.headers()["content-type"], "application/pdf");
    let document = document.text().await.unwrap();
    assert!(document.starts_with("%PDF-") && document.contains("998.00"), "{document}");
    let other = text(&invoice["invoice_pdf"]).replace("/pdf", "x/pdf");
    assert_eq!(world.client.get(other).send().await.unwrap().status(), 404);

    let without = world.post("/v1/checkout/sessions", &pairs[..8]).await;
    world.done("/sandbox/hosted/complete", json!({ "url": without["url"], "card": PAYS })).await;
    let invoices = world.look("/v1/invoices", &[("customer", &customer)]).await;
    assert_eq!(invoices["data"].as_array().unwrap().len(), 1, "nobody asked for a second one");
    let recurring = [&pairs[..2], &[("line_items[0][price]", "price_growth_monthly")], &pairs[4..]].concat();
    world.refused(Method::POST, "/v1/checkout/sessions", &recurring).await;
}

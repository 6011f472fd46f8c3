//! The pages as a browser gets them, and what their forms do.

use reqwest::Response;
use serde_json::{Value, json};

use crate::stripe_support::PAYS;
use crate::support::{GOOD_CARD, REFUSED_CARD, World};

async fn text(world: &World, url: &str) -> String {
    world.client.get(url).send().await.unwrap().text().await.unwrap()
}

async fn home(world: &World) -> String {
    text(world, &world.url("/")).await
}

async fn act(world: &World, form: &[(&str, &str)]) -> Response {
    world.client.post(world.url("/")).form(form).send().await.unwrap()
}

/// A form of the home page that must succeed and come back to its section.
async fn done(world: &World, section: &str, form: &[(&str, &str)]) {
    let response = act(world, form).await;
    assert_eq!(response.status(), 303, "{form:?}: {}", response.text().await.unwrap());
    assert_eq!(response.headers()["location"].to_str().unwrap(), format!("/?done={section}#{section}"));
    let back = text(world, &world.url(&format!("/?done={section}"))).await;
    assert_eq!(back.matches("role=\"status\"").count(), 1);
}

#[tokio::test]
async fn pages_load_nothing_but_their_sheet() {
    let world = World::start().await;
    world.acme().await;
    let checkout = world.page("ls_1", "growth-plan-monthly", &[]).await["url"].as_str().unwrap().to_owned();
    for url in [world.url("/"), checkout, world.url("/pages/v4/no/"), world.url("/oidc/logout")] {
        let response = world.client.get(&url).send().await.unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let html = response.text().await.unwrap();
        for part in ["SANDBOX", "<main", "lang=\"en\"", "href=\"/pages/sandbox.css\""] {
            assert!(html.contains(part), "{url} has no {part}");
        }
        for part in ["<style", "style=", "<script", "onclick"] {
            assert!(!html.contains(part), "{url} has {part}");
        }
    }
    for (path, kind) in [("/pages/sandbox.css", "text/css; charset=utf-8"), ("/pages/sandbox.svg", "image/svg+xml")] {
        let response = world.client.get(world.url(path)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["content-type"].to_str().unwrap()), (200, kind));
    }
}

#[tokio::test]
async fn organizations_are_managed_from_the_home_page() {
    let world = World::start().await;
    let rows = async || world.get("/sandbox/truth").await["organizations"].as_array().unwrap().clone();
    done(&world, "organizations", &[("action", "create"), ("name", "<b>Acme & Sons</b>")]).await;
    let html = home(&world).await;
    assert!(html.contains("&lt;b&gt;Acme &amp; Sons&lt;/b&gt;") && !html.contains("<b>Acme"));
    let id = rows().await[0]["id"].as_str().unwrap().to_owned();
    done(&world, "organizations", &[("action", "rename"), ("id", &id), ("name", "Acme")]).await;
    done(&world, "organizations", &[("action", "add"), ("id", &id), ("email", "ada@acme.test"), ("role", "")]).await;
    world.receiver.notice("organization.updated").await;
    world.receiver.notice("user.organization_membership_created").await;
    assert!(home(&world).await.contains("ada@acme.test <span class=\"hint\">admin</span>"));
    let member = rows().await[0]["members"][0].clone();
    let user = member["userId"].as_str().unwrap();
    done(&world, "organizations", &[("action", "remove"), ("id", &id), ("user", user)]).await;
    assert_eq!(rows().await[0]["members"][0]["active"], false);
    done(&world, "organizations", &[("action", "delete"), ("id", &id)]).await;
    assert_eq!(rows().await[0]["deleted"], true);

    for form in [
        vec![("action", "create"), ("name", " ")],
        vec![("action", "add"), ("id", id.as_str()), ("email", "ada@acme.test")],
        vec![("action", "rename"), ("id", "org_<no>"), ("name", "x")],
    ] {
        let response = act(&world, &form).await;
        assert_eq!(response.status(), 400, "{form:?}");
        let html = response.text().await.unwrap();
        assert!(html.contains("role=\"alert\"") && !html.contains("<no>"), "{form:?}");
    }
}

#[tokio::test]
async fn subscriptions_of_both_are_changed_from_the_home_page() {
    let world = World::start().await;
    world.subscribed("ls_1", "scale-plan-monthly", GOOD_CARD).await;
    let (_, stripe) = world.stripe_subscribed("price_scale_monthly", "2", PAYS).await;
    for id in ["ls_1", stripe.as_str()] {
        let row = async || {
            let truth = world.get("/sandbox/truth").await;
            truth["subscriptions"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone()
        };
        let press = async |action: &str| done(&world, "subscriptions", &[("action", action), ("id", id)]).await;
        done(&world, "subscriptions", &[("action", "seats"), ("id", id), ("seats", "7")]).await;
        assert_eq!(row().await["seats"], 7);
        press("cancel_at_end").await;
        assert!(row().await["cancelAt"].is_i64());
        press("keep").await;
        assert_eq!(row().await["cancelAt"], Value::Null);
        press("fail_next").await;
        assert!(home(&world).await.contains("next payment fails"));
        press("fail_not").await;
        press("pause").await;
        assert_eq!(row().await["status"], "paused");
        press("resume").await;
        assert_eq!(row().await["status"], "active");
        press("cancel").await;
        assert!(row().await["status"].as_str().unwrap().starts_with("cancel"));
        for bad in [("action", "cancel"), ("action", "nonsense")] {
            assert_eq!(act(&world, &[bad, ("id", id)]).await.status(), 400, "{bad:?}");
        }
    }
    assert_eq!(act(&world, &[("action", "seats"), ("id", "ls_1"), ("seats", "0")]).await.status(), 400);
}

#[tokio::test]
async fn time_faults_and_deliveries_are_moved_from_the_home_page() {
    let world = World::start().await;
    done(&world, "clock", &[("seconds", "3600")]).await;
    done(&world, "clock", &[("action", "advance"), ("amount", "2"), ("unit", "86400")]).await;
    assert_eq!(world.get("/sandbox/clock").await["offsetSeconds"], 3_600 + 2 * 86_400);
    for form in [[("seconds", "-1"), ("x", "")], [("action", "advance"), ("amount", "x")]] {
        assert_eq!(act(&world, &form).await.status(), 400, "{form:?}");
    }

    done(&world, "faults", &[("action", "faults"), ("dropRate", "0.25"), ("delayMs", "5"), ("seed", "")]).await;
    let setting = world.get("/sandbox/chaos").await;
    assert_eq!((&setting["dropRate"], &setting["delayMs"], &setting["seed"]), (&json!(0.25), &json!(5), &json!(0)));
    let refused = act(&world, &[("action", "faults"), ("dropRate", "2")]).await;
    assert!(refused.status() == 400 && refused.text().await.unwrap().contains("dropRate must be"));
    assert_eq!(world.get("/sandbox/chaos").await, setting);
    done(&world, "faults", &[("action", "calm"), ("dropRate", "0.25")]).await;
    assert_eq!(world.get("/sandbox/chaos").await["dropRate"], 0);

    world.done("/sandbox/organizations", json!({ "displayName": "Acme" })).await;
    let path = "/sandbox/deliveries?state=delivered";
    let sent = world.get_until(path, |answer| answer["total"] == 1).await["deliveries"][0]["id"].clone();
    done(&world, "deliveries", &[("action", "resend"), ("id", sent.as_str().unwrap())]).await;
    world.get_until(path, |answer| answer["deliveries"][0]["attempts"] == 2).await;
    assert_eq!(act(&world, &[("action", "resend"), ("id", "no")]).await.status(), 400);
    assert!(home(&world).await.contains("organization.created"));

    assert_eq!(act(&world, &[("action", "reset")]).await.status(), 400, "somebody has to be sure");
    done(&world, "reset", &[("action", "reset"), ("sure", "yes")]).await;
    assert_eq!(world.get("/sandbox/truth").await["organizations"], json!([]));
}

#[tokio::test]
async fn a_card_is_picked_or_typed() {
    let world = World::start().await;
    world.acme().await;
    let page = world.page("ls_1", "starter-plan-monthly", &[]).await;
    let url = page["url"].as_str().unwrap();
    let pay = async |pick: &str, card: &str| {
        let form = [("pick", pick), ("card", card), ("action", "pay")];
        world.client.post(url).form(&form).send().await.unwrap()
    };
    let declined = pay(REFUSED_CARD, GOOD_CARD).await;
    assert_eq!(declined.status(), 402);
    let html = declined.text().await.unwrap();
    assert!(html.contains(&format!("value=\"{REFUSED_CARD}\" checked")), "the choice stays: {html}");
    assert_eq!(pay("other", "1234").await.status(), 402);
    assert_eq!(pay("other", "").await.status(), 402);
    assert_eq!(pay("other", GOOD_CARD).await.status(), 303);
}

#[tokio::test]
async fn the_portal_changes_pauses_and_shows_invoices() {
    let world = World::start().await;
    world.subscribed("ls_1", "starter-plan-monthly", GOOD_CARD).await;
    let session = world.bill("/portal_sessions", &[("customer[id]", "org_acme")]).await["portal_session"].clone();
    let entered = world.client.get(session["access_url"].as_str().unwrap()).send().await.unwrap();
    let portal = world.url(entered.headers()["location"].to_str().unwrap());
    let press = async |form: &[(&str, &str)]| {
        let form = [&[("subscription", "ls_1")], form].concat();
        world.client.post(&portal).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(press(&[("action", "update"), ("price", "scale-plan-monthly"), ("seats", "4")]).await, 303);
    let row = world.subscription("ls_1").await;
    assert_eq!(row["subscription_items"][0]["item_price_id"], "scale-plan-monthly");
    assert_eq!(row["subscription_items"][0]["quantity"], 4);
    for bad in [("scale-plan-monthly", "0"), ("scale-plan-monthly-eur", "1"), ("onboarding-usd", "1")] {
        assert_eq!(press(&[("action", "update"), ("price", bad.0), ("seats", bad.1)]).await, 400, "{bad:?}");
    }
    for (action, status) in
        [("pause_at_end", "active"), ("undo_pause", "active"), ("pause_now", "paused"), ("resume", "active")]
    {
        assert_eq!(press(&[("action", action)]).await, 303, "{action}");
        assert_eq!(world.subscription("ls_1").await["status"], status, "{action}");
    }
    assert_eq!(press(&[("action", "resume")]).await, 400);

    let html = text(&world, &portal).await;
    let invoice = html.split("name=\"invoice\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let led = world.client.post(&portal).form(&[("invoice", invoice)]).send().await.unwrap();
    assert_eq!(led.status(), 303);
    let document = text(&world, &world.url(led.headers()["location"].to_str().unwrap())).await;
    assert!(document.starts_with("%PDF-") && document.contains(invoice));
    assert_eq!(world.client.post(&portal).form(&[("invoice", "INV-0")]).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn stripes_portal_changes_pauses_and_shows_invoices() {
    let world = World::start().await;
    let (customer, id) = world.stripe_subscribed("price_starter_monthly", "1", PAYS).await;
    let pairs = [("customer", customer.as_str()), ("return_url", "http://app.invalid/billing?a=1&b=2")];
    let portal = world.post("/v1/billing_portal/sessions", &pairs).await["url"].as_str().unwrap().to_owned();
    let press = async |form: &[(&str, &str)]| {
        let form = [&[("subscription", id.as_str())], form].concat();
        world.client.post(&portal).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(press(&[("action", "update"), ("price", "price_scale_monthly"), ("seats", "4")]).await, 303);
    assert_eq!(world.stripe_subscription(&id).await["items"]["data"][0]["quantity"], 4);
    assert_eq!(press(&[("action", "update"), ("price", "price_scale_monthly"), ("seats", "x")]).await, 400);
    for (action, status) in [("pause", "paused"), ("resume", "active")] {
        assert_eq!(press(&[("action", action)]).await, 303, "{action}");
        assert_eq!(world.stripe_subscription(&id).await["status"], status, "{action}");
    }
    let html = text(&world, &portal).await;
    assert!(html.contains("href=\"http://app.invalid/billing?a=1&amp;b=2\""), "{html}");
    let invoice = html.split("<td><a href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(text(&world, invoice).await.contains("paid"));
}

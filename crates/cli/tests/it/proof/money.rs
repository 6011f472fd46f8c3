//! What people are shown is what they are charged, what waits waits, and debts close the gate when they should.

use serde_json::{Value, json};

use super::figure;
use crate::provider::everywhere;
use crate::support::{DAY, HOUR, Person, World, worked_off};

/// One change, from what to what.
struct Case {
    name: &'static str,
    bought: Value,
    change: Value,
    /// Days between buying and changing.
    after: i64,
}

fn cases() -> Vec<Case> {
    let case = |name, bought, change, after| Case { name, bought, change, after };
    let scale = |seats: u32| json!({ "plan": "scale", "seats": seats, "trial": false });
    vec![
        case(
            "upgrade",
            json!({ "plan": "starter", "trial": false }),
            json!({ "plan": "scale", "seats": 5, "when": "now" }),
            10,
        ),
        case("downgrade now", scale(5), json!({ "plan": "starter", "when": "now" }), 10),
        case("downgrade at the period's end", scale(5), json!({ "plan": "starter" }), 10),
        case("seats up", scale(3), json!({ "seats": 7 }), 11),
        case("seats down now", scale(7), json!({ "seats": 2, "when": "now" }), 12),
        case("seats down at the period's end", scale(7), json!({ "seats": 2 }), 12),
        case("trial to paid", json!({ "plan": "growth" }), json!({ "plan": "scale", "seats": 4, "when": "now" }), 3),
        case("month to year", json!({ "plan": "starter", "trial": false }), json!({ "interval": "year" }), 13),
        case("add-on", scale(2), json!({ "addons": [{ "addon": "extra-projects", "quantity": 2 }], "when": "now" }), 7),
    ]
}

everywhere! {
    async fn what_was_previewed_is_what_is_charged(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let mut figures = Vec::new();
        for case in cases() {
            let (admin, organization, id) = buy(&world, &server, &case.bought).await;
            world.advance(case.after * DAY).await;
            worked_off(db.db()).await;
            let shown = admin.post("/api/subscription/preview", case.change.clone()).await;
            assert_eq!(shown.status, 200, "{}: {}", case.name, shown.body);
            let shown = shown.body;
            // As long as a person may think about it.
            world.advance(14 * 60).await;
            let (before, credit) = (world.invoices(&id).await, world.credits(&organization).await);
            let mut change = case.change.clone();
            change["previewToken"] = shown["previewToken"].clone();
            let done = admin.post("/api/subscription/update", change).await;
            assert_eq!(done.status, 200, "{}: {}", case.name, done.body);
            assert_eq!(done.body["mode"], "applied");
            let charged: i64 = world.invoices(&id).await[before.len()..].iter().map(|invoice| invoice.owed).sum();
            let kept = world.credits(&organization).await - credit;
            near(case.name, "amountDue", &shown["amountDue"], charged, provider.tolerance());
            near(case.name, "credit", &shown["credit"], kept, provider.tolerance());

            let so_far = world.invoices(&id).await.len();
            let row = admin.subscriptions(false).await.remove(0);
            let end = row["trialEnd"].as_str().filter(|_| row["status"] == "in_trial").or(row["periodEnd"].as_str());
            advance_to(&world, end.unwrap()).await;
            worked_off(db.db()).await;
            let renewal = world.invoices(&id).await;
            let next = renewal[so_far..].iter().map(|invoice| invoice.owed).sum::<i64>();
            near(case.name, "nextInvoice", &shown["nextInvoice"]["amount"], next, provider.tolerance());
            figures.push(json!({
                "case": case.name, "shown": shown["amountDue"], "charged": charged, "credit shown": shown["credit"],
                "credited": kept, "next shown": shown["nextInvoice"]["amount"], "next charged": next,
            }));
            world.delete(&organization).await;
        }
        figure("preview equals charge", &provider.on(&db), json!(figures));
        drop(server);
    }

    async fn a_price_that_is_edited_meanwhile_outdates_the_preview(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let mut codes = Vec::new();
        for (plan, interval, change) in [
            ("scale", "month", json!({ "plan": "scale", "seats": 5, "when": "now" })),
            ("starter", "year", json!({ "interval": "year", "when": "period_end" })),
        ] {
            let (admin, _, _) = buy(&world, &server, &json!({ "plan": "starter", "trial": false })).await;
            let shown = admin.post("/api/subscription/preview", change.clone()).await.ok();
            world.edit_price(plan, interval, 2_100).await;
            let mut with_token = change.clone();
            with_token["previewToken"] = shown["previewToken"].clone();
            let refused = admin.post("/api/subscription/update", with_token.clone()).await;
            assert_eq!((refused.status, refused.code()), (409, "preview_outdated"), "{}", refused.body);
            let fresh = &refused.body["preview"];
            assert_ne!(fresh["nextInvoice"]["amount"], shown["nextInvoice"]["amount"]);
            assert_eq!(admin.subscriptions(false).await[0]["plan"], "starter", "nothing has changed");
            with_token["previewToken"] = fresh["previewToken"].clone();
            admin.post("/api/subscription/update", with_token).await.ok();
            codes.push(refused.body["code"].clone());
        }
        figure("preview equals charge: price edited", &provider.on(&db), json!(codes));
        drop(server);
    }

    async fn a_change_at_the_periods_end_waits_and_survives(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let server = world.serve(db.url(), &[]).await;
        let (admin, _, id) = buy(&world, &server, &json!({ "plan": "growth", "seats": 5, "trial": false })).await;
        let waits = admin.post("/api/subscription/update", json!({ "plan": "starter", "when": "period_end" })).await.ok();
        assert_eq!(waits["subscription"]["scheduledChange"]["plan"], "starter");
        assert_eq!(waits["subscription"]["plan"], "growth");
        world.advance(10 * DAY).await;
        // Another number of seats in between does not erase it.
        let seats = admin.post("/api/subscription/update", json!({ "seats": 4, "when": "now" })).await.ok();
        assert_eq!(seats["subscription"]["seats"], 4);
        worked_off(db.db()).await;
        let row = admin.subscriptions(false).await.remove(0);
        assert_eq!(row["scheduledChange"]["plan"], "starter", "{row}");
        assert_eq!(row["scheduledChange"]["seats"], 4, "{row}");
        assert_eq!(admin.gate("sso").await, 200, "not before");
        let end = row["periodEnd"].as_str().unwrap().to_owned();
        let before = world.invoices(&id).await.len();
        advance_to_just_before(&world, &end).await;
        worked_off(db.db()).await;
        assert_eq!((admin.gate("sso").await, world.invoices(&id).await.len()), (200, before), "a minute before");
        world.advance(120).await;
        worked_off(db.db()).await;
        admin.gate_is("sso", 402).await;
        let row = admin.subscription_is("active").await;
        assert_eq!((&row["plan"], &row["seats"], &row["scheduledChange"]), (&json!("starter"), &json!(4), &Value::Null));
        let renewal = world.invoices(&id).await[before..].iter().map(|invoice| invoice.total).collect::<Vec<_>>();
        assert_eq!(renewal, [1_900], "the lower price from then on");

        // And it can be taken back.
        let (admin, _, id) = buy(&world, &server, &json!({ "plan": "growth", "seats": 5, "trial": false })).await;
        admin.post("/api/subscription/update", json!({ "plan": "starter" })).await.ok();
        let undone = admin.post("/api/subscription/restore", json!({})).await.ok();
        assert_eq!(undone["subscription"]["scheduledChange"], Value::Null);
        advance_to(&world, undone["subscription"]["periodEnd"].as_str().unwrap()).await;
        worked_off(db.db()).await;
        let row = admin.subscription_is("active").await;
        assert_eq!(row["plan"], "growth");
        assert_eq!(world.invoices(&id).await.last().unwrap().total, 4_900);
        figure(
            "period-end change",
            &provider.on(&db),
            json!({ "gate a minute before": 200, "gate a minute after": 402, "renewal": renewal, "seats kept": 4, "undone": "growth" }),
        );
        drop(server);
    }

    async fn debts_leave_the_gate_open_for_the_grace_and_no_longer(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        let config = world.folder.path().join("grace.toml");
        let catalog = std::fs::read_to_string(&world.env["TOLLKEEPER_CONFIG"]).unwrap();
        std::fs::write(&config, format!("{catalog}\n[policy]\npast_due_grace = \"5d\"\n")).unwrap();
        let server =
            world.serve_with(world.app, db.url(), &[], &[("TOLLKEEPER_CONFIG", config.to_str().unwrap())]).await;
        let bought = json!({ "plan": "growth", "seats": 5, "trial": false });
        let debtor = async || {
            let (admin, _, id) = buy(&world, &server, &bought).await;
            fail_next(&world, &id).await;
            let row = admin.subscriptions(false).await.remove(0);
            // Stripe asks for the money an hour after the period has begun.
            advance_with(&world, row["periodEnd"].as_str().unwrap(), 2 * HOUR).await;
            worked_off(db.db()).await;
            admin.subscription_is("past_due").await;
            assert_eq!(admin.gate("sso").await, 200, "a single failure closes nothing");
            (admin, id)
        };

        // Every attempt of so many days fails, however often the provider tries.
        let fails_for = async |id: &str, days: u32| {
            for _ in 0..days {
                fail_next(&world, id).await;
                world.advance(DAY).await;
            }
            worked_off(db.db()).await;
        };

        // Paid at the next attempt.
        let (admin, _) = debtor().await;
        world.advance(3 * DAY + 60).await;
        worked_off(db.db()).await;
        admin.subscription_is("active").await;
        assert_eq!(admin.gate("sso").await, 200);

        // Never paid: open for five days, then closed while it is still collected, then unpaid.
        let (admin, id) = debtor().await;
        fails_for(&id, 3).await;
        admin.subscription_is("past_due").await;
        assert_eq!(admin.gate("sso").await, 200, "the third day");
        fails_for(&id, 2).await;
        admin.gate_is("sso", 402).await;
        admin.subscription_is("past_due").await;
        fails_for(&id, 11).await;
        admin.subscription_is("unpaid").await;
        assert_eq!(admin.gate("sso").await, 402);

        // Whoever cancels in debt gains nothing by it.
        let (admin, id) = debtor().await;
        admin.post("/api/subscription/cancel", json!({})).await.ok();
        worked_off(db.db()).await;
        let row = admin.subscription_is("past_due").await;
        assert_ne!(row["cancelAt"], Value::Null, "{row}");
        fails_for(&id, 6).await;
        admin.gate_is("sso", 402).await;
        figure(
            "grace",
            &provider.on(&db),
            json!({ "grace": "5d", "gate on day 3": 200, "gate after day 5": 402, "paid": "active", "never paid": "unpaid", "cancelled in debt": 402 }),
        );
        drop(server);
    }
}

/// Somebody with a subscription that runs, its organization and its id.
async fn buy(world: &World, server: &crate::support::Server, choice: &Value) -> (Person, String, String) {
    let organization = world.organization("Acme Inc").await;
    let admin = world.admin(server, &organization).await;
    let started = admin.create(choice.clone()).await.ok();
    world.pay(&started["url"]).await;
    admin.subscription_is(if choice["trial"] == false { "active" } else { "in_trial" }).await;
    world.delivered(&organization).await;
    let id = world.bought(&organization).await;
    (admin, organization, id)
}

async fn fail_next(world: &World, id: &str) {
    world.post(&format!("/sandbox/subscriptions/{id}"), json!({ "failNextPayment": true })).await;
}

async fn advance_to(world: &World, instant: &str) {
    advance_with(world, instant, 60).await;
}

async fn advance_to_just_before(world: &World, instant: &str) {
    advance_with(world, instant, -60).await;
}

async fn advance_with(world: &World, instant: &str, slack: i64) {
    let now = world.get("/sandbox/clock").await["now"].clone();
    let seconds = |text: &str| text.parse::<tollkeeper_core::time::Timestamp>().unwrap().as_unix_seconds();
    let now = now.as_i64().unwrap_or_else(|| seconds(now.as_str().unwrap()));
    world.advance(seconds(instant) - now + slack).await;
}

fn near(case: &str, what: &str, shown: &Value, charged: i64, tolerance: u64) {
    let shown = shown.as_i64().unwrap_or_else(|| panic!("{case}: no {what}"));
    assert!(shown.abs_diff(charged) <= tolerance, "{case}: {what} {shown} shown, {charged} charged");
}

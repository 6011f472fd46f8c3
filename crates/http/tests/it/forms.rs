//! Every form of the pages, as a browser without a script sends it.

use axum::body::Body;
use serde_json::Value;
use tollkeeper::ports::{CancelWhen, ErrorKind};

use crate::{
    pages::{HTML, look},
    world::{ADMIN, APP, Answer, World, plain},
};

const MEMBER: &str = "member:org_1";
const FORMS: [&str; 8] = [
    "/billing/checkout",
    "/billing/change",
    "/billing/cancel",
    "/billing/restore",
    "/billing/pause",
    "/billing/resume",
    "/billing/portal",
    "/billing/contact",
];

/// Sends a form with the session of `who`, from `origin`.
async fn sent(world: &World, who: &str, origin: Option<&str>, path: &str, form: &str) -> Answer {
    let mut request =
        plain("POST", path).header("accept", HTML).header("content-type", "application/x-www-form-urlencoded");
    if !who.is_empty() {
        request = request.header("cookie", format!("scalekit_session={who}"));
    }
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    world.send(request.body(Body::from(form.to_owned())).unwrap()).await
}

/// Sends a form as an administrator does.
async fn send(world: &World, path: &str, form: &str) -> Answer {
    sent(world, ADMIN, Some(APP), path, form).await
}

async fn on(plan: &str) -> (World, String) {
    let world = World::new().await;
    let id = world.subscribe(&format!(r#"{{"plan":"{plan}"}}"#)).await;
    (world, id)
}

async fn listed(world: &World) -> Value {
    world.get("/api/subscription/list").await.ok()["subscriptions"][0].clone()
}

/// What a hidden field of a page holds.
#[track_caller]
fn hidden<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = format!("name=\"{name}\" value=\"");
    page.split_once(&begin).unwrap_or_else(|| panic!("no {name}: {page}")).1.split_once('"').unwrap().0
}

#[tokio::test]
async fn only_pages_of_ours_send_forms_and_only_for_who_is_signed_in() {
    let (world, _) = on("growth").await;
    let before = world.billing.calls().len();
    for path in FORMS {
        for origin in [None, Some("https://evil.example"), Some("null")] {
            let refused = sent(&world, ADMIN, origin, path, "").await.page(403);
            assert!(refused.contains("changes are only taken from pages of this site"), "{path}");
        }
        let back = if path == "/billing/checkout" { "%2Fpricing" } else { "%2Fbilling" };
        for who in ["", "expired"] {
            // Not by a redirect: a browser would hold that to form-action, and one signs in elsewhere.
            let led = sent(&world, who, Some(APP), path, "").await.page(200);
            let leads = format!("http-equiv=\"refresh\" content=\"0;url=/auth/login?next={back}\"");
            assert!(led.contains(&leads), "{path}: {led}");
        }
        let refused = sent(&world, MEMBER, Some(APP), path, "").await.page(403);
        assert!(refused.contains("Changing billing needs one of the roles admin, owner."), "{path}");
        let json = plain("POST", path).header("cookie", format!("scalekit_session={ADMIN}")).header("origin", APP);
        world.send(json.body(Body::from("{}")).unwrap()).await.problem(415, "unsupported_media_type");
    }
    for path in ["/billing/change", "/billing/cancel", "/billing/pause"] {
        look(&world, MEMBER, path).await.page(403);
    }
    assert_eq!(world.billing.calls().len(), before, "{:?}", world.billing.calls());
}

#[tokio::test]
async fn a_checkout_leads_to_the_page_of_the_provider() {
    let world = World::new().await;
    let page = look(&world, ADMIN, "/pricing").await.page(200);
    assert!(page.contains("action=\"/billing/checkout\"") && page.contains("value=\"growth\""));
    let led = send(&world, "/billing/checkout", "plan=growth&interval=month&currency=USD&seats=25").await.page(200);
    // Not by a redirect: a browser would hold that to form-action.
    assert!(led.contains("http-equiv=\"refresh\" content=\"0;url=https://pay.example.com/tks_"), "{led}");
    let open = look(&world, ADMIN, "/billing").await.page(200);
    assert!(open.contains("A checkout of GROWTH is open") && open.contains("Go on with the checkout"), "{open}");
    for (form, words) in [
        ("plan=gold", "Unknown plan"),
        ("plan=starter&seats=many", "Seats must be a whole number"),
        ("plan=starter&seats=6", "Seats is 6: starter has at most 5."),
        ("plan=free", "is free: there is nothing to buy"),
    ] {
        let refused = send(&world, "/billing/checkout", form).await.page(400);
        assert!(refused.contains(words) && refused.contains("href=\"/pricing\""), "{form}: {refused}");
    }
}

#[tokio::test]
async fn a_change_is_shown_then_confirmed() {
    let (world, id) = on("starter").await;
    world.billing.charge(3000);
    let form = look(&world, ADMIN, &format!("/billing/change?subscription={id}")).await.page(200);
    assert!(form.contains("You have STARTER with 1 seat.") && !form.contains("To pay now"), "{form}");
    let chosen = format!("/billing/change?subscription={id}&plan=growth");
    let shown = look(&world, ADMIN, &chosen).await.page(200);
    for words in ["To pay now", "$30.00", "Confirm and pay $30.00", "At once, as soon as you confirm."] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // Seats cost nothing there, so that one has all of them; unless others are wanted.
    assert!(shown.contains("value=\"25\""), "{shown}");
    for (seats, wanted) in [(1, 25), (2, 2)] {
        let path = format!("{chosen}&seats={seats}&before=starter&seatsBefore=1");
        let page = look(&world, ADMIN, &path).await.page(200);
        assert_eq!(hidden(&page, "seatsBefore"), wanted.to_string(), "{path}");
    }
    assert_eq!(listed(&world).await["plan"], "starter", "nothing was changed yet");

    let confirm = |page: &str| {
        let field = |name| format!("{name}={}", hidden(page, name));
        // The first form of the page chooses; the second one confirms.
        let page = page.split_once("method=\"post\" action=\"/billing/change\"").unwrap().1;
        let own = |name| format!("{name}={}", hidden(page, name));
        [field("subscription"), own("plan"), own("interval"), own("seats"), own("previewToken")].join("&")
    };
    world.billing.charge(5000);
    let outdated = send(&world, "/billing/change", &confirm(&shown)).await.page(409);
    for words in ["What it costs has changed since you looked.", "Confirm and pay $50.00"] {
        assert!(outdated.contains(words), "{words}: {outdated}");
    }
    assert!(!world.billing.calls().contains(&"change"));
    let done = send(&world, "/billing/change", &confirm(&outdated)).await;
    assert_eq!(done.leads_to(), "/billing?done=changed");
    let now = listed(&world).await;
    assert_eq!((now["plan"].as_str(), now["seats"].as_i64()), (Some("growth"), Some(25)));
    let twice = send(&world, "/billing/change", &confirm(&outdated)).await;
    assert_eq!(twice.leads_to(), "/billing?done=changed", "who clicks twice sees this answer only");
    assert_eq!(world.billing.calls().iter().filter(|call| **call == "change").count(), 1);

    // A step down waits.
    let down = look(&world, ADMIN, &format!("/billing/change?subscription={id}&plan=starter")).await.page(200);
    for words in ["On 15 July 2025. Until then nothing changes.", "Schedule STARTER", "value=\"5\""] {
        assert!(down.contains(words), "{words}: {down}");
    }
    for _ in 0..2 {
        // Also who clicks twice.
        assert_eq!(send(&world, "/billing/change", &confirm(&down)).await.leads_to(), "/billing?done=scheduled");
    }
    assert_eq!(world.billing.calls().iter().filter(|call| **call == "change").count(), 2);
    let billing = look(&world, ADMIN, "/billing?done=scheduled").await.page(200);
    assert!(billing.contains("From 15 July 2025 on: STARTER with 5 seats."), "{billing}");
    let pause = look(&world, ADMIN, "/billing/pause").await;
    assert_eq!(pause.leads_to(), "/billing", "nothing is paused while a change waits");
    let undone = send(&world, "/billing/restore", &format!("subscriptionId={id}&what=change")).await;
    assert_eq!(undone.leads_to(), "/billing?done=restored");
    assert_eq!(listed(&world).await["scheduledChange"], Value::Null);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_change_is_said_beside_the_choice() {
    let (world, id) = on("starter").await;
    let path = format!("/billing/change?subscription={id}");
    let same = look(&world, ADMIN, &format!("{path}&plan=starter&seats=1")).await.page(200);
    assert!(same.contains("This is what you have already."), "{same}");
    let many = look(&world, ADMIN, &format!("{path}&seats=6")).await.page(400);
    assert!(many.contains("Seats is 6: starter has at most 5.") && many.contains("value=\"6\""), "{many}");
    look(&world, ADMIN, &format!("{path}&plan=gold")).await.page(400);
    assert_eq!(look(&world, ADMIN, "/billing/change?subscription=tks_other").await.leads_to(), "/billing");
    let bare = send(&world, "/billing/change", &format!("subscription={id}&plan=growth")).await.page(400);
    assert!(bare.contains("Look at what the change costs first"), "{bare}");
    let form = format!("subscription={id}&plan=growth&interval=month&seats=25&previewToken=nonsense");
    let bad = send(&world, "/billing/change", &form).await.page(400);
    assert!(bad.contains("not a preview token of ours") && bad.contains("Change plan or seats"), "{bad}");
    world.billing.fail(Some(ErrorKind::Transient));
    let away = look(&world, ADMIN, &format!("{path}&plan=growth")).await.page(503);
    assert!(away.contains("does not answer right now") && away.contains("Change plan or seats"), "{away}");
    assert!(!world.billing.calls().contains(&"change"));
}

#[tokio::test]
async fn seats_of_what_the_catalog_does_not_know_can_be_changed() {
    let (world, id) = on("starter").await;
    world.billing.edit(&id, |snapshot| snapshot.items[0].item_price_id = "price_of_the_dashboard".into());
    world.engine.reconcile(&tollkeeper::Extent::Organization("org_1".into())).await.unwrap();
    assert_eq!(listed(&world).await["plan"], Value::Null);
    world.billing.charge(1000);
    let path = format!("/billing/change?subscription={id}");
    let form = look(&world, ADMIN, &path).await.page(200);
    assert!(form.contains("name=\"plan\" value=\"\" checked"), "{form}");
    // As a browser sends what is left as it is.
    let shown = look(&world, ADMIN, &format!("{path}&before=&seatsBefore=1&plan=&seats=3")).await.page(200);
    let token = hidden(&shown, "previewToken");
    let form = format!("subscription={id}&plan=&interval=&seats=3&previewToken={token}");
    assert_eq!(send(&world, "/billing/change", &form).await.leads_to(), "/billing?done=changed");
    assert_eq!(listed(&world).await["seats"], 3);
    // Of what nobody knows nobody knows another interval either.
    let yearly = look(&world, ADMIN, &format!("{path}&interval=year&plan=&seats=3")).await.page(400);
    assert!(yearly.contains("The current price is not in the catalog"), "{yearly}");
}

#[tokio::test]
async fn a_cancellation_says_what_ends_and_can_be_taken_back() {
    let (world, id) = on("growth").await;
    let page = look(&world, ADMIN, &format!("/billing/cancel?subscription={id}")).await.page(200);
    for words in ["Cancel GROWTH?", "stays until 15 July 2025", "SSO", "What stays is FREE: 3 projects."] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let form = format!("subscriptionId={id}&when=period_end&reason=too+dear");
    assert_eq!(send(&world, "/billing/cancel", &form).await.leads_to(), "/billing?done=cancelled");
    let billing = look(&world, ADMIN, "/billing?done=cancelled").await.page(200);
    assert!(billing.contains("Ends on 15 July 2025") && billing.contains("Keep GROWTH"), "{billing}");
    assert_eq!(look(&world, ADMIN, "/billing/cancel").await.leads_to(), "/billing", "it is cancelled already");
    let kept = send(&world, "/billing/restore", &format!("subscriptionId={id}&what=cancellation")).await;
    assert_eq!(kept.leads_to(), "/billing?done=restored");
    let twice = send(&world, "/billing/restore", &format!("subscriptionId={id}&what=cancellation")).await;
    assert_eq!(twice.leads_to(), "/billing?done=already");
    assert_eq!(listed(&world).await["cancelAt"], Value::Null);
    assert!(send(&world, "/billing/cancel", "when=later").await.page(400).contains("When must be one of"));
    assert_eq!(send(&world, "/billing/cancel", "when=now").await.leads_to(), "/billing?done=ended");
    assert_eq!(world.billing.cancels(), [CancelWhen::PeriodEnd, CancelWhen::Now]);
    let over = look(&world, ADMIN, "/billing").await.page(200);
    assert!(over.contains("Nothing is paid for") && over.contains("What ended"), "{over}");
    // Who clicks twice, or goes back to an old form, is told how it stands.
    for (path, form) in
        [("/billing/cancel", "when=now"), ("/billing/restore", "what=cancellation"), ("/billing/pause", "when=now")]
    {
        assert_eq!(send(&world, path, form).await.leads_to(), "/billing?done=already", "{path}");
    }
    assert!(look(&world, ADMIN, "/billing?done=already").await.page(200).contains("Nothing was left to do"));
}

#[tokio::test]
async fn a_pause_has_a_beginning_and_may_have_an_end() {
    let (world, id) = on("growth").await;
    let page = look(&world, ADMIN, &format!("/billing/pause?subscription={id}")).await.page(200);
    assert!(page.contains("min=\"2025-06-16\"") && page.contains("what it includes is closed"), "{page}");
    for (form, words) in [("until=soon", "Until must be a day"), ("when=now&until=2025-01-01", "Until must be later")] {
        assert!(send(&world, "/billing/pause", form).await.page(400).contains(words), "{form}");
    }
    let form = format!("subscriptionId={id}&when=period_end&until=");
    assert_eq!(send(&world, "/billing/pause", &form).await.leads_to(), "/billing?done=paused");
    let billing = look(&world, ADMIN, "/billing").await.page(200);
    assert!(billing.contains("It pauses on 15 July 2025") && billing.contains("Do not pause"), "{billing}");
    let form = format!("subscriptionId={id}");
    assert_eq!(send(&world, "/billing/resume", &form).await.leads_to(), "/billing?done=resumed");
    assert_eq!(send(&world, "/billing/pause", "when=now&until=2030-01-01").await.leads_to(), "/billing?done=paused");
    let billing = look(&world, ADMIN, "/billing").await.page(200);
    assert!(billing.contains("Paused. Nothing is charged") && billing.contains("Resume now"), "{billing}");
    assert!(!billing.contains("Change plan or seats"), "{billing}");
    assert_eq!(look(&world, ADMIN, "/billing/change").await.leads_to(), "/billing", "it goes on first");
    send(&world, "/billing/resume", "").await.leads_to();
    assert_eq!(send(&world, "/billing/resume", "").await.leads_to(), "/billing?done=already");
}

#[tokio::test]
async fn the_portal_the_invoices_and_the_contact() {
    let world = World::new().await;
    assert!(send(&world, "/billing/portal", "").await.page(400).contains("start a checkout first"));
    assert!(look(&world, ADMIN, "/billing/invoices").await.page(200).contains("There are no invoices yet."));
    world.subscribe(r#"{"plan":"growth"}"#).await;
    let portal = send(&world, "/billing/portal", "").await.page(200);
    assert!(portal.contains("https://portal.example.com/org_1-0?back=https://app.example.com/billing"), "{portal}");

    let invoices = look(&world, MEMBER, "/billing/invoices").await.page(200);
    for words in ["INV-1", "15 June 2025", "$49.00", "$9.00 to pay", "/api/invoices/INV%2D1/pdf", "Older"] {
        assert!(invoices.contains(words), "{words}: {invoices}");
    }
    let pdf = look(&world, MEMBER, "/api/invoices/INV%2D1/pdf").await;
    assert_eq!((pdf.status.as_u16(), pdf.header("location")), (302, Some("https://pdf.example.com/INV-1")));
    let older = look(&world, MEMBER, "/billing/invoices?page=%5B%222%22%5D").await.page(200);
    assert!(older.contains("Newest") && !older.contains("Older"), "{older}");

    let saved = send(&world, "/billing/contact", "email=pay%40acme.test&locale=fr").await;
    assert_eq!(saved.leads_to(), "/billing?done=contact");
    assert_eq!(world.billing.contact(), (Some("pay@acme.test".to_owned()), Some("fr".to_owned())));
    let billing = look(&world, ADMIN, "/billing").await.page(200);
    assert!(billing.contains("value=\"pay@acme.test\"") && billing.contains("value=\"fr\""), "{billing}");
    assert!(look(&world, MEMBER, "/billing").await.page(200).contains("pay@acme.test"));
    assert!(send(&world, "/billing/contact", "email=nobody").await.page(400).contains("Email must be an address"));
}

#[tokio::test]
async fn a_refused_card_is_said_in_words() {
    let (world, id) = on("starter").await;
    world.billing.charge(100);
    let shown = look(&world, ADMIN, &format!("/billing/change?subscription={id}&plan=growth")).await.page(200);
    let token = hidden(&shown, "previewToken").to_owned();
    world.billing.fail(Some(ErrorKind::Declined));
    let form = format!("subscription={id}&plan=growth&interval=month&seats=25&previewToken={token}");
    let declined = send(&world, "/billing/change", &form).await.page(402);
    assert!(declined.contains("The payment was declined.") && !declined.contains("inner words"), "{declined}");
}

#[tokio::test]
async fn a_form_that_shows_another_organization_changes_nothing() {
    let (world, _) = on("growth").await;
    let shown = look(&world, "admin:org_2", "/billing").await.page(200);
    let other = format!("referenceId={}", hidden(&shown, "referenceId"));
    assert_eq!(other, "referenceId=org_2");
    let before = world.billing.calls().len();
    for path in FORMS {
        let refused = send(&world, path, &format!("{other}&email=b%40b.test&plan=growth")).await.page(403);
        let words = "The page showed another organization than the one that you are signed in to now.";
        assert!(refused.contains(words), "{path}: {refused}");
    }
    assert_eq!(world.billing.calls().len(), before, "{:?}", world.billing.calls());
    let saved = send(&world, "/billing/contact", "referenceId=org_1&email=a%40a.test").await;
    assert_eq!(saved.leads_to(), "/billing?done=contact");
}

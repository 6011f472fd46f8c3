//! The operator's console: who is let in, what is shown, and what is done.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;
use tollkeeper::{Scope, ports::Subject};
use tollkeeper_http::{Config, Rate};
use tollkeeper_store::inbox;

use crate::{
    pages::{HTML, look},
    world::{ADMIN, APP, Answer, OPERATOR, OTHER, World, operated, plain},
};

const COOKIE: &str = "__Host-tollkeeper_console";
const HOSTILE: &str = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'";

/// The played identity calls this e-mail verified.
fn with_named() -> Config {
    Config { operators: vec!["Ada@example.com ".into()], ..operated() }
}

async fn send_form(world: &World, path: &str, cookie: &str, origin: Option<&str>, body: String) -> Answer {
    let mut request = plain("POST", path)
        .header("accept", HTML)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    world.send(request.body(Body::from(body)).unwrap()).await
}

async fn log_in(world: &World, key: &str, next: &str) -> Answer {
    let body =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("key", key).append_pair("next", next).finish();
    send_form(world, "/console/login", "", Some(APP), body).await
}

/// The cookie that an answer sets, as it is sent back.
fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// A world with a browser that is let in.
async fn opened() -> (World, String) {
    let world = World::with(|_| {}, operated()).await;
    let cookie = cookie_of(&log_in(&world, OPERATOR, "").await);
    (world, cookie)
}

async fn see(world: &World, cookie: &str, path: &str) -> Answer {
    let request = plain("GET", path).header("accept", HTML).header("cookie", cookie);
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn act(world: &World, cookie: &str, path: &str) -> Answer {
    send_form(world, path, cookie, Some(APP), String::new()).await
}

async fn deliver(world: &World, id: &str, name: &str) {
    let request = plain("POST", "/api/webhooks/chargebee").header("authorization", "Basic good");
    let body = json!({ "id": id, "name": name }).to_string();
    world.send(request.body(Body::from(body)).unwrap()).await.ok();
}

async fn give_up(world: &World, id: &'static str, why: &'static str) {
    let write = world
        .engine
        .database()
        .write(|tx| Box::pin(async move { inbox::dead(tx, &"chargebee".into(), &[id.into()], why).await }));
    assert_eq!(write.await.unwrap(), 1);
}

#[tokio::test]
async fn whoever_has_the_operator_key_is_let_in_for_a_day_of_work() {
    let world = World::with(|_| {}, operated()).await;
    let away = look(&world, "", "/console/deliveries?state=dead").await;
    let login = away.leads_to().to_owned();
    assert_eq!(login, "/console/login?next=%2Fconsole%2Fdeliveries%3Fstate%3Ddead");
    let page = look(&world, "", &login).await.page(200);
    assert!(page.contains("value=\"/console/deliveries?state=dead\"") && page.contains("type=\"password\""), "{page}");
    assert!(!page.contains("/auth/login"), "nobody is named");

    let answer = log_in(&world, &format!(" {OPERATOR}\n"), "/console/deliveries?state=dead").await;
    assert_eq!(answer.leads_to(), "/console/deliveries?state=dead");
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with(&format!("{COOKIE}=operator.")), "{set}");
    for part in ["; Path=/;", "Max-Age=28800", "HttpOnly", "SameSite=Lax", "Secure"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains(OPERATOR), "{set}");
    let cookie = cookie_of(&answer);
    see(&world, &cookie, "/console").await.page(200);

    let out = act(&world, &cookie, "/console/logout").await;
    assert_eq!(out.leads_to(), "/console/login");
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    for forged in [String::new(), "operator.AAAA".into(), OPERATOR.into(), format!("{}A", &cookie[COOKIE.len() + 1..])]
    {
        see(&world, &format!("{COOKIE}={forged}"), "/console").await.leads_to();
    }
    // Under the name that another site of the domain could set it with, it is nothing.
    let plain_name = cookie.replace("__Host-", "");
    see(&world, &plain_name, "/console").await.leads_to();
}

#[tokio::test]
async fn what_is_no_key_that_may_operate_is_refused() {
    let world = World::with(|_| {}, operated()).await;
    for wrong in ["", "wrong", "tk_0123", &OPERATOR[1..], "admin:org_1"] {
        let answer = log_in(&world, wrong, "/console").await;
        assert!(answer.header("set-cookie").is_none());
        let page = answer.page(401);
        assert!(page.contains("role=\"alert\"") && (wrong.is_empty() || !page.contains(wrong)), "{page}");
    }
    let reader = world.key(&[Scope::Read, Scope::Billing], None).await;
    assert!(log_in(&world, &reader, "").await.page(403).contains("lacks the scope"));
    let pinned = world.key(&[Scope::Admin], Some("org_1")).await;
    assert!(log_in(&world, &pinned, "").await.page(403).contains("for one organization"));

    let admin = world.key(&[Scope::Admin], None).await;
    let cookie = cookie_of(&log_in(&world, &admin, "//evil.example").await);
    see(&world, &cookie, "/console").await.page(200);
    let id = world
        .engine
        .keys()
        .await
        .unwrap()
        .into_iter()
        .find(|key| key.organization_id.is_none() && key.scopes == [Scope::Admin])
        .unwrap()
        .id;
    assert!(world.engine.revoke_key(&id).await.unwrap());
    see(&world, &cookie, "/console").await.leads_to();
}

#[tokio::test]
async fn keys_are_not_guessed_from_one_address() {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    let attempt = async |world: &World, address: &str, key: &str| {
        let request = plain("POST", "/console/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", APP)
            .extension(ConnectInfo::<SocketAddr>(address.parse().unwrap()));
        world.send(request.body(Body::from(format!("key={key}"))).unwrap()).await
    };
    let here = "192.0.2.1:1000";
    let mut config = operated();
    // A turn every 30 ms, and a line of a second: whoever has the key is slowed down by others, and not shut out.
    config.limits.failed_bearers = Rate { per_minute: 2_000, burst: 1 };
    let world = World::with(|_| {}, config).await;
    for _ in 0..5 {
        assert_eq!(attempt(&world, here, "wrong").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(attempt(&world, here, OPERATOR).await.status, StatusCode::SEE_OTHER);
    }
    let mut config = operated();
    config.limits.failed_bearers = Rate { per_minute: 1, burst: 3 };
    let world = World::with(|_| {}, config).await;
    for _ in 0..3 {
        assert_eq!(attempt(&world, here, "wrong").await.status, StatusCode::UNAUTHORIZED);
    }
    attempt(&world, here, "wrong").await.problem(429, "rate_limited");
    assert_eq!(attempt(&world, "192.0.2.2:1000", OPERATOR).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_named_person_proves_that_again_after_half_a_day() {
    let world = World::with(|_| {}, with_named()).await;
    let session = world.sign_in().await;
    world.clock.advance(12 * 3_600);
    see(&world, &session, "/console").await.page(200);
    world.clock.advance(1);
    let page = see(&world, &session, "/console/deliveries?state=dead").await.page(401);
    assert!(
        page.contains("more than twelve hours ago")
            && page.contains("/auth/login?next=%2Fconsole%2Fdeliveries%3Fstate%3Ddead"),
        "{page}"
    );
    assert_eq!(act(&world, &session, "/console/deliveries/replay").await.status, StatusCode::UNAUTHORIZED);
    let again = world.sign_in().await;
    see(&world, &again, "/console").await.page(200);
}

#[tokio::test]
async fn who_is_named_by_a_verified_e_mail_is_let_in() {
    let world = World::with(|_| {}, with_named()).await;
    let page = look(&world, ADMIN, "/console").await.page(200);
    assert!(page.contains("ada@example.com") && page.contains("action=\"/auth/logout\""), "{page}");
    let cookie = format!("scalekit_session={ADMIN}");
    deliver(&world, "ev_1", "Acme").await;
    let done = act(&world, &cookie, "/console/deliveries/chargebee/ev_1/replay").await;
    assert!(done.leads_to().ends_with("?done=replayed"), "{done:?}");

    let others = World::with(|_| {}, operated()).await;
    let page = look(&others, ADMIN, "/console/organizations/org_1").await.page(403);
    assert!(page.contains("not one of the operators") && page.contains("name=\"key\""), "{page}");
    assert!(!page.contains("org_1</code>"), "{page}");
    let refused = act(&others, &cookie, "/console/deliveries/chargebee/ev_1/replay").await;
    // The key leads back to the page that has the form.
    let refused = refused.page(403);
    assert!(refused.contains("name=\"next\" value=\"/console/deliveries/chargebee/ev_1\""), "{refused}");
    let page = look(&others, ADMIN, "/console/deliveries?state=dead").await.page(403);
    assert!(page.contains("name=\"next\" value=\"/console/deliveries?state=dead\""), "{page}");
    let key = others.key(&[Scope::Admin], None).await;
    others.ask(&key, "GET", "/console", "").await.problem(403, "person_required");
}

#[tokio::test]
async fn nothing_is_done_from_elsewhere() {
    let config = operated();
    let world = World::with(|settings| settings.allowed_origins = vec![OTHER.into()], config).await;
    let cookie = cookie_of(&log_in(&world, OPERATOR, "").await);
    deliver(&world, "ev_1", "Acme").await;
    give_up(&world, "ev_1", "away").await;
    let paths = [
        "/console/deliveries/chargebee/ev_1/replay",
        "/console/organizations/org_1/refresh",
        "/console/deliveries/replay",
        "/console/logout",
        "/console/login",
    ];
    for path in paths {
        for origin in [None, Some("null"), Some("https://evil.example"), Some(OTHER), Some("http://app.example.com")] {
            let answer = send_form(&world, path, &cookie, origin, format!("key={OPERATOR}")).await;
            assert!(answer.header("set-cookie").is_none());
            assert!(answer.page(403).contains("pages of this site"), "{path} {origin:?}");
        }
    }
    let row = world.engine.delivery(&"chargebee".into(), &"ev_1".into()).await.unwrap().unwrap();
    assert_eq!(row.state, inbox::InboxState::Dead);
    // Nor is anything read from another site, also one that may call the API.
    let read = plain("GET", "/console").header("cookie", &cookie).header("origin", OTHER);
    world.send(read.body(Body::empty()).unwrap()).await.problem(403, "csrf");
    // A form that is sent when the cookie is over leads back to its page.
    let over = act(&world, "", "/console/deliveries/chargebee/ev_1/replay").await;
    assert_eq!(over.leads_to(), "/console/login?next=%2Fconsole%2Fdeliveries%2Fchargebee%2Fev_1");
}

#[tokio::test]
async fn a_delivery_is_read_and_worked_on_again() {
    let (world, cookie) = opened().await;
    assert!(see(&world, &cookie, "/console").await.page(200).contains("No delivery waits, fails or was given up"));
    deliver(&world, "ev_1", HOSTILE).await;
    deliver(&world, "ev_2", "Acme").await;
    give_up(&world, "ev_1", HOSTILE).await;
    let home = see(&world, &cookie, "/console").await.page(200);
    assert!(home.contains("/console/deliveries?state=dead&#38;source=chargebee\">1 dead"), "{home}");
    assert!(home.contains("<b>1</b> <span>Deliveries given up"), "{home}");
    let list = see(&world, &cookie, "/console/deliveries?state=dead&source=&subject=").await.page(200);
    assert!(list.contains("Work on all that were given up again"), "{list}");
    assert!(list.contains("ev_1") && !list.contains("ev_2") && !list.contains("<script"), "{list}");
    let path = "/console/deliveries/chargebee/ev_1";
    assert!(list.contains(path), "{list}");
    let page = see(&world, &cookie, path).await.page(200);
    for harmless in ["&#60;script&#62;", "&#60;/pre&#62;", "Work on it again", "once"] {
        assert!(page.contains(harmless), "{harmless}: {page}");
    }
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");

    let done = act(&world, &cookie, &format!("{path}/replay")).await;
    assert_eq!(done.leads_to(), format!("{path}?done=replayed"));
    let page = see(&world, &cookie, done.leads_to()).await.page(200);
    assert!(page.contains("It is worked on again") && page.contains("Work on it now"), "{page}");
    // What became of it before is told no more.
    assert!(page.contains("Nothing yet.") && !page.contains("Why the last try failed"), "{page}");
    // What waits is hurried.
    let again = act(&world, &cookie, &format!("{path}/replay")).await;
    assert_eq!(again.leads_to(), format!("{path}?done=replayed"));
    see(&world, &cookie, "/console/deliveries/chargebee/ev_9").await.page(404);
    assert_eq!(act(&world, &cookie, "/console/deliveries/chargebee/ev_9/replay").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn all_that_was_given_up_is_worked_on_again_by_sender() {
    let (world, cookie) = opened().await;
    for event in ["ev_1", "ev_2", "ev_3"] {
        deliver(&world, event, "Acme").await;
    }
    give_up(&world, "ev_1", "away").await;
    give_up(&world, "ev_2", "away").await;
    let all = async |source: &str| {
        let sent = send_form(&world, "/console/deliveries/replay", &cookie, Some(APP), format!("source={source}"));
        sent.await.leads_to().to_owned()
    };
    assert_eq!(all("scalekit").await, "/console/deliveries?source=scalekit&again=0");
    let states = async || {
        let counts = world.engine.delivery_counts().await.unwrap();
        counts.into_iter().map(|(_, state, count)| (state.as_str(), count)).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [("dead", 2), ("pending", 1)]);
    assert_eq!(all("chargebee").await, "/console/deliveries?source=chargebee&again=2");
    assert_eq!(states().await, [("pending", 3)]);
    give_up(&world, "ev_3", "away").await;
    let told = all("").await;
    assert_eq!(told, "/console/deliveries?again=1");
    assert!(see(&world, &cookie, &told).await.page(200).contains("One delivery is worked on again."));
    assert!(see(&world, &cookie, "/console/effects").await.page(200).contains("Everything that was tried was told."));
}

#[tokio::test]
async fn deliveries_are_shown_page_by_page() {
    let (world, cookie) = opened().await;
    for number in 0..60 {
        deliver(&world, &format!("ev_{number}"), "Acme").await;
    }
    let first = see(&world, &cookie, "/console/deliveries?source=chargebee").await.page(200);
    assert_eq!(first.matches("<tr><td class=\"when\">").count(), 50);
    let older = first.split("href=\"").find(|rest| rest.contains("before=")).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&");
    assert!(older.starts_with("/console/deliveries?source=chargebee&before="), "{older}");
    let second = see(&world, &cookie, &older).await.page(200);
    assert!(second.contains("href=\"/console/deliveries?source=chargebee\">Newest"), "{second}");
    see(&world, &cookie, "/console/deliveries?before=yesterday").await.page(400);
    see(&world, &cookie, "/console/deliveries?state=DEAD").await.page(400);
    assert!(
        see(&world, &cookie, "/console/deliveries?subject=nobody").await.page(200).contains("No delivery is like that")
    );
}

#[tokio::test]
async fn an_organization_is_found_and_tells_its_story() {
    let (world, cookie) = opened().await;
    let name = json!({ "displayName": HOSTILE, "externalId": "acme-17" }).to_string();
    world.operate("PUT", "/admin/api/organizations/org_1", &name).await;
    world.operate("PUT", "/admin/api/organizations/org_1/members/usr_9", r#"{"email":"Eve@Acme.test"}"#).await;
    world.operate("PUT", "/admin/api/organizations/org_2", r#"{"displayName":"Second"}"#).await;
    let row = world.subscribe(r#"{"plan":"growth"}"#).await;
    for query in ["org_1", "acme", "eve%40acme.test", "%3C%2FPRE%3E%3Cscript", "%3Cscript&anywhere=true", &row] {
        let page = see(&world, &cookie, &format!("/console?query={query}")).await.page(200);
        assert!(page.contains("/console/organizations/org_1") && !page.contains("org_2"), "{query}: {page}");
        assert!(!page.contains("<script"), "{query}: {page}");
    }
    let page = see(&world, &cookie, "/console?query=%22%3E%3Cscript%3E%00nobody").await.page(200);
    assert!(page.contains("Nothing is called that") && !page.contains("<script"), "{page}");
    // What is not found at the beginning of a name is one link away.
    let page = see(&world, &cookie, "/console?query=%3Cscript").await.page(200);
    assert!(page.contains("href=\"/console?query=%3Cscript&#38;anywhere=true\">Look at every part"), "{page}");
    let page = see(&world, &cookie, "/console?query=nobody&anywhere=true").await.page(200);
    assert!(page.contains("no name has it anywhere in") && !page.contains("Look at every part"), "{page}");
    see(&world, &cookie, "/console?query=a&anywhere=perhaps").await.page(400);
    let page = see(&world, &cookie, "/console").await.page(200);
    assert!(page.contains("Second") && !page.contains("Look at every part"), "{page}");

    let page = see(&world, &cookie, "/console/organizations/org_1").await.page(200);
    for told in [
        "acme-17",
        "eve@acme.test",
        "GROWTH",
        "growth-plan-monthly",
        "<del>future</del>",
        "<ins>active</ins>",
        "subscription.completed",
        "operator: key operator",
        "Its subscription renews.",
        "No difference is written down.",
        &row,
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<script") && page.contains("&#60;script"), "{page}");
    see(&world, &cookie, "/console/organizations/org_9").await.page(404);
    // Nobody is led there by a delivery.
    for (id, known) in [("org_1", true), ("org_9", false)] {
        let whose = world.engine.whose(&"scalekit".into(), &Subject::Organization(id.into())).await.unwrap();
        assert_eq!(whose.is_some(), known);
    }

    let done = act(&world, &cookie, "/console/organizations/org_1/refresh").await;
    assert!(done.leads_to().starts_with("/console/organizations/org_1?job="), "{done:?}");
    let page = see(&world, &cookie, done.leads_to()).await.page(200);
    assert!(page.contains("role=\"status\">It was compared with the provider: nothing differs."), "{page}");
    // What came of it is told on its own page alone, as long as it is known.
    let elsewhere = done.leads_to().replace("org_1", "org_2");
    for lost in [&elsewhere, "/console/organizations/org_1?job=unknown"] {
        assert!(see(&world, &cookie, lost).await.page(200).contains("is not known to this process any more"), "{lost}");
    }
    assert_eq!(act(&world, &cookie, "/console/organizations/org_9/refresh").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn older_decisions_are_offered_where_there_are_some() {
    let (world, cookie) = opened().await;
    let rename = async |number: i32| {
        let name = json!({ "displayName": format!("Acme {number}") }).to_string();
        world.operate("PUT", "/admin/api/organizations/org_1", &name).await;
    };
    for number in 1..=25 {
        rename(number).await;
    }
    let page = see(&world, &cookie, "/console/organizations/org_1").await.page(200);
    assert_eq!((page.matches("<li id=\"decision-").count(), page.contains("Older decisions")), (25, false), "{page}");
    rename(26).await;
    let page = see(&world, &cookie, "/console/organizations/org_1").await.page(200);
    assert!(page.contains("?before=2#history\">Older decisions") && !page.contains("Newest decisions"), "{page}");
    let page = see(&world, &cookie, "/console/organizations/org_1?before=2").await.page(200);
    assert!(page.contains("id=\"decision-1\"") && !page.contains("id=\"decision-2\""), "{page}");
    assert!(page.contains("/org_1#history\">Newest decisions") && !page.contains("Older decisions"), "{page}");
}

#[tokio::test]
async fn programs_find_organizations_too() {
    let world = World::with(|_| {}, operated()).await;
    for (id, name) in [("org_1", "Acme"), ("org_2", "Second")] {
        let body = json!({ "displayName": name }).to_string();
        world.operate("PUT", &format!("/admin/api/organizations/{id}"), &body).await;
    }
    let find = async |query: &str| {
        let answer = world.operate("GET", &format!("/admin/api/organizations{query}"), "").await.ok();
        let all = answer["organizations"].as_array().unwrap();
        all.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(find("?query=acme").await, ["org_1"]);
    assert_eq!(find("?query=org_").await, ["org_1", "org_2"]);
    assert_eq!(find("?query=org_&limit=1").await, ["org_1"]);
    assert_eq!(find("?query=nobody").await, [""; 0]);
    assert_eq!(find("?query=cme").await, [""; 0]);
    assert_eq!(find("?query=cme&anywhere=true").await, ["org_1"]);
    world.operate("GET", "/admin/api/organizations?query=a&anywhere=1", "").await.problem(400, "invalid_type");
    assert_eq!(find("").await.len(), 2);
    world.operate("GET", "/admin/api/organizations?query=", "").await.problem(400, "invalid_text");
    let nobody = plain("GET", "/admin/api/organizations").body(Body::empty()).unwrap();
    world.send(nobody).await.problem(401, "unauthenticated");
}

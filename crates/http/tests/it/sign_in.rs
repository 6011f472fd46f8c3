//! Signing in and out: what is taken from whom, and which cookies come of it.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{body::Body, extract::ConnectInfo};
use http::Request;
use tollkeeper::ports::ErrorKind;
use tollkeeper_http::{Config, Rate};

use crate::{
    fakes::{PlayedIdentity, PlayedSignIn},
    world::{APP, Answer, OTHER, World, limited, plain},
};

const SESSION: &str = "__Host-scalekit_session";
const FLOW: &str = "__Host-scalekit_session_flow";

impl World {
    fn signing(&self) -> &PlayedSignIn {
        self.identity.signing.as_ref().unwrap()
    }

    /// Asks as a browser that has these cookies.
    async fn browse(&self, method: &str, path: &str, cookies: &str, origin: Option<&str>) -> Answer {
        let mut request = plain(method, path).header("cookie", cookies);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Leaves; answers the address to come back to, and the cookie.
    async fn leave(&self) -> (String, String) {
        let begun = self.browse("GET", "/auth/login", "", None).await;
        (back(&begun), cookie(&begun, FLOW))
    }

    /// Signs in; answers the session cookie.
    pub(crate) async fn sign_in(&self) -> String {
        let (back, flow) = self.leave().await;
        cookie(&self.browse("GET", &back, &flow, None).await, SESSION)
    }
}

/// The lines that set cookies, by name.
fn cookies(answer: &Answer) -> BTreeMap<String, String> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    lines.map(|line| (line.split_once('=').unwrap().0.to_owned(), line.to_owned())).collect()
}

/// A cookie as the browser sends it.
fn cookie(answer: &Answer, name: &str) -> String {
    let lines = cookies(answer);
    let line = lines.get(name).unwrap_or_else(|| panic!("{name} is not among {lines:?}"));
    line.split(';').next().unwrap().to_owned()
}

/// What the provider's page leads back to when somebody has signed in there.
fn back(begun: &Answer) -> String {
    let place = begun.header("location").unwrap_or_else(|| panic!("{begun:?}"));
    let (state, rest) = place.split_once("state=").unwrap().1.split_once("&code=").unwrap();
    format!("/auth/callback?code={}&state={state}", rest.split('&').next().unwrap())
}

#[tokio::test]
async fn a_browser_leaves_and_comes_back_with_a_session() {
    let world = World::new().await;
    let begun = world.browse("GET", "/auth/login?next=%2Fbilling%3Fplan%3Dgrowth", "", None).await;
    assert_eq!(begun.status, 303);
    let place = begun.header("location").unwrap();
    assert!(
        place.starts_with("https://id.example.com/authorize?state=")
            && place.ends_with(&format!("&redirect_uri={APP}/auth/callback")),
        "{place}"
    );
    let flow = cookies(&begun)[FLOW].clone();
    assert!(flow.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{flow}");
    assert_eq!(begun.header("cache-control"), Some("no-store"));

    let returned = world.browse("GET", &back(&begun), &cookie(&begun, FLOW), None).await;
    assert_eq!(
        (returned.status.as_u16(), returned.header("location")),
        (303, Some(&*format!("{APP}/billing?plan=growth")))
    );
    let set = cookies(&returned);
    assert_eq!(set[FLOW], format!("{FLOW}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"));
    assert!(set[SESSION].ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"), "{set:?}");
    assert!(set[SESSION].len() < 300, "{}", set[SESSION].len());
    assert_eq!(set.len(), 2);

    let session = cookie(&returned, SESSION);
    let who = world.browse("GET", "/api/session", &session, None).await;
    assert_eq!((&who.ok()["userId"], &who.ok()["organizationId"]), (&"usr_1".into(), &"org_1".into()));
    assert!(cookies(&who).is_empty());
    // Somebody else's session may have been put under a name that any site of the domain can set.
    let moved = session.replace(SESSION, "scalekit_session");
    world.browse("GET", "/api/session", &moved, None).await.problem(401, "unauthenticated");
    let broken = format!("{}x", &session[..session.len() - 1]);
    world.browse("GET", "/api/session", &broken, None).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn both_spellings_may_carry_an_access_token() {
    let world = World::new().await;
    for name in ["scalekit_session", SESSION] {
        world.browse("GET", "/api/session", &format!("{name}=admin:org_1"), None).await.ok();
    }
    let both = format!("scalekit_session=member:org_2; {SESSION}=admin:org_1");
    assert_eq!(world.browse("GET", "/api/session", &both, None).await.ok()["organizationId"], "org_1");
}

#[tokio::test]
async fn without_https_cookies_have_their_plain_names() {
    let config = Config { session_cookie: "mine".into(), ..Config::default() };
    let world = World::with(|settings| settings.app_url = "http://127.0.0.1:3000".into(), config).await;
    let begun = world.browse("GET", "/auth/login", "", None).await;
    assert!(!cookies(&begun)["mine_flow"].contains("Secure"), "{begun:?}");
    let returned = world.browse("GET", &back(&begun), &cookie(&begun, "mine_flow"), None).await;
    assert_eq!(returned.header("location"), Some("http://127.0.0.1:3000/billing"));
    let session = cookie(&returned, "mine");
    world.browse("GET", "/api/session", &session, None).await.ok();
    let out = world.browse("POST", "/auth/logout", &session, Some("http://127.0.0.1:3000")).await;
    assert_eq!(cookies(&out).into_keys().collect::<Vec<_>>(), ["mine"]);
}

#[tokio::test]
async fn a_name_that_no_cookie_can_have_is_not_taken() {
    for name in ["a\nb", "", "a;b", "a=b", "__Host-mine", "ä"] {
        let world = World::with(|_| {}, Config { session_cookie: name.into(), ..Config::default() }).await;
        let session = world.sign_in().await;
        world.browse("GET", "/api/session", &session, None).await.ok();
    }
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let world = World::new().await;
    for next in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2F%09%2Fevil.example",
        "%2F%252Fevil.example",
        "javascript%3Aalert(1)",
        "billing",
    ] {
        let refused = world.browse("GET", &format!("/auth/login?next={next}"), "", None).await;
        assert_eq!(refused.problem(400, "invalid_redirect")["field"], "next", "{next}");
        assert!(cookies(&refused).is_empty());
    }
    let nothing = world.browse("GET", "/auth/login?next=", "", None).await;
    assert_eq!(nothing.status, 303);
}

#[tokio::test]
async fn what_the_provider_shall_show_is_passed_on() {
    let world = World::new().await;
    let begun = world.browse("GET", "/auth/login?organizationId=org_2&prompt=select_account", "", None).await;
    assert!(begun.header("location").unwrap().ends_with("&organization_id=org_2&prompt=select_account"), "{begun:?}");
    for (query, field) in [("prompt=none", "prompt"), ("prompt=", "prompt"), ("organizationId=", "organizationId")] {
        let refused = world.browse("GET", &format!("/auth/login?{query}"), "", None).await;
        assert_eq!(
            refused.problem(400, if field == "prompt" { "invalid_value" } else { "invalid_text" })["field"],
            field
        );
    }
}

#[tokio::test]
async fn nothing_is_believed_before_the_state_is_right() {
    let world = World::new().await;
    let ((good, flow), (other, other_flow)) = (world.leave().await, world.leave().await);
    let state = good.split_once("&state=").unwrap().1;
    let cases = [
        (good.clone(), String::new()),
        (good.clone(), other_flow.clone()),
        (good.clone(), format!("{FLOW}=")),
        (good.clone(), flow.replace(FLOW, "scalekit_session_flow")),
        (good.clone(), format!("{SESSION}=tk1.AAAA")),
        (other.clone(), flow.clone()),
        (good.split_once("&state=").unwrap().0.to_owned(), flow.clone()),
        (good.replace(state, ""), flow.clone()),
        (format!("{good}x"), flow.clone()),
        // Whoever can make a browser come here can write anything into the address.
        ("/auth/callback?error=access_denied".to_owned(), flow.clone()),
        (format!("/auth/callback?error=access_denied&state={state}x"), flow.clone()),
        ("/auth/callback".to_owned(), flow.clone()),
    ];
    for (address, cookies_sent) in cases {
        let refused = world.browse("GET", &address, &cookies_sent, None).await;
        refused.problem(400, "sign_in_lost");
        assert!(cookies(&refused).is_empty(), "the sign-in of this browser goes on: {address}");
    }
    assert_eq!(world.signing().asked(), 0);
    // It does.
    assert_eq!(world.browse("GET", &good, &flow, None).await.status, 303);
    world.clock.advance(600);
    world.browse("GET", &other, &other_flow, None).await.problem(400, "sign_in_lost");
}

#[tokio::test]
async fn whoever_has_signed_in_meanwhile_is_led_on() {
    let world = World::new().await;
    let ((first, _), (second, flow)) = (world.leave().await, world.leave().await);
    // Both tabs of a browser have one cookie, that of the second.
    world.browse("GET", &first, &flow, None).await.problem(400, "sign_in_lost");
    let session = cookie(&world.browse("GET", &second, &flow, None).await, SESSION);
    let asked = world.signing().asked();
    // The first one, and a reload of the second.
    for address in [&first, &second] {
        let led = world.browse("GET", address, &session, None).await;
        assert_eq!((led.status.as_u16(), led.header("location")), (303, Some(&*format!("{APP}/billing"))), "{address}");
        assert!(cookies(&led).is_empty());
    }
    assert_eq!(world.signing().asked(), asked);
    world.browse("POST", "/auth/logout", &session, Some(APP)).await;
    world.browse("GET", &second, &session, None).await.problem(400, "sign_in_lost");
}

#[tokio::test]
async fn a_sign_in_that_came_to_nothing_is_over() {
    let world = World::new().await;
    for (query, status, code) in [
        ("", 400, "sign_in_lost"),
        ("code=&", 400, "sign_in_lost"),
        ("code=wrong&", 400, "sign_in_refused"),
        ("error=access_denied&", 403, "sign_in_declined"),
        ("error=access_denied&code=CODE&", 403, "sign_in_declined"),
        ("error=server_error&error_description=%3Cb%3Ebuy%20this%3C%2Fb%3E&", 502, "sign_in_failed"),
        ("error=%3Cscript%3E&", 502, "sign_in_failed"),
        ("error=&", 502, "sign_in_failed"),
    ] {
        let (good, flow) = world.leave().await;
        let (code_of, state) = good.strip_prefix("/auth/callback?code=").unwrap().split_once("&state=").unwrap();
        let address = format!("/auth/callback?{}state={state}", query.replace("CODE", code_of));
        let refused = world.browse("GET", &address, &flow, None).await;
        let document = refused.problem(status, code).to_string();
        assert!(!document.contains("buy") && !document.contains("script"), "{document}");
        assert_eq!(cookie(&refused, FLOW), format!("{FLOW}="), "{query}");
    }
}

#[tokio::test]
async fn a_code_and_its_flow_are_good_once() {
    let world = World::new().await;
    let (address, flow) = world.leave().await;
    assert_eq!(world.browse("GET", &address, &flow, None).await.status, 303);
    for _ in 0..2 {
        world.browse("GET", &address, &flow, None).await.problem(400, "sign_in_refused");
    }
    assert_eq!(world.signing().asked(), 3);
    // It is not tried for ever.
    world.browse("GET", &address, &flow, None).await.problem(429, "rate_limited");
    assert_eq!(world.signing().asked(), 3);
}

#[tokio::test]
async fn a_provider_that_is_away_can_be_asked_again() {
    let world = World::new().await;
    let (address, flow) = world.leave().await;
    world.signing().fail(Some(ErrorKind::Transient));
    let refused = world.browse("GET", &address, &flow, None).await;
    let document = refused.problem(503, "sign_in_unavailable");
    assert!(!document.to_string().contains("inner reason"));
    assert!(cookies(&refused).is_empty(), "the same address works in a moment");
    world.signing().fail(None);
    assert_eq!(world.browse("GET", &address, &flow, None).await.status, 303);
    world.signing().fail(Some(ErrorKind::Rejected));
    let (address, flow) = world.leave().await;
    world.browse("GET", &address, &flow, None).await.problem(503, "sign_in_failed");
}

#[tokio::test]
async fn whoever_comes_back_with_nothing_again_and_again_has_to_wait() {
    let world = World::with(|_| {}, limited(|limits| limits.sign_ins = Rate { per_minute: 1, burst: 3 })).await;
    let from = async |peer: &str, address: &str, flow: &str| {
        let mut request = Request::builder().uri(address).header("cookie", flow);
        request.extensions_mut().unwrap().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
        world.send(request.body(Body::empty()).unwrap()).await
    };
    let nothing = "/auth/callback?code=x&state=y";
    for _ in 0..3 {
        from("192.0.2.1:1", nothing, "").await.problem(400, "sign_in_lost");
    }
    let refused = from("192.0.2.1:2", nothing, "").await;
    refused.problem(429, "rate_limited");
    assert!(refused.header("retry-after").is_some() && cookies(&refused).is_empty());
    from("192.0.2.2:1", nothing, "").await.problem(400, "sign_in_lost");
    // Somebody else behind the same address signs in.
    for _ in 0..5 {
        let (address, flow) = world.leave().await;
        assert_eq!(from("192.0.2.1:1", &address, &flow).await.status, 303);
    }
}

#[tokio::test]
async fn only_pages_of_ours_sign_somebody_out() {
    let world = World::with(|settings| settings.allowed_origins = vec![OTHER.into()], Config::default()).await;
    let session = world.sign_in().await;
    for origin in [None, Some("null"), Some("https://evil.example"), Some("https://app.example.com.evil.example")] {
        let refused = world.browse("POST", "/auth/logout", &session, origin).await;
        refused.problem(403, "csrf");
        assert!(cookies(&refused).is_empty());
    }
    world.browse("GET", "/auth/logout", &session, Some(APP)).await.problem(405, "method_not_allowed");
    let create = "/api/subscription/create";
    world.browse("POST", create, &session, Some("https://evil.example")).await.problem(403, "csrf");
    world.browse("GET", "/api/session", &session, None).await.ok();

    let out = world.browse("POST", "/auth/logout", &session, Some(APP)).await;
    assert_eq!(out.status, 303);
    assert_eq!(out.header("location"), Some(&*format!("https://id.example.com/logout?to={APP}/")));
    let cleared = cookies(&out);
    assert_eq!(cleared.keys().collect::<Vec<_>>(), [SESSION, "scalekit_session"]);
    assert!(cleared.values().all(|line| line.contains("=; Path=/; Max-Age=0;")), "{cleared:?}");
    let over = world.browse("GET", "/api/session", &session, None).await;
    over.problem(401, "session_expired");
    assert_eq!(over.header("www-authenticate"), Some("Bearer"));
    assert_eq!(cookie(&over, SESSION), format!("{SESSION}="), "a cookie that is of no use is taken away");
    let again = world.browse("POST", "/auth/logout", &session, Some(APP)).await;
    assert_eq!(again.header("location"), out.header("location"), "the provider's own session may be there still");
    for nothing in ["", "scalekit_session=admin:org_1"] {
        let out = world.browse("POST", "/auth/logout", nothing, Some(OTHER)).await;
        assert_eq!((out.status.as_u16(), out.header("location")), (303, Some(&*format!("{APP}/"))), "{nothing}");
    }
}

#[tokio::test]
async fn where_one_goes_from_there_is_configured() {
    let adjust = |settings: &mut tollkeeper::Settings| {
        settings.redirect_uri = Some(format!("{APP}/entry"));
        settings.post_logout_redirect_uri = Some("https://www.example.com/bye".into());
    };
    let world = World::with(adjust, Config::default()).await;
    let begun = world.browse("GET", "/auth/login", "", None).await;
    assert!(begun.header("location").unwrap().ends_with(&format!("&redirect_uri={APP}/entry")));
    let out = world.browse("POST", "/auth/logout", &world.sign_in().await, Some(APP)).await;
    assert_eq!(out.header("location"), Some("https://id.example.com/logout?to=https://www.example.com/bye"));
    let out = world.browse("POST", "/auth/logout", "", Some(APP)).await;
    assert_eq!(out.header("location"), Some("https://www.example.com/bye"));
}

#[tokio::test]
async fn a_session_that_is_used_comes_with_a_new_cookie() {
    let world = World::new().await;
    let session = world.sign_in().await;
    world.clock.advance(3_599);
    assert!(cookies(&world.browse("GET", "/api/session", &session, None).await).is_empty());
    world.clock.advance(1);
    // Also where what was asked for is refused.
    let answer = world.browse("GET", "/api/entitlements?referenceId=org_2", &session, None).await;
    answer.problem(403, "reference_mismatch");
    assert!(cookies(&answer)[SESSION].contains("Max-Age=604800"), "{answer:?}");
    let renewed = cookie(&answer, SESSION);
    assert!(cookies(&world.browse("GET", "/api/session", &renewed, None).await).is_empty());
    world.clock.advance(7 * 86_400);
    world.browse("GET", "/api/session", &renewed, None).await.problem(401, "session_expired");
}

#[tokio::test]
async fn signing_in_anew_ends_the_session_before() {
    let world = World::new().await;
    let before = world.sign_in().await;
    let (address, flow) = world.leave().await;
    let after = cookie(&world.browse("GET", &address, &format!("{flow}; {before}"), None).await, SESSION);
    world.browse("GET", "/api/session", &after, None).await.ok();
    world.browse("GET", "/api/session", &before, None).await.problem(401, "session_expired");
}

#[tokio::test]
async fn where_people_do_not_sign_in_that_is_said() {
    let world = World::behind(PlayedIdentity::default(), |_| {}, Config::default()).await;
    let document = world.browse("GET", "/auth/login", "", None).await.problem(404, "no_sign_in");
    assert!(document["error"].as_str().unwrap().contains("identity provider"), "{document}");
    world.browse("GET", "/auth/callback?code=x&state=y", "", None).await.problem(400, "sign_in_lost");
    let out = world.browse("POST", "/auth/logout", "", Some(APP)).await;
    assert_eq!(out.header("location"), Some(&*format!("{APP}/")));
}

#[tokio::test]
async fn what_goes_wrong_is_a_page_that_leads_on() {
    let world = World::new().await;
    let (address, flow) = world.leave().await;
    world.signing().fail(Some(ErrorKind::Transient));
    for (path, cookies_sent, status) in [
        ("/auth/callback?code=x&state=y", "", 400),
        (&*address, &*flow, 503),
        ("/auth/login?next=//evil.example", "", 400),
    ] {
        let request = plain("GET", path).header("cookie", cookies_sent).header("accept", "text/html");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{path}");
        let page = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(page.contains(r#"href="/auth/login?next=%2Fbilling""#), "{path}: {page}");
        assert!(!page.contains("evil") && !page.contains("/auth/callback"), "{path}: {page}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert!(answer.header("content-security-policy").unwrap().contains("form-action 'self'"));
    }
    // A form leads to the provider by a page: a browser does not let a redirect behind it go there.
    let request = plain("POST", "/auth/logout").header("cookie", world_session(&world).await);
    let request = request.header("origin", APP).header("accept", "text/html,*/*");
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(cookie(&answer, SESSION), format!("{SESSION}="));
    let page = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(page.contains("https://id.example.com/logout?to="), "{page}");
}

async fn world_session(world: &World) -> String {
    world.signing().fail(None);
    world.sign_in().await
}

//! Signing in and out as a product and a browser do it.

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Response};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::contracts::contract;
use crate::support::{CLIENT_SECRET, Receiver, START, World, answer};

const CALLBACK: &str = "http://127.0.0.1:3000/auth/callback";
/// Source: RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A request that must work, with some parameters replaced (or, where empty, left out).
fn asked(world: &World, changes: &[(&str, &str)]) -> String {
    let mut params = vec![
        ("response_type", "code"),
        ("client_id", "skc_test"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile email offline_access"),
        ("state", "st&te"),
        ("nonce", "n0nce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        params.retain(|(known, _)| known != name);
        if !value.is_empty() {
            params.push((name, value));
        }
    }
    url::Url::parse_with_params(&world.url("/oauth/authorize"), params).unwrap().into()
}

/// What is in the address that a browser is sent to, which must be the callback.
fn returned(url: &str) -> Vec<(String, String)> {
    let url = url::Url::parse(url).unwrap();
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    url.query_pairs().into_owned().collect()
}

fn pair(pairs: &[(String, String)], name: &str) -> String {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn location(response: &Response) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn submit(world: &World, url: &str, form: &[(&str, &str)]) -> Response {
    world.client.post(url).form(form).send().await.unwrap()
}

/// Signs in on the page at `url` and returns the code.
async fn code_of(world: &World, url: &str, email: &str, organization: &str) -> String {
    let body = json!({ "url": url, "email": email, "organizationId": organization });
    let answer = world.done("/sandbox/signin/complete", body).await;
    let pairs = returned(answer["redirectUrl"].as_str().unwrap());
    assert_eq!(pair(&pairs, "state"), "st&te");
    pair(&pairs, "code")
}

async fn token(world: &World, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![("client_id", "skc_test"), ("client_secret", CLIENT_SECRET)];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    answer(world.client.post(world.url("/oauth/token")).form(&form).send().await.unwrap()).await
}

async fn exchange(world: &World, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend_from_slice(changes);
    token(world, &form).await
}

async fn refresh(world: &World, token_of_refresh: &Value) -> (u16, Value) {
    token(world, &[("grant_type", "refresh_token"), ("refresh_token", token_of_refresh.as_str().unwrap())]).await
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn half_hash(text: &Value) -> String {
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, text.as_str().unwrap().as_bytes()).as_ref()[..16])
}

/// A world with the organization Acme, whose administrator is Ada.
async fn acme() -> World {
    let world = World::start().await;
    world
        .done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme", "externalId": "ext_1" }))
        .await;
    world.done("/sandbox/organizations/org_acme/users", json!({ "email": "ada@acme.test" })).await;
    world
}

#[tokio::test]
async fn somebody_known_signs_in_with_one_button() {
    let world = acme().await;
    let url = asked(&world, &[]);
    let page = world.client.get(&url).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("SANDBOX") && text.contains("ada@acme.test"), "{text}");
    let choice = text.split("name=\"as\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let done = submit(&world, &url, &[("as", choice)]).await;
    assert_eq!(done.status(), 303);
    let pairs = returned(&location(&done));
    assert_eq!(pair(&pairs, "state"), "st&te");
    let (status, tokens) = exchange(&world, &pair(&pairs, "code"), &[]).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!((tokens["expires_in"].as_i64(), tokens["token_type"].as_str()), (Some(299), Some("Bearer")));
    assert_eq!(tokens["scope"], "openid profile email offline_access");

    let access = claims(&tokens["access_token"]);
    let id = claims(&tokens["id_token"]);
    assert_eq!((access["oid"].as_str(), access["xoid"].as_str()), (Some("org_acme"), Some("ext_1")));
    assert_eq!((access["roles"].clone(), access["exp"].as_i64()), (json!(["admin"]), Some(START + 300)));
    assert_eq!(access["scope"], tokens["scope"]);
    assert_eq!(access.get("email"), None);
    assert_eq!((id["nonce"].as_str(), id["email"].as_str()), (Some("n0nce"), Some("ada@acme.test")));
    assert_eq!((id["sub"].clone(), id["sid"].clone()), (access["sub"].clone(), access["sid"].clone()));
    assert_eq!(id["at_hash"], half_hash(&tokens["access_token"]));
    assert_eq!(id["c_hash"], half_hash(&pair(&pairs, "code").into()));
    if let Some(recorded) = contract("scalekit/token-claims.json") {
        let optional = ["xuid", "picture", "locale", "family_name"];
        for (ours, kind) in [(&access, "access_token_user_session"), (&id, "id_token")] {
            for (name, _) in recorded[kind]["payload"].as_object().unwrap() {
                assert!(ours.get(name).is_some() || optional.contains(&name.as_str()), "{kind} has no {name}");
            }
        }
    }
}

#[tokio::test]
async fn somebody_new_makes_an_organization_and_others_join() {
    let world = World::start().await;
    let url = asked(&world, &[]);
    let form = [("email", " bea@new.test "), ("organization", "new"), ("name", "New & Co")];
    let done = submit(&world, &url, &form).await;
    assert_eq!(done.status(), 303);
    let (_, tokens) = exchange(&world, &pair(&returned(&location(&done)), "code"), &[]).await;
    let first = claims(&tokens["access_token"]);
    assert_eq!(first["roles"], json!(["admin"]));
    let organization = first["oid"].as_str().unwrap();
    for kind in ["organization.created", "user.organization_membership_created", "user.signup", "user.login"] {
        let notice = world.receiver.notice(kind).await.json();
        assert_eq!(notice["organization_id"], organization, "{kind}");
        if let Some(recorded) = contract(&format!("scalekit/payloads/{kind}.json")) {
            assert_eq!(notice["object"], recorded["object"]);
            let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
            assert_eq!(names(&notice["data"]), names(&recorded["data"]), "{kind}");
            let mut session = recorded["data"]["user_session"].clone();
            if let Some(session) = session.as_object_mut() {
                // What the browser is, the sandbox leaves out.
                session.remove("device");
                assert_eq!(names(&notice["data"]["user_session"]), session.keys().cloned().collect::<Vec<_>>());
                assert_eq!(names(&notice["data"]["user"]), names(&recorded["data"]["user"]));
            }
        }
    }
    let code = code_of(&world, &url, "carl@new.test", organization).await;
    let (_, tokens) = exchange(&world, &code, &[]).await;
    assert_eq!(claims(&tokens["access_token"])["roles"], json!(["member"]));

    // No organization at all is a choice too; nobody is told of it.
    let done = submit(&world, &url, &[("email", "solo@else.test"), ("organization", "")]).await;
    let (_, tokens) = exchange(&world, &pair(&returned(&location(&done)), "code"), &[]).await;
    assert_eq!(claims(&tokens["access_token"]).get("oid"), None);

    // The name is text, wherever it is shown.
    let text = world.client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("New &amp; Co") && !text.contains("New & Co"));
}

#[tokio::test]
async fn what_was_wrong_is_said_on_the_page_and_nothing_is_made() {
    let world = World::start().await;
    let url = asked(&world, &[]);
    let wrong = [
        [("email", "\"><script>"), ("organization", "new"), ("name", "Acme")],
        [("email", "a@b.test"), ("organization", "new"), ("name", "  ")],
        [("email", "a@b.test"), ("organization", "org_no"), ("name", "")],
        [("as", "usr_no org_no"), ("email", ""), ("name", "")],
    ];
    for form in wrong {
        let page = submit(&world, &url, &form).await;
        assert_eq!(page.status(), 400, "{form:?}");
        let text = page.text().await.unwrap();
        assert!(text.contains("role=\"alert\"") && !text.contains("<script"), "{text}");
    }
    assert_eq!(world.get("/sandbox/truth").await["organizations"], json!([]));
}

#[tokio::test]
async fn the_person_may_cancel() {
    let world = acme().await;
    let url = asked(&world, &[]);
    let done = submit(&world, &url, &[("action", "cancel")]).await;
    assert_eq!(done.status(), 303);
    let pairs = returned(&location(&done));
    assert_eq!((pair(&pairs, "error"), pair(&pairs, "state")), ("access_denied".into(), "st&te".into()));
    let same = world.done("/sandbox/signin/complete", json!({ "url": url, "cancel": true })).await;
    assert_eq!(same["redirectUrl"].as_str().unwrap(), location(&done));
}

#[tokio::test]
async fn who_cannot_be_known_is_never_redirected() {
    let world = acme().await;
    for (name, value) in [
        ("client_id", ""),
        ("client_id", "skc_other"),
        ("redirect_uri", ""),
        ("redirect_uri", "nonsense"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", "https://evil.test/callback"),
        ("redirect_uri", "http://127.0.0.1@evil.test/callback"),
        ("redirect_uri", "http://127.0.0.1:3000/#fragment"),
    ] {
        let url = asked(&world, &[(name, value)]);
        for page in [world.client.get(&url).send().await.unwrap(), submit(&world, &url, &[("email", "a@b.test")]).await]
        {
            assert_eq!(page.status(), 400, "{name} {value}");
            assert!(!page.headers().contains_key("location"), "{name} {value}");
        }
        let body = json!({ "url": url, "email": "ada@acme.test" });
        assert_eq!(world.control(Method::POST, "/sandbox/signin/complete", body).await.0, 400, "{name} {value}");
    }
    let twice = asked(&world, &[]) + "&redirect_uri=https%3A%2F%2Fevil.test";
    assert_eq!(world.client.get(twice).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_product_elsewhere_is_known_by_its_webhooks() {
    let world = World::without_webhooks(Receiver::default()).await;
    let elsewhere = asked(&world, &[("redirect_uri", "https://app.test/auth/callback")]);
    assert_eq!(world.client.get(&elsewhere).send().await.unwrap().status(), 400);
    world.sandbox.set_webhooks(tollkeeper_sandbox::Webhooks {
        chargebee: Some("https://app.test/api/webhooks/chargebee".into()),
        ..Default::default()
    });
    assert_eq!(world.client.get(&elsewhere).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn other_mistakes_are_told_to_the_product() {
    let world = acme().await;
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("prompt", "none", "login_required"),
        ("organization_id", "org_no", "invalid_request"),
    ] {
        let back = world.client.get(asked(&world, &[(name, value)])).send().await.unwrap();
        assert_eq!(back.status(), 303, "{name} {value}");
        let pairs = returned(&location(&back));
        assert_eq!((pair(&pairs, "error"), pair(&pairs, "state")), (error.into(), "st&te".into()), "{name} {value}");
        assert_eq!(pair(&pairs, "code"), "");
    }
}

#[tokio::test]
async fn a_request_may_name_the_organization_and_the_person() {
    let world = acme().await;
    world.done("/sandbox/organizations", json!({ "displayName": "Other", "id": "org_other" })).await;
    world.done("/sandbox/organizations/org_other/users", json!({ "email": "ada@acme.test" })).await;
    let text = async |changes: &[(&str, &str)]| {
        world.client.get(asked(&world, changes)).send().await.unwrap().text().await.unwrap()
    };
    let both = text(&[]).await;
    assert!(both.contains("Acme") && both.contains("Other"));
    let one = text(&[("organization_id", "org_other"), ("login_hint", "zoe@other.test")]).await;
    assert!(!one.contains("Acme") && one.contains("value=\"zoe@other.test\""), "{one}");
    // The form cannot lead elsewhere.
    let url = asked(&world, &[("organization_id", "org_other")]);
    let done = submit(&world, &url, &[("email", "zoe@other.test"), ("organization", "org_acme")]).await;
    let (_, tokens) = exchange(&world, &pair(&returned(&location(&done)), "code"), &[]).await;
    assert_eq!(claims(&tokens["access_token"])["oid"], "org_other");
}

#[tokio::test]
async fn a_code_is_good_once_for_ten_minutes_and_for_its_request() {
    let world = acme().await;
    let url = asked(&world, &[]);
    let fresh = async || code_of(&world, &url, "ada@acme.test", "org_acme").await;
    let refused = |(status, body): (u16, Value)| {
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "{body}");
    };
    let code = fresh().await;
    for change in [
        ("redirect_uri", "http://127.0.0.1:3000/other"),
        ("redirect_uri", ""),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"),
        ("code_verifier", ""),
        ("code_verifier", CHALLENGE),
        ("code", "unknown"),
    ] {
        refused(exchange(&world, &code, &[change]).await);
    }
    for change in [("client_secret", "wrong"), ("client_secret", ""), ("client_id", "skc_other")] {
        let (status, body) = exchange(&world, &code, &[change]).await;
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{change:?}");
    }
    assert_eq!(exchange(&world, &code, &[("code", "")]).await.1["error"], "invalid_request");

    // None of that has spent it; the second use does more than to be refused.
    let (_, tokens) = exchange(&world, &code, &[]).await;
    let (_, renewed) = refresh(&world, &tokens["refresh_token"]).await;
    refused(exchange(&world, &code, &[]).await);
    refused(refresh(&world, &renewed["refresh_token"]).await);

    // A verifier that nobody was told to expect.
    let without = asked(&world, &[("code_challenge", ""), ("code_challenge_method", "")]);
    let code = code_of(&world, &without, "ada@acme.test", "org_acme").await;
    refused(exchange(&world, &code, &[]).await);
    assert_eq!(exchange(&world, &code, &[("code_verifier", "")]).await.0, 200);

    let (late, in_time) = (fresh().await, fresh().await);
    world.machine.fetch_add(599 * 1_000_000, Ordering::SeqCst);
    assert_eq!(exchange(&world, &in_time, &[]).await.0, 200);
    world.machine.fetch_add(1_000_000, Ordering::SeqCst);
    refused(exchange(&world, &late, &[]).await);

    // Business time has no part in it.
    let code = fresh().await;
    world.advance(86_400).await;
    assert_eq!(exchange(&world, &code, &[]).await.0, 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let world = acme().await;
    let code = code_of(&world, &asked(&world, &[]), "ada@acme.test", "org_acme").await;
    let (_, first) = exchange(&world, &code, &[]).await;
    world.done("/sandbox/organizations/org_acme/users", json!({ "email": "ada@acme.test", "roles": ["owner"] })).await;
    let (status, second) = refresh(&world, &first["refresh_token"]).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    let (before, after) = (claims(&first["access_token"]), claims(&second["access_token"]));
    assert_eq!((&before["sid"], &before["oid"]), (&after["sid"], &after["oid"]));
    assert_eq!(after["roles"], json!(["owner"]));
    let id = claims(&second["id_token"]);
    assert_eq!((id.get("nonce"), id.get("c_hash")), (None, None));

    let (status, replayed) = refresh(&world, &first["refresh_token"]).await;
    assert_eq!((status, replayed["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(refresh(&world, &second["refresh_token"]).await.0, 400);
    assert_eq!(token(&world, &[("grant_type", "refresh_token")]).await.1["error"], "invalid_request");
}

#[tokio::test]
async fn a_session_ends_by_itself_and_with_the_membership() {
    let world = acme().await;
    let begin = async || {
        let code = code_of(&world, &asked(&world, &[]), "ada@acme.test", "org_acme").await;
        exchange(&world, &code, &[]).await.1
    };
    let day = 86_400 * 1_000_000;
    let mut kept = begin().await["refresh_token"].clone();
    let idle = begin().await["refresh_token"].clone();
    for _ in 0..4 {
        world.machine.fetch_add(7 * day - 1_000_000, Ordering::SeqCst);
        let (status, tokens) = refresh(&world, &kept).await;
        assert_eq!(status, 200);
        kept = tokens["refresh_token"].clone();
    }
    assert_eq!(refresh(&world, &idle).await.0, 400);
    world.machine.fetch_add(3 * day, Ordering::SeqCst);
    assert_eq!(refresh(&world, &kept).await.0, 400);

    let tokens = begin().await;
    let path =
        format!("/sandbox/organizations/org_acme/users/{}", claims(&tokens["id_token"])["sub"].as_str().unwrap());
    world.control(Method::DELETE, &path, Value::Null).await;
    assert_eq!(refresh(&world, &tokens["refresh_token"]).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_given() {
    let world = acme().await;
    let code = code_of(&world, &asked(&world, &[("scope", "")]), "ada@acme.test", "org_acme").await;
    let (_, tokens) = exchange(&world, &code, &[]).await;
    assert_eq!((tokens.get("refresh_token"), tokens["scope"].as_str()), (None, Some("openid profile email")));
    let code = code_of(&world, &asked(&world, &[("scope", "offline_access")]), "ada@acme.test", "org_acme").await;
    let (_, tokens) = exchange(&world, &code, &[]).await;
    assert!(tokens.get("id_token").is_none() && tokens["refresh_token"].is_string());
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let world = acme().await;
    let begin = async || {
        let code = code_of(&world, &asked(&world, &[]), "ada@acme.test", "org_acme").await;
        exchange(&world, &code, &[]).await.1
    };
    let leave = async |params: &[(&str, &str)]| {
        let url = url::Url::parse_with_params(&world.url("/oidc/logout"), params).unwrap();
        world.client.get(url).send().await.unwrap()
    };
    let tokens = begin().await;
    let hint = tokens["id_token"].as_str().unwrap();
    // It may be old by now.
    world.machine.fetch_add(86_400 * 1_000_000, Ordering::SeqCst);
    let out =
        leave(&[("id_token_hint", hint), ("post_logout_redirect_uri", "http://localhost:3000/?a=b"), ("state", "s")])
            .await;
    assert_eq!((out.status().as_u16(), location(&out).as_str()), (303, "http://localhost:3000/?a=b&state=s"));
    assert_eq!(refresh(&world, &tokens["refresh_token"]).await.1["error"], "invalid_grant");
    let notice = world.receiver.notice("user.logout").await.json();
    assert_eq!(notice["data"]["user_session"]["session_id"], claims(&tokens["id_token"])["sid"]);
    assert_eq!(notice["data"]["user_session"]["status"], "LOGGED_OUT");

    let tokens = begin().await;
    let hint = tokens["id_token"].as_str().unwrap();
    let unsigned = hint.rsplit_once('.').unwrap().0.to_owned() + ".";
    for params in [
        vec![("id_token_hint", "nonsense")],
        vec![("id_token_hint", unsigned.as_str())],
        vec![("id_token_hint", tokens["access_token"].as_str().unwrap())],
    ] {
        let page = leave(&params).await;
        assert_eq!(page.status(), 400, "{params:?}");
    }
    // Whoever is signed out already is led home, and ends nobody's session.
    let out = leave(&[("post_logout_redirect_uri", "http://localhost:3000/")]).await;
    assert_eq!((out.status().as_u16(), location(&out).as_str()), (303, "http://localhost:3000/"));
    assert_eq!(leave(&[]).await.status(), 200);
    let (status, tokens) = refresh(&world, &tokens["refresh_token"]).await;
    assert_eq!(status, 200);
    let page = leave(&[("id_token_hint", hint), ("post_logout_redirect_uri", "https://evil.test/")]).await;
    assert!(page.status() == 400 && !page.headers().contains_key("location"));
    assert_eq!(refresh(&world, &tokens["refresh_token"]).await.0, 400);
    assert_eq!(leave(&[("id_token_hint", hint)]).await.status(), 200);
    let told = world.get("/sandbox/deliveries?provider=scalekit").await;
    let told = told["deliveries"].as_array().unwrap();
    assert_eq!(told.iter().filter(|row| row["eventType"] == "user.logout").count(), 2);
}

#[tokio::test]
async fn the_control_api_chooses_as_a_person_would() {
    let world = acme().await;
    let url = asked(&world, &[]);
    let complete = async |body: Value| world.control(Method::POST, "/sandbox/signin/complete", body).await;
    let oid = async |body: Value| {
        let (status, answer) = complete(body).await;
        assert_eq!(status, 200, "{answer}");
        let code = pair(&returned(answer["redirectUrl"].as_str().unwrap()), "code");
        claims(&exchange(&world, &code, &[]).await.1["access_token"])["oid"].clone()
    };
    assert_eq!(oid(json!({ "url": url, "email": "ADA@acme.test" })).await, "org_acme");
    assert_eq!(oid(json!({ "url": url, "email": "nobody@else.test" })).await, Value::Null);
    let made = oid(json!({ "url": url, "email": "nobody@else.test", "organizationName": "Made" })).await;
    assert_eq!(oid(json!({ "url": url, "email": "nobody@else.test" })).await, made);
    let fixed = asked(&world, &[("organization_id", "org_acme")]);
    assert_eq!(oid(json!({ "url": fixed, "email": "nobody@else.test" })).await, "org_acme");
    let back = complete(json!({ "url": asked(&world, &[("response_type", "token")]), "email": "a@b.test" })).await;
    assert_eq!(pair(&returned(back.1["redirectUrl"].as_str().unwrap()), "error"), "unsupported_response_type");

    for (body, wanted) in [
        (json!({ "email": "a@b.test" }), 400),
        (json!({ "url": world.url("/"), "email": "a@b.test" }), 400),
        (json!({ "url": url }), 400),
        (json!({ "url": url, "email": "a@b.test", "organizationId": "org_no" }), 404),
        (json!({ "url": url, "email": "a@b.test", "organizationId": "org_acme", "organizationName": "x" }), 400),
        (json!({ "url": url, "email": "a@b.test", "organizationName": "" }), 400),
        (json!({ "url": fixed, "email": "a@b.test", "organizationId": made }), 400),
    ] {
        assert_eq!(complete(body.clone()).await.0, wanted, "{body}");
    }
}

#[tokio::test]
async fn the_log_shows_what_was_asked_without_secrets() {
    let world = acme().await;
    let url = asked(&world, &[]);
    world.client.get(&url).send().await.unwrap();
    let code = code_of(&world, &url, "ada@acme.test", "org_acme").await;
    let (_, tokens) = exchange(&world, &code, &[]).await;
    let (_, renewed) = refresh(&world, &tokens["refresh_token"]).await;
    let hint = renewed["id_token"].as_str().unwrap();
    world.client.get(world.url(&format!("/oidc/logout?id_token_hint={hint}"))).send().await.unwrap();

    let log = world.get("/sandbox/requests?provider=scalekit").await;
    let rows = log["requests"].as_array().unwrap();
    assert_eq!((rows[0]["path"].as_str(), rows[0]["status"].as_i64()), (Some("/oauth/authorize"), Some(200)));
    assert_eq!(rows[0]["query"]["code_challenge"], CHALLENGE);
    assert_eq!(rows[1]["body"]["grant_type"], "authorization_code");
    let text = log.to_string();
    let secrets = [code.as_str(), VERIFIER, CLIENT_SECRET, hint];
    let tokens = [&tokens, &renewed].map(|answer| answer["refresh_token"].as_str().unwrap());
    for secret in secrets.iter().chain(&tokens) {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_reset_forgets_who_was_signed_in() {
    let world = acme().await;
    let code = code_of(&world, &asked(&world, &[]), "ada@acme.test", "org_acme").await;
    let (_, tokens) = exchange(&world, &code, &[]).await;
    world.done("/sandbox/reset", json!({})).await;
    assert_eq!(refresh(&world, &tokens["refresh_token"]).await.1["error"], "invalid_grant");
}

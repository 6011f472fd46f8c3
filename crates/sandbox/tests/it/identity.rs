//! The identity provider: tokens, keys, the REST API.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use crate::contracts::broken_by_scalekit;
use crate::support::*;

fn part(token: &Value, index: usize) -> Value {
    let text = token.as_str().unwrap().split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// Whether the token's signature fits the published key.
async fn verifies(world: &World, token: &Value) -> bool {
    let jwks = world.get("/keys").await;
    let key = &jwks["keys"][0];
    assert_eq!(key["kid"], "snk_tollkeeper_sandbox");
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let (content, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    RsaPublicKeyComponents { n: number("n"), e: number("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, content.as_bytes(), &signature)
        .is_ok()
}

#[tokio::test]
async fn a_token_says_who_and_verifies() {
    let world = World::start().await;
    world
        .done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme", "externalId": "ext_1" }))
        .await;
    // Tokens know machine time only.
    world.advance(86_400).await;
    let tokens = world.done("/sandbox/tokens", json!({ "email": "ada@acme.test", "organizationId": "org_acme" })).await;
    assert!(verifies(&world, &tokens["accessToken"]).await);
    assert!(verifies(&world, &tokens["idToken"]).await);
    assert_eq!(part(&tokens["accessToken"], 0)["kid"], "snk_tollkeeper_sandbox");
    let access = part(&tokens["accessToken"], 1);
    assert_eq!(access["iss"], world.sandbox.url());
    assert_eq!(access["aud"], json!(["skc_test"]));
    assert_eq!(access["sub"], tokens["userId"]);
    assert_eq!((access["oid"].as_str(), access["xoid"].as_str()), (Some("org_acme"), Some("ext_1")));
    assert_eq!((access["iat"].as_i64(), access["exp"].as_i64()), (Some(START), Some(START + 300)));
    assert_eq!(access["roles"], json!(["admin"]));
    assert!(access["sid"].as_str().unwrap().starts_with("ses_"));
    assert_eq!(access.get("email"), None);
    let id = part(&tokens["idToken"], 1);
    assert_eq!((id["email"].as_str(), id["email_verified"].as_bool()), (Some("ada@acme.test"), Some(true)));

    let notice = world.receiver.notice("user.organization_membership_created").await.json();
    assert_eq!(notice["data"]["user"]["id"], tokens["userId"]);
    assert_eq!(notice["data"]["organization"]["id"], "org_acme");
    assert_eq!(notice["object"], "OrgMembership");

    let second = world.done("/sandbox/tokens", json!({ "email": "bob@acme.test", "organizationId": "org_acme" })).await;
    assert_eq!(part(&second["accessToken"], 1)["roles"], json!(["member"]));
    let again = world.done("/sandbox/tokens", json!({ "email": "ADA@acme.test", "organizationId": "org_acme" })).await;
    assert_eq!(again["userId"], tokens["userId"]);
    assert_eq!(part(&again["accessToken"], 1)["roles"], json!(["admin"]));
}

#[tokio::test]
async fn bad_tokens_are_made_on_request() {
    let world = World::start().await;
    world.done("/sandbox/organizations", json!({ "displayName": "Acme", "id": "org_acme" })).await;
    let wish = async |more: Value| {
        let mut body = json!({ "email": "ada@acme.test", "organizationId": "org_acme" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.done("/sandbox/tokens", body).await["accessToken"].clone()
    };
    let foreign = wish(json!({ "signWith": "foreign" })).await;
    assert_eq!(part(&foreign, 0), part(&wish(json!({})).await, 0));
    assert!(!verifies(&world, &foreign).await);
    let unsigned = wish(json!({ "signWith": "none" })).await;
    assert_eq!(part(&unsigned, 0)["alg"], "none");
    assert!(unsigned.as_str().unwrap().ends_with('.'));
    let old = part(&wish(json!({ "ttlSeconds": -10 })).await, 1);
    assert_eq!(old["exp"], START - 10);
    assert!(old["iat"].as_i64() < old["exp"].as_i64());
    let odd =
        part(&wish(json!({ "claims": { "oid": null, "iss": "http://else", "n": [1] }, "roles": ["viewer"] })).await, 1);
    assert_eq!(odd.get("oid"), None);
    assert_eq!((odd["iss"].as_str(), &odd["n"], &odd["roles"]), (Some("http://else"), &json!([1]), &json!(["viewer"])));
    let alone = world.done("/sandbox/tokens", json!({ "email": "solo@else.test" })).await;
    assert_eq!(part(&alone["accessToken"], 1).get("oid"), None);

    let refused = [
        (json!({ "email": "a@b.test", "organizationId": "org_no" }), 404),
        (json!({ "email": "nobody", "organizationId": "org_acme" }), 400),
        (json!({ "organizationId": "org_acme" }), 400),
        (json!({ "email": "a@b.test", "signWith": "x" }), 400),
        (json!({ "email": "a@b.test", "ttlSeconds": "x" }), 400),
        (json!([]), 400),
    ];
    for (body, status) in refused {
        let (got, answer) = world.control(Method::POST, "/sandbox/tokens", body.clone()).await;
        assert_eq!(got, status, "{body}");
        assert!(answer["error"].is_string() && answer["code"].is_string());
    }
}

async fn token(world: &World, form: &[(&str, &str)]) -> (u16, Value) {
    answer(world.client.post(world.url("/oauth/token")).form(form).send().await.unwrap()).await
}

#[tokio::test]
async fn the_management_api_wants_a_bearer() {
    let world = World::start().await;
    let credentials =
        [("grant_type", "client_credentials"), ("client_id", "skc_test"), ("client_secret", CLIENT_SECRET)];
    let (status, granted) = token(&world, &credentials).await;
    assert_eq!(status, 200);
    assert_eq!((granted["token_type"].as_str(), granted["expires_in"].as_i64()), (Some("Bearer"), Some(86_399)));
    let wrong = [("grant_type", "client_credentials"), ("client_id", "skc_test"), ("client_secret", "x")];
    let (status, refused) = token(&world, &wrong).await;
    assert_eq!((status, refused["error"].as_str()), (401, Some("invalid_client")));
    let (status, refused) = token(&world, &[("grant_type", "password")]).await;
    assert_eq!((status, refused["error"].as_str()), (400, Some("unsupported_grant_type")));

    let bearer = granted["access_token"].as_str().unwrap().to_owned();
    let call = async |method: Method, path: &str, bearer: &str, body: Value| {
        let mut request = world.client.request(method.clone(), world.url(path));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let (status, body) = answer(request.send().await.unwrap()).await;
        let found = broken_by_scalekit(&method, path, status, &body);
        assert!(found.is_empty(), "{found:#?}\n{body:#}");
        (status, body)
    };
    for bad in ["", "nonsense"] {
        let (status, body) = call(Method::GET, "/api/v1/organizations", bad, Value::Null).await;
        assert_eq!((status, body["code"].as_i64()), (401, Some(16)));
        assert_eq!(body["details"][0]["error_code"], "UNAUTHENTICATED");
    }
    let body = json!({ "display_name": "Acme", "external_id": "ext_1", "metadata": { "plan": "pro" } });
    let (status, created) = call(Method::POST, "/api/v1/organizations", &bearer, body).await;
    assert_eq!(status, 201);
    let id = created["organization"]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("org_"));
    let path = format!("/api/v1/organizations/{id}");
    let (_, read) = call(Method::GET, &path, &bearer, Value::Null).await;
    assert_eq!(read, created);
    let (_, external) = call(Method::GET, "/api/v1/organizations:external/ext_1", &bearer, Value::Null).await;
    assert_eq!(external, created);
    let (status, changed) =
        call(Method::PATCH, &path, &bearer, json!({ "display_name": "Acme 2", "metadata": { "seats": "3" } })).await;
    assert_eq!(status, 200);
    assert_eq!(changed["organization"]["metadata"], json!({ "seats": "3" }));
    assert!(changed["organization"]["update_time"].as_str() > created["organization"]["update_time"].as_str());
    world.receiver.notice("organization.updated").await;

    let added = world
        .done(&format!("/sandbox{}/users", &path[7..]), json!({ "email": "ada@acme.test", "roles": ["admin"] }))
        .await;
    let (_, users) = call(Method::GET, &format!("{path}/users?page_size=1"), &bearer, Value::Null).await;
    assert_eq!((users["total_size"].as_i64(), &users["users"][0]["id"]), (Some(1), &added["userId"]));
    assert_eq!(users["users"][0]["memberships"][0]["membership_status"], "ACTIVE");
    let user_path = format!("/api/v1/users/{}", added["userId"].as_str().unwrap());
    let (_, user) = call(Method::GET, &user_path, &bearer, Value::Null).await;
    assert_eq!(user["user"]["email"], "ada@acme.test");

    for number in 0..11 {
        world.done("/sandbox/organizations", json!({ "displayName": format!("More {number}") })).await;
    }
    let (_, first) = call(Method::GET, "/api/v1/organizations?page_size=10", &bearer, Value::Null).await;
    assert_eq!((first["total_size"].as_i64(), first["organizations"].as_array().unwrap().len()), (Some(12), 10));
    let next = first["next_page_token"].as_str().unwrap();
    let path_of_next = format!("/api/v1/organizations?page_size=10&page_token={next}");
    let (_, second) = call(Method::GET, &path_of_next, &bearer, Value::Null).await;
    assert_eq!((second["organizations"].as_array().unwrap().len(), second["next_page_token"].as_str()), (2, Some("")));
    assert_eq!(call(Method::GET, "/api/v1/organizations?page_size=5", &bearer, Value::Null).await.0, 400);

    assert_eq!(call(Method::DELETE, &path, &bearer, Value::Null).await.0, 200);
    assert_eq!(call(Method::GET, &path, &bearer, Value::Null).await.0, 404);
    let deleted = world.receiver.notice("organization.deleted").await.json();
    assert!(deleted["data"]["deleted_at"].is_string());
    assert_eq!(deleted["data"]["display_name"], "Acme 2");

    // A management token lives for a day of machine time.
    world.machine.fetch_add(86_399 * 1_000_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(call(Method::GET, "/api/v1/organizations", &bearer, Value::Null).await.0, 401);
}

#[tokio::test]
async fn discovery_points_home() {
    let world = World::start().await;
    let document = world.get("/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], world.sandbox.url());
    assert_eq!(document["jwks_uri"], world.url("/keys"));
}

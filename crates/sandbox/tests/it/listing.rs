//! Lists of the identity provider, as somebody reads them who reconciles.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_sandbox::Seed;

use crate::contracts::broken_by_scalekit;
use crate::support::*;

struct Reader<'w> {
    world: &'w World,
    bearer: String,
}

impl<'w> Reader<'w> {
    async fn new(world: &'w World) -> Self {
        let form = [("grant_type", "client_credentials"), ("client_id", "skc_test"), ("client_secret", CLIENT_SECRET)];
        let token: Value =
            world.client.post(world.url("/oauth/token")).form(&form).send().await.unwrap().json().await.unwrap();
        Self { world, bearer: token["access_token"].as_str().unwrap().to_owned() }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.world.client.get(self.world.url(path)).bearer_auth(&self.bearer);
        let (status, body) = answer(request.send().await.unwrap()).await;
        let found = broken_by_scalekit(&Method::GET, path, status, &body);
        assert!(found.is_empty(), "{found:#?}\n{body:#}");
        (status, body)
    }

    /// The ids of one page, the answer, and `tamper` in between.
    async fn ids(&self, list: &str, name: &str, size: usize, token: &str) -> (Vec<String>, Value) {
        let (status, page) = self.get(&format!("/api/v1/{list}?page_size={size}&page_token={token}")).await;
        assert_eq!(status, 200, "{page}");
        let ids = page[name].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        (ids, page)
    }
}

#[tokio::test]
async fn pages_of_organizations_do_not_shift_when_some_go() {
    let world = World::start().await;
    for number in 0..35 {
        world.done("/sandbox/organizations", json!({ "displayName": "x", "id": format!("org_{number:02}") })).await;
    }
    let reader = Reader::new(&world).await;
    let (first, page) = reader.ids("organizations", "organizations", 10, "").await;
    assert_eq!((first.len(), first[9].as_str()), (10, "org_09"));
    assert_eq!((&page["total_size"], &page["prev_page_token"]), (&json!(35), &json!("")));
    for gone in ["org_03", "org_12"] {
        world.control(Method::DELETE, &format!("/sandbox/organizations/{gone}"), Value::Null).await;
    }
    let (second, page) =
        reader.ids("organizations", "organizations", 10, page["next_page_token"].as_str().unwrap()).await;
    assert_eq!((second[0].as_str(), second[9].as_str()), ("org_10", "org_20"));
    assert!(!second.contains(&"org_12".to_owned()));
    assert_eq!(page["total_size"], 33);
    let back = page["prev_page_token"].as_str().unwrap();
    let (before, _) = reader.ids("organizations", "organizations", 10, back).await;
    assert_eq!(before[0], "org_00");
    let mut token = page["next_page_token"].as_str().unwrap().to_owned();
    let mut rest = Vec::new();
    while !token.is_empty() {
        let (ids, page) = reader.ids("organizations", "organizations", 10, &token).await;
        rest.extend(ids);
        token = page["next_page_token"].as_str().unwrap().to_owned();
    }
    assert_eq!((rest.len(), rest[0].as_str(), rest[13].as_str()), (14, "org_21", "org_34"));
    for bad in ["page_size=9", "page_size=101", "page_size=x", "page_token=zzz"] {
        assert_eq!(reader.get(&format!("/api/v1/organizations?{bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn members_are_paged_and_external_ids_are_found() {
    let world = World::start().await;
    let body = json!({ "displayName": "Acme", "id": "org_acme", "externalId": "ext_1" });
    world.done("/sandbox/organizations", body).await;
    world.done("/sandbox/organizations", json!({ "displayName": "Other", "id": "org_other" })).await;
    let mut people = Vec::new();
    for number in 0..7 {
        let email = json!({ "email": format!("p{number}@acme.test") });
        people.push(world.done("/sandbox/organizations/org_acme/users", email.clone()).await["userId"].clone());
        world.done("/sandbox/organizations/org_other/users", email).await;
    }
    let reader = Reader::new(&world).await;
    let list = "organizations/org_acme/users";
    let (first, page) = reader.ids(list, "users", 3, "").await;
    assert_eq!(page["total_size"], 7);
    assert_eq!(page["users"][0]["memberships"].as_array().unwrap().len(), 1, "only of this organization");
    assert_eq!(page["users"][0]["memberships"][0]["organization_id"], "org_acme");
    let left = people[1].as_str().unwrap();
    world.control(Method::DELETE, &format!("/sandbox/organizations/org_acme/users/{left}"), Value::Null).await;
    let (second, page) = reader.ids(list, "users", 3, page["next_page_token"].as_str().unwrap()).await;
    let (third, page) = reader.ids(list, "users", 3, page["next_page_token"].as_str().unwrap()).await;
    assert_eq!(page["next_page_token"], "");
    assert_eq!(page["total_size"], 6);
    let all: Vec<Value> = [first, second, third].concat().into_iter().map(Value::from).collect();
    assert_eq!(all, people);
    let (_, person) = reader.get(&format!("/api/v1/users/{}", people[0].as_str().unwrap())).await;
    assert_eq!(person["user"]["memberships"].as_array().unwrap().len(), 2);
    let (_, person) = reader.get(&format!("/api/v1/users/{left}")).await;
    assert_eq!(person["user"]["memberships"][0]["organization_id"], "org_other");
    assert_eq!(reader.get("/api/v1/organizations/org_no/users").await.0, 404);

    let (_, found) = reader.get("/api/v1/organizations?external_id=ext_1").await;
    assert_eq!((&found["total_size"], &found["organizations"][0]["id"]), (&json!(1), &json!("org_acme")));
    world.control(Method::PATCH, "/sandbox/organizations/org_acme", json!({ "externalId": "ext_2" })).await;
    assert_eq!(reader.get("/api/v1/organizations:external/ext_1").await.0, 404);
    assert_eq!(reader.get("/api/v1/organizations:external/ext_2").await.0, 200);
    world.control(Method::DELETE, "/sandbox/organizations/org_acme", Value::Null).await;
    assert_eq!(reader.get("/api/v1/organizations:external/ext_2").await.0, 404);
    let body = json!({ "displayName": "Acme", "externalId": "ext_2" });
    assert_eq!(world.control(Method::POST, "/sandbox/organizations", body).await.0, 201, "it is free again");
}

#[tokio::test]
async fn ten_thousand_organizations_are_read_in_a_hundred_pages() {
    let world = World::start().await;
    let seed = Seed { organizations: 10_000, price_id: "starter-plan-monthly".into(), seats: 1 };
    world.sandbox.seed(seed).await.unwrap();
    let reader = Reader::new(&world).await;
    let (mut token, mut pages, mut seen) = (String::new(), 0, 0);
    loop {
        let (ids, page) = reader.ids("organizations", "organizations", 100, &token).await;
        (pages, seen) = (pages + 1, seen + ids.len());
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((pages, seen), (100, 10_000));
}

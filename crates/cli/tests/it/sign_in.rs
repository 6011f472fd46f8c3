//! Signing in for our own pages, the whole way round: away to the identity provider, back with a code, and out again.

use std::collections::BTreeMap;

use reqwest::{Client, Method, RequestBuilder, Response, Url, header};
use serde_json::{Value, json};
use tollkeeper_testkit::database::{Engine, TestDb};

use crate::support::{Server, World};

/// A browser without a screen: it keeps cookies, and follows nothing by itself.
struct Browser {
    client: Client,
    app: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new(world: &World, server: &Server) -> Self {
        Self { client: world.client.clone(), app: server.url.clone(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(header::COOKIE, cookies.join("; ")).send().await.unwrap();
        for line in response.headers().get_all(header::SET_COOKIE) {
            let line = line.to_str().unwrap();
            for wanted in ["Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(line.contains(wanted), "{line}");
            }
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            match line.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.app) };
        self.send(self.client.get(url)).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.app)).header(header::ORIGIN, &self.app);
        self.send(request.json(&body)).await
    }

    /// Begins a sign-in; answers the provider's page.
    async fn leave(&mut self, next: &str) -> String {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        target(&self.get(&format!("/auth/login?next={next}")).await)
    }

    async fn session(&mut self) -> (u16, Value) {
        let response = self.get("/api/session").await;
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

/// Where a redirect leads.
fn target(response: &Response) -> String {
    assert_eq!(response.status(), 303, "{response:?}");
    response.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// Chooses somebody on the provider's page; answers where the browser goes then.
async fn choose(world: &World, page: &str, email: &str, organization: &str) -> String {
    let choice = json!({ "url": page, "email": email, "organizationId": organization });
    world.post("/sandbox/signin/complete", choice).await["redirectUrl"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_buys_and_signs_out() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let world = World::start().await;
        let db = TestDb::new(engine).await;
        let server = world.serve(db.url(), &[]).await;
        let organization = world.organization("Acme Inc").await;
        let mut browser = Browser::new(&world, &server);
        assert_eq!(browser.session().await.0, 401);

        let page = browser.leave("/billing?plan=growth").await;
        let asked: BTreeMap<_, _> = Url::parse(&page).unwrap().query_pairs().into_owned().collect();
        assert!(page.starts_with(&format!("{}/oauth/authorize?", world.url)), "{page}");
        assert_eq!(asked["redirect_uri"], format!("{}/auth/callback", server.url));
        assert_eq!((&*asked["code_challenge_method"], &*asked["response_type"]), ("S256", "code"));
        let back = choose(&world, &page, "ada@acme.test", &organization).await;
        assert_eq!(target(&browser.get(&back).await), format!("{}/billing?plan=growth", server.url));

        let (names, sizes): (Vec<_>, Vec<_>) =
            browser.cookies.iter().map(|(name, value)| (name.as_str(), name.len() + value.len())).unzip();
        assert_eq!(names, ["scalekit_session"], "what the sign-in needed is gone");
        assert!(sizes[0] < 256, "{sizes:?}");
        let (status, session) = browser.session().await;
        assert_eq!(status, 200, "{session}");
        assert_eq!((&session["email"], &session["organizationId"]), (&json!("ada@acme.test"), &json!(organization)));
        let started = browser.post("/api/subscription/create", json!({ "plan": "starter" })).await;
        assert_eq!(started.status(), 200, "the first of an organization is its administrator");
        assert_eq!(started.json::<Value>().await.unwrap()["mode"], "hosted");

        let kept = browser.cookies.clone();
        let out = target(&browser.post("/auth/logout", json!({})).await);
        assert!(out.starts_with(&format!("{}/oidc/logout?id_token_hint=", world.url)), "{out}");
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        let home = browser.client.get(&out).send().await.unwrap();
        assert!(home.status().is_redirection(), "{home:?}");
        assert_eq!(home.headers()[header::LOCATION], format!("{}/", server.url));
        browser.cookies = kept;
        let (status, over) = browser.session().await;
        assert_eq!((status, &over["code"]), (401, &json!("session_expired")), "also for who has kept the cookie");
        assert!(browser.cookies.is_empty(), "a cookie that is of no use is taken away");
        server.stop().await;
    }
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_only_once() {
    let world = World::start().await;
    let db = TestDb::new(Engine::Sqlite).await;
    let server = world.serve(db.url(), &[]).await;
    let organization = world.organization("Acme Inc").await;
    let (mut ada, mut eve) = (Browser::new(&world, &server), Browser::new(&world, &server));

    let page = ada.leave("/billing").await;
    let back = choose(&world, &page, "ada@acme.test", &organization).await;
    let of_eve = choose(&world, &eve.leave("/billing").await, "eve@acme.test", &organization).await;
    // Eve has Ada's address, and Ada is lured to Eve's.
    for (browser, address) in [(&mut eve, &back), (&mut ada, &of_eve)] {
        let flow = browser.cookies.clone();
        let refused = browser.get(address).await;
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "sign_in_lost");
        assert_eq!(browser.cookies, flow, "the sign-in of this browser goes on");
    }
    let flow = ada.cookies.clone();
    assert_eq!(target(&ada.get(&back).await), format!("{}/billing", server.url));
    let session = ada.cookies.clone();
    // It is not under way any more, and whoever is signed in needs none.
    assert_eq!(target(&ada.get(&back).await), format!("{}/billing", server.url));
    assert_eq!(ada.cookies, session);
    ada.cookies = flow;
    let replayed = ada.get(&back).await;
    assert_eq!(replayed.status(), 400);
    assert_eq!(replayed.json::<Value>().await.unwrap()["code"], "sign_in_refused");
    ada.cookies = session;

    // Whoever gives up at the provider comes back without a code.
    let page = eve.leave("/billing").await;
    let gave_up = world.post("/sandbox/signin/complete", json!({ "url": page, "cancel": true })).await;
    let refused = eve.get(gave_up["redirectUrl"].as_str().unwrap()).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "sign_in_declined");
    assert!(eve.cookies.is_empty());

    let said = server.process.stdout().join("\n") + &server.process.stderr().join("\n");
    let code = Url::parse(&back).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for secret in [&code, &ada.cookies["scalekit_session"], "ada@acme.test"] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
    server.stop().await;
}

#[tokio::test]
async fn signing_in_anew_ends_the_session_before() {
    let world = World::start().await;
    let db = TestDb::new(Engine::Sqlite).await;
    let server = world.serve(db.url(), &[]).await;
    let (one, two) = (world.organization("Acme Inc").await, world.organization("Umbrella").await);
    let mut browser = Browser::new(&world, &server);
    let page = browser.leave("/billing").await;
    let back = choose(&world, &page, "ada@acme.test", &one).await;
    browser.get(&back).await;
    let before = browser.cookies.clone();

    let page = target(&browser.get(&format!("/auth/login?organizationId={two}")).await);
    let back = choose(&world, &page, "ada@acme.test", &two).await;
    assert_eq!(target(&browser.get(&back).await), format!("{}/billing", server.url));
    assert_eq!(browser.session().await.1["organizationId"], json!(two));
    browser.cookies = before;
    assert_eq!(browser.session().await.0, 401);
    // A write with the cookie from somewhere else is refused before anything is looked at.
    let request = browser.client.request(Method::POST, format!("{}/auth/logout", server.url));
    let refused = browser.send(request.header(header::ORIGIN, "https://evil.example")).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "csrf");
    server.stop().await;
}

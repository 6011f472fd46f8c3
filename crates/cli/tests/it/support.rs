//! A sandbox and servers as processes, and short words for talking to both.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    sync::Mutex,
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tollkeeper_core::time::Timestamp;
use tollkeeper_store::{Db, inbox};
use tollkeeper_testkit::process::{Process, free_address, until};

use crate::provider::Provider;

pub(crate) const HOUR: i64 = 60 * 60;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The program with nothing in its environment but what a test says.
pub(crate) fn tollkeeper(args: &[&str]) -> Command {
    let mut command = bare(env!("CARGO_BIN_EXE_tollkeeper"));
    command.args(args);
    command
}

/// Any program, as bare.
pub(crate) fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// Runs a command that ends by itself: whether it succeeded, and everything it said.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

pub(crate) fn client() -> Client {
    // Another test of the process may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        // The clock alone takes minutes where ten thousand renew.
        .timeout(Duration::from_secs(300))
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// What came back. The body is null where it is no JSON.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.unwrap()
    }

    /// For requests whose server may be gone.
    pub(crate) async fn try_of(request: RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok(Self { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// The body of an answer that must be a success.
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "answered {} {}", self.status, self.body);
        self.body
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A sandbox in a process of its own, with everything that servers need to know about it.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) env: BTreeMap<String, String>,
    /// Where the sandbox sends its webhooks, and where the first server listens.
    pub(crate) app: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    /// Where new organizations pay.
    pub(crate) provider: Provider,
    /// Where servers were started; some may be gone.
    servers: Mutex<Vec<String>>,
    _sandbox: Process,
}

impl World {
    /// With the first provider, where it makes no difference.
    pub(crate) async fn start() -> Self {
        Self::of(Provider::Chargebee).await
    }

    pub(crate) async fn of(provider: Provider) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = free_address();
        let file = folder.path().join("sandbox.env");
        let (path, app_url) = (file.to_str().unwrap(), format!("http://{app}"));
        let name = provider.name();
        let args =
            ["sandbox", "--listen", "127.0.0.1:0", "--app-url", &app_url, "--env-file", path, "--provider", name];
        let mut sandbox = Process::spawn(&mut tollkeeper(&args));
        sandbox.line("where its settings are", |line| line.contains(path).then_some(())).await;
        let env = read_env(&file);
        let url = env["SCALEKIT_ENV_URL"].clone();
        Self { client: client(), env, app, folder, url, provider, servers: Mutex::default(), _sandbox: sandbox }
    }

    /// Starts a server where the webhooks go.
    pub(crate) async fn serve(&self, database_url: &str, args: &[&str]) -> Server {
        self.serve_at(self.app, database_url, args).await
    }

    pub(crate) async fn serve_at(&self, address: SocketAddr, database_url: &str, args: &[&str]) -> Server {
        self.serve_with(address, database_url, args, &[]).await
    }

    /// As [`World::serve_at`], with more in its environment.
    pub(crate) async fn serve_with(
        &self,
        address: SocketAddr,
        database_url: &str,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Server {
        let listen = address.to_string();
        let mut command = tollkeeper(&[&["serve", "--listen", &listen], args].concat());
        command.envs(&self.env).env("DATABASE_URL", database_url).envs(env.iter().copied());
        let mut process = Process::spawn(&mut command);
        let find = |line: &str| Some(line.split_once("listening on ")?.1.split(['"', ' ']).next()?.to_owned());
        let url = process.line("where it listens", find).await;
        self.servers.lock().unwrap().push(url.clone());
        Server { process, url }
    }

    /// A call of the sandbox's control API.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.url));
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.control(Method::GET, path, Value::Null).await.ok()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.control(Method::POST, path, body).await.ok()
    }

    pub(crate) async fn organization(&self, name: &str) -> String {
        let made = self.post("/sandbox/organizations", json!({ "displayName": name })).await;
        made["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn rename(&self, organization: &str, name: &str) {
        let path = format!("/sandbox/organizations/{organization}");
        self.control(Method::PATCH, &path, json!({ "displayName": name })).await.ok();
    }

    pub(crate) async fn delete(&self, organization: &str) {
        self.control(Method::DELETE, &format!("/sandbox/organizations/{organization}"), Value::Null).await.ok();
    }

    pub(crate) async fn token(&self, wish: Value) -> String {
        self.post("/sandbox/tokens", wish).await["accessToken"].as_str().unwrap().to_owned()
    }

    /// An administrator of an organization, at a server.
    pub(crate) async fn admin(&self, server: &Server, organization: &str) -> Person {
        let wish = json!({ "email": "admin@example.test", "organizationId": organization, "roles": ["admin"] });
        Person { client: self.client.clone(), app: server.url.clone(), token: self.token(wish).await }
    }

    /// What the providers hold about an organization: `customers` or `subscriptions`, these with `over`.
    pub(crate) async fn truth(&self, what: &str, organization: &str) -> Vec<Value> {
        let truth = self.get(&format!("/sandbox/truth?organizationId={organization}")).await;
        let mut rows = truth[what].as_array().unwrap().clone();
        for row in &mut rows {
            row["over"] = Provider::of(row).is_over(row["status"].as_str().unwrap_or_default()).into();
        }
        rows
    }

    /// Pays at a hosted page; answers where it leads back to.
    pub(crate) async fn pay(&self, url: &Value) -> String {
        self.pay_with(url, self.provider.card()).await
    }

    /// As [`World::pay`], where it may be refused.
    pub(crate) async fn try_to_pay(&self, url: &Value) -> Answer {
        let body = json!({ "url": url, "card": self.provider.card() });
        self.control(Method::POST, "/sandbox/hosted/complete", body).await
    }

    /// As [`World::pay`], with another card.
    pub(crate) async fn pay_with(&self, url: &Value, card: &str) -> String {
        let paid = self.post("/sandbox/hosted/complete", json!({ "url": url, "card": card })).await;
        paid["redirectUrl"].as_str().unwrap().to_owned()
    }

    /// Moves business time, and waits until every server that is ready lives in it.
    pub(crate) async fn advance(&self, seconds: i64) {
        let now = self.post("/sandbox/clock", json!({ "advanceSeconds": seconds })).await["now"].clone();
        let now: Timestamp = now.as_str().unwrap().parse().unwrap();
        let servers = self.servers.lock().unwrap().clone();
        for server in servers {
            until("the server follows the clock", async || {
                let ready = Answer::try_of(self.client.get(format!("{server}/readyz"))).await;
                let Some(theirs) = ready.ok().and_then(|answer| answer.body["now"].as_str()?.parse().ok()) else {
                    return Some(());
                };
                (now <= theirs).then_some(())
            })
            .await;
        }
    }

    /// What the billing provider was asked with POST about an organization, at one path, and answered with 200. A
    /// request that was repeated under its key counts once.
    pub(crate) async fn posts_about(&self, path: &str, organization: &str) -> Vec<Value> {
        let log = self.get(&format!("/sandbox/requests?method=POST&path={path}")).await;
        let mut keys = HashSet::new();
        let mut of_this = |request: &&Value| {
            let named =
                request["body"].as_object().is_some_and(|body| body.values().any(|value| value == organization));
            let key = request["idempotencyKey"].as_str();
            request["status"] == 200 && named && key.is_none_or(|key| keys.insert(key.to_owned()))
        };
        log["requests"].as_array().unwrap().iter().filter(&mut of_this).cloned().collect()
    }

    /// How many hosted pages the provider made for an organization.
    pub(crate) async fn pages_made(&self, organization: &str) -> usize {
        self.posts_about(self.provider.new_page(), organization).await.len()
    }

    /// How often a provider was asked something that names this text, in any part of the request.
    pub(crate) async fn requests_that_name(&self, text: &str) -> Vec<Value> {
        let log = self.get("/sandbox/requests").await;
        let named = |request: &Value| {
            ["path", "query", "body", "idempotencyKey"].iter().any(|part| request[*part].to_string().contains(text))
        };
        log["requests"].as_array().unwrap().iter().filter(|request| named(request)).cloned().collect()
    }

    /// Deliveries about an organization, oldest first.
    pub(crate) async fn deliveries(&self, organization: &str) -> Vec<Value> {
        let rows = self.get("/sandbox/deliveries").await["deliveries"].as_array().unwrap().clone();
        rows.into_iter().filter(|row| row["organizationId"] == organization).collect()
    }

    pub(crate) async fn resend(&self, delivery: &Value) {
        self.post(&format!("/sandbox/deliveries/{}/resend", delivery["id"].as_str().unwrap()), Value::Null).await;
    }

    /// Waits until every delivery about an organization was taken in.
    pub(crate) async fn delivered(&self, organization: &str) {
        until("every delivery was answered with 2xx", async || {
            let rows = self.deliveries(organization).await;
            rows.iter().all(|row| row["state"] == "delivered").then_some(())
        })
        .await;
    }

    /// Sends a delivery once more and waits for its answer.
    pub(crate) async fn redeliver(&self, delivery: &Value) {
        self.resend(delivery).await;
        until("the delivery was answered with 2xx", async || {
            let organization = delivery["organizationId"].as_str().unwrap();
            let rows = self.deliveries(organization).await;
            let row = rows.iter().find(|row| row["id"] == delivery["id"]).unwrap();
            (row["state"] == "delivered").then_some(())
        })
        .await;
    }
}

fn read_env(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("`{line}` is no NAME=value"))).collect()
}

/// A server in a process of its own.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Server {
    /// Asks it to end, as a supervisor would; it finishes what is under way, and succeeds.
    pub(crate) async fn stop(mut self) {
        self.process.terminate();
        let status = self.process.end().await;
        assert!(status.success(), "{status}");
    }
}

/// Somebody with an access token, at one server.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) app: String,
    pub(crate) token: String,
}

impl Person {
    pub(crate) fn request(&self, method: Method, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.app)).bearer_auth(&self.token);
        if body.is_null() { request } else { request.json(body) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path, &Value::Null)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path, &body)).await
    }

    /// Starts a checkout, as a request that somebody else may drive.
    pub(crate) fn checkout(&self, choice: &Value) -> impl Future<Output = Result<Answer, reqwest::Error>> + use<> {
        Answer::try_of(self.request(Method::POST, "/api/subscription/create", choice))
    }

    pub(crate) async fn create(&self, choice: Value) -> Answer {
        self.checkout(&choice).await.unwrap()
    }

    pub(crate) async fn subscriptions(&self, all: bool) -> Vec<Value> {
        let list = self.get(&format!("/api/subscription/list?all={all}")).await.ok();
        list["subscriptions"].as_array().unwrap().clone()
    }

    pub(crate) async fn gate(&self, feature: &str) -> u16 {
        self.get(&format!("/gate/{feature}")).await.status
    }

    /// Waits until the one live subscription has this status.
    pub(crate) async fn subscription_is(&self, status: &str) -> Value {
        until(&format!("the subscription is {status}"), async || {
            let rows = self.subscriptions(false).await;
            rows.into_iter().find(|row| row["status"] == status)
        })
        .await
    }

    pub(crate) async fn gate_is(&self, feature: &str, status: u16) {
        let what = format!("the gate of {feature} answers {status}");
        until(&what, async || (self.gate(feature).await == status).then_some(())).await;
    }
}

/// Waits until nothing in the inbox waits for work.
pub(crate) async fn worked_off(db: &Db) {
    until("the inbox is worked off", async || {
        let counts = inbox::counts(db.read().await.unwrap().c()).await.unwrap();
        counts.iter().all(|(_, state, count)| *state != inbox::InboxState::Pending || *count == 0).then_some(())
    })
    .await;
}

/// Every delivery in the inbox.
pub(crate) async fn inbox_rows(db: &Db) -> Vec<inbox::InboxRow> {
    let filter = inbox::Filter::default();
    inbox::list(db.read().await.unwrap().c(), &filter, 1_000).await.unwrap()
}

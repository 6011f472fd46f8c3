//! One product: an engine on a fresh database, and everything around it played.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tollkeeper::{
    Action, Actor, Clock as _, CreateRequest, Db, Error, Landing, Received, Running, Settings, SignInWish, Started,
    Tollkeeper,
};
use tollkeeper_core::{
    account::Account,
    catalog::Policy,
    ids::{ProviderSubscriptionId, SubscriptionId},
    ports::OrganizationRecord,
    snapshot::Snapshot,
    status::Status,
    subscription::Subscription,
    time::MachineTime,
};
use tollkeeper_store::{
    account, history,
    inbox::{self, InboxRow, InboxState},
    lease, outbox,
};
use tollkeeper_testkit::database::TestDb;

use crate::{
    catalog::catalog,
    play::{Clocks, PlayedBilling, PlayedIdentity, Recorder},
};

pub(crate) const APP: &str = "https://app.example.com";
/// The organization of most stories.
pub(crate) const ORG: &str = "org_1";
/// What is told of an organization that bought something without a trial.
pub(crate) const PURCHASE: [&str; 4] =
    ["customer.created", "subscription.created", "subscription.completed", "entitlements.changed"];

pub(crate) struct World {
    pub(crate) clock: Arc<Clocks>,
    pub(crate) billing: Arc<PlayedBilling>,
    pub(crate) identity: Arc<PlayedIdentity>,
    pub(crate) hooks: Arc<Recorder>,
    /// The test's own connections, which stay when the engine loses its.
    db: Db,
    url: String,
    settings: Settings,
    policy: Policy,
    running: Running,
}

/// Waits for a condition, and fails with its name when it does not come.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

impl World {
    /// With workers.
    pub(crate) async fn new(db: &TestDb) -> Self {
        Self::with(db, true, |_| {}).await
    }

    /// An engine that only answers: what is to be done stays undone.
    pub(crate) async fn idle(db: &TestDb) -> Self {
        Self::with(db, false, |_| {}).await
    }

    pub(crate) async fn with(db: &TestDb, workers: bool, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::under(db, workers, Policy::default(), adjust).await
    }

    /// With a policy of its own.
    #[expect(clippy::unused_async, reason = "an engine starts within a runtime")]
    pub(crate) async fn under(db: &TestDb, workers: bool, policy: Policy, adjust: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::<Clocks>::default();
        let mut settings = Settings::new("chargebee".into(), APP);
        adjust(&mut settings);
        let parts = Parts {
            billing: Arc::new(PlayedBilling::new(clock.clone())),
            identity: Arc::new(PlayedIdentity::new(clock.clone())),
            clock,
            hooks: Arc::default(),
            policy,
        };
        for price in catalog(Policy::default()).plans().iter().flat_map(|plan| &plan.prices) {
            parts.billing.set_price(price.id.as_str(), price.currency.as_str(), price.amount);
        }
        let running = parts.start(db.db().clone(), settings.clone(), workers);
        let Parts { clock, billing, identity, hooks, policy } = parts;
        Self { clock, billing, identity, hooks, policy, db: db.db().clone(), url: db.url().into(), settings, running }
    }

    pub(crate) fn engine(&self) -> &Tollkeeper {
        self.running.engine()
    }

    /// One more engine on the same database and between the same providers, as another process would be.
    pub(crate) async fn another(&self, workers: bool) -> Running {
        self.another_with(workers, |_| {}).await
    }

    pub(crate) async fn another_with(&self, workers: bool, adjust: impl FnOnce(&mut Settings)) -> Running {
        self.another_at(&self.url, workers, adjust).await
    }

    /// As [`World::another_with`], with another way to the database.
    pub(crate) async fn another_at(&self, url: &str, workers: bool, adjust: impl FnOnce(&mut Settings)) -> Running {
        let db = Db::connect(url, &TestDb::options()).await.unwrap();
        let mut settings = self.settings.clone();
        adjust(&mut settings);
        let parts = Parts {
            clock: self.clock.clone(),
            billing: self.billing.clone(),
            identity: self.identity.clone(),
            hooks: self.hooks.clone(),
            policy: self.policy.clone(),
        };
        parts.start(db, settings, workers)
    }

    /// A person of `organization` who may do everything.
    pub(crate) async fn actor(&self, organization: &str) -> Actor {
        actor(self.engine(), organization).await
    }

    pub(crate) async fn create(&self, organization: &str, plan: &str) -> Result<Started, Error> {
        self.engine().create(&self.actor(organization).await, &choice(plan)).await
    }

    /// Buys a plan, and comes back from the page.
    pub(crate) async fn subscribe(&self, organization: &str, plan: &str) -> (SubscriptionId, ProviderSubscriptionId) {
        let started = self.create(organization, plan).await.unwrap();
        let bought = self.billing.pay(&started.subscription_id);
        let landed = self.engine().land(&started.subscription_id).await.unwrap();
        assert!(matches!(landed, Landing::Done(_)), "{landed:?}");
        (started.subscription_id, bought)
    }

    pub(crate) async fn upsert(&self, organization: &str, name: &str) -> Result<(), Error> {
        self.engine().upsert_organization(&record(organization, name), "a test").await
    }

    /// Signs somebody in to the organization of most stories; answers the cookie.
    pub(crate) async fn sign_in(&self, user: &str) -> String {
        self.try_sign_in(user).await.unwrap()
    }

    pub(crate) async fn try_sign_in(&self, user: &str) -> Result<String, Error> {
        let begun = self.engine().begin_sign_in(&SignInWish::default()).unwrap();
        let (state, code) = self.identity.signing.choose(&begun.url, user, ORG);
        let flow = self.engine().sign_in_flow(&begun.flow, &state).unwrap();
        Ok(self.engine().finish_sign_in(&flow, &code, None).await?.cookie.value)
    }

    /// Machine time, so much later.
    pub(crate) fn clock_in(&self, span: Duration) -> MachineTime {
        self.clock.machine_now().plus(span)
    }

    /// Brings a delivery to the door.
    pub(crate) async fn receive(&self, source: &str, body: Value) -> Received {
        let body = Bytes::from(body.to_string());
        self.engine().receive(&source.into(), &HeaderMap::new(), body).await.unwrap()
    }

    /// The billing provider says that a subscription changed, and no more.
    pub(crate) async fn tell(&self, event: &str, subscription: &str) -> Received {
        let body = json!({ "id": event, "type": "subscription_changed", "subscription": subscription });
        self.receive("chargebee", body).await
    }

    /// The billing provider says how a subscription is.
    pub(crate) async fn tell_state(&self, event: &str, state: Snapshot) -> Received {
        let id = state.id.to_string();
        self.billing.carry(event, state);
        self.tell(event, &id).await
    }

    /// The identity provider tells about an organization.
    pub(crate) async fn tell_organization(&self, event: &str, kind: &str, organization: &str, at: i64) -> Received {
        let name = format!("{organization} at {at}");
        let body = json!({ "id": event, "type": kind, "organization": organization, "at": at, "name": name });
        self.receive("scalekit", body).await
    }

    /// Wakes the worker of the inbox with something that is about nothing.
    pub(crate) async fn nudge(&self) {
        let mut random = [0_u8; 8];
        random.copy_from_slice(&std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0).to_le_bytes());
        let event = format!("nudge_{}", u64::from_le_bytes(random));
        self.receive("chargebee", json!({ "id": event, "type": "nothing" })).await;
    }

    pub(crate) async fn account(&self, organization: &str) -> Account {
        let mut connection = self.db.read().await.unwrap();
        account::load(connection.c(), &organization.into()).await.unwrap().unwrap()
    }

    /// What is known of an organization, or `None` while it is unknown.
    pub(crate) async fn find(&self, organization: &str) -> Option<Account> {
        let mut connection = self.db.read().await.unwrap();
        account::load(connection.c(), &organization.into()).await.unwrap()
    }

    pub(crate) async fn row(&self, organization: &str, id: &SubscriptionId) -> Subscription {
        let mut connection = self.db.read().await.unwrap();
        let found = account::load_with(connection.c(), &organization.into(), Some(id.as_str())).await.unwrap().unwrap();
        found.subscription(id).unwrap().clone()
    }

    pub(crate) async fn status(&self, organization: &str, id: &SubscriptionId) -> Status {
        self.row(organization, id).await.status
    }

    /// Who made the decisions about an organization, in order: kinds of causes and what became of it.
    pub(crate) async fn history(&self, organization: &str) -> Vec<history::HistoryRow> {
        history::list(self.db.read().await.unwrap().c(), &organization.into(), 0, 10_000).await.unwrap()
    }

    pub(crate) async fn delivery(&self, event: &str) -> InboxRow {
        for source in ["chargebee", "scalekit"] {
            let mut connection = self.db.read().await.unwrap();
            if let Some(row) = inbox::get(connection.c(), &source.into(), &event.into()).await.unwrap() {
                return row;
            }
        }
        panic!("there is no delivery {event}")
    }

    /// Waits for the end of a delivery, and for whoever worked on it to know.
    pub(crate) async fn settled(&self, event: &str) -> InboxRow {
        until(&format!("the end of {event}"), async || self.delivery(event).await.state != InboxState::Pending).await;
        let row = self.delivery(event).await;
        let (key, now) = (&format!("inbox/{}/{}", row.source, row.subject), self.clock.machine_now());
        until(&format!("the end of the work on {event}"), async || {
            self.db.write(|tx| Box::pin(lease::acquire(tx, key, "a test", now, now))).await.unwrap()
        })
        .await;
        row
    }

    /// Waits until a delivery has failed so often.
    pub(crate) async fn failed(&self, event: &str, attempts: i64) -> InboxRow {
        until(&format!("failure {attempts} of {event}"), async || self.delivery(event).await.attempts >= attempts)
            .await;
        self.delivery(event).await
    }

    /// Lets so much machine time pass that whatever waits to be tried again is due, and says so.
    pub(crate) async fn later(&self) {
        self.clock.advance_machine(Duration::from_secs(10 * 60));
        self.nudge().await;
    }

    /// Lets business time pass, and says so.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance_business(span);
        self.engine().clock_moved();
    }

    /// Waits until nothing is to be done any more.
    pub(crate) async fn rest(&self) {
        until("rest", async || {
            let mut connection = self.db.read().await.unwrap();
            let waiting = inbox::counts(connection.c()).await.unwrap();
            let owed = outbox::pending_count(connection.c()).await.unwrap();
            owed == 0 && waiting.iter().all(|(_, state, _)| *state != InboxState::Pending)
        })
        .await;
    }

    /// Everything that the hooks of one organization took, once nothing is to be done any more.
    pub(crate) async fn told(&self, organization: &str) -> Vec<&'static str> {
        self.rest().await;
        self.hooks.kinds(organization)
    }

    /// Whether a gate is open.
    pub(crate) async fn open(&self, organization: &str, feature: &str) -> bool {
        self.engine().gate(&organization.into(), feature).await.unwrap().allowed
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

struct Parts {
    clock: Arc<Clocks>,
    billing: Arc<PlayedBilling>,
    identity: Arc<PlayedIdentity>,
    hooks: Arc<Recorder>,
    policy: Policy,
}

impl Parts {
    fn start(&self, db: Db, settings: Settings, workers: bool) -> Running {
        Tollkeeper::builder(settings)
            .database(db)
            .clock(self.clock.clone())
            .identity(self.identity.clone())
            .billing(self.billing.clone())
            .hooks(self.hooks.clone())
            .catalog(catalog(self.policy.clone()))
            .workers(workers)
            .start()
            .unwrap()
    }
}

pub(crate) async fn actor(engine: &Tollkeeper, organization: &str) -> Actor {
    let session = engine.authenticate(&format!("admin:{organization}")).await.unwrap();
    engine.authorize(&session, None, Action::Create).await.unwrap()
}

pub(crate) fn choice(plan: &str) -> CreateRequest {
    CreateRequest { plan: Some(plan.into()), ..CreateRequest::default() }
}

pub(crate) fn record(organization: &str, name: &str) -> OrganizationRecord {
    OrganizationRecord { id: organization.into(), display_name: Some(name.into()), external_id: None, updated_at: None }
}

/// The code of a failure, as programs see it.
pub(crate) fn code(error: &Error) -> &str {
    match error {
        Error::Forbidden { code, .. }
        | Error::Invalid { code, .. }
        | Error::Conflict { code, .. }
        | Error::Unavailable { code, .. } => code,
        other => panic!("a failure without a code: {other:?}"),
    }
}

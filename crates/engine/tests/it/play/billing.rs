//! A billing provider that is played: it keeps books, remembers every call, and fails by script.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tollkeeper_core::{
    ids::{EventId, OrganizationId, Provider, ProviderCustomerId, ProviderSubscriptionId, Source, SubscriptionId},
    ports::{
        Billing, CancelWhen, CheckoutPage, CheckoutRequest, CheckoutState, Content, CustomerPatch, CustomerRecord,
        DecodeError, ErrorKind, Hint, Inbound, NewCustomer, ProviderError, Subject, Verified, VerifyError,
    },
    snapshot::{Item, Origin, Phase, Snapshot},
    time::{Clock, MachineTime, Timestamp, days},
};

use super::{Clocks, Stop};

/// How long a hosted page can be paid.
pub(crate) const PAGE: Duration = Duration::from_secs(3 * 60 * 60);
/// How long what is paid runs.
pub(crate) const PERIOD: Duration = days(30);

/// What becomes of a call.
pub(crate) enum Outcome {
    /// It fails, and nothing was done.
    Fail(ErrorKind),
    /// It fails with the provider's own code, and nothing was done.
    Coded(ErrorKind, &'static str),
    /// It is done, and nobody learns of it.
    Lost,
    /// It is held up before anything is done.
    Held(Arc<Stop>),
    /// It is done, and its answer is held up.
    Answered(Arc<Stop>),
}

#[derive(Default)]
struct Books {
    calls: Vec<(&'static str, String)>,
    script: HashMap<&'static str, VecDeque<Outcome>>,
    down: Option<ErrorKind>,
    strangers: usize,
    customers: BTreeMap<ProviderCustomerId, CustomerRecord>,
    names: HashMap<ProviderCustomerId, String>,
    pages: BTreeMap<String, (CheckoutPage, CheckoutRequest)>,
    subscriptions: BTreeMap<ProviderSubscriptionId, Snapshot>,
    contents: HashMap<EventId, Snapshot>,
    poison: HashSet<EventId>,
}

/// Bills nobody.
pub(crate) struct PlayedBilling {
    books: Mutex<Books>,
    clock: Arc<Clocks>,
}

/// What happens at the provider without us.
impl PlayedBilling {
    pub(crate) fn new(clock: Arc<Clocks>) -> Self {
        Self { books: Mutex::default(), clock }
    }

    /// The next call of `what` ends like this; several of them one after the other.
    pub(crate) fn next(&self, what: &'static str, outcome: Outcome) {
        self.books().script.entry(what).or_default().push_back(outcome);
    }

    /// Every call fails like this from now on, or works again.
    pub(crate) fn down(&self, kind: Option<ErrorKind>) {
        self.books().down = kind;
    }

    /// What was asked so far: the call, and what it was about.
    pub(crate) fn calls(&self) -> Vec<(&'static str, String)> {
        self.books().calls.clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.books().calls.iter().filter(|(call, _)| *call == what).count()
    }

    /// Forgets what was asked, not what is in the books.
    pub(crate) fn forget_calls(&self) {
        self.books().calls.clear();
    }

    pub(crate) fn customers(&self) -> Vec<CustomerRecord> {
        self.books().customers.values().cloned().collect()
    }

    pub(crate) fn customer_name(&self, id: &str) -> Option<String> {
        self.books().names.get(id).cloned()
    }

    /// A customer that we did not make.
    pub(crate) fn put_customer(&self, id: &str, organization: Option<&str>, deleted: bool) {
        let organization_id = organization.map(OrganizationId::from);
        let record = CustomerRecord { id: id.into(), organization_id, email: None, deleted };
        self.books().customers.insert(id.into(), record);
    }

    pub(crate) fn change_contact(&self, id: &str, email: &str) {
        self.books().customers.get_mut(id).unwrap().email = Some(email.into());
    }

    /// Deletes a customer, and with it what it pays for.
    pub(crate) fn delete_customer(&self, id: &str) {
        let now = self.clock.now();
        let mut books = self.books();
        books.customers.get_mut(id).unwrap().deleted = true;
        books.subscriptions.values_mut().filter(|it| it.customer_id.as_str() == id).for_each(|it| end(it, now));
    }

    /// The page of a row, and what was asked for when it was made.
    pub(crate) fn page(&self, row: &SubscriptionId) -> (CheckoutPage, CheckoutRequest) {
        self.books().pages.values().find(|(_, request)| request.subscription_id == *row).unwrap().clone()
    }

    pub(crate) fn pages(&self) -> Vec<(CheckoutPage, CheckoutRequest)> {
        self.books().pages.values().cloned().collect()
    }

    /// The person leaves the page for good.
    pub(crate) fn give_up(&self, row: &SubscriptionId) {
        self.change_page(row, |page| page.state = CheckoutState::Dead);
    }

    pub(crate) fn change_page(&self, row: &SubscriptionId, change: impl FnOnce(&mut CheckoutPage)) {
        let mut books = self.books();
        let (page, _) = books.pages.values_mut().find(|(_, request)| request.subscription_id == *row).unwrap();
        change(page);
    }

    /// The person pays: the subscription begins.
    pub(crate) fn pay(&self, row: &SubscriptionId) -> ProviderSubscriptionId {
        let now = self.clock.now();
        let mut books = self.books();
        let (page, request) = books.pages.values_mut().find(|(_, it)| it.subscription_id == *row).unwrap();
        assert_eq!(page.state, CheckoutState::Open, "this page cannot be paid any more");
        page.state = CheckoutState::Completed;
        page.url = None;
        let id = ProviderSubscriptionId::from(row.as_str());
        let mut snapshot = self.subscription_of(id.as_str(), page.customer_id.as_ref().unwrap().as_str(), "");
        snapshot.our_id = Some(row.clone());
        snapshot.organization_id = Some(request.organization_id.clone());
        snapshot.items = request
            .items
            .iter()
            .map(|it| Item { quantity: it.quantity, item_type: it.item_type, ..item(it.price_id.as_str()) })
            .collect();
        if let Some(end) = request.trial_end {
            snapshot.phase = Phase::Trialing;
            snapshot.provider_status = "in_trial".into();
            (snapshot.trial_start, snapshot.trial_end) = (Some(now), Some(end));
            (snapshot.period_start, snapshot.period_end) = (None, None);
        }
        books.subscriptions.insert(id.clone(), snapshot);
        id
    }

    /// A running subscription as somebody would make it by hand; not in the books yet.
    pub(crate) fn subscription_of(&self, id: &str, customer: &str, price: &str) -> Snapshot {
        let now = self.clock.now();
        Snapshot {
            provider: self.provider(),
            id: id.into(),
            customer_id: customer.into(),
            our_id: None,
            pending_id: None,
            organization_id: None,
            origin: Origin::Fetched,
            version: Some(1_000),
            provider_status: "active".into(),
            phase: Phase::Active,
            items: vec![item(price)],
            period_start: Some(now),
            period_end: Some(now.plus(PERIOD)),
            trial_start: None,
            trial_end: None,
            cancel_at: None,
            cancelled_at: None,
            ended_at: None,
            dues: None,
            scheduled: None,
            currency: Some("USD".parse().unwrap()),
            observed_at: now,
        }
    }

    pub(crate) fn put_subscription(&self, snapshot: Snapshot) {
        self.books().subscriptions.insert(snapshot.id.clone(), snapshot);
    }

    /// Changes a subscription, which gives it a new version. Answers what it is then.
    pub(crate) fn change(&self, id: &ProviderSubscriptionId, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
        let mut books = self.books();
        let snapshot = books.subscriptions.get_mut(id).unwrap();
        change(snapshot);
        snapshot.version = snapshot.version.map(|version| version + 1);
        snapshot.clone()
    }

    pub(crate) fn end(&self, id: &ProviderSubscriptionId) -> Snapshot {
        let now = self.clock.now();
        self.change(id, |it| {
            end(it, now);
            it.version = it.version.map(|version| version - 1);
        })
    }

    pub(crate) fn truth(&self, id: &ProviderSubscriptionId) -> Snapshot {
        self.books().subscriptions[id].clone()
    }

    /// The delivery `event` carries this state.
    pub(crate) fn carry(&self, event: &str, snapshot: Snapshot) {
        self.books().contents.insert(event.into(), Snapshot { origin: Origin::Delivered, ..snapshot });
    }

    /// The envelope of the delivery `event` can be read, its content cannot.
    pub(crate) fn poison(&self, event: &str) {
        self.books().poison.insert(event.into());
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Answers a call as the script says, else by doing `work`.
    async fn answer<T>(
        &self,
        what: &'static str,
        about: &str,
        work: impl FnOnce(&mut Books) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let (outcome, down) = {
            let mut books = self.books();
            books.calls.push((what, about.to_owned()));
            (books.script.get_mut(what).and_then(VecDeque::pop_front), books.down)
        };
        if let Some(kind) = down {
            return Err(failure(what, kind, None));
        }
        match outcome {
            None => work(&mut self.books()),
            Some(Outcome::Fail(kind)) => Err(failure(what, kind, None)),
            Some(Outcome::Coded(kind, code)) => Err(failure(what, kind, Some(code))),
            Some(Outcome::Lost) => {
                work(&mut self.books())?;
                Err(failure(what, ErrorKind::OutcomeUnknown, None))
            }
            Some(Outcome::Held(stop)) => {
                stop.pass().await;
                work(&mut self.books())
            }
            Some(Outcome::Answered(stop)) => {
                let answer = work(&mut self.books());
                stop.pass().await;
                answer
            }
        }
    }
}

fn failure(operation: &'static str, kind: ErrorKind, code: Option<&str>) -> ProviderError {
    ProviderError {
        kind,
        source_name: "chargebee".into(),
        operation,
        code: code.map(ToOwned::to_owned),
        message: "played".into(),
        request_id: None,
        cause: None,
    }
}

pub(crate) fn item(price: &str) -> Item {
    Item {
        item_price_id: price.into(),
        item_type: tollkeeper_core::snapshot::ItemType::Plan,
        quantity: 1,
        unit_price: None,
        amount: None,
        currency: Some("USD".parse().unwrap()),
    }
}

fn end(snapshot: &mut Snapshot, now: Timestamp) {
    if snapshot.phase != Phase::Ended {
        snapshot.phase = Phase::Ended;
        snapshot.provider_status = "cancelled".into();
        (snapshot.cancel_at, snapshot.ended_at) = (None, Some(now));
        snapshot.version = snapshot.version.map(|version| version + 1);
    }
}

/// A page whose time is over cannot be paid.
fn aged(page: &CheckoutPage, now: Timestamp) -> CheckoutPage {
    let dead = page.state == CheckoutState::Open && page.expires_at <= now;
    CheckoutPage { state: if dead { CheckoutState::Dead } else { page.state }, ..page.clone() }
}

/// Reads `{id, type, at, subscription? | customer?}`.
fn read(body: &Bytes) -> Result<Hint, DecodeError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| DecodeError(error.to_string()))?;
    let text = |field: &str| value[field].as_str().ok_or_else(|| DecodeError(format!("no {field}")));
    let subject = match (value["subscription"].as_str(), value["customer"].as_str()) {
        (Some(id), _) => Subject::Subscription(id.into()),
        (None, Some(id)) => Subject::Customer(id.into()),
        (None, None) => Subject::Other,
    };
    Ok(Hint {
        event_id: text("id")?.into(),
        event_type: text("type")?.into(),
        occurred_at: value["at"].as_i64().map(Timestamp::from_unix_seconds),
        subject,
        content: None,
    })
}

impl Inbound for PlayedBilling {
    fn source(&self) -> Source {
        "chargebee".into()
    }
    fn verify(&self, _headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        Ok(Verified::vouched(self.source(), body))
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        read(verified.body())
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        let mut hint = read(verified.body())?;
        let books = self.books();
        if books.poison.contains(&hint.event_id) {
            return Err(DecodeError("poison".into()));
        }
        hint.content = books.contents.get(&hint.event_id).cloned().map(|it| Content::Subscription(Box::new(it)));
        Ok(hint)
    }
}

#[async_trait]
impl Billing for PlayedBilling {
    fn provider(&self) -> Provider {
        "chargebee".into()
    }
    fn customer_id_for(&self, organization: &OrganizationId, attempt: u32) -> Option<ProviderCustomerId> {
        Some(if attempt == 0 { organization.as_str().into() } else { format!("{organization}-{}", attempt + 1).into() })
    }
    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        self.answer("customer", id.as_str(), |books| Ok(books.customers.get(id).cloned())).await
    }
    async fn create_customer(
        &self,
        id: &ProviderCustomerId,
        new: &NewCustomer,
        _key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        self.answer("create_customer", id.as_str(), |books| {
            let made = || CustomerRecord {
                id: id.clone(),
                organization_id: Some(new.organization_id.clone()),
                email: new.email.clone(),
                deleted: false,
            };
            books.names.entry(id.clone()).or_insert_with(|| new.display_name.clone());
            Ok(books.customers.entry(id.clone()).or_insert_with(made).clone())
        })
        .await
    }
    async fn update_customer(&self, id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError> {
        self.answer("update_customer", id.as_str(), |books| {
            let record = books.customers.get_mut(id).filter(|it| !it.deleted);
            let record = record.ok_or_else(|| failure("update_customer", ErrorKind::NotFound, None))?;
            record.email = patch.email.clone().or(record.email.take());
            if let Some(name) = &patch.display_name {
                books.names.insert(id.clone(), name.clone());
            }
            Ok(())
        })
        .await
    }
    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError> {
        let expires_at = self.clock.now().plus(PAGE);
        self.answer("start_checkout", request.subscription_id.as_str(), |books| {
            let known = books.customers.get(&request.customer_id).is_some_and(|it| !it.deleted);
            // Whoever is not known there becomes somebody new.
            let customer = if known {
                request.customer_id.clone()
            } else {
                books.strangers += 1;
                format!("new_{}", books.strangers).into()
            };
            let reference = format!("hp_{}", books.pages.len() + 1);
            let page = CheckoutPage {
                url: Some(format!("https://pay.example.com/{reference}")),
                reference: reference.clone(),
                expires_at,
                state: CheckoutState::Open,
                subscription_id: Some(request.subscription_id.clone()),
                customer_id: Some(customer),
                provider_subscription_id: None,
            };
            books.pages.insert(reference, (page.clone(), request.clone()));
            Ok(page)
        })
        .await
    }
    async fn find_checkout(
        &self,
        id: &SubscriptionId,
        _customer: &ProviderCustomerId,
        _not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError> {
        let now = self.clock.now();
        self.answer("find_checkout", id.as_str(), |books| {
            let found = books.pages.values().find(|(_, request)| request.subscription_id == *id);
            Ok(found.map(|(page, _)| aged(page, now)))
        })
        .await
    }
    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError> {
        let now = self.clock.now();
        self.answer("checkout", reference, |books| Ok(books.pages.get(reference).map(|(page, _)| aged(page, now))))
            .await
    }
    async fn expire_checkout(&self, reference: &str) -> Result<(), ProviderError> {
        self.answer("expire_checkout", reference, |books| {
            let page = books.pages.get_mut(reference).map(|(page, _)| page);
            if let Some(page) = page.filter(|page| page.state == CheckoutState::Open) {
                page.state = CheckoutState::Dead;
            }
            Ok(())
        })
        .await
    }
    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError> {
        self.answer("subscription", id.as_str(), |books| Ok(books.subscriptions.get(id).cloned())).await
    }
    fn subscription_id_for(&self, id: &SubscriptionId) -> Option<ProviderSubscriptionId> {
        Some(id.as_str().into())
    }
    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError> {
        self.answer("subscriptions_of", id.as_str(), |books| {
            Ok(books.subscriptions.values().filter(|it| it.customer_id == *id).cloned().collect())
        })
        .await
    }
    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        _key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("cancel", id.as_str(), |books| {
            let missing = || failure("cancel", ErrorKind::NotFound, None);
            let snapshot = books.subscriptions.get_mut(id).ok_or_else(missing)?;
            match when {
                CancelWhen::Now => end(snapshot, now),
                CancelWhen::PeriodEnd => {
                    snapshot.cancel_at = snapshot.trial_end.filter(|end| *end > now).or(snapshot.period_end);
                    snapshot.cancelled_at = Some(now);
                    snapshot.provider_status = "non_renewing".into();
                    snapshot.version = snapshot.version.map(|version| version + 1);
                }
            }
            Ok(snapshot.clone())
        })
        .await
    }
    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        self.answer("undo_cancellation", id.as_str(), |books| {
            let snapshot = books.subscriptions.get_mut(id).filter(|it| it.cancel_at.is_some());
            let snapshot = snapshot.ok_or_else(|| failure("undo_cancellation", ErrorKind::Conflict, None))?;
            (snapshot.cancel_at, snapshot.cancelled_at) = (None, None);
            snapshot.provider_status = "active".into();
            snapshot.version = snapshot.version.map(|version| version + 1);
            Ok(snapshot.clone())
        })
        .await
    }
    async fn portal(&self, customer: &ProviderCustomerId, back: &str) -> Result<String, ProviderError> {
        self.answer("portal", customer.as_str(), |_| Ok(format!("https://portal.example.com/{customer}?back={back}")))
            .await
    }
}

//! Providers that are played: they do what they are told, and remember what they were asked.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Notify, Semaphore};
use tollkeeper_core::{
    ids::{
        EventId, OrganizationId, Provider, ProviderCustomerId, ProviderSubscriptionId, Source, SubscriptionId, UserId,
    },
    ports::{
        AuthError, Billing, CancelWhen, CheckoutPage, CheckoutRequest, CheckoutState, CustomerPatch, CustomerRecord,
        DecodeError, ErrorKind, Hint, Identity, Inbound, NewCustomer, OrganizationRecord, ProviderError, Session,
        Subject, UserRecord, Verified, VerifyError,
    },
    snapshot::{Item, ItemType, Origin, Phase, Snapshot},
    time::{Clock, MachineTime, Timestamp},
};

/// A clock that stands still.
pub(crate) struct Still(AtomicI64);

impl Still {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(1_750_000_000))
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
    fn machine_now(&self) -> MachineTime {
        MachineTime::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

fn envelope(verified: &Verified) -> Result<Hint, DecodeError> {
    let value: serde_json::Value =
        serde_json::from_slice(verified.body()).map_err(|error| DecodeError(error.to_string()))?;
    let id = value["id"].as_str().ok_or_else(|| DecodeError("no id".into()))?;
    Ok(Hint {
        event_id: EventId::from(id),
        event_type: "played".into(),
        occurred_at: None,
        subject: Subject::Other,
        content: None,
    })
}

/// Proves whoever says `ROLE:ORGANIZATION`.
pub(crate) struct PlayedIdentity;

impl Inbound for PlayedIdentity {
    fn source(&self) -> Source {
        "scalekit".into()
    }
    fn verify(&self, headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        match headers.get("webhook-signature") {
            // The signature of the play: the length of the raw body.
            Some(signature) if signature.as_bytes() == body.len().to_string().as_bytes() => {
                Ok(Verified::vouched(self.source(), body))
            }
            Some(_) => Err(VerifyError::Mismatch),
            None => Err(VerifyError::Missing("webhook-signature")),
        }
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
}

#[async_trait]
impl Identity for PlayedIdentity {
    async fn authenticate(&self, token: &str, now: MachineTime) -> Result<Session, AuthError> {
        let (role, organization) = match token {
            "expired" => return Err(AuthError::Expired),
            "keyless" => return Err(AuthError::KeysUnavailable),
            "panic" => panic!("played"),
            "silence" => std::future::pending().await,
            other => other.split_once(':').ok_or(AuthError::Invalid("the inner reason"))?,
        };
        Ok(Session {
            user_id: UserId::from("usr_1"),
            organization_id: Some(organization).filter(|it| !it.is_empty()).map(OrganizationId::from),
            session_id: None,
            roles: vec![role.into()],
            permissions: vec!["billing:read".into()],
            email: Some("ada@example.com".into()),
            expires_at: now.plus(Duration::from_secs(60)),
            is_own_organization: false,
        })
    }
    async fn organization(&self, _id: &OrganizationId) -> Result<Option<OrganizationRecord>, ProviderError> {
        Ok(None)
    }
    async fn user(&self, _id: &UserId) -> Result<Option<UserRecord>, ProviderError> {
        Ok(None)
    }
}

#[derive(Default)]
struct Books {
    calls: Vec<&'static str>,
    fails: Option<ErrorKind>,
    customers: HashMap<ProviderCustomerId, CustomerRecord>,
    pages: HashMap<String, (CheckoutPage, CheckoutRequest)>,
    subscriptions: HashMap<ProviderSubscriptionId, Snapshot>,
}

/// Bills nobody.
pub(crate) struct PlayedBilling {
    books: Mutex<Books>,
    /// Checkouts take a permit before they answer.
    pub(crate) pace: Semaphore,
    /// Told when a checkout was asked for.
    pub(crate) asked_for: Notify,
}

impl Default for PlayedBilling {
    fn default() -> Self {
        Self { books: Mutex::default(), pace: Semaphore::new(Semaphore::MAX_PERMITS), asked_for: Notify::new() }
    }
}

impl PlayedBilling {
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.books.lock().unwrap().calls.clone()
    }

    /// Every call fails like this from now on, or works again.
    pub(crate) fn fail(&self, kind: Option<ErrorKind>) {
        self.books.lock().unwrap().fails = kind;
    }

    /// Plays the person on the hosted page.
    pub(crate) fn finish(&self, row: &str, state: CheckoutState) {
        let mut books = self.books.lock().unwrap();
        let (page, request) = books.pages.get_mut(row).unwrap();
        page.state = state;
        let request = request.clone();
        if state == CheckoutState::Completed {
            let id = ProviderSubscriptionId::from(row);
            let snapshot = Snapshot {
                provider: "chargebee".into(),
                id: id.clone(),
                customer_id: request.customer_id,
                our_id: Some(row.into()),
                pending_id: None,
                organization_id: None,
                origin: Origin::Fetched,
                version: Some(1),
                provider_status: "active".into(),
                phase: Phase::Active,
                items: request
                    .items
                    .iter()
                    .map(|item| Item {
                        item_price_id: item.price_id.clone(),
                        item_type: item.item_type,
                        quantity: item.quantity,
                        unit_price: None,
                        amount: None,
                        currency: None,
                    })
                    .collect(),
                period_start: Some(Timestamp::from_unix_seconds(1_750_000_000)),
                period_end: Some(Timestamp::from_unix_seconds(1_752_600_000)),
                trial_start: None,
                trial_end: None,
                cancel_at: None,
                cancelled_at: None,
                ended_at: None,
                dues: None,
                scheduled: None,
                currency: Some("USD".parse().unwrap()),
                observed_at: Timestamp::from_unix_seconds(1_750_000_000),
            };
            assert_eq!(snapshot.items[0].item_type, ItemType::Plan);
            books.subscriptions.insert(id, snapshot);
        }
    }

    /// Plays somebody else's row on the page.
    pub(crate) fn reassign(&self, row: &str) {
        self.books.lock().unwrap().pages.get_mut(row).unwrap().0.subscription_id = Some("tks_another".into());
    }

    fn asked(&self, what: &'static str) -> Result<std::sync::MutexGuard<'_, Books>, ProviderError> {
        let mut books = self.books.lock().unwrap();
        books.calls.push(what);
        match books.fails {
            None => Ok(books),
            Some(kind) => Err(ProviderError {
                kind,
                source_name: "chargebee".into(),
                operation: what,
                code: None,
                message: "inner words of the provider".into(),
                request_id: None,
                cause: None,
            }),
        }
    }
}

impl Inbound for PlayedBilling {
    fn source(&self) -> Source {
        "chargebee".into()
    }
    fn verify(&self, headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        match headers.get("authorization") {
            Some(it) if it == "Basic good" => Ok(Verified::vouched(self.source(), body)),
            _ => Err(VerifyError::Mismatch),
        }
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        envelope(verified)
    }
}

#[async_trait]
impl Billing for PlayedBilling {
    fn provider(&self) -> Provider {
        "chargebee".into()
    }
    fn customer_id_for(&self, organization: &OrganizationId, attempt: u32) -> Option<ProviderCustomerId> {
        Some(format!("{organization}-{attempt}").into())
    }
    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        Ok(self.asked("customer")?.customers.get(id).cloned())
    }
    async fn create_customer(
        &self,
        id: &ProviderCustomerId,
        new: &NewCustomer,
        _key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        let record = CustomerRecord {
            id: id.clone(),
            organization_id: Some(new.organization_id.clone()),
            email: new.email.clone(),
            deleted: false,
        };
        self.asked("create_customer")?.customers.insert(id.clone(), record.clone());
        Ok(record)
    }
    async fn update_customer(&self, _id: &ProviderCustomerId, _patch: &CustomerPatch) -> Result<(), ProviderError> {
        self.asked("update_customer").map(drop)
    }
    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError> {
        self.asked_for.notify_one();
        drop(self.pace.acquire().await.unwrap());
        let row = request.subscription_id.to_string();
        let page = CheckoutPage {
            reference: row.clone(),
            url: Some(format!("https://pay.example.com/{row}")),
            expires_at: Timestamp::from_unix_seconds(1_750_003_600),
            state: CheckoutState::Open,
            subscription_id: Some(request.subscription_id.clone()),
            customer_id: Some(request.customer_id.clone()),
            provider_subscription_id: None,
        };
        self.asked("start_checkout")?.pages.insert(row, (page.clone(), request.clone()));
        Ok(page)
    }
    async fn find_checkout(
        &self,
        id: &SubscriptionId,
        _customer: &ProviderCustomerId,
        _not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError> {
        Ok(self.asked("find_checkout")?.pages.get(id.as_str()).map(|(page, _)| page.clone()))
    }
    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError> {
        Ok(self.asked("checkout")?.pages.get(reference).map(|(page, _)| page.clone()))
    }
    async fn expire_checkout(&self, _reference: &str) -> Result<(), ProviderError> {
        self.asked("expire_checkout").map(drop)
    }
    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError> {
        Ok(self.asked("subscription")?.subscriptions.get(id).cloned())
    }
    fn subscription_id_for(&self, id: &SubscriptionId) -> Option<ProviderSubscriptionId> {
        Some(id.as_str().into())
    }
    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError> {
        let books = self.asked("subscriptions_of")?;
        Ok(books.subscriptions.values().filter(|it| it.customer_id == *id).cloned().collect())
    }
    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        _key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let mut books = self.asked("cancel")?;
        let snapshot = books.subscriptions.get_mut(id).unwrap();
        snapshot.version = snapshot.version.map(|version| version + 1);
        match when {
            CancelWhen::PeriodEnd => snapshot.cancel_at = snapshot.period_end,
            CancelWhen::Now => {
                snapshot.phase = Phase::Ended;
                snapshot.provider_status = "cancelled".into();
                snapshot.ended_at = Some(snapshot.observed_at);
            }
        }
        Ok(snapshot.clone())
    }
    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        let mut books = self.asked("undo_cancellation")?;
        let snapshot = books.subscriptions.get_mut(id).unwrap();
        snapshot.version = snapshot.version.map(|version| version + 1);
        snapshot.cancel_at = None;
        Ok(snapshot.clone())
    }
    async fn portal(&self, customer: &ProviderCustomerId, back: &str) -> Result<String, ProviderError> {
        drop(self.asked("portal")?);
        Ok(format!("https://portal.example.com/{customer}?back={back}"))
    }
}

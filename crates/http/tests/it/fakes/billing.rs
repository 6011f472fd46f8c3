//! The billing provider of the play.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{Notify, Semaphore};
use tollkeeper_core::{
    ids::{
        OrganizationId, Provider, ProviderCustomerId, ProviderInvoiceId, ProviderSubscriptionId, Source, SubscriptionId,
    },
    ports::{
        Billing, CancelWhen, ChangeRequest, ChangeWhen, Changed, CheckoutPage, CheckoutRequest, CheckoutState,
        CustomerPatch, CustomerRecord, DecodeError, ErrorKind, Hint, HostedChange, Inbound, Invoice, InvoiceStatus,
        Listed, NewCustomer, NextInvoice, Pace, Page, PaymentRequest, ProviderError, Quote, Verified, VerifyError,
    },
    snapshot::{Item, ItemType, Origin, Phase, ScheduledItems, Snapshot},
    subscription::CheckoutItem,
    time::{MachineTime, Timestamp},
};

use super::envelope;

#[derive(Default)]
struct Books {
    calls: Vec<&'static str>,
    fails: Option<ErrorKind>,
    customers: HashMap<ProviderCustomerId, CustomerRecord>,
    pages: HashMap<String, (CheckoutPage, CheckoutRequest)>,
    subscriptions: HashMap<ProviderSubscriptionId, Snapshot>,
    /// What a change costs.
    price: i64,
    cancels: Vec<CancelWhen>,
    contact: (Option<String>, Option<String>),
}

/// Bills nobody.
pub(crate) struct PlayedBilling {
    books: Mutex<Books>,
    /// Checkouts and lists take a permit before they answer.
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
                items: request.items.iter().map(item).collect(),
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
                pause_at: None,
                collection_paused: false,
                observed_at: Timestamp::from_unix_seconds(1_750_000_000),
            };
            assert_eq!(snapshot.items[0].item_type, ItemType::Plan);
            books.subscriptions.insert(id, snapshot);
        }
    }

    /// What a change costs from now on.
    pub(crate) fn charge(&self, amount: i64) {
        self.books.lock().unwrap().price = amount;
    }

    /// Changes a subscription behind our back.
    pub(crate) fn edit(&self, row: &str, edit: impl FnOnce(&mut Snapshot)) {
        let mut books = self.books.lock().unwrap();
        let snapshot = books.subscriptions.get_mut(row).unwrap();
        snapshot.version = snapshot.version.map(|version| version + 1);
        edit(snapshot);
    }

    /// The contact that was told last.
    pub(crate) fn contact(&self) -> (Option<String>, Option<String>) {
        self.books.lock().unwrap().contact.clone()
    }

    /// How cancellations were asked for.
    pub(crate) fn cancels(&self) -> Vec<CancelWhen> {
        self.books.lock().unwrap().cancels.clone()
    }

    fn edited(
        &self,
        what: &'static str,
        id: &ProviderSubscriptionId,
        edit: impl FnOnce(&mut Snapshot),
    ) -> Result<Snapshot, ProviderError> {
        let mut books = self.asked(what)?;
        let snapshot = books.subscriptions.get_mut(id).unwrap();
        snapshot.version = snapshot.version.map(|version| version + 1);
        edit(snapshot);
        Ok(snapshot.clone())
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
        chosen: Option<&ProviderCustomerId>,
        new: &NewCustomer,
        _key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        let id = chosen.expect("this provider lets ids be chosen");
        let record = CustomerRecord {
            id: id.clone(),
            organization_id: Some(new.organization_id.clone()),
            display_name: Some(new.display_name.clone()),
            email: new.email.clone(),
            deleted: false,
        };
        self.asked("create_customer")?.customers.insert(id.clone(), record.clone());
        Ok(record)
    }
    async fn find_customer(
        &self,
        organization_id: &OrganizationId,
        _not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError> {
        let books = self.asked("find_customer")?;
        let ours = |it: &&CustomerRecord| it.organization_id.as_ref() == Some(organization_id);
        Ok(books.customers.values().find(ours).cloned())
    }
    async fn update_customer(&self, _id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError> {
        self.asked("update_customer")?.contact = (patch.email.clone(), patch.locale.clone());
        Ok(())
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
    async fn start_payment(&self, request: &PaymentRequest) -> Result<String, ProviderError> {
        drop(self.asked("start_payment")?);
        Ok(format!("https://pay.example.com/once/{}", request.organization_id))
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
        let snapshot = self.edited("cancel", id, |snapshot| match when {
            CancelWhen::PeriodEnd => snapshot.cancel_at = snapshot.period_end,
            CancelWhen::Now | CancelWhen::NowCredited => {
                snapshot.phase = Phase::Ended;
                snapshot.provider_status = "cancelled".into();
                snapshot.ended_at = Some(snapshot.observed_at);
            }
        })?;
        self.books.lock().unwrap().cancels.push(when);
        Ok(snapshot)
    }
    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        self.edited("undo_cancellation", id, |snapshot| snapshot.cancel_at = None)
    }
    async fn preview(&self, _id: &ProviderSubscriptionId, change: &ChangeRequest) -> Result<Quote, ProviderError> {
        let price = self.asked("preview")?.price;
        let now = change.when == ChangeWhen::Now;
        Ok(Quote {
            currency: "USD".parse().unwrap(),
            amount_due: if now { price } else { 0 },
            credit: 0,
            lines: Vec::new(),
            next_invoice: Some(NextInvoice { at: None, amount: price }),
            proration_date: Timestamp::from_unix_seconds(1_750_000_000),
        })
    }
    async fn change(
        &self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        _key: &str,
    ) -> Result<Changed, ProviderError> {
        let items: Vec<_> = change.items.iter().map(item).collect();
        let snapshot = self.edited("change", id, |snapshot| match change.when {
            ChangeWhen::Now => {
                snapshot.items = items;
                snapshot.scheduled = None;
            }
            ChangeWhen::PeriodEnd => {
                snapshot.scheduled = Some(ScheduledItems {
                    price_id: Some(items[0].item_price_id.clone()),
                    seats: Some(items[0].quantity),
                    items,
                    at: snapshot.period_end.unwrap(),
                });
            }
        })?;
        Ok(Changed { snapshot, charged: None })
    }
    async fn undo_change(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        self.edited("undo_change", id, |snapshot| snapshot.scheduled = None)
    }
    async fn hosted_change(&self, change: &HostedChange) -> Result<CheckoutPage, ProviderError> {
        drop(self.asked("hosted_change")?);
        Ok(CheckoutPage {
            reference: format!("{}-change", change.subscription_id),
            url: Some(format!("https://pay.example.com/change/{}", change.subscription_id)),
            expires_at: Timestamp::from_unix_seconds(1_750_003_600),
            state: CheckoutState::Open,
            subscription_id: Some(change.subscription_id.clone()),
            customer_id: Some(change.customer_id.clone()),
            provider_subscription_id: Some(change.id.clone()),
        })
    }
    async fn pause(
        &self,
        id: &ProviderSubscriptionId,
        when: ChangeWhen,
        _until: Option<Timestamp>,
        _key: &str,
    ) -> Result<Snapshot, ProviderError> {
        self.edited("pause", id, |snapshot| match when {
            ChangeWhen::Now => snapshot.phase = Phase::Paused,
            ChangeWhen::PeriodEnd => snapshot.pause_at = snapshot.period_end,
        })
    }
    async fn resume(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        self.edited("resume", id, |snapshot| {
            snapshot.phase = Phase::Active;
            snapshot.pause_at = None;
        })
    }
    async fn subscriptions(
        &self,
        _since: Option<Timestamp>,
        _page: Option<&str>,
    ) -> Result<Page<Listed>, ProviderError> {
        drop(self.pace.acquire().await.unwrap());
        let books = self.asked("subscriptions")?;
        let listed = books.subscriptions.values().map(|it| Listed { snapshot: it.clone(), is_complete: true });
        Ok(Page { rows: listed.collect(), next: None })
    }
    async fn customers(
        &self,
        _since: Option<Timestamp>,
        _page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError> {
        drop(self.pace.acquire().await.unwrap());
        Ok(Page { rows: self.asked("customers")?.customers.values().cloned().collect(), next: None })
    }
    async fn invoices(
        &self,
        customer: &ProviderCustomerId,
        page: Option<&str>,
    ) -> Result<Page<Invoice>, ProviderError> {
        drop(self.asked("invoices")?);
        let next = page.is_none().then(|| r#"["2"]"#.to_owned());
        Ok(Page { rows: vec![invoice("INV-1", customer)], next })
    }
    async fn invoice(&self, id: &ProviderInvoiceId) -> Result<Option<Invoice>, ProviderError> {
        let books = self.asked("invoice")?;
        let customer = books.customers.keys().next().unwrap();
        Ok(Some(id.as_str()).filter(|id| id.starts_with("INV-")).map(|id| invoice(id, customer)))
    }
    async fn invoice_pdf(&self, id: &ProviderInvoiceId) -> Result<Option<String>, ProviderError> {
        drop(self.asked("invoice_pdf")?);
        let link = if id.as_str() == "INV-bad" {
            "https://pdf.example.com/\n".into()
        } else {
            format!("https://pdf.example.com/{id}")
        };
        Ok(Some(link))
    }
    fn set_pace(&self, _pace: Arc<dyn Pace>) {}
    async fn portal(&self, customer: &ProviderCustomerId, back: &str) -> Result<String, ProviderError> {
        drop(self.asked("portal")?);
        Ok(format!("https://portal.example.com/{customer}?back={back}"))
    }
}

fn invoice(id: &str, customer: &ProviderCustomerId) -> Invoice {
    Invoice {
        id: id.into(),
        customer_id: customer.clone(),
        number: Some(id.into()),
        status: InvoiceStatus::Open,
        currency: Some("USD".parse().unwrap()),
        total: 4900,
        amount_due: 900,
        date: Some(Timestamp::from_unix_seconds(1_750_000_000)),
        due_date: None,
        period_start: None,
        period_end: None,
    }
}

fn item(line: &CheckoutItem) -> Item {
    Item {
        item_price_id: line.price_id.clone(),
        item_type: line.item_type,
        quantity: line.quantity,
        unit_price: None,
        amount: None,
        currency: Some("USD".parse().unwrap()),
    }
}

//! A billing provider, as the engine needs it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{OrganizationId, Provider, ProviderCustomerId, ProviderInvoiceId, ProviderSubscriptionId, SubscriptionId},
    money::Currency,
    ports::{Inbound, Invoice, Pace, Page, PriceList, ProviderError},
    snapshot::Snapshot,
    subscription::CheckoutItem,
    time::Timestamp,
};

/// A customer to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomer {
    /// The organization it stands for; written to its metadata as `organizationId`.
    pub organization_id: OrganizationId,
    /// `organization`, or `user` where every user is an organization of one; written to its metadata as `customerType`.
    pub customer_type: &'static str,
    /// The organization's name.
    pub display_name: String,
    /// Billing contact.
    pub email: Option<String>,
    /// Preferred currency.
    pub currency: Option<Currency>,
}

/// A customer as the provider holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerRecord {
    /// Its id.
    pub id: ProviderCustomerId,
    /// The organization that its metadata name.
    pub organization_id: Option<OrganizationId>,
    /// Its name.
    pub display_name: Option<String>,
    /// Billing contact.
    pub email: Option<String>,
    /// Whether it was deleted there.
    pub deleted: bool,
}

/// What changes on a customer; `None` is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerPatch {
    /// The organization's name.
    pub display_name: Option<String>,
    /// Billing contact.
    pub email: Option<String>,
    /// The contact's language, as BCP 47 names it.
    pub locale: Option<String>,
}

/// A hosted checkout to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutRequest {
    /// The idempotency key of this try.
    pub key: String,
    /// Our row: proposed as the subscription's id, or carried in its metadata.
    pub subscription_id: SubscriptionId,
    /// Whose it is; carried in the metadata.
    pub organization_id: OrganizationId,
    /// The customer that pays; it exists.
    pub customer_id: ProviderCustomerId,
    /// Who started it; carried in the metadata.
    pub user_id: Option<String>,
    /// The plan's price first, then what comes on top.
    pub items: Vec<CheckoutItem>,
    /// The currency of every price: where one price is sold in several, nothing else tells which.
    pub currency: Currency,
    /// When the trial ends; `None` declines a trial, explicitly.
    pub trial_end: Option<Timestamp>,
    /// Where the provider sends the person after paying. At most 250 characters.
    pub redirect_url: String,
    /// Where the provider sends the person after giving up. At most 250 characters.
    pub cancel_url: String,
}

/// A one-time payment to be made on a hosted page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    /// The idempotency key.
    pub key: String,
    /// Whose it is; carried by the page.
    pub organization_id: OrganizationId,
    /// The customer that pays; it exists.
    pub customer_id: ProviderCustomerId,
    /// Who started it; carried by the page.
    pub user_id: Option<String>,
    /// One-time prices, each once.
    pub items: Vec<CheckoutItem>,
    /// The currency of every price.
    pub currency: Currency,
    /// Where the provider sends the person after paying. At most [`Billing::longest_return_url`] characters.
    pub success_url: String,
    /// Where the provider sends the person after giving up, as long at most.
    pub cancel_url: String,
}

/// How far a hosted page got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutState {
    /// A person may still finish it.
    Open,
    /// It was paid, or the trial began.
    Completed,
    /// It was given up, cancelled or is too old.
    Dead,
}

/// A hosted page as the provider holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutPage {
    /// Its id.
    pub reference: String,
    /// Where the person pays; `None` once that is over.
    pub url: Option<String>,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// How far it got.
    pub state: CheckoutState,
    /// The row it was made for, as the page itself carries it.
    pub subscription_id: Option<SubscriptionId>,
    /// The customer it was made for.
    pub customer_id: Option<ProviderCustomerId>,
    /// The subscription that came out of it.
    pub provider_subscription_id: Option<ProviderSubscriptionId>,
}

/// When a cancellation takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelWhen {
    /// At once, and nothing is given back.
    Now,
    /// At once, and what was paid for the current period becomes a credit.
    NowCredited,
    /// At the end of what is paid, or of the trial.
    PeriodEnd,
}

/// When a change or a pause takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeWhen {
    /// At once; the rest of the period is prorated and charged.
    Now,
    /// At the end of what is paid, or of the trial, without proration.
    PeriodEnd,
}

/// A change of what a subscription sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRequest {
    /// Every line after the change, the plan's first: what is not here is gone.
    pub items: Vec<CheckoutItem>,
    /// When.
    pub when: ChangeWhen,
    /// The instant that proration counts from, where the provider lets us name it.
    pub proration_date: Option<Timestamp>,
}

/// What a change would cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// Currency of every amount here.
    pub currency: Currency,
    /// Charged at once, in minor units.
    pub amount_due: i64,
    /// Kept for later invoices, in minor units.
    pub credit: i64,
    /// What the two are made of.
    pub lines: Vec<QuoteLine>,
    /// What the end of the period will bring.
    pub next_invoice: Option<NextInvoice>,
    /// The instant that proration counts from.
    pub proration_date: Timestamp,
}

/// One line of a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteLine {
    /// As people read it.
    pub description: String,
    /// Minor units; negative where something is given back.
    pub amount: i64,
    /// Whether it is for part of a period.
    pub proration: bool,
    /// Begin of what it pays for.
    pub period_start: Option<Timestamp>,
    /// End of what it pays for.
    pub period_end: Option<Timestamp>,
}

/// The invoice that follows a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NextInvoice {
    /// When.
    pub at: Option<Timestamp>,
    /// What will be charged then, in minor units, after credits.
    pub amount: i64,
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The subscription as it is then.
    pub snapshot: Snapshot,
    /// What was charged at once, in minor units after credits, where the answer tells.
    pub charged: Option<i64>,
}

/// A hosted page on which a person confirms and pays a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedChange {
    /// The idempotency key.
    pub key: String,
    /// The subscription at the provider.
    pub id: ProviderSubscriptionId,
    /// Our row; carried by the page.
    pub subscription_id: SubscriptionId,
    /// Whose it is; carried by the page.
    pub organization_id: OrganizationId,
    /// The customer that pays.
    pub customer_id: ProviderCustomerId,
    /// Every line after the change, the plan's first.
    pub items: Vec<CheckoutItem>,
    /// Where the provider sends the person after paying.
    pub redirect_url: String,
    /// Where the provider sends the person after giving up.
    pub cancel_url: String,
}

/// A subscription as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What the list tells of it.
    pub snapshot: Snapshot,
    /// Whether that is everything: `false` where dues or a scheduled change must be asked for one by one.
    pub is_complete: bool,
}

/// A billing provider: one trait, every provider, and deliveries through [`Inbound`].
///
/// Writing calls take an idempotency key: the same key with the same arguments never does the work twice. After
/// [`crate::ports::ErrorKind::OutcomeUnknown`] the caller looks before it repeats, under the next key, because a
/// provider may answer a repeated key with the failure that it stored.
#[async_trait]
pub trait Billing: Inbound {
    /// The provider's name in rows and configuration.
    fn provider(&self) -> Provider;

    /// The id that [`Billing::create_customer`] gives to the customer of an organization, where the provider lets us
    /// choose it; with it a second customer is impossible.
    fn customer_id_for(&self, organization_id: &OrganizationId, attempt: u32) -> Option<ProviderCustomerId>;

    /// Looks a customer up; `None` when there is none. A deleted one is returned with `deleted`.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError>;

    /// Makes a customer. Where the provider lets us choose its id, with the `chosen` one, or answers the one that has it
    /// already; elsewhere nothing is chosen, and the provider names it.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn create_customer(
        &self,
        chosen: Option<&ProviderCustomerId>,
        new: &NewCustomer,
        key: &str,
    ) -> Result<CustomerRecord, ProviderError>;

    /// Looks for the customer that was made for an organization, when the answer that named it was lost.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn find_customer(
        &self,
        organization_id: &OrganizationId,
        not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError>;

    /// A name as the provider keeps it: some are cut to a length.
    fn name_as_kept(&self, name: &str) -> String {
        name.to_owned()
    }

    /// Changes name or contact of a customer; what is `None` stays.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn update_customer(&self, id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError>;

    /// Makes a hosted checkout.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; code `no_applicable_gateway` when the provider cannot charge anybody.
    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError>;

    /// Makes a hosted page for a one-time payment, and answers where it is. What is paid there gets an invoice.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; code `no_applicable_gateway` when the provider cannot charge anybody.
    async fn start_payment(&self, request: &PaymentRequest) -> Result<String, ProviderError>;

    /// Looks for the hosted page that was made for a row, when the answer that named it was lost.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn find_checkout(
        &self,
        subscription_id: &SubscriptionId,
        customer_id: &ProviderCustomerId,
        not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError>;

    /// Looks a hosted page up by its id.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError>;

    /// Ends a hosted page where the provider can; does nothing where it cannot.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn expire_checkout(&self, reference: &str) -> Result<(), ProviderError>;

    /// Reads a subscription as it is now; `None` when there is none.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError>;

    /// The id under which a finished checkout of our row will appear, where the provider lets us choose it.
    fn subscription_id_for(&self, id: &SubscriptionId) -> Option<ProviderSubscriptionId>;

    /// Reads every subscription of a customer, also those that are over.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError>;

    /// Cancels, and answers the subscription as it is then. Cancelling what is over is not an error.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn cancel(&self, id: &ProviderSubscriptionId, when: CancelWhen, key: &str)
    -> Result<Snapshot, ProviderError>;

    /// Takes a scheduled cancellation back, and answers the subscription as it is then.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Conflict` when nothing is scheduled.
    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError>;

    /// What a change would cost now. Whatever is scheduled counts as replaced.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn preview(&self, id: &ProviderSubscriptionId, change: &ChangeRequest) -> Result<Quote, ProviderError>;

    /// Changes what a subscription sells, and answers it as it is then. A change that was scheduled before is gone.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Declined` when the charge is refused: then nothing has changed.
    async fn change(
        &self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        key: &str,
    ) -> Result<Changed, ProviderError>;

    /// Takes a scheduled change back, and answers the subscription as it is then.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Conflict` when nothing is scheduled.
    async fn undo_change(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError>;

    /// Makes a hosted page for a change.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Rejected` where the provider has no such page.
    async fn hosted_change(&self, change: &HostedChange) -> Result<CheckoutPage, ProviderError>;

    /// Pauses, and answers the subscription as it is then.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Conflict` when its state forbids it.
    async fn pause(
        &self,
        id: &ProviderSubscriptionId,
        when: ChangeWhen,
        until: Option<Timestamp>,
        key: &str,
    ) -> Result<Snapshot, ProviderError>;

    /// Ends a pause, or takes a scheduled one back, and answers the subscription as it is then.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Conflict` when there is no pause.
    async fn resume(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError>;

    /// Reads every subscription, also those that are over, page by page; those that changed since an instant, where one
    /// is given.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn subscriptions(&self, since: Option<Timestamp>, page: Option<&str>) -> Result<Page<Listed>, ProviderError>;

    /// Reads every customer, also deleted ones, page by page.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn customers(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError>;

    /// How many subscriptions one page of [`Billing::subscriptions`] tells. Where many wait to be read again at once, that
    /// is cheaper than one by one; `None` where deliveries carry their state, so that few have to be read at all.
    fn rows_of_a_page(&self) -> Option<usize> {
        None
    }

    /// Reads the invoices of a customer page by page, newest first; none where the customer is gone.
    ///
    /// # Errors
    /// [`ProviderError`], by kind; `Rejected` or `NotFound` when `page` is none of this list.
    async fn invoices(&self, customer: &ProviderCustomerId, page: Option<&str>)
    -> Result<Page<Invoice>, ProviderError>;

    /// Reads an invoice, whosever it is; `None` when there is none.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn invoice(&self, id: &ProviderInvoiceId) -> Result<Option<Invoice>, ProviderError>;

    /// Makes a link to the document of an invoice; short-lived, never stored. `None` when there is no such invoice, or
    /// it has no document yet. Whoever has the link may read the document.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn invoice_pdf(&self, id: &ProviderInvoiceId) -> Result<Option<String>, ProviderError>;

    /// The provider's own catalog, where it has one that we can write.
    fn price_list(&self) -> Option<&dyn PriceList> {
        None
    }

    /// How many requests a minute are usual, where nobody says otherwise.
    fn usual_requests_per_minute(&self) -> u32 {
        120
    }

    /// From now on every request waits for its turn. Set once, before the first request.
    fn set_pace(&self, pace: Arc<dyn Pace>);

    /// The most characters of an address that the provider sends people back to.
    fn longest_return_url(&self) -> usize {
        2_000
    }

    /// Makes a link into the provider's own portal; short-lived, never stored.
    ///
    /// # Errors
    /// [`ProviderError`], by kind.
    async fn portal(&self, customer: &ProviderCustomerId, return_url: &str) -> Result<String, ProviderError>;
}

//! The billing port, call by call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tollkeeper_core::{
    ids::{OrganizationId, Provider, ProviderCustomerId, ProviderInvoiceId, ProviderSubscriptionId, SubscriptionId},
    ports::{
        Billing, CancelWhen, ChangeRequest, ChangeWhen, Changed, CheckoutPage, CheckoutRequest, CheckoutState,
        CustomerPatch, CustomerRecord, ErrorKind, HostedChange, Invoice, Listed, NewCustomer, Pace, Page,
        PaymentRequest, PriceList, ProviderError, Quote,
    },
    snapshot::{Origin, Phase, Snapshot},
    time::Timestamp,
};

use crate::{
    Chargebee, NAME, change, checkout, client::Endpoint, customer, error::Attempt, form::Form, quote::quote, snapshot,
    wire,
};

/// How much earlier than asked a lost page is looked for: the provider's clock need not be ours, and the page is found
/// by what it carries, not by its time.
const CLOCK_SLACK: Duration = Duration::from_secs(10 * 60);

#[async_trait]
impl Billing for Chargebee {
    fn provider(&self) -> Provider {
        NAME.into()
    }

    fn customer_id_for(&self, organization_id: &OrganizationId, attempt: u32) -> Option<ProviderCustomerId> {
        Some(customer::id_for(organization_id, attempt))
    }

    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        let endpoint = Endpoint::on("read customer", "/customers/{id}", id.as_str());
        match self.client.get::<wire::CustomerAnswer>(endpoint, &Form::new()).await {
            Ok(answer) => Ok(Some(customer::record(answer.customer))),
            Err(error) if error.kind == ErrorKind::NotFound => self.deleted_customer(id).await,
            Err(error) => Err(error),
        }
    }

    async fn create_customer(
        &self,
        chosen: Option<&ProviderCustomerId>,
        new: &NewCustomer,
        key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        // Never without an id: it is all that keeps a second customer from being made.
        let id = &chosen.cloned().unwrap_or_else(|| customer::id_for(&new.organization_id, 0));
        let endpoint = Endpoint::new("create customer", "/customers");
        match self.client.post::<wire::CustomerAnswer>(endpoint, &customer::creation(id, new), Some(key)).await {
            Ok(answer) => Ok(customer::record(answer.customer)),
            Err(error) if error.kind == ErrorKind::Conflict && error.code.as_deref() == Some("duplicate_entry") => {
                // The id is all that must be unique here. Taken, and nowhere to be read: it was deleted.
                let taken = CustomerRecord {
                    id: id.clone(),
                    organization_id: None,
                    display_name: None,
                    email: None,
                    deleted: true,
                };
                Ok(self.customer(id).await?.unwrap_or(taken))
            }
            Err(error) => Err(error),
        }
    }

    /// The id alone finds it, whenever it was made.
    async fn find_customer(
        &self,
        organization_id: &OrganizationId,
        _not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError> {
        let found = self.customer(&customer::id_for(organization_id, 0)).await?;
        Ok(found.filter(|it| !it.deleted && it.organization_id.as_ref() == Some(organization_id)))
    }

    fn name_as_kept(&self, name: &str) -> String {
        customer::company(name)
    }

    /// Sent without an idempotency key: a name that goes there and back again within 30 minutes is two changes.
    async fn update_customer(&self, id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError> {
        let form = customer::change(patch);
        if form.is_empty() {
            return Ok(());
        }
        let endpoint = Endpoint::on("update customer", "/customers/{id}", id.as_str());
        self.client.post::<wire::Nothing>(endpoint, &form, None).await.map(|_| ())
    }

    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError> {
        let form = checkout::request(request, self.gateway_account_id.as_deref())?;
        let endpoint = Endpoint::new(checkout::START, "/hosted_pages/checkout_new_for_items");
        let answer: wire::HostedPageAnswer = self.client.post(endpoint, &form, Some(&request.key)).await?;
        self.made(checkout::START, &answer, &request.customer_id, &request.subscription_id)
    }

    async fn start_payment(&self, request: &PaymentRequest) -> Result<String, ProviderError> {
        let form = checkout::payment(request, self.gateway_account_id.as_deref())?;
        let endpoint = Endpoint::new(checkout::PAYMENT, "/hosted_pages/checkout_one_time_for_items");
        let answer: wire::HostedPageAnswer = self.client.post(endpoint, &form, Some(&request.key)).await?;
        answer.hosted_page.url.filter(|url| !url.is_empty()).ok_or_else(|| {
            let attempt = Attempt { operation: checkout::PAYMENT, writes: true };
            attempt.error(attempt.unclear(), "the answer does not say where the page is")
        })
    }

    /// Of several pages that were made for the row: the one that was completed, else the newest.
    ///
    /// Pages cannot be filtered by customer (`GET /hosted_pages` knows id, type, state and `updated_at`), so that every
    /// checkout since `not_before` is looked at, by what it carries.
    async fn find_checkout(
        &self,
        subscription_id: &SubscriptionId,
        _customer_id: &ProviderCustomerId,
        not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError> {
        let filter = Form::new().pair(&["type", "is"], "checkout_new").filter_instant(
            "updated_at",
            "after",
            not_before.minus(CLOCK_SLACK),
        );
        let rows: Vec<wire::HostedPageAnswer> = self.list("find checkout", "/hosted_pages", &filter).await?;
        let pages = rows
            .iter()
            .map(|row| &row.hosted_page)
            .filter(|hosted| checkout::carried_row(hosted).as_ref() == Some(subscription_id))
            .filter_map(|hosted| Some((hosted.created_at, checkout::page(hosted, self.now())?)));
        let best = pages.max_by_key(|(created_at, page)| (page.state == CheckoutState::Completed, *created_at));
        Ok(best.map(|(_, page)| page))
    }

    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError> {
        let endpoint = Endpoint::on("read checkout", "/hosted_pages/{id}", reference);
        match self.client.get::<wire::HostedPageAnswer>(endpoint, &Form::new()).await {
            Ok(answer) => match checkout::page(&answer.hosted_page, self.now()) {
                Some(page) => Ok(Some(page)),
                None => {
                    let attempt = Attempt { operation: "read checkout", writes: false };
                    Err(attempt.error(ErrorKind::Rejected, "the page does not say how long it works"))
                }
            },
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Chargebee has no such call; the page works until it expires.
    async fn expire_checkout(&self, _reference: &str) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError> {
        match self.read(id.as_str()).await {
            Ok(answer) => self.complete(&answer).await.map(Some),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same text: a checkout takes the id that its subscription shall have.
    fn subscription_id_for(&self, id: &SubscriptionId) -> Option<ProviderSubscriptionId> {
        Some(id.as_str().into())
    }

    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError> {
        let filter = Form::new().pair(&["customer_id", "is"], id).set("include_deleted", true);
        let rows: Vec<wire::SubscriptionAnswer> = self.list("list subscriptions", "/subscriptions", &filter).await?;
        let mut snapshots = Vec::with_capacity(rows.len());
        for row in &rows {
            snapshots.push(self.complete(row).await?);
        }
        Ok(snapshots)
    }

    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let form = change::cancellation(when);
        let endpoint = Endpoint::on("cancel subscription", "/subscriptions/{id}/cancel_for_items", id.as_str());
        match self.act(endpoint, &form, key).await {
            // Refused: perhaps because what is asked for is so already.
            Err(refusal) if matches!(refusal.kind, ErrorKind::Conflict | ErrorKind::Rejected) => {
                match self.subscription(id).await {
                    Ok(Some(snapshot)) if is_cancelled(&snapshot, when) => Ok(snapshot),
                    _ => Err(refusal),
                }
            }
            outcome => outcome,
        }
    }

    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        let endpoint =
            Endpoint::on("undo cancellation", "/subscriptions/{id}/remove_scheduled_cancellation", id.as_str());
        self.act(endpoint, &Form::new(), key).await
    }

    async fn preview(&self, id: &ProviderSubscriptionId, change: &ChangeRequest) -> Result<Quote, ProviderError> {
        const OPERATION: &str = "preview change";
        let endpoint = Endpoint::new(OPERATION, "/estimates/update_subscription_for_items");
        let answer: wire::EstimateAnswer = self.client.ask(endpoint, &change::estimate(id, change)).await?;
        quote(&answer.estimate, self.now()).ok_or_else(|| {
            let attempt = Attempt { operation: OPERATION, writes: false };
            attempt.error(attempt.unclear(), "the estimate does not say its currency or when it was made")
        })
    }

    /// What was scheduled before is gone: Chargebee deletes it with every change (unless the site has ramps).
    async fn change(
        &self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        key: &str,
    ) -> Result<Changed, ProviderError> {
        let endpoint = Endpoint::on("change subscription", "/subscriptions/{id}/update_for_items", id.as_str());
        let answer: wire::SubscriptionAnswer = self.client.post(endpoint, &change::update(change), Some(key)).await?;
        // Without an invoice nothing was charged: no charge waits for a later one here.
        let charged = answer.invoice.map_or(Some(0), |wire::Charged(charged)| charged);
        Ok(Changed { snapshot: self.complete_after_write(&answer).await?, charged })
    }

    async fn undo_change(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        let endpoint = Endpoint::on("undo change", "/subscriptions/{id}/remove_scheduled_changes", id.as_str());
        self.act(endpoint, &Form::new(), key).await
    }

    async fn hosted_change(&self, change: &HostedChange) -> Result<CheckoutPage, ProviderError> {
        let form = checkout::hosted_change(change, self.gateway_account_id.as_deref())?;
        let endpoint = Endpoint::new(checkout::HOSTED_CHANGE, "/hosted_pages/checkout_existing_for_items");
        let answer: wire::HostedPageAnswer = self.client.post(endpoint, &form, Some(&change.key)).await?;
        self.made(checkout::HOSTED_CHANGE, &answer, &change.customer_id, &change.subscription_id)
    }

    async fn pause(
        &self,
        id: &ProviderSubscriptionId,
        when: ChangeWhen,
        until: Option<Timestamp>,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let endpoint = Endpoint::on("pause subscription", "/subscriptions/{id}/pause", id.as_str());
        self.act(endpoint, &change::pause(when, until), key).await
    }

    /// Reads first: a pause that has begun and one that is only scheduled end in two different ways.
    async fn resume(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        const OPERATION: &str = "resume subscription";
        let subscription = self.read(id.as_str()).await?.subscription;
        if subscription.status == "paused" {
            let endpoint = Endpoint::on(OPERATION, "/subscriptions/{id}/resume", id.as_str());
            return self.act(endpoint, &change::resume(), key).await;
        }
        if subscription.pause_date.is_some() {
            let endpoint = Endpoint::on("undo pause", "/subscriptions/{id}/remove_scheduled_pause", id.as_str());
            return self.act(endpoint, &Form::new(), key).await;
        }
        let attempt = Attempt { operation: OPERATION, writes: true };
        Err(attempt.error(ErrorKind::Conflict, "it is not paused, and no pause is scheduled"))
    }

    async fn subscriptions(&self, since: Option<Timestamp>, page: Option<&str>) -> Result<Page<Listed>, ProviderError> {
        let page: wire::Page<wire::SubscriptionAnswer> =
            self.page("list subscriptions", "/subscriptions", since, page).await?;
        let listed = |row: &wire::SubscriptionAnswer| {
            let (subscription, customer) = (&row.subscription, row.customer.as_ref());
            let beside = snapshot::Beside::default();
            Listed {
                snapshot: snapshot::snapshot(subscription, customer, beside, Origin::Fetched, self.now()),
                is_complete: snapshot::is_whole(subscription),
            }
        };
        Ok(Page { rows: page.list.iter().map(listed).collect(), next: page.next_offset })
    }

    async fn customers(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError> {
        let page: wire::Page<wire::CustomerAnswer> = self.page("list customers", "/customers", since, page).await?;
        let rows = page.list.into_iter().map(|row| customer::record(row.customer)).collect();
        Ok(Page { rows, next: page.next_offset })
    }

    async fn invoices(
        &self,
        customer: &ProviderCustomerId,
        page: Option<&str>,
    ) -> Result<Page<Invoice>, ProviderError> {
        self.list_invoices(customer, page).await
    }

    async fn invoice(&self, id: &ProviderInvoiceId) -> Result<Option<Invoice>, ProviderError> {
        self.read_invoice(id.as_str()).await
    }

    async fn invoice_pdf(&self, id: &ProviderInvoiceId) -> Result<Option<String>, ProviderError> {
        self.link_to_invoice(id.as_str()).await
    }

    fn price_list(&self) -> Option<&dyn PriceList> {
        Some(self)
    }

    fn set_pace(&self, pace: Arc<dyn Pace>) {
        self.client.set_pace(pace);
    }

    fn longest_return_url(&self) -> usize {
        checkout::MAX_URL_CHARS
    }

    async fn portal(&self, customer: &ProviderCustomerId, return_url: &str) -> Result<String, ProviderError> {
        const OPERATION: &str = "open portal";
        let attempt = Attempt { operation: OPERATION, writes: true };
        checkout::check_length(attempt, "redirect_url", return_url, checkout::MAX_URL_CHARS)?;
        let form = Form::new().pair(&["customer", "id"], customer).set("redirect_url", return_url);
        let answer: wire::PortalAnswer =
            self.client.post(Endpoint::new(OPERATION, "/portal_sessions"), &form, None).await?;
        Ok(answer.portal_session.access_url)
    }
}

impl Chargebee {
    /// Does something to a subscription, and reads whole what comes back.
    async fn act(&self, endpoint: Endpoint<'_>, form: &Form, key: &str) -> Result<Snapshot, ProviderError> {
        let answer: wire::SubscriptionAnswer = self.client.post(endpoint, form, Some(key)).await?;
        self.complete_after_write(&answer).await
    }

    /// A page that was just made. It names its customer itself only once it succeeded.
    fn made(
        &self,
        operation: &'static str,
        answer: &wire::HostedPageAnswer,
        customer_id: &ProviderCustomerId,
        subscription_id: &SubscriptionId,
    ) -> Result<CheckoutPage, ProviderError> {
        let attempt = Attempt { operation, writes: true };
        let mut page = checkout::page(&answer.hosted_page, self.now())
            .ok_or_else(|| attempt.error(attempt.unclear(), "the answer does not say how long the page works"))?;
        page.customer_id.get_or_insert_with(|| customer_id.clone());
        page.subscription_id.get_or_insert_with(|| subscription_id.clone());
        Ok(page)
    }

    /// Looks a customer up among the deleted ones, which only the list shows.
    async fn deleted_customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        let filter = Form::new().set("limit", 1).pair(&["id", "is"], id).set("include_deleted", true);
        let page: wire::Page<wire::CustomerAnswer> =
            self.client.get(Endpoint::new("find deleted customer", "/customers"), &filter).await?;
        let found = page.list.into_iter().map(|row| row.customer).find(|customer| customer.id == id.as_str());
        Ok(found.map(customer::record))
    }
}

/// Whether a subscription is already as a cancellation would leave it.
fn is_cancelled(snapshot: &Snapshot, when: CancelWhen) -> bool {
    snapshot.phase == Phase::Ended || (when == CancelWhen::PeriodEnd && snapshot.cancel_at.is_some())
}

//! The billing port, call by call.

use std::time::Duration;

use async_trait::async_trait;
use tollkeeper_core::{
    ids::{OrganizationId, Provider, ProviderCustomerId, ProviderSubscriptionId, SubscriptionId},
    ports::{
        Billing, CancelWhen, CheckoutPage, CheckoutRequest, CheckoutState, CustomerPatch, CustomerRecord, ErrorKind,
        NewCustomer, ProviderError,
    },
    snapshot::{Phase, Snapshot},
    time::Timestamp,
};

use crate::{Chargebee, NAME, checkout, client::Endpoint, customer, error::Attempt, form::Form, wire};

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
        id: &ProviderCustomerId,
        new: &NewCustomer,
        key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        let endpoint = Endpoint::new("create customer", "/customers");
        match self.client.post::<wire::CustomerAnswer>(endpoint, &customer::creation(id, new), Some(key)).await {
            Ok(answer) => Ok(customer::record(answer.customer)),
            Err(error) if error.kind == ErrorKind::Conflict && error.code.as_deref() == Some("duplicate_entry") => {
                // The id is all that must be unique here. Taken, and nowhere to be read: it was deleted.
                let taken = CustomerRecord { id: id.clone(), organization_id: None, email: None, deleted: true };
                Ok(self.customer(id).await?.unwrap_or(taken))
            }
            Err(error) => Err(error),
        }
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
        let attempt = Attempt { operation: checkout::START, writes: true };
        let mut page = checkout::page(&answer.hosted_page, self.now()).ok_or_else(|| {
            attempt.error(ErrorKind::OutcomeUnknown, "the answer does not say how long the page works")
        })?;
        // The page itself names its customer only once it succeeded.
        page.customer_id.get_or_insert_with(|| request.customer_id.clone());
        page.subscription_id.get_or_insert_with(|| request.subscription_id.clone());
        Ok(page)
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
        let after = not_before.minus(CLOCK_SLACK).as_unix_seconds().max(0);
        let filter = Form::new()
            .pair(&["type", "is"], "checkout_new")
            // Ten digits are the contract's shape of an instant.
            .pair(&["updated_at", "after"], format!("{after:010}"));
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

    /// Gives no credit for what is left of the term: what a person gets back is decided apart.
    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let option = match when {
            CancelWhen::Now => "immediately",
            CancelWhen::PeriodEnd => "end_of_term",
        };
        let form = Form::new().set("cancel_option", option).set("credit_option_for_current_term_charges", "none");
        let endpoint = Endpoint::on("cancel subscription", "/subscriptions/{id}/cancel_for_items", id.as_str());
        match self.client.post::<wire::SubscriptionAnswer>(endpoint, &form, Some(key)).await {
            Ok(answer) => self.complete_after_write(&answer).await,
            // Refused: perhaps because what is asked for is so already.
            Err(refusal) if matches!(refusal.kind, ErrorKind::Conflict | ErrorKind::Rejected) => {
                match self.subscription(id).await {
                    Ok(Some(snapshot)) if is_cancelled(&snapshot, when) => Ok(snapshot),
                    _ => Err(refusal),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        let endpoint =
            Endpoint::on("undo cancellation", "/subscriptions/{id}/remove_scheduled_cancellation", id.as_str());
        let answer: wire::SubscriptionAnswer = self.client.post(endpoint, &Form::new(), Some(key)).await?;
        self.complete_after_write(&answer).await
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

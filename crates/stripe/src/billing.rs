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
    snapshot::Snapshot,
    time::Timestamp,
};

use crate::{
    NAME, Stripe,
    checkout::{self, PortalReference},
    client::Endpoint,
    customer,
    error::Attempt,
    form::Form,
    reading::PAGE_ROWS,
    wire,
};

const CREATE_CUSTOMER: &str = "create customer";
const PORTAL_PATH: &str = "/v1/billing_portal/sessions";

/// How much earlier than asked something lost is looked for: the provider's clock need not be ours, and it is found by
/// what it carries, not by its time.
const CLOCK_SLACK: Duration = Duration::from_secs(10 * 60);

#[async_trait]
impl Billing for Stripe {
    fn provider(&self) -> Provider {
        NAME.into()
    }

    /// Stripe names its customers itself.
    fn customer_id_for(&self, _organization_id: &OrganizationId, _attempt: u32) -> Option<ProviderCustomerId> {
        None
    }

    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        let endpoint = Endpoint::on("read customer", "/v1/customers/{id}", id.as_str());
        match self.client.get(endpoint, &Form::new()).await {
            Ok(answer) => Ok(Some(customer::record(answer))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes one under an id of Stripe's own. Only the key keeps a second one from being made: the same for every try of
    /// one organization, it answers the first one again for a day. A key that was used with other words is `Conflict`:
    /// the customer is there, under an older name.
    async fn create_customer(
        &self,
        _chosen: Option<&ProviderCustomerId>,
        new: &NewCustomer,
        key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        let form = customer::creation(Attempt::write(CREATE_CUSTOMER), new)?;
        let endpoint = Endpoint::new(CREATE_CUSTOMER, "/v1/customers");
        self.client.post(endpoint, &form, Some(key)).await.map(customer::record)
    }

    /// Among all that were made since `not_before`: a search would find it only minutes later. Of several it is the first.
    async fn find_customer(
        &self,
        organization_id: &OrganizationId,
        not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError> {
        self.customer_of(organization_id.as_str(), not_before.minus(CLOCK_SLACK)).await
    }

    fn name_as_kept(&self, name: &str) -> String {
        customer::kept_name(name)
    }

    /// Sent without an idempotency key: a name that goes there and back again within a day is two changes.
    async fn update_customer(&self, id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError> {
        let form = customer::change(patch);
        if form.is_empty() {
            return Ok(());
        }
        let endpoint = Endpoint::on("update customer", "/v1/customers/{id}", id.as_str());
        self.client.post::<wire::Nothing>(endpoint, &form, None).await.map(|_| ())
    }

    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError> {
        let form = checkout::request(request, &self.options, self.now())?;
        let endpoint = Endpoint::new(checkout::START, "/v1/checkout/sessions");
        let session: wire::Session = self.client.post(endpoint, &form, Some(&request.key)).await?;
        self.page_of(Attempt::write(checkout::START), &session)
    }

    async fn start_payment(&self, request: &PaymentRequest) -> Result<String, ProviderError> {
        let form = checkout::payment(request, &self.options)?;
        let endpoint = Endpoint::new(checkout::PAYMENT, "/v1/checkout/sessions");
        let session: wire::Session = self.client.post(endpoint, &form, Some(&request.key)).await?;
        session.url.filter(|url| !url.is_empty()).ok_or_else(|| {
            let attempt = Attempt::write(checkout::PAYMENT);
            attempt.error(attempt.unclear(), "the answer does not say where the page is")
        })
    }

    /// Of several sessions that were made for the row: the one that was completed, else one that is open, else the newest.
    async fn find_checkout(
        &self,
        subscription_id: &SubscriptionId,
        customer_id: &ProviderCustomerId,
        not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError> {
        let since = not_before.minus(CLOCK_SLACK).as_unix_seconds().max(0);
        let filter = Form::new().set("customer", customer_id).set("created[gte]", since);
        let rows: Vec<wire::Session> = self.list("find checkout", "/v1/checkout/sessions", &filter).await?;
        let pages = rows
            .iter()
            .filter(|session| checkout::carried_row(session).as_ref() == Some(subscription_id))
            .filter_map(|session| Some((session.created, checkout::page(session, self.now())?)));
        let best = pages.max_by_key(|(created, page)| {
            (page.state == CheckoutState::Completed, page.state == CheckoutState::Open, *created)
        });
        Ok(best.map(|(_, page)| page))
    }

    /// A page of the portal cannot be looked up: the subscription that it was made for is.
    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError> {
        const OPERATION: &str = "read checkout";
        let outcome = match PortalReference::read(reference) {
            Some(portal) => {
                let subscription = self.read(portal.id.as_str()).await;
                subscription.map(|subscription| portal.page(reference, &subscription))
            }
            None => {
                let endpoint = Endpoint::on(OPERATION, "/v1/checkout/sessions/{id}", reference);
                let session = self.client.get::<wire::Session>(endpoint, &Form::new()).await;
                session.and_then(|session| self.page_of(Attempt::read(OPERATION), &session))
            }
        };
        match outcome {
            Ok(page) => Ok(Some(page)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is complete or expired already, or not there, needs no end; a page of the portal has none.
    async fn expire_checkout(&self, reference: &str) -> Result<(), ProviderError> {
        if PortalReference::read(reference).is_some() {
            return Ok(());
        }
        let endpoint = Endpoint::on("expire checkout", "/v1/checkout/sessions/{id}/expire", reference);
        match self.client.post::<wire::Nothing>(endpoint, &Form::new(), None).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            Err(refusal) if matches!(refusal.kind, ErrorKind::Rejected | ErrorKind::Conflict) => {
                match self.checkout(reference).await {
                    Ok(Some(page)) if page.state != CheckoutState::Open => Ok(()),
                    _ => Err(refusal),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError> {
        match self.read(id.as_str()).await {
            Ok(answer) => self.complete(&answer).await.map(Some),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stripe names its subscriptions itself; a completed checkout names its own.
    fn subscription_id_for(&self, _id: &SubscriptionId) -> Option<ProviderSubscriptionId> {
        None
    }

    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError> {
        self.read_all_of(id.as_str()).await
    }

    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        self.end(id.as_str(), when, key).await
    }

    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        self.go_on(id.as_str(), key).await
    }

    async fn preview(&self, id: &ProviderSubscriptionId, change: &ChangeRequest) -> Result<Quote, ProviderError> {
        self.quote(id.as_str(), change).await
    }

    async fn change(
        &self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        key: &str,
    ) -> Result<Changed, ProviderError> {
        self.sell(id.as_str(), change, key).await
    }

    async fn undo_change(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        self.forget_change(id.as_str(), key).await
    }

    /// A page of the portal, which must allow updates of subscriptions. What it charges is for its configuration to say.
    async fn hosted_change(&self, change: &HostedChange) -> Result<CheckoutPage, ProviderError> {
        let attempt = Attempt::write(checkout::HOSTED_CHANGE);
        let subscription = self.read(change.id.as_str()).await?;
        let configuration = self.options.portal_configuration.as_deref();
        let form = checkout::hosted_change(change, &subscription, configuration)?;
        let endpoint = Endpoint::new(checkout::HOSTED_CHANGE, PORTAL_PATH);
        let session: wire::PortalSession = self.client.post(endpoint, &form, Some(&change.key)).await?;
        checkout::portal_page(&session, change, self.now())
            .ok_or_else(|| attempt.error(attempt.unclear(), "the answer does not say when the page was made"))
    }

    async fn pause(
        &self,
        id: &ProviderSubscriptionId,
        when: ChangeWhen,
        until: Option<Timestamp>,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        self.hold(id.as_str(), when, until, key).await
    }

    async fn resume(&self, id: &ProviderSubscriptionId, key: &str) -> Result<Snapshot, ProviderError> {
        self.unhold(id.as_str(), key).await
    }

    async fn subscriptions(&self, since: Option<Timestamp>, page: Option<&str>) -> Result<Page<Listed>, ProviderError> {
        self.list_subscriptions(since, page).await
    }

    async fn customers(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError> {
        self.list_customers(since, page).await
    }

    fn rows_of_a_page(&self) -> Option<usize> {
        Some(PAGE_ROWS as usize)
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

    /// 20 a second: less than the 25 that Stripe allows in a sandbox, and far less than the 100 of a live account.
    fn usual_requests_per_minute(&self) -> u32 {
        1200
    }

    fn price_list(&self) -> Option<&dyn PriceList> {
        Some(self)
    }

    fn set_pace(&self, pace: Arc<dyn Pace>) {
        self.client.set_pace(pace);
    }

    /// Sent without an idempotency key: a link that was given before may be stale.
    async fn portal(&self, customer: &ProviderCustomerId, return_url: &str) -> Result<String, ProviderError> {
        let form = Form::new()
            .set("customer", customer)
            .set("return_url", return_url)
            .set_some("configuration", self.options.portal_configuration.as_deref());
        let session: wire::PortalSession =
            self.client.post(Endpoint::new("open portal", PORTAL_PATH), &form, None).await?;
        Ok(session.url)
    }
}

impl Stripe {
    /// A session in our words.
    fn page_of(&self, attempt: Attempt, session: &wire::Session) -> Result<CheckoutPage, ProviderError> {
        let kind = if attempt.writes { ErrorKind::OutcomeUnknown } else { ErrorKind::Rejected };
        checkout::page(session, self.now())
            .ok_or_else(|| attempt.error(kind, "the page does not say how long it works"))
    }
}

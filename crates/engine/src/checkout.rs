//! From a choice to a hosted page: a saga that survives a crash at every step.
//!
//! The attempt is a durable row with its own key and the exact parameters of its first try, written before the first
//! call. Whoever finds an attempt without a link (the same process, a loser of the race, a later request after a crash)
//! goes on with it: first looks whether the provider has the page, then asks again under the next key.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, ProviderCustomerId, ProviderSubscriptionId, SubscriptionId},
    ports::{Billing, CheckoutPage, CheckoutRequest, CheckoutState, ErrorKind, ProviderError},
    reduce,
    status::Status,
    subscription::{Checkout, Subscription},
    time::Timestamp,
};
use tollkeeper_store::{Cause, Constraint};

use crate::{
    Actor, Error, Tollkeeper,
    budget::for_a_person,
    choice::{self, Choice, CreateRequest},
    decide::cause,
    failpoint::failpoint,
    provision::deleted,
};

/// How long an attempt may wait for its link before it counts as abandoned, in business time.
const UNLINKED: Duration = Duration::from_secs(60 * 60);
/// How often losers look whether the winner has the link.
const POLL: Duration = Duration::from_millis(50);
/// How many looks there are between two tries to take the attempt over.
const LOOKS_PER_TRY: u32 = 10;
/// How often one request asks the provider for the page.
const ROUNDS: usize = 3;
/// How often a request starts again because another was faster.
const RACES: usize = 100;

/// A checkout that a person can go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// Always `hosted`: the provider's page takes the card.
    pub mode: &'static str,
    /// Where to send the person.
    pub url: String,
    /// Our row.
    pub subscription_id: SubscriptionId,
}

impl Tollkeeper {
    /// Starts a checkout, or answers the one that is open for the same choice.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field, or with `active_subscription_exists`; [`Error::Conflict`] with
    /// `no_applicable_gateway`; [`Error::Unavailable`] with `checkout_in_progress`; [`Error::Provider`].
    pub async fn create(&self, actor: &Actor, request: &CreateRequest) -> Result<Started, Error> {
        let cause = cause::api(format!("create by {}", actor.user_id));
        let choose = |account: &Account| {
            choice::resolve(self.settings(), &self.catalog(), account, request, actor.user_id.as_str(), self.now())
        };
        for_a_person(self.start(actor, &cause, choose)).await
    }

    /// Takes a checkout up again: answers its page, or a new one for the same choice where the person gave up the first.
    ///
    /// # Errors
    /// As [`Tollkeeper::create`]; [`Error::Conflict`] with `checkout_replaced` where there is no such checkout.
    pub async fn take_up(&self, actor: &Actor, row: &SubscriptionId) -> Result<Started, Error> {
        let cause = cause::api(format!("taken up by {}", actor.user_id));
        let choose = |account: &Account| {
            account.subscription(row).and_then(|row| choice::again(account, row, self.now())).ok_or_else(replaced)
        };
        for_a_person(self.start(actor, &cause, choose)).await
    }

    async fn start(
        &self,
        actor: &Actor,
        cause: &Cause,
        choose: impl Fn(&Account) -> Result<Choice, Error>,
    ) -> Result<Started, Error> {
        let id = actor.organization_id();
        let account = self.ensure_organization(id).await?;
        let choice = choose(&account)?;
        no_live(&account, &choice.group)?;
        self.payer(actor, cause).await?;
        for _ in 0..RACES {
            let account = self.account(id).await?;
            if account.organization.is_leaving() {
                return Err(deleted());
            }
            // Again, on the account as it is now: somebody may have begun a trial or pinned a currency meanwhile.
            let choice = choose(&account)?;
            no_live(&account, &choice.group)?;
            if let Some(row) = self.claim(&account, &choice, cause).await? {
                return self.drive(id, &row, cause).await;
            }
        }
        Err(Error::Contended(id.to_string()))
    }

    /// Sees to it that there is somebody who pays, with the contact of whoever began it.
    pub(crate) async fn payer(&self, actor: &Actor, cause: &Cause) -> Result<Account, Error> {
        let id = actor.organization_id();
        self.ensure_customer(id, cause).await?;
        let account = self.account(id).await?;
        if account.organization.email.is_none() {
            self.first_contact(&account, self.contact_of(actor).await.as_deref(), cause).await?;
        }
        Ok(account)
    }

    /// Finds the open attempt of the same choice or writes one down. `None`: something was in the way and is not any
    /// more.
    async fn claim(&self, account: &Account, choice: &Choice, cause: &Cause) -> Result<Option<SubscriptionId>, Error> {
        let now = self.now();
        // Of one group there is one page at a time, and of all groups none in another currency: paid, it would leave the
        // organization with two. Stripe takes such a page for a reason to refuse the next.
        let in_the_way = |row: &&Subscription| {
            let checkout = row.checkout.as_ref().filter(|_| row.status == Status::Future);
            checkout
                .is_some_and(|open| row.plan_group == choice.group || open.params.currency != choice.params.currency)
        };
        if let Some(row) = account.subscriptions.iter().find(in_the_way) {
            return self.look_at_open(account, row, choice, cause).await;
        }
        let row = self.attempt(account, choice, now);
        let transition = reduce::begin_checkout(account, row.clone(), &self.catalog(), now);
        match self.save(account, &transition, cause).await {
            Ok(true) => {
                failpoint("checkout.attempt");
                Ok(Some(row.id))
            }
            Ok(false) | Err(Error::Store(tollkeeper_store::Error::Constraint(Constraint::OpenCheckout))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes an open attempt over, or ends it (`None`). What the person did on the page is the provider's to say: given
    /// up, or paid without our having heard of it.
    async fn look_at_open(
        &self,
        account: &Account,
        row: &Subscription,
        choice: &Choice,
        cause: &Cause,
    ) -> Result<Option<SubscriptionId>, Error> {
        let id = &account.organization.id;
        let Some(checkout) = &row.checkout else { return Ok(None) };
        let open = row.is_open_checkout(self.now());
        let wanted = open && row.plan_group == choice.group && checkout.params.same_choice(&choice.params);
        let Some(reference) = &checkout.reference else {
            if wanted {
                return Ok(Some(row.id.clone()));
            }
            self.shut_unheard(account, row, cause).await?;
            // One that got its page meanwhile is left alone: that page must be looked at.
            self.expire_if(id, &row.id, cause, "another choice was made", |row| !is_linked(row)).await?;
            return Ok(None);
        };
        let billing = self.billing(&row.provider)?;
        let page = match billing.checkout(reference).await {
            Ok(page) => page,
            // Its link may well be good; the page itself will say if it is not.
            Err(error) if wanted && error.kind.is_retryable() => {
                tracing::warn!(%error, subscription.id = %row.id, "an open checkout could not be looked up: it is used as it is");
                return Ok(Some(row.id.clone()));
            }
            Err(error) => return Err(error.into()),
        };
        let why = match page {
            Some(page) if page.state == CheckoutState::Open && wanted => return Ok(Some(row.id.clone())),
            Some(page) if page.state == CheckoutState::Completed => {
                self.take_in(id, row, &page, cause).await?;
                "the page is completed"
            }
            Some(page) if page.state == CheckoutState::Open => {
                billing.expire_checkout(reference).await?;
                "another choice was made"
            }
            Some(_) | None => "the page was given up",
        };
        // A row that became a subscription meanwhile stays what it is.
        self.expire(id, &row.id, cause, why).await?;
        Ok(None)
    }

    fn attempt(&self, account: &Account, choice: &Choice, now: Timestamp) -> Subscription {
        let organization = &account.organization;
        let id = self.new_subscription_id();
        let mut row =
            Subscription::future(id, organization.id.clone(), organization.billing_provider.clone(), &choice.group);
        row.provider_customer_id = account.customer(&organization.billing_provider).cloned();
        row.plan = Some(choice.plan.clone());
        row.plan_version = Some(choice.plan_version);
        row.price_id = Some(choice.price.clone());
        row.seats = choice.params.items.first().map(|item| item.quantity);
        row.metadata = choice.params.metadata.clone();
        row.checkout = Some(Checkout {
            key: row.id.to_string(),
            tries: 0,
            params: choice.params.clone(),
            reference: None,
            url: None,
            expires_at: now.plus(UNLINKED),
        });
        row
    }

    /// Brings an attempt to its link, or waits for whoever does.
    async fn drive(&self, id: &OrganizationId, row: &SubscriptionId, cause: &Cause) -> Result<Started, Error> {
        let deadline = Instant::now() + self.inner.settings.checkout_wait;
        let key = format!("checkout/{id}/{row}");
        let owner = self.one_time_owner();
        for look in 0_u32.. {
            if let Some(started) = linked(&self.account(id).await?, row)? {
                return Ok(started);
            }
            // Whoever has the lease is at work as a rule: whether it died is asked now and then.
            if look.is_multiple_of(LOOKS_PER_TRY)
                && let Some(started) = self.with_lease(&key, &owner, self.open_page(id, row, cause)).await?
            {
                return Ok(started);
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(POLL).await;
        }
        Err(in_progress("A checkout for this organization is being prepared: try again in a moment"))
    }

    /// Asks the provider for the page; to be called by the one who holds the attempt's lease.
    async fn open_page(&self, id: &OrganizationId, row_id: &SubscriptionId, cause: &Cause) -> Result<Started, Error> {
        let mut last = None;
        for _ in 0..ROUNDS {
            let account = self.account(id).await?;
            if let Some(started) = linked(&account, row_id)? {
                return Ok(started);
            }
            let row = account.subscription(row_id).expect("it was looked at a moment ago and rows stay");
            let billing = self.billing(&row.provider)?;
            let checkout = row.checkout.as_ref().expect("an attempt has its checkout");
            let customer = account
                .customer(&row.provider)
                .ok_or_else(|| Error::conflict("no_customer", "the customer went away while the checkout began"))?;
            match unheard(billing.as_ref(), row, customer).await? {
                Some(page) if page.state == CheckoutState::Open => return self.link(id, row_id, &page, cause).await,
                Some(page) if page.state == CheckoutState::Completed => {
                    self.take_in(id, row, &page, cause).await?;
                    continue;
                }
                Some(_) | None => {}
            }
            let tries = checkout.tries + 1;
            self.note(id, row_id, cause, "the provider is asked for the page", |checkout| checkout.tries = tries)
                .await?;
            let request = CheckoutRequest {
                key: format!("{}:{tries}", checkout.key),
                subscription_id: row_id.clone(),
                organization_id: id.clone(),
                customer_id: customer.clone(),
                user_id: checkout.params.user_id.clone(),
                items: checkout.params.items.clone(),
                currency: checkout.params.currency,
                trial_end: checkout.params.trial_end,
                redirect_url: self.landing_url(row_id),
                cancel_url: self.short_enough(billing.as_ref(), &checkout.params.cancel_url),
            };
            match billing.start_checkout(&request).await {
                Ok(page) => {
                    failpoint("checkout.page");
                    return self.link(id, row_id, &page, cause).await;
                }
                Err(error) if matches!(error.kind, ErrorKind::OutcomeUnknown | ErrorKind::Transient) => {
                    tracing::warn!(%error, organization.id = %id, tries, "the hosted page is asked for again");
                    last = Some(error);
                }
                Err(error) if matches!(error.kind, ErrorKind::Throttled(_)) => return Err(error.into()),
                Err(error) => {
                    // Asking again would be refused again: the attempt is over, so that another choice can be made.
                    self.expire(id, row_id, cause, &format!("the provider refused: {error}")).await?;
                    return Err(refused(error));
                }
            }
        }
        Err(last.map_or_else(|| Error::Contended(id.to_string()), Error::from))
    }

    /// Where the provider sends people back to: short, because providers take few characters.
    pub(crate) fn landing_url(&self, row: &SubscriptionId) -> String {
        format!("{}/api/subscription/success?subscriptionId={row}", self.settings().app_url)
    }

    /// The address to come back to, or the billing page where it is longer than the provider takes.
    pub(crate) fn short_enough(&self, billing: &dyn Billing, target: &str) -> String {
        if target.chars().count() <= billing.longest_return_url() {
            return target.to_owned();
        }
        format!("{}/billing", self.settings().app_url)
    }

    async fn link(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        page: &CheckoutPage,
        cause: &Cause,
    ) -> Result<Started, Error> {
        self.note(id, row, cause, "the hosted page is open", |checkout| {
            checkout.reference = Some(page.reference.clone());
            checkout.url.clone_from(&page.url);
            checkout.expires_at = page.expires_at;
        })
        .await?;
        failpoint("checkout.linked");
        let account = self.account(id).await?;
        match linked(&account, row) {
            Ok(Some(started)) => Ok(started),
            Ok(None) => Err(replaced()),
            Err(error) => {
                // The attempt was replaced while the page was made, and nobody will hear of the page: nobody may pay
                // it.
                let provider = account.subscription(row).map(|row| row.provider.clone());
                if let Some(provider) = provider {
                    self.billing(&provider)?.expire_checkout(&page.reference).await?;
                }
                Err(error)
            }
        }
    }

    /// Changes the bookkeeping of an open attempt; leaves a row alone that is not one any more.
    async fn note(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        cause: &Cause,
        how: &str,
        change: impl Fn(&mut Checkout),
    ) -> Result<(), Error> {
        self.rewrite_row(id, row, cause, how, |next, _| {
            if let Some(checkout) = next.checkout.as_mut().filter(|_| next.status == Status::Future) {
                change(checkout);
            }
        })
        .await?;
        Ok(())
    }

    /// Shuts a page that was made without our learning of it, or takes in what was paid there.
    pub(crate) async fn shut_unheard(&self, account: &Account, row: &Subscription, cause: &Cause) -> Result<(), Error> {
        let Some(customer) = account.customer(&row.provider) else { return Ok(()) };
        let billing = self.billing(&row.provider)?;
        match unheard(billing.as_ref(), row, customer).await? {
            Some(page) if page.state == CheckoutState::Open => {
                billing.expire_checkout(&page.reference).await?;
            }
            Some(page) if page.state == CheckoutState::Completed => {
                self.take_in(&account.organization.id, row, &page, cause).await?;
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Takes in what was bought on a page that is completed.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with `checkout_in_progress` where nothing says yet what that is: nobody may buy it again
    /// meanwhile.
    async fn take_in(
        &self,
        id: &OrganizationId,
        row: &Subscription,
        page: &CheckoutPage,
        cause: &Cause,
    ) -> Result<(), Error> {
        let Some(bought) = bought_on(self.billing(&row.provider)?.as_ref(), row, page) else {
            tracing::warn!(organization.id = %id, subscription.id = %row.id, "a checkout is completed, and the provider does not say with which subscription");
            return Err(in_progress(
                "A checkout of this organization is paid and not known yet: try again in a moment",
            ));
        };
        self.refresh(id, &row.provider, &bought, cause).await?;
        Ok(())
    }

    /// Ends an attempt that nobody will finish. One that was paid meanwhile stays what it became.
    pub(crate) async fn expire(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        cause: &Cause,
        why: &str,
    ) -> Result<(), Error> {
        self.expire_if(id, row, cause, why, |_| true).await
    }

    async fn expire_if(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        cause: &Cause,
        why: &str,
        is_over: impl Fn(&Subscription) -> bool,
    ) -> Result<(), Error> {
        self.rewrite_row(id, row, cause, why, |next, now| {
            if next.status == Status::Future && is_over(next) {
                next.status = Status::Expired;
                next.ended_at = Some(now);
            }
        })
        .await?;
        Ok(())
    }

    /// The e-mail of whoever acts, asked of the identity provider where nothing here knows it.
    async fn contact_of(&self, actor: &Actor) -> Option<String> {
        if actor.email.is_some() {
            return actor.email.clone();
        }
        match self.inner.identity.user(&actor.user_id).await {
            Ok(user) => user.and_then(|user| user.email),
            Err(error) => {
                tracing::warn!(%error, user.id = %actor.user_id, "the billing contact is not known yet");
                None
            }
        }
    }
}

/// The link of an attempt, once it has one.
fn linked(account: &Account, id: &SubscriptionId) -> Result<Option<Started>, Error> {
    let row = account.subscription(id).filter(|row| row.checkout.is_some());
    let Some(row) = row else { return Err(replaced()) };
    if row.status != Status::Future {
        no_live(account, &row.plan_group)?;
        return Err(replaced());
    }
    let url = row.checkout.as_ref().and_then(|checkout| checkout.url.clone());
    Ok(url.map(|url| Started { mode: "hosted", url, subscription_id: row.id.clone() }))
}

/// What was bought on a page, as the page says, or our row, or the id that we proposed.
pub(crate) fn bought_on(
    billing: &dyn Billing,
    row: &Subscription,
    page: &CheckoutPage,
) -> Option<ProviderSubscriptionId> {
    let told = page.provider_subscription_id.as_ref().or(row.provider_subscription_id.as_ref());
    told.cloned().or_else(|| billing.subscription_id_for(&row.id))
}

fn is_linked(row: &Subscription) -> bool {
    row.checkout.as_ref().is_some_and(|checkout| checkout.reference.is_some())
}

fn in_progress(message: &str) -> Error {
    Error::unavailable("checkout_in_progress", message)
}

fn replaced() -> Error {
    Error::conflict("checkout_replaced", "This checkout was replaced by another one: start again")
}

fn no_live(account: &Account, group: &str) -> Result<(), Error> {
    match account.live(group).next() {
        None => Ok(()),
        Some(_) => Err(Error::invalid_request(
            "active_subscription_exists",
            "An active subscription already exists for this organization",
        )),
    }
}

/// The page of an attempt that has none as far as we know, but was asked for: an earlier try may have succeeded without
/// our learning of it.
async fn unheard(
    billing: &dyn Billing,
    row: &Subscription,
    customer: &ProviderCustomerId,
) -> Result<Option<CheckoutPage>, Error> {
    let asked = row.checkout.as_ref().filter(|checkout| checkout.tries > 0 && checkout.reference.is_none());
    let Some(checkout) = asked else { return Ok(None) };
    match billing.find_checkout(&row.id, customer, checkout.expires_at.minus(UNLINKED)).await {
        // The customer is gone, and its pages with it.
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        found => Ok(found?),
    }
}

/// A refusal to make a page, in words that say what to do where we know.
pub(crate) fn refused(error: ProviderError) -> Error {
    if error.code.as_deref() == Some("currency_mismatch") {
        return Error::conflict(
            "currency_mismatch",
            "The billing provider refuses this currency: the price is not sold in it there, or the customer has something in another one. Compare the catalog with the provider, and look at what the customer has there",
        );
    }
    if error.code.as_deref() == Some("no_applicable_gateway") {
        return Error::conflict(
            "no_applicable_gateway",
            "The billing provider has no payment gateway for this checkout: add one there, or name the one to use in the configuration",
        );
    }
    error.into()
}

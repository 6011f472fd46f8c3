//! Bringing a row to the provider's truth: the one way through for deliveries, eager sync, our own calls and time.

use std::sync::Arc;

use tollkeeper_core::{
    account::Account,
    effect::Transition,
    ids::{OrganizationId, Provider, ProviderCustomerId, ProviderSubscriptionId, SubscriptionId},
    ports::{Billing, CancelWhen, CheckoutState},
    reduce::{may_apply_directly, reduce},
    snapshot::{Origin, Phase, Snapshot},
};
use tollkeeper_store::{Cause, link::LinkKind, subscription};

use crate::{
    Error, Tollkeeper,
    asks::OwnerOf,
    budget::for_a_person,
    checkout::bought_on,
    decide::{Decided, Deliveries, cause},
    sweep::Listed,
};

/// How often a refresh starts again because another writer was faster.
const RACES: usize = 50;

/// The deliveries that ask for a refresh, and what they save asking the provider.
pub(crate) struct News<'a> {
    /// Settled by what the refresh writes.
    pub(crate) deliveries: &'a Deliveries,
    /// What the deliveries themselves say; enough where it is newer than the row and nothing is scheduled.
    pub(crate) content: Option<&'a Snapshot>,
    /// What a list said that was read after the deliveries had come; enough while the organization has the version that
    /// was noted with it.
    pub(crate) listed: Option<Listed>,
}

/// Where somebody who comes back from the hosted page goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Paid: to where the checkout was asked to lead.
    Done(String),
    /// Not paid yet, as far as the provider says: the same place, with `checkout=pending`.
    Pending(String),
    /// Failed, unknown, or somebody else's: the billing page, with `checkout=failed`.
    Failed,
}

impl Tollkeeper {
    /// The organization that a subscription at a provider belongs to, by its link or by its customer's. `content` saves
    /// asking the provider who the customer is.
    pub(crate) async fn owner_of(
        &self,
        billing: &dyn Billing,
        id: &ProviderSubscriptionId,
        content: Option<&Snapshot>,
    ) -> Result<Option<OrganizationId>, Error> {
        let provider = billing.provider();
        // Whoever pays now is whose it is, where that is known to us.
        if let Some(content) = content
            && let Some(payer) = self.linked(&provider, LinkKind::Customer, content.customer_id.as_str()).await?
        {
            return Ok(Some(payer));
        }
        if let Some(owner) = self.linked(&provider, LinkKind::Subscription, id.as_str()).await? {
            return Ok(Some(owner));
        }
        let customer = match content {
            Some(content) => Some((content.customer_id.clone(), content.our_id.clone())),
            None => billing.subscription(id).await?.map(|snapshot| (snapshot.customer_id, snapshot.our_id)),
        };
        let Some((customer, our_id)) = customer else { return Ok(None) };
        let owner = self.linked(&provider, LinkKind::Customer, customer.as_str()).await?;
        if owner.is_none()
            && let Some(our_id) = our_id
            && subscription::locate(self.inner.db.read().await?.c(), &our_id).await?.is_some()
        {
            // Somebody paid, and nothing opens: a person must look.
            tracing::error!(
                subscription.id = %our_id, customer.id = %customer,
                "a checkout of ours was paid by a customer that is not linked to anybody"
            );
        }
        Ok(owner)
    }

    pub(crate) async fn linked(
        &self,
        provider: &Provider,
        kind: LinkKind,
        id: &str,
    ) -> Result<Option<OrganizationId>, Error> {
        self.together(OwnerOf { provider: provider.clone(), kind, id: id.to_owned() }).await
    }

    /// Brings one subscription of an organization to the provider's truth.
    pub(crate) async fn refresh(
        &self,
        organization: &OrganizationId,
        provider: &Provider,
        id: &ProviderSubscriptionId,
        cause: &Cause,
    ) -> Result<Transition, Error> {
        self.refresh_for(organization, provider, id, cause, None).await
    }

    /// As [`Tollkeeper::refresh`], and settles the deliveries that asked for it.
    ///
    /// The row is read first, then the provider is asked, then the answer is written only if the row is unchanged: a loser
    /// discards and starts again.
    pub(crate) async fn refresh_for(
        &self,
        organization: &OrganizationId,
        provider: &Provider,
        id: &ProviderSubscriptionId,
        cause: &Cause,
        mut news: Option<News<'_>>,
    ) -> Result<Transition, Error> {
        let billing = self.billing(provider)?;
        for round in 0..RACES {
            let account = self.account_with(organization, id.as_str()).await?;
            let deleted = account.organization.is_leaving();
            let row = account
                .subscriptions
                .iter()
                .find(|row| &row.provider == provider && row.provider_subscription_id.as_ref() == Some(id));
            let content = news.as_ref().and_then(|news| news.content);
            let told = content.filter(|content| is_enough(row, content) && !deleted).cloned();
            // Noted before the list was read: nobody has written since.
            let listed = news.as_mut().and_then(|news| news.listed.take());
            let listed = listed.filter(|listed| listed.noted.version == account.organization.version && !deleted);
            let snapshot = match told.or(listed.map(|listed| listed.snapshot)) {
                Some(snapshot) => Some(snapshot),
                None => billing.subscription(id).await?,
            };
            let now = self.now();
            let snapshot = match (snapshot, row, account.customer(provider)) {
                (Some(snapshot), ..) => snapshot,
                (None, Some(row), Some(customer)) => Snapshot::gone(row, id, customer, now),
                (None, ..) => return Err(Error::NotThere(provider.clone(), id.clone())),
            };
            let ours = account.customer(provider) == Some(&snapshot.customer_id);
            if deleted && ours && !matches!(snapshot.phase, Phase::Ended | Phase::NeverStarted) {
                if round > 1 {
                    // It was cancelled and is alive: looked at again later, not in a circle.
                    return Err(Error::Contended(id.to_string()));
                }
                // Nobody uses it, and somebody pays for it. Ended before anything is written, so that a failure comes again.
                tracing::warn!(
                    organization.id = %organization, subscription.id = %id,
                    "a subscription of a deleted organization is alive: cancelling it"
                );
                billing.cancel(id, CancelWhen::Now, &self.key(id.as_str())).await?;
                continue;
            }
            let transition = reduce(&account, Some(&snapshot), &self.catalog(), now)?;
            let unordered = snapshot.version.is_none();
            let (cause, deliveries) = (cause.clone(), news.as_ref().map(|news| news.deliveries.clone()));
            let decided = Arc::new(Decided { before: account, transition, cause, deliveries, unordered });
            if self.together(decided.clone()).await? {
                return Ok(Arc::unwrap_or_clone(decided).transition);
            }
        }
        Err(Error::Contended(organization.to_string()))
    }

    /// Takes in the provider's answer to a call of ours. `before` was read before the call.
    pub(crate) async fn take_answer(
        &self,
        before: &Account,
        answer: &Snapshot,
        cause: &Cause,
    ) -> Result<Account, Error> {
        let transition = reduce(before, Some(answer), &self.catalog(), self.now())?;
        if self.save(before, &transition, cause).await? {
            return Ok(transition.after);
        }
        let id = &before.organization.id;
        Ok(self.refresh(id, &answer.provider, &answer.id, cause).await?.after)
    }

    /// Finishes a checkout for somebody who comes back from the hosted page. Needs no session: nothing that the URL says
    /// is believed, the page itself is looked up and must belong to this row.
    ///
    /// # Errors
    /// Only when the database fails; a provider that fails counts as pending, because the webhook will tell.
    pub async fn land(&self, id: &SubscriptionId) -> Result<Landing, Error> {
        for_a_person(self.look_at_the_page(id)).await
    }

    /// As [`Tollkeeper::land`], for somebody who only brings what the provider calls the page.
    ///
    /// # Errors
    /// As [`Tollkeeper::land`].
    pub async fn land_from(&self, page: &str) -> Result<Landing, Error> {
        let known = subscription::locate_page(self.inner.db.read().await?.c(), page).await?;
        let Some(id) = known else { return Ok(Landing::Failed) };
        self.land(&id).await
    }

    async fn look_at_the_page(&self, id: &SubscriptionId) -> Result<Landing, Error> {
        let located = subscription::locate(self.inner.db.read().await?.c(), id).await?;
        let Some(organization) = located else { return Ok(Landing::Failed) };
        let account = self.account_with(&organization, id.as_str()).await?;
        let Some(row) = account.subscription(id) else { return Ok(Landing::Failed) };
        let Some(checkout) = &row.checkout else { return Ok(Landing::Failed) };
        let target = checkout.params.success_url.clone();
        let Some(reference) = &checkout.reference else { return Ok(Landing::Failed) };
        let billing = self.billing(&row.provider)?;
        let page = match billing.checkout(reference).await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Landing::Failed),
            Err(error) => {
                tracing::warn!(%error, subscription.id = %id, "the hosted page could not be looked up");
                return Ok(Landing::Pending(target));
            }
        };
        let customer: Option<&ProviderCustomerId> = account.customer(&row.provider);
        let ours = page.subscription_id.as_ref() == Some(id)
            && page.customer_id.as_ref().is_none_or(|it| Some(it) == customer);
        if !ours {
            return Ok(Landing::Failed);
        }
        match page.state {
            CheckoutState::Open => Ok(Landing::Pending(target)),
            CheckoutState::Dead => Ok(Landing::Failed),
            CheckoutState::Completed => {
                let Some(bought) = bought_on(billing.as_ref(), row, &page) else { return Ok(Landing::Pending(target)) };
                let cause = cause::api("success");
                match self.refresh(&organization, &row.provider, &bought, &cause).await {
                    // What was paid for a deleted organization was ended at once.
                    Ok(transition) if transition.after.organization.is_leaving() => Ok(Landing::Failed),
                    Ok(_) => Ok(Landing::Done(target)),
                    Err(Error::Store(error)) => Err(error.into()),
                    Err(error) => {
                        tracing::warn!(%error, subscription.id = %id, "eager sync failed: the webhook will tell");
                        Ok(Landing::Pending(target))
                    }
                }
            }
        }
    }
}

/// Whether what a delivery says is enough: it is newer than the row, or it is nothing new.
fn is_enough(row: Option<&tollkeeper_core::subscription::Subscription>, content: &Snapshot) -> bool {
    debug_assert_eq!(content.origin, Origin::Delivered);
    let older =
        row.and_then(|row| row.provider_version).zip(content.version).is_some_and(|(known, version)| version < known);
    older || may_apply_directly(row, content)
}

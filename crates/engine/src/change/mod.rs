//! What a person does to a subscription that runs: cancel, restore, and the way into the provider's portal.

use tollkeeper_core::{
    account::Account, ids::SubscriptionId, ports::CancelWhen, status::Status, subscription::Subscription,
};

use crate::{Actor, Error, Tollkeeper, decide::cause, redirect::safe_target, show::SubscriptionView};

/// How to cancel.
#[derive(Clone, Debug, Default)]
pub struct CancelRequest {
    /// At the period's end unless `now`.
    pub now: bool,
    /// Through the provider's portal instead of at once.
    pub hosted: bool,
    /// Where the portal leads back to.
    pub return_url: Option<String>,
    /// Which one, where there are several.
    pub subscription_id: Option<String>,
}

/// What became of a cancellation.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// It is done.
    Applied(Box<SubscriptionView>),
    /// The person goes on there.
    Hosted(String),
}

impl Tollkeeper {
    /// Cancels the organization's subscription. Asking again for what is asked for already does no harm.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or `invalid_redirect`; [`Error::Provider`].
    pub async fn cancel(&self, actor: &Actor, request: &CancelRequest) -> Result<Cancelled, Error> {
        if request.hosted {
            return Ok(Cancelled::Hosted(self.portal(actor, request.return_url.as_deref()).await?));
        }
        let account = self.account(actor.organization_id()).await?;
        let row = live_row(&account, request.subscription_id.as_deref())?;
        let when = if request.now { CancelWhen::Now } else { CancelWhen::PeriodEnd };
        if !request.now && row.cancel_at.is_some() {
            return Ok(Cancelled::Applied(Box::new(self.show(row))));
        }
        let bought = row.provider_subscription_id.as_ref().expect("a live row names its subscription");
        let answer = self.billing(&row.provider)?.cancel(bought, when, &self.key(row.id.as_str())).await?;
        let cause = cause::api(format!("cancel by {}", actor.user_id));
        let after = self.take_answer(&account, &answer, &cause).await?;
        Ok(Cancelled::Applied(Box::new(self.shown(&after, &row.id))))
    }

    /// Takes a scheduled cancellation back.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or `nothing_scheduled`; [`Error::Provider`].
    pub async fn restore(&self, actor: &Actor, subscription_id: Option<&str>) -> Result<SubscriptionView, Error> {
        let account = self.account(actor.organization_id()).await?;
        let row = live_row(&account, subscription_id)?;
        if row.cancel_at.is_none() {
            return Err(Error::Invalid {
                field: None,
                code: "nothing_scheduled",
                message: "No cancellation is scheduled: there is nothing to restore".into(),
            });
        }
        let bought = row.provider_subscription_id.as_ref().expect("a live row names its subscription");
        let answer = self.billing(&row.provider)?.undo_cancellation(bought, &self.key(row.id.as_str())).await?;
        let cause = cause::api(format!("restore by {}", actor.user_id));
        let after = self.take_answer(&account, &answer, &cause).await?;
        Ok(self.shown(&after, &row.id))
    }

    /// Takes a scheduled change back; for now only says whether there is one, because none can be scheduled through us.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_subscription` or `nothing_scheduled`; [`Error::Conflict`] with `made_elsewhere`.
    pub async fn restore_change(
        &self,
        actor: &Actor,
        subscription_id: Option<&str>,
    ) -> Result<SubscriptionView, Error> {
        let account = self.account(actor.organization_id()).await?;
        match &live_row(&account, subscription_id)?.scheduled {
            None => Err(Error::Invalid {
                field: None,
                code: "nothing_scheduled",
                message: "No change is scheduled: there is nothing to restore".into(),
            }),
            Some(_) => Err(Error::conflict(
                "made_elsewhere",
                "This change was scheduled at the billing provider: take it back there",
            )),
        }
    }

    /// Makes a link into the provider's portal.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `no_customer` or `invalid_redirect`; [`Error::Provider`].
    pub async fn portal(&self, actor: &Actor, return_url: Option<&str>) -> Result<String, Error> {
        let back = safe_target(self.settings(), "returnUrl", return_url.unwrap_or("/billing"))?;
        let account = self.find_account(actor.organization_id()).await?;
        let provider = account.as_ref().map(|account| &account.organization.billing_provider);
        let customer = account.as_ref().zip(provider).and_then(|(account, provider)| account.customer(provider));
        let Some((customer, provider)) = customer.zip(provider) else {
            return Err(Error::Invalid {
                field: None,
                code: "no_customer",
                message: "This organization has no billing account yet: start a checkout first".into(),
            });
        };
        let billing = self.billing(provider)?;
        Ok(billing.portal(customer, &self.short_enough(billing.as_ref(), &back)).await?)
    }

    fn shown(&self, account: &Account, id: &SubscriptionId) -> SubscriptionView {
        self.show(account.subscription(id).expect("rows stay"))
    }
}

/// The one live subscription, or the one that was named.
fn live_row<'a>(account: &'a Account, named: Option<&str>) -> Result<&'a Subscription, Error> {
    let mut live = account.subscriptions.iter().filter(|row| {
        row.status.is_live() && row.status != Status::Incomplete && named.is_none_or(|id| row.id.as_str() == id)
    });
    match (live.next(), live.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err(Error::invalid(
            "subscriptionId",
            "subscription_required",
            "there are several subscriptions: name one of them",
        )),
        (None, _) => Err(Error::Invalid {
            field: named.map(|_| "subscriptionId"),
            code: "no_subscription",
            message: "There is no active subscription".into(),
        }),
    }
}

//! Changing what a running subscription sells: what it would cost, and doing it.
//!
//! What a person saw is what is charged: the preview is sealed into a token, and the change is refused when the provider
//! would now charge another amount.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, ProviderSubscriptionId, SubscriptionId},
    money::Currency,
    ports::{
        ChangeRequest, ChangeWhen, Changed, ErrorKind, HostedChange, NextInvoice, ProviderError, Quote, QuoteLine,
    },
    reduce,
    snapshot::{ItemType, Phase, Snapshot},
    status::Status,
    subscription::{Checkout, CheckoutItem, CheckoutParams, OwedChange, Subscription},
    time::{MachineTime, Timestamp},
};
use tollkeeper_store::{Cause, drift::DriftClass};

use super::{
    lease_of, live_row,
    target::{self, Target},
};
use crate::{
    Actor, Error, Tollkeeper, budget::for_a_person, decide::cause, failpoint::failpoint, provision::deleted,
    redirect::safe_target, show::SubscriptionView,
};

/// How long a preview may be accepted.
const PREVIEW_LIFE: Duration = Duration::from_secs(15 * 60);
/// When a change that takes two calls is looked at by somebody else, in business time.
const HALF_DONE: Duration = Duration::from_secs(60);
/// How often one change is asked for when its outcome is not known.
const TRIES: usize = 3;

/// What a person wants changed; everything is optional, and what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateRequest {
    /// A plan by name.
    pub plan: Option<String>,
    /// Or prices by id, the plan's first.
    pub price_ids: Vec<String>,
    /// How often to pay; the current interval when not given.
    pub interval: Option<String>,
    /// In which currency; only the current one is possible.
    pub currency: Option<String>,
    /// How many seats.
    pub seats: Option<i64>,
    /// The whole set of add-ons by name; `None` keeps what is there.
    pub addons: Option<Vec<(String, i64)>>,
    /// When; not given: a step up at once, a step down at the period's end.
    pub when: Option<ChangeWhen>,
    /// What [`Tollkeeper::preview`] answered.
    pub preview_token: Option<String>,
    /// On a page of the provider instead of at once.
    pub hosted: bool,
    /// Where the hosted page leads to after paying.
    pub success_url: Option<String>,
    /// Where it leads to after giving up.
    pub cancel_url: Option<String>,
    /// Which one, where there are several.
    pub subscription_id: Option<String>,
}

/// What a change would cost, as the API shows it. Amounts are minor units.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the API's own, described in its documentation")]
pub struct Preview {
    pub amount_due: i64,
    pub currency: Currency,
    pub credit: i64,
    pub lines: Vec<QuoteLine>,
    pub when: ChangeWhen,
    pub proration_date: Timestamp,
    pub next_invoice: Option<NextInvoice>,
    pub preview_token: String,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Updated {
    /// It is done, or waits for the period's end.
    Applied(Box<SubscriptionView>),
    /// The person goes on there.
    Hosted(String),
}

/// What a token pins.
#[derive(Debug, Serialize, Deserialize)]
struct Pinned {
    organization: OrganizationId,
    row: SubscriptionId,
    target: Target,
    seen: Seen,
    proration_date: Timestamp,
    expires_at: MachineTime,
}

/// The amounts that a person saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Charged at once, less what is credited.
    net: i64,
    next: Option<i64>,
    currency: Currency,
}

impl Seen {
    fn of(quote: &Quote) -> Self {
        Self {
            net: quote.amount_due.saturating_sub(quote.credit),
            next: quote.next_invoice.as_ref().map(|invoice| invoice.amount),
            currency: quote.currency,
        }
    }

    /// Whether both are the same but for what a few minutes change.
    fn agrees(self, other: Self, tolerance: i64) -> bool {
        let near = |one: i64, two: i64| one.abs_diff(two) <= tolerance.unsigned_abs();
        let next = match (self.next, other.next) {
            (Some(one), Some(two)) => near(one, two),
            (one, two) => one == two,
        };
        self.currency == other.currency && near(self.net, other.net) && next
    }
}

impl Tollkeeper {
    /// What a change would cost, with a token that pins it for a quarter of an hour.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field, `no_subscription` or `nothing_changes`; [`Error::Conflict`];
    /// [`Error::Provider`].
    pub async fn preview(&self, actor: &Actor, request: &UpdateRequest) -> Result<Preview, Error> {
        check_hosted(request)?;
        for_a_person(async {
            let account = self.account(actor.organization_id()).await?;
            if account.organization.is_leaving() {
                return Err(deleted());
            }
            let (row, target) = self.target(&account, request)?;
            let quote = self.quote(row, &target, None).await?;
            Ok(self.pin(row, target, quote))
        })
        .await
    }

    /// Changes plan, seats or add-ons.
    ///
    /// # Errors
    /// As [`Tollkeeper::preview`], and [`Error::PreviewOutdated`].
    pub async fn update(&self, actor: &Actor, request: &UpdateRequest) -> Result<Updated, Error> {
        check_hosted(request)?;
        let pinned = request.preview_token.as_deref().map(|token| self.opened(token)).transpose()?;
        // Without a time the token's own counts: what was shown is what is meant.
        let when = request.when.or(pinned.as_ref().map(|pinned| pinned.target.when));
        let request = &UpdateRequest { when, ..request.clone() };
        let (id, cause) = (actor.organization_id(), cause::api(format!("update by {}", actor.user_id)));
        for_a_person(self.in_turn(id, || async {
            let account = self.settled(id, request.subscription_id.as_deref()).await?;
            let (row, target) = self.target(&account, request)?;
            if request.hosted {
                return Ok(Updated::Hosted(self.hosted_update(actor, row, &target, request, &cause).await?));
            }
            if let Some(pinned) = &pinned {
                self.check_preview(row, &target, pinned).await?;
            }
            let after = self.apply(&account, row, &target, pinned.as_ref(), &cause).await?;
            Ok(Updated::Applied(Box::new(self.shown(&after, &row.id))))
        }))
        .await
    }

    /// The row that a request is about and what it leads to.
    fn target<'a>(&self, account: &'a Account, request: &UpdateRequest) -> Result<(&'a Subscription, Target), Error> {
        let row = live_row(account, request.subscription_id.as_deref())?;
        // The provider's page changes at once.
        let when = if request.hosted { Some(ChangeWhen::Now) } else { request.when };
        let request = &UpdateRequest { when, ..request.clone() };
        let target = target::resolve(self.settings(), &self.catalog(), row, request)?;
        let refuse = |code, why: &str| Err(Error::conflict(code, why));
        match row.status {
            Status::Paused => refuse("subscription_paused", "The subscription is paused: resume it first"),
            Status::Unpaid => refuse("payment_due", "Invoices are unpaid: pay them first"),
            // Nobody knows when the person is done on the page, so nobody could schedule it again.
            _ if request.hosted && target.then.is_some() => refuse(
                "scheduled_change_pending",
                "A change is scheduled, and the provider's page would drop it: change without the page, or restore it first",
            ),
            _ if row.cancel_at.is_some() && target.when == ChangeWhen::PeriodEnd => {
                refuse("cancellation_scheduled", "The subscription ends then: restore it first")
            }
            _ => Ok((row, target)),
        }
    }

    /// Asks the provider what a change would cost.
    async fn quote(
        &self,
        row: &Subscription,
        target: &Target,
        proration_date: Option<Timestamp>,
    ) -> Result<Quote, Error> {
        let billing = self.billing(&row.provider)?;
        let bought = bought(row);
        let change = ChangeRequest { items: target.items.clone(), when: target.when, proration_date };
        let mut quote = billing.preview(bought, &change).await.map_err(refused)?;
        // What the end of the period brings is a question of its own where something waits for it, or the answer to the
        // first one does not say; and none where there is no next period.
        let silent = quote.next_invoice.is_none() && row.cancel_at.is_none();
        if target.then.is_some() || silent {
            let items = target.then.as_ref().unwrap_or(&target.items).clone();
            let later = ChangeRequest { items, when: ChangeWhen::PeriodEnd, proration_date };
            quote.next_invoice = billing.preview(bought, &later).await.map_err(refused)?.next_invoice;
        }
        Ok(quote)
    }

    fn pin(&self, row: &Subscription, target: Target, quote: Quote) -> Preview {
        let pinned = Pinned {
            organization: row.organization_id.clone(),
            row: row.id.clone(),
            seen: Seen::of(&quote),
            proration_date: quote.proration_date,
            expires_at: self.machine_now().plus(PREVIEW_LIFE),
            target,
        };
        Preview {
            amount_due: quote.amount_due,
            currency: quote.currency,
            credit: quote.credit,
            lines: quote.lines,
            when: pinned.target.when,
            proration_date: quote.proration_date,
            next_invoice: quote.next_invoice,
            preview_token: self.inner.previews.close(&pinned),
        }
    }

    fn opened(&self, token: &str) -> Result<Pinned, Error> {
        self.inner.previews.open(token).ok_or_else(|| {
            Error::invalid("previewToken", "bad_preview_token", "this is not a preview token of ours: preview again")
        })
    }

    /// Whether what the person saw is what would be charged now.
    async fn check_preview(&self, row: &Subscription, target: &Target, pinned: &Pinned) -> Result<(), Error> {
        let bad = |code, message: &str| Err(Error::invalid("previewToken", code, message));
        if pinned.organization != row.organization_id || pinned.row != row.id {
            return bad("bad_preview_token", "this preview token is another subscription's: preview again");
        }
        if pinned.target != *target {
            return bad("preview_mismatch", "this preview token is for another change: preview this one");
        }
        let fresh = self.quote(row, target, Some(pinned.proration_date)).await?;
        let expired = pinned.expires_at <= self.machine_now();
        if expired || !Seen::of(&fresh).agrees(pinned.seen, self.tolerance(row, target)) {
            return Err(Error::PreviewOutdated(Box::new(self.pin(row, target.clone(), fresh))));
        }
        Ok(())
    }

    /// How much a change may cost more or less than previewed: a share of what the lines cost in a day, and one minor unit
    /// in any case.
    fn tolerance(&self, row: &Subscription, target: &Target) -> i64 {
        let yearly = target::yearly(&self.catalog(), &row.provider, &target.items).max(target::yearly(
            &self.catalog(),
            &row.provider,
            &target::lines(row),
        ));
        // The dearest day is one of February's.
        let share = yearly.saturating_mul(i64::from(self.settings().preview_tolerance));
        share.unsigned_abs().div_ceil(12 * 28 * 10_000).try_into().unwrap_or(i64::MAX).max(1)
    }

    /// Makes the change at the provider and takes its answer in.
    async fn apply(
        &self,
        account: &Account,
        row: &Subscription,
        target: &Target,
        pinned: Option<&Pinned>,
        cause: &Cause,
    ) -> Result<Account, Error> {
        let id = &account.organization.id;
        let proration_date = pinned.map(|pinned| pinned.proration_date);
        let change = ChangeRequest { items: target.items.clone(), when: target.when, proration_date };
        let mut before = account.clone();
        if let Some(then) = &target.then {
            let owed =
                OwedChange { now: target.items.clone(), then: then.clone(), look_at: self.now().plus(HALF_DONE) };
            before = self.owe(id, &row.id, Some(owed), cause).await?;
            failpoint("change.owed");
        }
        let changed = match self.changed(row, &change).await {
            Ok(changed) => changed,
            // Refused for good: what waits still waits.
            Err(error) => {
                if target.then.is_some() && !error.may_pass() {
                    self.owe(id, &row.id, None, cause).await?;
                }
                return Err(error);
            }
        };
        failpoint("change.applied");
        if let (Some(pinned), Some(charged)) = (pinned, changed.charged)
            && target.when == ChangeWhen::Now
        {
            self.compare_charge(row, pinned.seen.net.max(0), charged).await?;
        }
        let Some(then) = &target.then else { return self.take_answer(&before, &changed.snapshot, cause).await };
        let answer = match self.schedule_again(row, then).await {
            Ok(answer) => answer,
            // What was asked for is done and paid. The rest is owed until somebody finishes it.
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, subscription.id = %row.id, "what was scheduled before a change is scheduled again later");
                return self.take_answer(&before, &changed.snapshot, cause).await;
            }
            Err(error) => {
                self.schedule_lost(row, then, &error).await?;
                changed.snapshot
            }
        };
        failpoint("change.scheduled_again");
        self.take_answer(&before, &answer, cause).await?;
        self.owe(id, &row.id, None, cause).await
    }

    /// Asks for a change until its outcome is known: what is so already is not asked for again.
    async fn changed(&self, row: &Subscription, change: &ChangeRequest) -> Result<Changed, Error> {
        let billing = self.billing(&row.provider)?;
        let id = bought(row);
        let mut last = None;
        for _ in 0..TRIES {
            match billing.change(id, change, &self.key(row.id.as_str())).await {
                Ok(changed) => return Ok(changed),
                Err(error) if matches!(error.kind, ErrorKind::OutcomeUnknown | ErrorKind::Transient) => {
                    tracing::warn!(%error, subscription.id = %row.id, "whether a change was made is looked up");
                    match billing.subscription(id).await {
                        Ok(Some(snapshot)) if is_so(&snapshot, change) => {
                            return Ok(Changed { snapshot, charged: None });
                        }
                        Ok(_) => last = Some(error),
                        Err(look) => {
                            // That nobody can look does not mean that nothing was done.
                            tracing::warn!(error = %look, subscription.id = %row.id, "it could not be looked up");
                            return Err(error.into());
                        }
                    }
                }
                Err(error) => return Err(refused(error)),
            }
        }
        Err(last.map_or_else(|| Error::Contended(id.to_string()), Error::Provider))
    }

    /// Schedules again what a change at once made the provider forget.
    async fn schedule_again(&self, row: &Subscription, then: &[CheckoutItem]) -> Result<Snapshot, Error> {
        let change = ChangeRequest { items: then.to_vec(), when: ChangeWhen::PeriodEnd, proration_date: None };
        Ok(self.changed(row, &change).await?.snapshot)
    }

    async fn owe(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        owed: Option<OwedChange>,
        cause: &Cause,
    ) -> Result<Account, Error> {
        let how = match owed {
            Some(_) => "a change begins that takes two steps",
            None => "the change is settled",
        };
        let written = self.decide(id, cause, |account, catalog, now| {
            let mut next = account.subscription(row).cloned().expect("rows stay");
            next.owed_change.clone_from(&owed);
            Ok(reduce::rewrite(account, next, catalog, now, how))
        });
        Ok(written.await?.after)
    }

    /// Finishes a change that somebody began and did not end, once it is time; leaves it to whoever is at it.
    pub(crate) async fn finish_change(&self, account: &Account, row: &Subscription) -> Result<(), Error> {
        if row.owed_change.as_ref().is_none_or(|owed| owed.look_at > self.now()) {
            return Ok(());
        }
        let id = &account.organization.id;
        let owner = format!("{}/{}", self.inner.owner, self.new_subscription_id());
        let work = async {
            // As it is now that nobody else is at it.
            let account = self.account(id).await?;
            let owes = account.subscription(&row.id).filter(|row| row.owed_change.is_some()).cloned();
            match owes {
                Some(row) => self.finish(account, &row).await.map(drop),
                None => Ok(()),
            }
        };
        self.with_lease(&lease_of(id), &owner, work).await?;
        Ok(())
    }

    /// Looks whether the first half of a change happened, and does the second; to be called by whoever has the lease.
    pub(super) async fn finish(&self, account: Account, row: &Subscription) -> Result<Account, Error> {
        let Some(owed) = &row.owed_change else { return Ok(account) };
        let cause = cause::time();
        let begun = ChangeRequest { items: owed.now.clone(), when: ChangeWhen::Now, proration_date: None };
        if let Some(mut snapshot) = self.billing(&row.provider)?.subscription(bought(row)).await? {
            if snapshot.scheduled.is_some() && !is_so(&snapshot, &begun) && owed.look_at > self.now() {
                // Perhaps it is still on its way to the provider.
                return Err(Error::conflict("change_in_progress", "This subscription is being changed right now"));
            }
            // What ends waits for nothing any more.
            let goes_on = snapshot.cancel_at.is_none() && snapshot.phase != Phase::Ended;
            if goes_on && snapshot.scheduled.is_none() && is_so(&snapshot, &begun) {
                tracing::warn!(subscription.id = %row.id, "a change was left half done: it is finished now");
                match self.schedule_again(row, &owed.then).await {
                    Ok(answer) => snapshot = answer,
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => self.schedule_lost(row, &owed.then, &error).await?,
                }
            }
            self.take_answer(&account, &snapshot, &cause).await?;
        }
        self.owe(&account.organization.id, &row.id, None, &cause).await
    }

    /// Schedules again what was released for something that was refused then.
    pub(super) async fn put_back(&self, row: &Subscription, then: &[CheckoutItem]) -> Result<(), Error> {
        match self.schedule_again(row, then).await {
            Ok(_) => Ok(()),
            Err(error) => self.schedule_lost(row, then, &error).await,
        }
    }

    /// Writes down that what was scheduled is gone for good: a person must look.
    async fn schedule_lost(&self, row: &Subscription, then: &[CheckoutItem], error: &Error) -> Result<(), Error> {
        tracing::error!(%error, subscription.id = %row.id, organization.id = %row.organization_id, "what was scheduled before a change cannot be scheduled again");
        let pair = (serde_json::json!(then), serde_json::Value::Null);
        let why = format!("what was scheduled before a change could not be scheduled again: {error}");
        let mut one = self.difference(row, DriftClass::Ours, "scheduled", pair, why);
        one.repaired = false;
        self.note_drift(&[one]).await
    }

    /// Makes a page of the provider on which the person confirms the change.
    async fn hosted_update(
        &self,
        actor: &Actor,
        row: &Subscription,
        target: &Target,
        request: &UpdateRequest,
        cause: &Cause,
    ) -> Result<String, Error> {
        let settings = self.settings();
        let success =
            safe_target(settings, "successUrl", request.success_url.as_deref().unwrap_or("/billing?success=1"))?;
        let given_up =
            safe_target(settings, "cancelUrl", request.cancel_url.as_deref().unwrap_or("/billing?checkout=cancelled"))?;
        let billing = self.billing(&row.provider)?;
        let Some(customer) = row.provider_customer_id.clone() else {
            return Err(Error::conflict("no_customer", "This subscription has no customer at the provider"));
        };
        let key = self.key(row.id.as_str());
        let page = billing
            .hosted_change(&HostedChange {
                key: key.clone(),
                id: bought(row).clone(),
                subscription_id: row.id.clone(),
                organization_id: row.organization_id.clone(),
                customer_id: customer,
                items: target.items.clone(),
                redirect_url: self.landing_url(&row.id),
                cancel_url: self.short_enough(billing.as_ref(), &given_up),
            })
            .await
            .map_err(refused)?;
        let Some(url) = page.url.clone() else {
            return Err(Error::Unavailable { code: "no_page", message: "The provider gave no page to go to".into() });
        };
        // So that whoever comes back from it lands where this request said.
        let checkout = Checkout {
            key,
            tries: 1,
            params: CheckoutParams {
                items: target.items.clone(),
                trial_end: None,
                success_url: success,
                cancel_url: given_up,
                user_id: Some(actor.user_id.to_string()),
                metadata: row.metadata.clone(),
            },
            reference: Some(page.reference),
            url: Some(url.clone()),
            expires_at: page.expires_at,
        };
        self.decide(&row.organization_id, cause, |account, catalog, now| {
            let mut next = account.subscription(&row.id).cloned().expect("rows stay");
            next.checkout = Some(checkout.clone());
            Ok(reduce::rewrite(account, next, catalog, now, "a page for a change is open"))
        })
        .await?;
        Ok(url)
    }
}

/// A page of the provider shows its own amounts, and changes at once.
fn check_hosted(request: &UpdateRequest) -> Result<(), Error> {
    if !request.hosted {
        return Ok(());
    }
    if request.preview_token.is_some() {
        return Err(Error::invalid(
            "previewToken",
            "token_with_hosted",
            "previewToken does not go with hosted: the provider's page shows its own amounts",
        ));
    }
    if request.when == Some(ChangeWhen::PeriodEnd) {
        return Err(Error::invalid(
            "when",
            "hosted_is_now",
            "a change on the provider's page happens at once: leave `when` out, or leave `hosted` out",
        ));
    }
    Ok(())
}

/// The subscription at the provider, which every live row names.
pub(super) fn bought(row: &Subscription) -> &ProviderSubscriptionId {
    row.provider_subscription_id.as_ref().expect("a live row names its subscription")
}

/// Whether a subscription is as a change would make it.
fn is_so(snapshot: &Snapshot, change: &ChangeRequest) -> bool {
    let sells = |items: &[tollkeeper_core::snapshot::Item]| {
        let recurring: Vec<_> = items.iter().filter(|item| item.item_type != ItemType::Charge).collect();
        let mut wanted = change.items.iter().filter(|item| item.item_type != ItemType::Charge);
        recurring.len() == wanted.clone().count()
            && wanted.all(|wanted| {
                recurring.iter().any(|item| item.item_price_id == wanted.price_id && item.quantity == wanted.quantity)
            })
    };
    match change.when {
        ChangeWhen::Now => sells(&snapshot.items),
        ChangeWhen::PeriodEnd => snapshot.scheduled.as_ref().is_some_and(|change| sells(&change.items)),
    }
}

fn refused(error: ProviderError) -> Error {
    match error.kind {
        ErrorKind::Conflict => {
            Error::conflict("state_forbids", "The subscription's state at the provider forbids this")
        }
        _ => error.into(),
    }
}

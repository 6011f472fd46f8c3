//! What takes several calls: a subscription that a schedule holds cannot be changed freely, and a change that waits is a
//! schedule.

use tollkeeper_core::{
    ports::{CancelWhen, ChangeRequest, ChangeWhen, Changed, ErrorKind, ProviderError, Quote},
    snapshot::{Phase, ScheduledItems, Snapshot},
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::{
    Stripe,
    change::{self, Proration},
    client::{Endpoint, step},
    error::Attempt,
    form::Form,
    items, pausing, quote,
    reading::{WITH, after_write},
    schedule, snapshot,
    wire::{self, Reference},
};

const CANCEL: &str = "cancel subscription";
const CHANGE: &str = "change subscription";
const PAUSE: &str = "pause subscription";
const PREVIEW: &str = "preview change";
const RELEASE: &str = "release schedule";
const RESUME: &str = "resume subscription";
const SCHEDULE: &str = "schedule change";
const UNDO: &str = "undo cancellation";
const UNDO_CHANGE: &str = "undo change";

const UPDATE_PATH: &str = "/v1/subscriptions/{id}";

impl Stripe {
    /// Cancels what is not over. What waits is let go first: a schedule would refuse the end, or outlive it.
    pub(crate) async fn end(&self, id: &str, when: CancelWhen, key: &str) -> Result<Snapshot, ProviderError> {
        let before = self.read(id).await?;
        let ends =
            snapshot::is_over(&before) || (when == CancelWhen::PeriodEnd && snapshot::cancel_at(&before).is_some());
        if ends {
            return self.complete(&before).await;
        }
        let released = self.let_go(&before, false, key).await?;
        let outcome = match change::at_once(when) {
            Some(credited) => {
                let query = change::cancellation(credited).list("expand", &WITH);
                self.client.delete(Endpoint::on(CANCEL, UPDATE_PATH, id), &query).await
            }
            None => self.update(CANCEL, id, change::cancellation_at_period_end(), key).await,
        };
        match outcome {
            Ok(answer) => self.complete_after_write(answer).await,
            // Refused: perhaps because somebody else was faster.
            Err(refusal) if !refusal.kind.is_retryable() => match self.read(id).await {
                Ok(now) if snapshot::is_over(&now) => self.complete(&now).await,
                Ok(now) => {
                    self.put_back(&now, released.then(|| schedule::scheduled(&before)).flatten(), key).await?;
                    Err(refusal)
                }
                Err(_) if released => Err(after_write(refusal)),
                Err(_) => Err(refusal),
            },
            Err(error) => Err(halfway(error, released)),
        }
    }

    /// Takes a scheduled end back.
    pub(crate) async fn go_on(&self, id: &str, key: &str) -> Result<Snapshot, ProviderError> {
        let before = self.read(id).await?;
        if snapshot::cancel_at(&before).is_none() {
            return Err(Attempt::write(UNDO).error(ErrorKind::Conflict, "no end is scheduled"));
        }
        let after = self.update(UNDO, id, change::restoration(&before), key).await?;
        // Two things may have said that it ends.
        let after = if snapshot::cancel_at(&after).is_some() {
            self.update(UNDO, id, change::restoration(&after), &step(key, "date")).await.map_err(after_write)?
        } else {
            after
        };
        self.complete_after_write(after).await
    }

    /// What a change would cost.
    pub(crate) async fn quote(&self, id: &str, change: &ChangeRequest) -> Result<Quote, ProviderError> {
        let attempt = Attempt::read(PREVIEW);
        let subscription = self.read(id).await?;
        runs(attempt, &subscription)?;
        let period_end = wire::instant(subscription.period_end());
        let begun = wire::instant(subscription.period_start());
        // Stripe takes an instant of the current period only: of one that has ended meanwhile, today's price is told.
        let is_now =
            |date: &Timestamp| begun.is_none_or(|begun| begun <= *date) && period_end.is_none_or(|end| *date <= end);
        // Named by us where nobody did, so that the change can name the same.
        let proration_date = change.proration_date.filter(is_now).or(self.now());
        let around = quote::Around {
            period_end,
            ends: snapshot::cancel_at(&subscription).is_some(),
            proration_date,
            now: self.now(),
        };
        let items = change.items.as_slice();
        let quote = match change.when {
            ChangeWhen::PeriodEnd => {
                let regular = self.would_cost(&subscription, items, Proration::None).await?;
                quote::at_period_end(&regular, around)
            }
            ChangeWhen::Now => {
                let invoice = self.would_cost(&subscription, items, Proration::Invoiced(proration_date)).await?;
                let regular = match around.ends {
                    true => None,
                    false => Some(self.would_cost(&subscription, items, Proration::None).await?),
                };
                quote::at_once(&invoice, regular.as_ref(), around)
            }
        };
        let message = "the preview does not say its currency, its sums or when it was made";
        quote.ok_or_else(|| attempt.error(attempt.unclear(), message))
    }

    async fn would_cost(
        &self,
        subscription: &wire::Subscription,
        items: &[CheckoutItem],
        proration: Proration,
    ) -> Result<wire::Invoice, ProviderError> {
        let form = change::preview(Attempt::read(PREVIEW), subscription, items, proration)?;
        self.client.preview(Endpoint::new(PREVIEW, "/v1/invoices/create_preview"), &form).await
    }

    /// Changes what it sells, now or when the period ends.
    pub(crate) async fn sell(&self, id: &str, change: &ChangeRequest, key: &str) -> Result<Changed, ProviderError> {
        let before = self.read(id).await?;
        runs(Attempt::write(CHANGE), &before)?;
        match change.when {
            ChangeWhen::Now => self.sell_now(&before, change, key).await,
            ChangeWhen::PeriodEnd => {
                let snapshot = self.sell_later(&before, &change.items, key).await?;
                Ok(Changed { snapshot, charged: Some(0) })
            }
        }
    }

    /// A schedule must let go first. When the change is refused, what waited is made to wait again.
    async fn sell_now(
        &self,
        before: &wire::Subscription,
        change: &ChangeRequest,
        key: &str,
    ) -> Result<Changed, ProviderError> {
        let attempt = Attempt::write(CHANGE);
        let form = change::update(attempt, before, &change.items, change.proration_date)?;
        let released = self.let_go(before, true, key).await?;
        match self.update(CHANGE, &before.id, form, key).await {
            Ok(after) => {
                let charged = charged(before, &after);
                Ok(Changed { snapshot: self.complete_after_write(after).await?, charged })
            }
            Err(refusal) if !refusal.kind.is_retryable() && released => {
                // Whole again before anybody hears of it: a refused change changes nothing.
                let now = self.read(&before.id).await.map_err(after_write)?;
                self.put_back(&now, schedule::scheduled(before), key).await?;
                Err(refusal)
            }
            Err(error) => Err(halfway(error, released)),
        }
    }

    /// The schedule that holds it gets another next phase; one is made where there is none.
    async fn sell_later(
        &self,
        before: &wire::Subscription,
        wanted: &[CheckoutItem],
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let attempt = Attempt::write(SCHEDULE);
        if snapshot::cancel_at(before).is_some() {
            return Err(attempt.error(ErrorKind::Conflict, "it ends before the change would begin"));
        }
        let wanted = items::in_order(attempt, wanted)?;
        let held = schedule::attached(before).and(before.schedule.as_ref()).and_then(Reference::whole);
        let is_new = held.is_none();
        let holder = match held {
            Some(schedule) => schedule.clone(),
            None => {
                let endpoint = Endpoint::new(SCHEDULE, "/v1/subscription_schedules");
                self.client.post(endpoint, &schedule::creation(before), Some(&step(key, "schedule"))).await?
            }
        };
        let outcome = match schedule::phases(before, &holder, &wanted) {
            Some(form) => {
                let endpoint = Endpoint::on(SCHEDULE, "/v1/subscription_schedules/{id}", &holder.id);
                self.client.post::<wire::Nothing>(endpoint, &form, Some(&step(key, "phases"))).await
            }
            None => {
                Err(attempt.error(ErrorKind::Rejected, "the schedule or the subscription does not say when it ends"))
            }
        };
        match outcome {
            Ok(_) => {
                let after = self.read(&before.id).await.map_err(after_write)?;
                self.complete_after_write(after).await
            }
            Err(refusal) if is_new && !refusal.kind.is_retryable() => {
                // It holds the subscription for nothing.
                if let Err(error) = self.release(&holder.id, &step(key, "unused")).await {
                    tracing::warn!(%error, subscription.id = before.id, "a schedule that nobody needs was left behind");
                }
                Err(refusal)
            }
            Err(error) => Err(halfway(error, is_new)),
        }
    }

    /// Takes a change back that waits.
    pub(crate) async fn forget_change(&self, id: &str, key: &str) -> Result<Snapshot, ProviderError> {
        let before = self.read(id).await?;
        let Some(holder) = schedule::attached(&before).filter(|_| schedule::scheduled(&before).is_some()) else {
            return Err(Attempt::write(UNDO_CHANGE).error(ErrorKind::Conflict, "no change is scheduled"));
        };
        self.release(holder, key).await?;
        let after = self.read(id).await.map_err(after_write)?;
        self.complete_after_write(after).await
    }

    /// Pauses: stops it where Stripe can do that, else holds its collection.
    pub(crate) async fn hold(
        &self,
        id: &str,
        when: ChangeWhen,
        until: Option<Timestamp>,
        key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let attempt = Attempt::write(PAUSE);
        let before = self.read(id).await?;
        let now = snapshot::snapshot(&before, None, self.now());
        if now.phase == Phase::Paused {
            return self.complete(&before).await;
        }
        runs(attempt, &before)?;
        if now.scheduled.is_some() || now.cancel_at.is_some() {
            return Err(attempt.error(ErrorKind::Conflict, "a change or an end is scheduled"));
        }
        let answer = if pausing::can_stop(&before, when, until) {
            // What holds it has nothing to do any more.
            let released = self.let_go(&before, true, key).await?;
            let form = pausing::stop().list("expand", &WITH);
            let endpoint = Endpoint::on(PAUSE, "/v1/subscriptions/{id}/pause", id);
            self.client.post(endpoint, &form, Some(key)).await.map_err(|error| halfway(error, released))?
        } else {
            let from = match when {
                ChangeWhen::Now => None,
                ChangeWhen::PeriodEnd => {
                    let end = now.period_end;
                    Some(end.ok_or_else(|| attempt.error(ErrorKind::Conflict, "its period has no end"))?)
                }
            };
            self.update(PAUSE, id, pausing::hold(from, until), key).await?
        };
        self.complete_after_write(answer).await
    }

    /// Ends a pause of either kind, or one that has not begun.
    ///
    /// A subscription that was stopped goes on when its next period is paid: until then Stripe keeps it paused, and this
    /// is `Declined`.
    pub(crate) async fn unhold(&self, id: &str, key: &str) -> Result<Snapshot, ProviderError> {
        let attempt = Attempt::write(RESUME);
        let before = self.read(id).await?;
        if before.status == "paused" {
            let form = pausing::resume().list("expand", &WITH);
            let endpoint = Endpoint::on(RESUME, "/v1/subscriptions/{id}/resume", id);
            let after: wire::Subscription = self.client.post(endpoint, &form, Some(key)).await?;
            if after.status == "paused" {
                return Err(attempt.error(ErrorKind::Declined, "the invoice that ends the pause is not paid"));
            }
            return self.complete_after_write(after).await;
        }
        if snapshot::is_over(&before) || !pausing::is_collection_paused(&before) {
            return Err(attempt.error(ErrorKind::Conflict, "it is not paused"));
        }
        let after = self.update(RESUME, id, pausing::release(), key).await?;
        self.complete_after_write(after).await
    }

    /// Changes the subscription itself, and reads it with what belongs to it.
    async fn update(
        &self,
        operation: &'static str,
        id: &str,
        form: Form,
        key: &str,
    ) -> Result<wire::Subscription, ProviderError> {
        let form = form.list("expand", &WITH);
        self.client.post(Endpoint::on(operation, UPDATE_PATH, id), &form, Some(key)).await
    }

    /// Lets a schedule go that holds it; says whether there was one.
    async fn let_go(&self, before: &wire::Subscription, keeps_end: bool, key: &str) -> Result<bool, ProviderError> {
        let Some(holder) = schedule::attached(before) else { return Ok(false) };
        let form = Form::new().set("preserve_cancel_date", keeps_end);
        let endpoint = Endpoint::on(RELEASE, "/v1/subscription_schedules/{id}/release", holder);
        self.client.post::<wire::Nothing>(endpoint, &form, Some(&step(key, "release"))).await?;
        Ok(true)
    }

    /// Ends a schedule and leaves its subscription as it is, with its end where it has one.
    async fn release(&self, holder: &str, key: &str) -> Result<(), ProviderError> {
        let form = Form::new().set("preserve_cancel_date", true);
        let endpoint = Endpoint::on(RELEASE, "/v1/subscription_schedules/{id}/release", holder);
        self.client.post::<wire::Nothing>(endpoint, &form, Some(key)).await.map(|_| ())
    }

    /// Makes wait again what waited before something that was refused. When that fails too, something has changed, and
    /// whoever asked must look.
    async fn put_back(
        &self,
        now: &wire::Subscription,
        waiting: Option<ScheduledItems>,
        key: &str,
    ) -> Result<(), ProviderError> {
        let Some(waiting) = waiting else { return Ok(()) };
        let wanted: Vec<_> = waiting
            .items
            .iter()
            .map(|item| CheckoutItem {
                price_id: item.item_price_id.clone(),
                quantity: item.quantity,
                item_type: item.item_type,
            })
            .collect();
        match self.sell_later(now, &wanted, &step(key, "again")).await {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(%error, subscription.id = now.id, "what was scheduled before a refused change is lost");
                Err(after_write(error))
            }
        }
    }
}

/// Refuses what is over: nothing can be done to it any more.
fn runs(attempt: Attempt, subscription: &wire::Subscription) -> Result<(), ProviderError> {
    if snapshot::is_over(subscription) {
        return Err(attempt.error(ErrorKind::Conflict, "it is over"));
    }
    Ok(())
}

/// A failure of a later step: "nothing was done" would not be true any more.
fn halfway(error: ProviderError, began: bool) -> ProviderError {
    if began && error.kind.is_retryable() { after_write(error) } else { error }
}

/// What a change charged: what its invoice came to after the customer's balance, or nothing where it made none.
fn charged(before: &wire::Subscription, after: &wire::Subscription) -> Option<i64> {
    let last = |subscription: &wire::Subscription| subscription.latest_invoice.as_ref().map(|it| it.id().to_owned());
    if last(before) == last(after) {
        return Some(0);
    }
    after.latest_invoice.as_ref().and_then(Reference::whole)?.amount_due
}

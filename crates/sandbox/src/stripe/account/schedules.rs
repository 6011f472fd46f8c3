//! Subscription schedules: phases that take effect at their instants.
//!
//! Signatures: `create_schedule(NewSchedule, act) -> Outcome<usize>`, `update_schedule(position, ScheduleChange, act)
//! -> Outcome<()>`, `release_schedule(position, act) -> Outcome<()>`, `cancel_schedule(position, CancelNow, act) ->
//! Outcome<()>`.
//!
//! Source: Stripe API reference, "Subscription schedules"; Stripe docs, "Subscription schedules".

use super::calendar::add;
use super::changes::{Change, ItemChange};
use super::creation::{NewItem, NewSubscription, TrialEnd};
use super::ending::CancelNow;
use super::model::{
    EndBehavior, Interval, Metadata, Patch, Phase, PhaseItem, ProrationBehavior, Schedule, ScheduleStatus, Status,
    merge,
};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// What a request says about a phase.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewPhase {
    /// `None`: now, or the end of the phase before.
    pub(crate) start_date: Option<i64>,
    pub(crate) end_date: Option<i64>,
    /// The other way to say when it ends.
    pub(crate) duration: Option<Interval>,
    pub(crate) items: Vec<NewItem>,
    pub(crate) currency: Option<String>,
    pub(crate) proration_behavior: Option<ProrationBehavior>,
    pub(crate) trial_end: Option<i64>,
    /// `trial` is true: a trial until the end of the phase.
    pub(crate) is_trial: bool,
    pub(crate) metadata: Metadata,
    /// `billing_cycle_anchor` is `phase_start`.
    pub(crate) anchors_at_start: bool,
}

/// What a request says about a new schedule.
#[derive(Debug, Clone)]
pub(crate) enum NewSchedule {
    /// `from_subscription`, by position; nothing else may be said.
    From(usize),
    /// A subscription that begins with the first phase.
    Fresh {
        customer: usize,
        /// `None`: now.
        start_date: Option<i64>,
        phases: Vec<NewPhase>,
        end_behavior: EndBehavior,
        metadata: Metadata,
    },
}

/// What a request changes of a schedule.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScheduleChange {
    /// All phases, the one that runs and later ones; `None` keeps them.
    pub(crate) phases: Option<Vec<NewPhase>>,
    pub(crate) end_behavior: Option<EndBehavior>,
    /// How the phase that runs is prorated where it changes.
    pub(crate) proration_behavior: Option<ProrationBehavior>,
    pub(crate) metadata: Patch<Metadata>,
}

impl Schedule {
    /// The next instant at which this schedule moves by itself.
    pub(super) fn due_at(&self) -> Option<i64> {
        match self.status {
            ScheduleStatus::NotStarted => self.phases.first().map(|phase| phase.start_date),
            ScheduleStatus::Active => self.phases.get(self.current?).map(|phase| phase.end_date),
            ScheduleStatus::Completed | ScheduleStatus::Released | ScheduleStatus::Canceled => None,
        }
    }

    fn is_over(&self) -> bool {
        !matches!(self.status, ScheduleStatus::NotStarted | ScheduleStatus::Active)
    }
}

impl Account {
    pub(crate) fn create_schedule(&mut self, new: NewSchedule, act: Act) -> Outcome<usize> {
        let owner = match &new {
            NewSchedule::From(subscription) => self.customer_of(*subscription),
            NewSchedule::Fresh { customer, .. } => *customer,
        };
        let owner = self.customers[owner].id.clone();
        let act = self.act_for(&owner, act);
        let mut schedule = Schedule {
            id: String::new(),
            customer: owner,
            subscription: None,
            status: ScheduleStatus::Active,
            phases: Vec::new(),
            current: Some(0),
            end_behavior: EndBehavior::Release,
            metadata: Metadata::new(),
            created: act.secs(),
            canceled_at: None,
            completed_at: None,
            released_at: None,
            released_subscription: None,
        };
        match new {
            NewSchedule::From(subscription) => {
                let row = &self.subscriptions[subscription];
                if let Some(other) = &row.schedule {
                    let message =
                        format!("You cannot migrate a subscription that is already attached to a schedule: {other}.");
                    return Err(Refusal::invalid(message));
                }
                // While it is paused it has no current period that a phase could be.
                if row.status.is_over() || row.status == Status::Paused {
                    let message = "You cannot create a schedule from a canceled or paused subscription.";
                    return Err(Refusal::wrong_value("from_subscription", message));
                }
                schedule.subscription = Some(row.id.clone());
                schedule.phases.push(Phase {
                    start_date: row.period_start,
                    end_date: row.period_end,
                    items: row
                        .items
                        .iter()
                        .map(|item| PhaseItem {
                            price: item.price.clone(),
                            quantity: item.quantity,
                            metadata: item.metadata.clone(),
                        })
                        .collect(),
                    currency: row.currency.clone(),
                    proration_behavior: ProrationBehavior::CreateProrations,
                    trial_end: row.trial_end.filter(|end| *end > act.secs()),
                    metadata: Metadata::new(),
                    anchors_at_start: false,
                });
            }
            NewSchedule::Fresh { start_date, phases, end_behavior, metadata, .. } => {
                let start = start_date.unwrap_or(act.secs());
                schedule.phases = self.phases(phases, start, None)?;
                schedule.end_behavior = end_behavior;
                schedule.metadata = metadata;
                schedule.status = ScheduleStatus::NotStarted;
                schedule.current = None;
            }
        }
        schedule.id = self.ids.alphanumeric("sub_sched_1", 23);
        let id = schedule.id.clone();
        let subscription = schedule.subscription.as_deref().and_then(|id| self.subscriptions.position(id));
        let position = self.schedules.insert(schedule);
        if let Some(subscription) = subscription {
            let before = self.snapshot(Object::Subscription(subscription));
            self.subscriptions[subscription].schedule = Some(id);
            self.emit("subscription_schedule.created", Object::Schedule(position), None, act);
            self.emit_updated("customer.subscription.updated", Object::Subscription(subscription), &before, act);
        } else {
            self.emit("subscription_schedule.created", Object::Schedule(position), None, act);
            if self.schedules[position].due_at().is_some_and(|at| at <= act.secs()) {
                self.advance_schedule(position, act);
            }
        }
        self.plan_schedule(position);
        Ok(position)
    }

    /// Phases with their instants, each one beginning where the one before ends. The currency of a subscription that runs
    /// cannot change. A phase that names none is in the first currency of its prices: reported by users, of a call that
    /// named none for a customer with another currency, and assumed for schedules.
    fn phases(&self, phases: Vec<NewPhase>, start: i64, runs_in: Option<&str>) -> Outcome<Vec<Phase>> {
        if phases.is_empty() {
            return Err(Refusal::parameter_missing("phases"));
        }
        let mut made: Vec<Phase> = Vec::new();
        for (index, phase) in phases.into_iter().enumerate() {
            let (interval, currency) = self.check_items(&phase.items, phase.currency.as_deref())?;
            if let Some(known) = runs_in.filter(|known| *known != currency) {
                let message = format!(
                    "The currency of the selected prices ({currency}) does not match the customer currency ({known})."
                );
                return Err(Refusal::wrong_value(format!("phases[{index}][currency]"), message));
            }
            let follows = made.last().map_or(start, |before| before.end_date);
            let start_date = phase.start_date.unwrap_or(follows);
            if index > 0 && start_date != follows {
                let message = "The start date of a phase must be the end date of the phase before it.";
                return Err(Refusal::wrong_value(format!("phases[{index}][start_date]"), message));
            }
            let by_duration = phase.duration.map(|duration| add(start_date, duration, 1));
            let end_date = phase.end_date.or(by_duration).unwrap_or_else(|| add(start_date, interval, 1));
            if end_date <= start_date {
                let message = "The end date of a phase must be after its start date.";
                return Err(Refusal::wrong_value(format!("phases[{index}][end_date]"), message));
            }
            made.push(Phase {
                start_date,
                end_date,
                items: phase
                    .items
                    .into_iter()
                    .map(|item| PhaseItem { price: item.price, quantity: item.quantity, metadata: item.metadata })
                    .collect(),
                currency,
                proration_behavior: phase.proration_behavior.unwrap_or(ProrationBehavior::CreateProrations),
                trial_end: phase.trial_end.or(phase.is_trial.then_some(end_date)),
                metadata: phase.metadata,
                anchors_at_start: phase.anchors_at_start,
            });
        }
        Ok(made)
    }

    /// Changes a schedule. The phase that runs must be among the phases; a change of its items takes effect at once.
    pub(crate) fn update_schedule(&mut self, position: usize, change: ScheduleChange, act: Act) -> Outcome<()> {
        let row = &self.schedules[position];
        let act = self.act_for(&row.customer.clone(), act);
        if row.is_over() {
            let message = format!("You cannot update a schedule whose status is `{}`.", row.status.as_str());
            return Err(Refusal::invalid(message));
        }
        let running = row.current.map(|current| row.phases[current].clone());
        let mut changed = None;
        let mut current = row.current;
        let phases = match change.phases {
            None => None,
            Some(phases) => {
                let start = running.as_ref().map_or(act.secs(), |phase| phase.start_date);
                if running.is_some() && phases.first().is_some_and(|phase| phase.start_date.is_none()) {
                    return Err(Refusal::wrong_value("phases[0][start_date]", "The first phase needs its start date."));
                }
                let currency = running.as_ref().map(|phase| phase.currency.as_str());
                let phases = self.phases(phases, start, currency)?;
                if running.is_some() {
                    let runs = |phase: &Phase| phase.start_date <= act.secs() && act.secs() < phase.end_date;
                    let now = phases.iter().position(runs);
                    let Some(now) = now else {
                        let message = "One of the phases must be the one that runs now.";
                        return Err(Refusal::wrong_value("phases", message));
                    };
                    current = Some(now);
                    let same = running.as_ref().is_some_and(|phase| phase.items == phases[now].items);
                    changed = (!same).then(|| phases[now].clone());
                }
                Some(phases)
            }
        };
        let before = self.snapshot(Object::Schedule(position));
        let row = &mut self.schedules[position];
        row.phases = phases.unwrap_or(std::mem::take(&mut row.phases));
        row.current = current;
        row.end_behavior = change.end_behavior.unwrap_or(row.end_behavior);
        merge(&mut row.metadata, change.metadata);
        if let Some(mut phase) = changed {
            phase.proration_behavior = change.proration_behavior.unwrap_or(phase.proration_behavior);
            self.enter_phase(position, &phase, act);
        }
        self.plan_schedule(position);
        self.emit_updated("subscription_schedule.updated", Object::Schedule(position), &before, act);
        Ok(())
    }

    /// Gives the subscription what a phase says.
    fn enter_phase(&mut self, position: usize, phase: &Phase, act: Act) {
        let id = self.schedules[position].subscription.clone();
        let Some(subscription) = id.and_then(|id| self.subscriptions.position(&id)) else { return };
        let row = &self.subscriptions[subscription];
        if row.status.is_over() {
            return;
        }
        let mut items: Vec<ItemChange> = Vec::new();
        for (index, item) in phase.items.iter().enumerate() {
            items.push(ItemChange {
                id: row.items.get(index).map(|item| item.id.clone()),
                price: Some(item.price.clone()),
                quantity: item.quantity,
                deleted: false,
                metadata: Some(Some(item.metadata.clone())),
            });
        }
        for item in row.items.iter().skip(phase.items.len()) {
            items.push(ItemChange { id: Some(item.id.clone()), deleted: true, ..ItemChange::default() });
        }
        let trial_end = phase.trial_end.filter(|end| *end > act.secs() && Some(*end) != row.trial_end);
        let change = Change {
            items,
            proration_behavior: Some(phase.proration_behavior),
            resets_anchor: phase.anchors_at_start && phase.start_date == act.secs() && act.secs() < row.period_end,
            trial_end: trial_end.map(TrialEnd::At),
            metadata: Some(Some(phase.metadata.clone())),
            ..Change::default()
        };
        // Phases were checked when they were written; a price that was archived since stays sellable here.
        drop(self.apply(subscription, change, act));
    }

    /// A phase begins, or the last one is over.
    pub(super) fn advance_schedule(&mut self, position: usize, act: Act) {
        let before = self.snapshot(Object::Schedule(position));
        let row = &mut self.schedules[position];
        let next = row.current.map_or(0, |current| current + 1);
        let Some(phase) = row.phases.get(next).cloned() else {
            self.finish_schedule(position, act);
            return;
        };
        row.current = Some(next);
        if row.status == ScheduleStatus::NotStarted {
            row.status = ScheduleStatus::Active;
            self.start_scheduled(position, &phase, act);
        } else {
            self.enter_phase(position, &phase, act);
        }
        self.emit_updated("subscription_schedule.updated", Object::Schedule(position), &before, act);
    }

    /// The subscription of a schedule begins with its first phase.
    fn start_scheduled(&mut self, position: usize, phase: &Phase, act: Act) {
        let row = &self.schedules[position];
        let Some(customer) = self.customers.position(&row.customer) else { return };
        let items = phase.items.iter().map(|item| NewItem {
            price: item.price.clone(),
            quantity: item.quantity,
            metadata: item.metadata.clone(),
        });
        let mut new = NewSubscription::of(customer, items.collect());
        new.currency = Some(phase.currency.clone());
        new.metadata = phase.metadata.clone();
        new.trial_end = phase.trial_end.filter(|end| *end > act.secs()).map(TrialEnd::At);
        let subscription = self.begin(new, act);
        let before = self.snapshot(Object::Subscription(subscription));
        let id = self.schedules[position].id.clone();
        self.subscriptions[subscription].schedule = Some(id);
        self.schedules[position].subscription = Some(self.subscriptions[subscription].id.clone());
        self.emit_updated("customer.subscription.updated", Object::Subscription(subscription), &before, act);
    }

    /// The last phase is over.
    fn finish_schedule(&mut self, position: usize, act: Act) {
        match self.schedules[position].end_behavior {
            EndBehavior::Release => {
                self.let_go(position, act);
                let row = &mut self.schedules[position];
                row.status = ScheduleStatus::Completed;
                row.completed_at = Some(act.secs());
                row.current = None;
                self.emit("subscription_schedule.completed", Object::Schedule(position), None, act);
            }
            EndBehavior::Cancel => {
                let id = self.schedules[position].subscription.clone();
                let row = &mut self.schedules[position];
                row.status = ScheduleStatus::Completed;
                row.completed_at = Some(act.secs());
                row.current = None;
                if let Some(subscription) = id.and_then(|id| self.subscriptions.position(&id))
                    && !self.subscriptions[subscription].status.is_over()
                {
                    self.end_as_planned(subscription, act);
                }
                self.emit("subscription_schedule.completed", Object::Schedule(position), None, act);
            }
        }
    }

    /// The subscription manages itself again.
    fn let_go(&mut self, position: usize, act: Act) {
        let row = &mut self.schedules[position];
        row.released_subscription = row.subscription.take();
        let id = row.released_subscription.clone();
        if let Some(subscription) = id.and_then(|id| self.subscriptions.position(&id)) {
            let before = self.snapshot(Object::Subscription(subscription));
            self.subscriptions[subscription].schedule = None;
            self.emit_updated("customer.subscription.updated", Object::Subscription(subscription), &before, act);
        }
    }

    /// Ends the schedule and leaves the subscription as it is.
    pub(crate) fn release_schedule(&mut self, position: usize, act: Act) -> Outcome<()> {
        let row = &self.schedules[position];
        let act = self.act_for(&row.customer.clone(), act);
        if row.is_over() {
            let message = format!("You cannot release a schedule whose status is `{}`.", row.status.as_str());
            return Err(Refusal::invalid(message));
        }
        self.let_go(position, act);
        let row = &mut self.schedules[position];
        row.status = ScheduleStatus::Released;
        row.released_at = Some(act.secs());
        row.current = None;
        self.emit("subscription_schedule.released", Object::Schedule(position), None, act);
        Ok(())
    }

    /// Ends the schedule and its subscription at once.
    pub(crate) fn cancel_schedule(&mut self, position: usize, cancel: CancelNow, act: Act) -> Outcome<()> {
        let row = &self.schedules[position];
        let act = self.act_for(&row.customer.clone(), act);
        if row.is_over() {
            let message = format!("You cannot cancel a schedule whose status is `{}`.", row.status.as_str());
            return Err(Refusal::invalid(message));
        }
        let id = row.subscription.clone();
        match id.and_then(|id| self.subscriptions.position(&id)) {
            // Its end ends the schedule.
            Some(subscription) if !self.subscriptions[subscription].status.is_over() => {
                self.cancel_subscription(subscription, cancel, act)?;
            }
            _ => self.subscription_ended(position, act),
        }
        Ok(())
    }

    /// The subscription of a schedule has ended, and so has the schedule.
    pub(super) fn subscription_ended(&mut self, position: usize, act: Act) {
        let row = &mut self.schedules[position];
        if row.is_over() {
            return;
        }
        row.status = ScheduleStatus::Canceled;
        row.canceled_at = Some(act.secs());
        row.current = None;
        self.emit("subscription_schedule.canceled", Object::Schedule(position), None, act);
    }
}

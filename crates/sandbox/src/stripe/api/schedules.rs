//! `/v1/subscription_schedules`. Source: Stripe API reference, "Subscription schedules".

use super::customers::{exclusive, parsed};
use super::list::{Range, Window};
use super::params::Params;
use super::subscription_params as shared;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::ending::CancelNow;
use crate::stripe::account::model::{EndBehavior, Interval, IntervalUnit, ScheduleStatus};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::account::schedules::{NewPhase, NewSchedule, ScheduleChange};

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.schedule(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Schedule(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("POST", [id, "release"]) => release(call, id),
        ("POST", [id, "cancel"]) => cancel(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    pub(super) fn schedule(&self, id: &str) -> Result<usize, Refusal> {
        self.account.schedules.position(id).ok_or_else(|| Refusal::no_such("subscription_schedule", id))
    }
}

/// An instant, or `now`.
fn instant(params: &mut Params, name: &str, now: i64) -> Result<Option<i64>, Refusal> {
    match params.text(name)?.as_deref() {
        None => Ok(None),
        Some("now") => Ok(Some(now)),
        Some(text) => text.parse().map(Some).map_err(|_| problem::integer(&params.name_of(name), text)),
    }
}

fn end_behavior(params: &mut Params) -> Result<Option<EndBehavior>, Refusal> {
    parsed(params, "end_behavior", &["release", "cancel"], EndBehavior::parse)
}

/// The phases of a request. `now` is the time that the customer lives in.
pub(super) fn phases(call: &mut Call<'_>, entries: Vec<Params>, now: i64) -> Result<Vec<NewPhase>, Refusal> {
    entries.into_iter().map(|entry| phase(call, entry, now)).collect()
}

/// The length of a phase; in the older version as a number of the price's intervals.
fn length(call: &Call<'_>, params: &mut Params, phase: &NewPhase) -> Result<Option<Interval>, Refusal> {
    if call.is_older()
        && let Some(iterations) = params.at_least("iterations", 1)?
    {
        let price = phase.items.first().and_then(|item| call.account.prices.get(&item.price));
        let interval = price.and_then(|price| price.interval);
        return Ok(interval.map(|interval| Interval { count: interval.count * iterations, ..interval }));
    }
    let Some(mut duration) = params.branch("duration")? else { return Ok(None) };
    let words = ["day", "week", "month", "year"];
    let unit = parsed(&mut duration, "interval", &words, IntervalUnit::parse)?;
    let unit = unit.ok_or_else(|| problem::missing(&duration.name_of("interval")))?;
    let count = duration.at_least("interval_count", 1)?.unwrap_or(1);
    duration.done()?;
    Ok(Some(Interval { unit, count }))
}

fn phase(call: &mut Call<'_>, mut params: Params, now: i64) -> Result<NewPhase, Refusal> {
    exclusive(&params, "duration", "end_date")?;
    let entries = params.branches("items")?.unwrap_or_default();
    let items = shared::new_items(call, entries)?;
    if items.is_empty() {
        return Err(problem::missing(&params.name_of("items")));
    }
    let mut phase = NewPhase { items, ..NewPhase::default() };
    phase.duration = length(call, &mut params, &phase)?;
    phase.start_date = instant(&mut params, "start_date", now)?;
    phase.end_date = instant(&mut params, "end_date", now)?;
    phase.currency = params.text("currency")?.map(|currency| currency.to_lowercase());
    phase.proration_behavior = shared::proration_behavior(&mut params)?;
    phase.trial_end = instant(&mut params, "trial_end", now)?;
    phase.is_trial = params.boolean("trial")?.unwrap_or(false);
    phase.metadata = params.new_metadata()?;
    let anchor = params.word("billing_cycle_anchor", &["automatic", "phase_start"])?;
    phase.anchors_at_start = anchor == Some("phase_start");
    params.ignore(&shared::IGNORED);
    params.ignore(&[
        "add_invoice_items",
        "collection_method",
        "default_payment_method",
        "description",
        "on_behalf_of",
        "transfer_data",
    ]);
    params.done()?;
    Ok(phase)
}

fn create(call: &mut Call<'_>) -> Reply {
    if let Some(id) = call.params.text("from_subscription")? {
        let subscription = call.account.live_subscription(&id);
        let subscription =
            subscription.map_err(|_| Refusal::missing_reference("subscription", &id, "from_subscription"))?;
        call.read_all().map_err(|refusal| {
            let message = "You cannot set other parameters together with `from_subscription`.";
            Refusal { message: message.into(), code: None, ..refusal }
        })?;
        let position = call.account.create_schedule(NewSchedule::From(subscription), call.act)?;
        return Ok(call.show(Object::Schedule(position)));
    }
    let customer = call.required_customer()?;
    let now = call.secs_for(customer);
    let entries = call.params.branches("phases")?.unwrap_or_default();
    if entries.is_empty() {
        return Err(problem::missing("phases"));
    }
    let phases = phases(call, entries, now)?;
    let params = &mut call.params;
    params.ignore(&["default_settings", "billing_mode", "pause_schedules"]);
    let new = NewSchedule::Fresh {
        customer,
        start_date: instant(params, "start_date", now)?,
        phases,
        end_behavior: end_behavior(params)?.unwrap_or(EndBehavior::Release),
        metadata: params.new_metadata()?,
    };
    call.read_all()?;
    let position = call.account.create_schedule(new, call.act)?;
    Ok(call.show(Object::Schedule(position)))
}

/// What a request changes of a schedule.
pub(super) fn change(call: &mut Call<'_>, mut params: Params, now: i64) -> Result<ScheduleChange, Refusal> {
    let phases = match params.branches("phases")? {
        None => None,
        Some(entries) => Some(phases(call, entries, now)?),
    };
    params.ignore(&["default_settings", "billing_mode", "pause_schedules"]);
    let change = ScheduleChange {
        phases,
        end_behavior: end_behavior(&mut params)?,
        proration_behavior: shared::proration_behavior(&mut params)?,
        metadata: params.metadata()?,
    };
    params.done()?;
    Ok(change)
}

impl Call<'_> {
    /// The time that a schedule's customer lives in.
    pub(super) fn secs_of_schedule(&self, position: usize) -> i64 {
        self.account.act_for(&self.account.schedules[position].customer, self.act).secs()
    }
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.schedule(id)?;
    let params = std::mem::take(&mut call.params);
    let now = call.secs_of_schedule(position);
    let change = change(call, params, now)?;
    call.account.update_schedule(position, change, call.act)?;
    Ok(call.show(Object::Schedule(position)))
}

fn release(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.schedule(id)?;
    call.params.ignore(&["preserve_cancel_date"]);
    call.read_all()?;
    call.account.release_schedule(position, call.act)?;
    Ok(call.show(Object::Schedule(position)))
}

fn cancel(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.schedule(id)?;
    let params = &mut call.params;
    let cancel = CancelNow {
        // Source: Stripe API reference, "Cancel a schedule": both are on unless they are switched off.
        invoice_now: params.boolean("invoice_now")?.unwrap_or(true),
        prorates: params.boolean("prorate")?.unwrap_or(true),
        ..CancelNow::default()
    };
    call.read_all()?;
    call.account.cancel_schedule(position, cancel, call.act)?;
    Ok(call.show(Object::Schedule(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let customer = params.text("customer")?;
    let scheduled = params.boolean("scheduled")?;
    params.ignore(&["canceled_at", "completed_at", "released_at"]);
    call.read_all()?;
    let table = &call.account.schedules;
    let keeps = |position: usize| {
        let row = &table[position];
        created.holds(row.created)
            && customer.as_ref().is_none_or(|customer| row.customer == *customer)
            && scheduled.is_none_or(|scheduled| scheduled == (row.status == ScheduleStatus::NotStarted))
    };
    window.page("/v1/subscription_schedules", table, keeps, |position| call.show(Object::Schedule(position)))
}

//! Estimates: an action, tried out on a copy.
//!
//! `use_existing_balances=false` leaves the customer's credits out, `include_delayed_charges=false` what waits for an
//! invoice; both are in by default, an assumption. The estimate of a renewal names the same invoice twice, as
//! `invoice_estimate` and as `next_invoice_estimate`.
//!
//! Source: Chargebee API docs, "Estimates".

use super::{Answer, Form, options, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::news::Raised;
use crate::chargebee::site::rehearsal::Rehearsed;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

fn answer(rehearsed: Rehearsed, act: Act) -> Answered {
    Ok(Answer::resource("estimate", render::estimate(rehearsed, false, act.secs())))
}

/// What an estimate leaves out.
struct LeftOut {
    balances: bool,
    delayed_charges: bool,
}

impl LeftOut {
    fn read(form: &Form) -> Result<Self, Refusal> {
        Ok(Self {
            balances: read::boolean(form, "use_existing_balances")? == Some(false),
            delayed_charges: read::boolean(form, "include_delayed_charges")? == Some(false),
        })
    }

    fn apply(&self, copy: &mut Site, subscription: Option<usize>) {
        if self.balances {
            copy.customers[0].credits.clear();
        }
        if let Some(position) = subscription.filter(|_| self.delayed_charges) {
            copy.subscriptions[position].unbilled.clear();
        }
    }
}

pub(super) fn update(site: &Site, form: &Form, act: Act) -> Answered {
    let position = site.live_subscription(&read::required(form, "subscription[id]", 50)?)?;
    let change = options::change(form, "subscription")?;
    let left_out = LeftOut::read(form)?;
    let rehearsed = site.rehearse_on(position, |copy, position| {
        left_out.apply(copy, Some(position));
        copy.update_subscription(position, change, act)
    })?;
    answer(rehearsed, act)
}

pub(super) fn cancel(site: &Site, id: &str, form: &Form, act: Act) -> Answered {
    let position = site.live_subscription(id)?;
    let cancel = options::cancel(form)?;
    answer(site.rehearse_on(position, |copy, position| copy.cancel(position, cancel, act))?, act)
}

pub(super) fn renewal(site: &Site, id: &str, query: &Form, act: Act) -> Answered {
    let position = site.live_subscription(id)?;
    let left_out = LeftOut::read(query)?;
    let without_cancellation = read::boolean(query, "ignore_scheduled_cancellation")? == Some(true);
    let without_changes = read::boolean(query, "ignore_scheduled_changes")? == Some(true);
    let rehearsed = site.rehearse_on(position, |copy, position| {
        left_out.apply(copy, Some(position));
        if without_changes {
            copy.subscriptions[position].scheduled_change = None;
        }
        if without_cancellation && copy.subscriptions[position].scheduled_cancel.is_some() {
            copy.undo_cancel(position, act)?;
        }
        Ok(Raised::default())
    })?;
    let estimate = render::estimate(rehearsed, true, act.secs());
    if estimate.get("invoice_estimate").is_none() {
        return Err(Refusal::invalid_state("There is no renewal to come for this subscription."));
    }
    Ok(Answer::resource("estimate", estimate))
}

/// A new subscription, for a customer or for nobody in particular.
pub(super) fn create(site: &Site, customer_id: Option<&str>, form: &Form, act: Act) -> Answered {
    let customer = customer_id.map(|id| site.live_customer(id)).transpose()?;
    let new = options::new_subscription(form, "subscription", 0)?;
    if let Some(id) = new.id.as_deref().filter(|id| site.subscriptions.contains(id)) {
        return Err(Refusal::duplicate("subscription[id]", id));
    }
    let input = read::customer(form, "customer")?;
    let left_out = LeftOut::read(form)?;
    let rehearsed = site.rehearse(customer, |copy| {
        if customer.is_none() {
            copy.create_customer(None, input, act)?;
        }
        left_out.apply(copy, None);
        copy.create_subscription(new, act)
    })?;
    answer(rehearsed, act)
}

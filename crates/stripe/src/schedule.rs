//! Subscription schedules: what waits, and how a change is made to wait.
//!
//! Source: API reference, "Subscription Schedules"; Stripe docs, "Subscription schedules" and "Scheduled downgrades".

use tollkeeper_core::{
    snapshot::{Item, ItemType, ScheduledItems},
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::{
    form::Form,
    items::{self, ITEM_TYPE, Mark},
    snapshot,
    wire::{Phase, PhaseDiscount, PhaseItem, Schedule, Subscription, instant},
};

/// The schedule that holds a subscription: while it does, the subscription itself cannot be changed freely.
pub(crate) fn attached(subscription: &Subscription) -> Option<&str> {
    let schedule = subscription.schedule.as_ref()?;
    let holds = schedule
        .whole()
        .is_none_or(|schedule| !matches!(schedule.status.as_deref(), Some("released" | "canceled" | "completed")));
    holds.then(|| schedule.id())
}

/// What waits: the phase after the current one, where it sells something else. The last phase of a schedule waits for
/// nothing, and the one that a new schedule begins with is the subscription as it is.
pub(crate) fn scheduled(subscription: &Subscription) -> Option<ScheduledItems> {
    let schedule = subscription.schedule.as_ref()?.whole()?;
    attached(subscription).filter(|_| !snapshot::is_over(subscription))?;
    let end = schedule.current_phase?.end_date;
    let later = schedule.phases.iter().filter(|phase| phase.start_date >= end);
    let next = later.min_by_key(|phase| phase.start_date)?;
    let at = instant(Some(next.start_date))?;
    let current = snapshot::lines(subscription);
    let items = lines(subscription, &current, next);
    if same(&items, &current) {
        return None;
    }
    let plan = |lines: &[Item]| lines.iter().find(|item| item.item_type == ItemType::Plan).cloned();
    let (now, then) = (plan(&current), plan(&items));
    let changes_price = then.as_ref().map(|item| &item.item_price_id) != now.as_ref().map(|item| &item.item_price_id);
    Some(ScheduledItems {
        seats: then.as_ref().map(|item| item.quantity),
        price_id: then.filter(|_| changes_price).map(|item| item.item_price_id),
        items,
        at,
    })
}

/// The lines of a phase. A price that is only named is what it is on the subscription now.
fn lines(subscription: &Subscription, current: &[Item], phase: &Phase) -> Vec<Item> {
    let currency = snapshot::currency(subscription);
    let priced: Vec<_> = phase.items.iter().filter_map(|item| Some((item, item.price.as_ref()?))).collect();
    let known = |id: &str| current.iter().find(|item| item.item_price_id.as_str() == id);
    let marks: Vec<_> = priced
        .iter()
        .map(|(item, price)| {
            let mark = Mark::of(&item.metadata, price.whole());
            Mark { said: mark.said.or_else(|| known(price.id()).map(|item| item.item_type)), ..mark }
        })
        .collect();
    let rows = priced.into_iter().zip(items::types(&marks));
    rows.map(|((item, price), item_type)| {
        let quantity = item.quantity.unwrap_or(1);
        let unit_price = match price.whole() {
            Some(price) => snapshot::unit_price(price, currency),
            None => known(price.id()).and_then(|item| item.unit_price),
        };
        Item {
            item_price_id: price.id().into(),
            item_type,
            quantity,
            unit_price,
            amount: unit_price.map(|unit_price| unit_price.saturating_mul(quantity)),
            currency,
        }
    })
    .collect()
}

/// Whether two lists sell the same, in whatever order.
fn same(one: &[Item], other: &[Item]) -> bool {
    let sold = |lines: &[Item]| {
        let mut sold: Vec<_> = lines.iter().map(|item| (item.item_price_id.clone(), item.quantity)).collect();
        sold.sort();
        sold
    };
    sold(one) == sold(other)
}

/// The body of `POST /v1/subscription_schedules` for a subscription that has none. No other parameter may be there.
pub(crate) fn creation(subscription: &Subscription) -> Form {
    Form::new().set("from_subscription", &subscription.id)
}

/// The body of `POST /v1/subscription_schedules/{id}` that lets `wanted` begin when the period ends; `None` when the
/// schedule does not say what runs, or the subscription not until when.
///
/// The current phase is repeated with all that would be lost otherwise: its lines, its trial, its discounts and taxes.
/// The next one lasts a day: then the schedule lets the subscription go as it is by then, and it renews by itself. The
/// discounts stay with it. Nothing is prorated, because nothing changes inside of a period.
pub(crate) fn phases(subscription: &Subscription, schedule: &Schedule, wanted: &[&CheckoutItem]) -> Option<Form> {
    let current = schedule.current_phase?;
    let phase = schedule.phases.iter().find(|phase| phase.start_date == current.start_date)?;
    let end = instant(subscription.period_end()).filter(|end| end.as_unix_seconds() > phase.start_date)?;
    let form = Form::new()
        .set("end_behavior", "release")
        .set("proration_behavior", "none")
        .set("phases[0][start_date]", phase.start_date)
        .instant("phases[0][end_date]", end);
    let form = repeated(form, phase, end);
    let form = kept(form, 1, phase);
    let form = form
        .set("phases[1][proration_behavior]", "none")
        .set("phases[1][duration][interval]", "day")
        .set("phases[1][duration][interval_count]", 1);
    Some(wanted.iter().enumerate().fold(form, |form, (index, item)| {
        let name = format!("phases[1][items][{index}]");
        let form = form.set(format!("{name}[price]"), &item.price_id);
        let form =
            if counts_usage(subscription, item) { form } else { form.set(format!("{name}[quantity]"), item.quantity) };
        form.set(format!("{name}[metadata][{ITEM_TYPE}]"), item.item_type.as_str())
    }))
}

/// Adds the lines and the trial of the phase that runs.
fn repeated(form: Form, phase: &Phase, end: Timestamp) -> Form {
    let trial_end = instant(phase.trial_end).map(|trial_end| trial_end.min(end).as_unix_seconds());
    let form = kept(form, 0, phase).set_some("phases[0][trial_end]", trial_end);
    let priced = phase.items.iter().filter_map(|item| Some((item, item.price.as_ref()?)));
    priced.enumerate().fold(form, |form, (index, (item, price))| {
        let name = format!("phases[0][items][{index}]");
        let form = form.set(format!("{name}[price]"), price.id()).set_some(format!("{name}[quantity]"), item.quantity);
        item_extras(form, &name, item)
    })
}

/// Adds what both phases have in common. A phase that names no currency may be taken for one in the first currency of its
/// prices: a subscription in another one would be refused then.
fn kept(form: Form, row: usize, phase: &Phase) -> Form {
    let form = form.set_some(format!("phases[{row}][currency]"), phase.currency.as_ref());
    let form = discounts(form, &format!("phases[{row}]"), phase.discounts.as_deref());
    let rates: Vec<&str> = phase.default_tax_rates.iter().flatten().map(|rate| rate.id()).collect();
    form.list(&format!("phases[{row}][default_tax_rates]"), &rates)
}

fn item_extras(form: Form, name: &str, item: &PhaseItem) -> Form {
    let rates: Vec<&str> = item.tax_rates.iter().flatten().map(|rate| rate.id()).collect();
    let form = discounts(form, name, item.discounts.as_deref()).list(&format!("{name}[tax_rates]"), &rates);
    item.metadata.texts().fold(form, |form, (key, text)| form.set(format!("{name}[metadata][{key}]"), text))
}

/// Adds discounts, each by the most exact of its ids.
fn discounts(form: Form, name: &str, discounts: Option<&[PhaseDiscount]>) -> Form {
    let named = discounts.unwrap_or_default().iter().filter_map(|discount| {
        let kinds = [
            ("discount", &discount.discount),
            ("promotion_code", &discount.promotion_code),
            ("coupon", &discount.coupon),
        ];
        kinds.into_iter().find_map(|(kind, id)| Some((kind, id.as_ref()?.id())))
    });
    named
        .enumerate()
        .fold(form, |form, (index, (kind, id))| form.set(format!("{name}[discounts][{index}][{kind}]"), id))
}

/// Whether a wanted line is one that has no quantity.
fn counts_usage(subscription: &Subscription, wanted: &CheckoutItem) -> bool {
    let mut prices = subscription.items.data.iter().filter_map(|item| item.price.as_ref());
    prices.any(|price| price.id == wanted.price_id.as_str() && price.is_metered())
}

//! From what a person wants changed to the exact lines after it, and whether that is a step up or down.

use serde::{Deserialize, Serialize};
use tollkeeper_core::{
    catalog::{Catalog, Interval, Plan, Price, Sold},
    ids::{PriceId, Provider},
    money::Currency,
    ports::ChangeWhen,
    snapshot::ItemType,
    subscription::{CheckoutItem, Subscription},
};

use super::UpdateRequest;
use crate::{
    Error, Settings,
    choice::{Selection, addons, check_seats, currency_named, fitting, plan_of, price_of},
};

/// What a change comes to: the lines that the request leads to, and those that must wait behind them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The lines that are asked for.
    pub(crate) items: Vec<CheckoutItem>,
    /// When they shall be in place.
    pub(crate) when: ChangeWhen,
    /// What was scheduled before and survives, with what the request changes in it. Only beside a change at once.
    pub(crate) then: Option<Vec<CheckoutItem>>,
}

/// Resolves a request against the catalog and the row.
///
/// # Errors
/// [`Error::Invalid`], naming the field; `nothing_changes` when the row is so already.
pub(crate) fn resolve(
    settings: &Settings,
    catalog: &Catalog,
    row: &Subscription,
    request: &UpdateRequest,
) -> Result<Target, Error> {
    let current = lines(row);
    let only_seats = request.plan.is_none()
        && request.price_ids.is_empty()
        && request.interval.is_none()
        && request.currency.is_none()
        && request.addons.is_none();
    let items = if only_seats {
        seats_only(catalog, row, &current, request)?
    } else {
        anew(settings, catalog, row, &current, request)?
    };
    // Whoever names the plan that is there wants no other one.
    let same_plan = items.first().map(|line| &line.price_id) == current.first().map(|line| &line.price_id);
    let only_seats = same_plan && request.addons.is_none() && request.price_ids.len() < 2;
    if let Some(change) = &row.scheduled
        && same_plan
        && (!only_seats || change.items.is_empty())
    {
        return Err(Error::conflict(
            "scheduled_change_pending",
            "A change is scheduled that this one would erase: restore it first",
        ));
    }
    // What waits survives a change of seats, which counts for it too; another plan replaces it.
    let waiting = row.scheduled.as_ref().filter(|change| only_seats && !change.items.is_empty());
    let then = match (waiting, request.seats) {
        (Some(change), Some(seats)) => Some(with_seats(&change.items, seats)),
        _ => None,
    };
    let waits_so_already = row.scheduled.as_ref().is_some_and(|change| match &then {
        Some(then) => *then == change.items,
        None => same(&change.items, &items),
    });
    let nothing = match request.when {
        Some(ChangeWhen::PeriodEnd) if row.scheduled.is_some() => waits_so_already,
        _ => same(&items, &current) && (then.is_none() || waits_so_already),
    };
    if nothing {
        return Err(Error::invalid_request(
            "nothing_changes",
            "This subscription has this plan and these seats already",
        ));
    }
    let when = request.when.unwrap_or_else(|| {
        let up = is_up(catalog, &row.provider, pays_in(settings, row), &current, &items);
        if up { ChangeWhen::Now } else { ChangeWhen::PeriodEnd }
    });
    Ok(match (when, then) {
        // One call does both: the lines that wait get the seats, the current ones stay.
        (ChangeWhen::PeriodEnd, Some(then)) => Target { items: then, when, then: None },
        (when, then) => Target { items, when, then },
    })
}

/// The recurring lines of a row, the plan's first.
pub(crate) fn lines(row: &Subscription) -> Vec<CheckoutItem> {
    let recurring = row.items.iter().filter(|item| item.item_type != ItemType::Charge);
    let mut lines: Vec<_> = recurring
        .map(|item| CheckoutItem {
            price_id: item.item_price_id.clone(),
            quantity: item.quantity,
            item_type: item.item_type,
        })
        .collect();
    lines.sort_by_key(|line| line.item_type != ItemType::Plan);
    lines
}

/// What a row is paid in: as its lines tell, else the default currency.
pub(crate) fn pays_in(settings: &Settings, row: &Subscription) -> Currency {
    told(row).unwrap_or(settings.default_currency)
}

fn told(row: &Subscription) -> Option<Currency> {
    row.items.iter().find_map(|item| item.currency)
}

/// Whether two lists sell the same, in whatever order.
fn same(one: &[CheckoutItem], other: &[CheckoutItem]) -> bool {
    one.len() == other.len() && one.iter().all(|line| other.contains(line))
}

fn with_seats(items: &[CheckoutItem], seats: i64) -> Vec<CheckoutItem> {
    let mut items = items.to_vec();
    for item in items.iter_mut().filter(|item| item.item_type == ItemType::Plan) {
        item.quantity = seats;
    }
    items
}

fn seats_only(
    catalog: &Catalog,
    row: &Subscription,
    current: &[CheckoutItem],
    request: &UpdateRequest,
) -> Result<Vec<CheckoutItem>, Error> {
    let Some(seats) = request.seats else {
        return Err(Error::invalid_request(
            "nothing_changes",
            "Name what shall change: plan, itemPriceId, interval, seats or addons",
        ));
    };
    check_seats(seats, row.plan.as_ref().and_then(|plan| catalog.plan(plan)))?;
    let next = row.scheduled.as_ref().and_then(|change| change.plan.as_ref());
    check_seats(seats, next.and_then(|plan| catalog.plan(plan)))?;
    Ok(with_seats(current, seats))
}

/// The whole list, made from what is asked for and, where nothing is, from what is there.
fn anew(
    settings: &Settings,
    catalog: &Catalog,
    row: &Subscription,
    current: &[CheckoutItem],
    request: &UpdateRequest,
) -> Result<Vec<CheckoutItem>, Error> {
    let sold = row.price_id.as_ref().and_then(|id| plan_price(catalog, &row.provider, pays_in(settings, row), id));
    let currency = told(row).or(sold.map(|(_, price)| price.currency));
    let wanted = currency_named(request.currency.as_deref())?;
    if let (Some(wanted), Some(currency)) = (wanted, currency)
        && wanted != currency
    {
        return Err(Error::invalid(
            "currency",
            "currency_mismatch",
            format!("this subscription is paid in {currency}; {wanted} is not possible"),
        ));
    }
    let interval = request.interval.as_deref().or(sold.map(|(_, price)| price.interval.as_str()));
    let selection = Selection {
        plan: request.plan.as_deref(),
        price_ids: &request.price_ids,
        interval,
        currency: wanted.or(currency),
    };
    let (plan, price) = match (&request.plan, request.price_ids.first(), sold) {
        (None, None, Some((plan, price))) if request.interval.is_none() => (plan, price),
        (None, None, Some((plan, _))) => (plan, price_of(settings, &row.provider, plan, selection)?),
        (None, None, None) => {
            return Err(Error::invalid(
                "plan",
                "plan_required",
                "the current price is not in the catalog: name a plan or an itemPriceId",
            ));
        }
        _ => plan_of(settings, catalog, &row.provider, selection)?,
    };
    if plan.group != row.plan_group {
        return Err(Error::invalid(
            "plan",
            "other_group",
            format!("`{}` is of another product line ({}): start a checkout for it", plan.name, plan.group),
        ));
    }
    if currency.is_some_and(|currency| currency != price.currency) {
        return Err(Error::invalid(
            "currency",
            "currency_mismatch",
            format!("`{}` is in {}", price.id, price.currency),
        ));
    }
    let seats = request.seats.or(row.seats).unwrap_or(1);
    check_seats(seats, Some(plan))?;
    let mut items = vec![CheckoutItem { price_id: price.id.clone(), quantity: seats, item_type: ItemType::Plan }];
    let ids = request.price_ids.get(1..).unwrap_or_default();
    if request.addons.is_some() || !ids.is_empty() {
        items.extend(addons(catalog, request.addons.as_deref().unwrap_or_default(), ids, price)?);
        // Whether it was sold already could not be told from the subscription afterwards.
        if let Some(once) = items.iter().find(|line| line.item_type == ItemType::Charge) {
            return Err(Error::invalid(
                "addons",
                "sold_once",
                format!("`{}` is sold once: it is no part of a running subscription", once.price_id),
            ));
        }
    } else {
        for kept in current.iter().filter(|line| line.item_type == ItemType::Addon) {
            items.push(kept_addon(catalog, row, kept, price)?);
        }
    }
    Ok(items)
}

/// An add-on that stays, at the price that goes with the plan's new one.
fn kept_addon(catalog: &Catalog, row: &Subscription, kept: &CheckoutItem, plan: &Price) -> Result<CheckoutItem, Error> {
    match catalog.sold(&row.provider, &kept.price_id) {
        Some(Sold::Addon(addon, price)) if price.interval != plan.interval => {
            Ok(CheckoutItem { price_id: fitting(addon, plan)?.id.clone(), ..kept.clone() })
        }
        _ => Ok(kept.clone()),
    }
}

fn plan_price<'a>(
    catalog: &'a Catalog,
    provider: &Provider,
    currency: Currency,
    id: &PriceId,
) -> Option<(&'a Plan, &'a Price)> {
    match catalog.sold_in(provider, id, currency) {
        Some(Sold::Plan(plan, price)) => Some((plan, price)),
        Some(Sold::Addon(..)) | None => None,
    }
}

/// Whether the new lines are worth more: by what they cost in a year; of one plan, the longer commitment is more; at the
/// same price, more seats are.
fn is_up(
    catalog: &Catalog,
    provider: &Provider,
    currency: Currency,
    old: &[CheckoutItem],
    new: &[CheckoutItem],
) -> bool {
    let plan = |lines: &[CheckoutItem]| {
        lines
            .iter()
            .find(|line| line.item_type == ItemType::Plan)
            .and_then(|line| plan_price(catalog, provider, currency, &line.price_id))
    };
    if let (Some((old_plan, old_price)), Some((new_plan, new_price))) = (plan(old), plan(new))
        && old_plan.name == new_plan.name
        && old_price.interval != new_price.interval
    {
        return new_price.interval == Interval::Year;
    }
    let cost = |lines: &[CheckoutItem]| yearly(catalog, provider, currency, lines);
    let (before, after) = (cost(old), cost(new));
    let count = |lines: &[CheckoutItem]| lines.iter().map(|line| line.quantity).sum::<i64>();
    (after, count(new)) > (before, count(old))
}

/// What lines cost in a year, in minor units of a currency, as the catalog says.
pub(crate) fn yearly(catalog: &Catalog, provider: &Provider, currency: Currency, lines: &[CheckoutItem]) -> i64 {
    let cost = |line: &CheckoutItem| {
        let price = catalog.sold_in(provider, &line.price_id, currency)?.price();
        let times = match price.interval {
            Interval::Month => 12,
            Interval::Year => 1,
            Interval::Once => 0,
        };
        let counts = price.per_seat || line.item_type == ItemType::Addon;
        Some(price.amount.saturating_mul(times).saturating_mul(if counts { line.quantity } else { 1 }))
    };
    lines.iter().filter_map(cost).fold(0, i64::saturating_add)
}

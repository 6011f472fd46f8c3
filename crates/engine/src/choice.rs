//! From what a person asked for to the exact lines of a checkout, with every rule that can refuse it.

use serde_json::Value;
use tollkeeper_core::{
    account::Account,
    catalog::{Addon, Catalog, Interval, Plan, Price, Sold},
    ids::{PlanName, PriceId, Provider},
    money::Currency,
    snapshot::ItemType,
    status::Status,
    subscription::{CheckoutItem, CheckoutParams, Subscription},
    time::{Timestamp, days},
};

use crate::{Error, Settings, redirect::safe_target};

/// The most of any line that may be bought at once.
pub(crate) const MOST: i64 = 100_000;
/// The longest metadata, as JSON.
const METADATA_BYTES: usize = 4_096;
/// Keys that every object we create carries, and that nobody else may set.
const OUR_KEYS: [&str; 3] = ["organizationId", "subscriptionId", "userId"];

/// What a person asks for; everything is optional.
#[derive(Clone, Debug, Default)]
pub struct CreateRequest {
    /// A plan by name.
    pub plan: Option<String>,
    /// Or prices by id, the plan's first.
    pub price_ids: Vec<String>,
    /// How often to pay; for `plan` only.
    pub interval: Option<String>,
    /// In which currency; when not given, the one that the organization pays in, else the default one.
    pub currency: Option<String>,
    /// How many seats; 1 when not given.
    pub seats: Option<i64>,
    /// Add-ons by name, each with its quantity.
    pub addons: Vec<(String, i64)>,
    /// Where to go after paying; `/billing?success=1` when not given.
    pub success_url: Option<String>,
    /// Where to go after giving up; `/billing?checkout=cancelled` when not given.
    pub cancel_url: Option<String>,
    /// `false` declines the trial.
    pub trial: Option<bool>,
    /// Kept on our row; an object.
    pub metadata: Option<Value>,
}

/// Which prices somebody asks for, in a checkout or in a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) plan: Option<&'a str>,
    pub(crate) price_ids: &'a [String],
    /// The current one in a change, where none is named.
    pub(crate) interval: Option<&'a str>,
    pub(crate) currency: Option<Currency>,
}

/// A choice that can be bought.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) plan: PlanName,
    pub(crate) plan_version: i64,
    pub(crate) group: String,
    pub(crate) price: PriceId,
    pub(crate) params: CheckoutParams,
}

/// Resolves a request against the catalog and the account.
///
/// # Errors
/// [`Error::Invalid`], naming the field.
pub(crate) fn resolve(
    settings: &Settings,
    catalog: &Catalog,
    account: &Account,
    request: &CreateRequest,
    user: &str,
    now: Timestamp,
) -> Result<Choice, Error> {
    let currency = currency_named(request.currency.as_deref())?;
    let selection = Selection {
        plan: request.plan.as_deref(),
        price_ids: &request.price_ids,
        interval: request.interval.as_deref(),
        currency: currency.or(account.organization.currency),
    };
    let (plan, price) = plan_of(settings, catalog, &account.organization.billing_provider, selection)?;
    if let Some(pinned) = account.organization.currency
        && pinned != price.currency
    {
        return Err(Error::invalid(
            "currency",
            "currency_mismatch",
            format!("this organization pays in {pinned}; {} is not possible", price.currency),
        ));
    }
    if let Some(wanted) = currency
        && wanted != price.currency
    {
        return Err(Error::invalid("currency", "currency_mismatch", format!("`{}` is not sold in {wanted}", price.id)));
    }
    let seats = request.seats.unwrap_or(1);
    check_seats(seats, Some(plan))?;
    let mut items = vec![CheckoutItem { price_id: price.id.clone(), quantity: seats, item_type: ItemType::Plan }];
    items.extend(addons(catalog, &request.addons, request.price_ids.get(1..).unwrap_or_default(), price)?);
    let (success_url, cancel_url) = redirects(settings, request.success_url.as_deref(), request.cancel_url.as_deref())?;
    let trial = plan.trial_days > 0
        && !account.organization.had_trial
        && request.trial != Some(false)
        && !offered_elsewhere(account, &plan.group);
    let params = CheckoutParams {
        items,
        currency: price.currency,
        trial_end: trial.then(|| now.plus(days(plan.trial_days))),
        success_url,
        cancel_url,
        user_id: Some(user.to_owned()),
        metadata: metadata(request.metadata.as_ref())?,
    };
    Ok(Choice {
        plan: plan.name.clone(),
        plan_version: plan.version,
        group: plan.group.clone(),
        price: price.id.clone(),
        params,
    })
}

/// What a checkout was begun for, to be bought now. None: the row is no checkout.
pub(crate) fn again(account: &Account, row: &Subscription, now: Timestamp) -> Option<Choice> {
    let mut params = row.checkout.as_ref()?.params.clone();
    params.trial_end = params.trial_end.filter(|end| *end > now && !account.organization.had_trial);
    Some(Choice {
        plan: row.plan.clone()?,
        plan_version: row.plan_version?,
        group: row.plan_group.clone(),
        price: row.price_id.clone()?,
        params,
    })
}

/// Where people go after paying and after giving up.
///
/// # Errors
/// [`Error::Invalid`] with `invalid_redirect`, naming the field.
pub(crate) fn redirects(
    settings: &Settings,
    success: Option<&str>,
    cancel: Option<&str>,
) -> Result<(String, String), Error> {
    Ok((
        safe_target(settings, "successUrl", success.unwrap_or("/billing?success=1"))?,
        safe_target(settings, "cancelUrl", cancel.unwrap_or("/billing?checkout=cancelled"))?,
    ))
}

/// Whether an open checkout of another group offers a trial already: paying both must not give two.
fn offered_elsewhere(account: &Account, group: &str) -> bool {
    account.subscriptions.iter().any(|row| {
        row.plan_group != group
            && row.status == Status::Future
            && row.checkout.as_ref().is_some_and(|checkout| checkout.params.trial_end.is_some())
    })
}

/// A currency as somebody spelled it.
pub(crate) fn currency_named(text: Option<&str>) -> Result<Option<Currency>, Error> {
    text.map(str::parse).transpose().map_err(|error| Error::invalid("currency", "bad_currency", format!("{error}")))
}

/// Whether so many seats can be had, of any plan and of this one.
pub(crate) fn check_seats(seats: i64, plan: Option<&Plan>) -> Result<(), Error> {
    let bad = |problem: String| Err(Error::invalid("seats", "bad_seats", format!("seats is {seats}: {problem}")));
    if !(1..=MOST).contains(&seats) {
        return bad(format!("1 to {MOST} are possible"));
    }
    match plan.and_then(|plan| plan.seats.map(|most| (plan, most))) {
        Some((plan, most)) if seats.unsigned_abs() > most => bad(format!("{} has at most {most}", plan.name)),
        _ => Ok(()),
    }
}

/// The plan and the price that a selection names. A price id that is not sold in the selection's currency comes in
/// another one, for the caller to refuse.
pub(crate) fn plan_of<'a>(
    settings: &Settings,
    catalog: &'a Catalog,
    provider: &Provider,
    selection: Selection<'_>,
) -> Result<(&'a Plan, &'a Price), Error> {
    let currency = selection.currency.unwrap_or(settings.default_currency);
    let by_price = |id: &PriceId| match catalog.sold_in(provider, id, currency) {
        Some(Sold::Plan(plan, price)) => Ok((plan, price)),
        Some(Sold::Addon(..)) => Err(Error::invalid(
            "itemPriceId",
            "not_a_plan",
            format!("`{id}` is not a plan: name the plan's price first"),
        )),
        None => {
            Err(Error::invalid("itemPriceId", "unknown_plan", format!("Unknown plan: `{id}` is not in the catalog")))
        }
    };
    match (selection.plan, selection.price_ids.first(), settings.default_prices.get(provider)) {
        (Some(name), None, _) => {
            let plan = catalog.plan(&PlanName::from(name)).ok_or_else(|| {
                Error::invalid("plan", "unknown_plan", format!("Unknown plan: `{name}` is not in the catalog"))
            })?;
            Ok((plan, price_of(settings, provider, plan, selection)?))
        }
        (Some(_), Some(_), _) => Err(Error::invalid("plan", "ambiguous_plan", "name a plan or price ids, not both")),
        (None, Some(id), _) => by_price(&PriceId::from(id.as_str())),
        (None, None, Some(id)) => by_price(id),
        (None, None, None) => Err(Error::invalid("plan", "plan_required", "name a plan or an itemPriceId")),
    }
}

/// The price of a plan that a selection names.
pub(crate) fn price_of<'a>(
    settings: &Settings,
    provider: &Provider,
    plan: &'a Plan,
    selection: Selection<'_>,
) -> Result<&'a Price, Error> {
    let word = selection.interval.unwrap_or("month");
    let Some(interval) = Interval::parse(word).filter(|interval| *interval != Interval::Once) else {
        return Err(Error::invalid(
            "interval",
            "bad_interval",
            format!("interval is `{word}`: month or year are possible"),
        ));
    };
    let currency = selection.currency.unwrap_or(settings.default_currency);
    if plan.prices.is_empty() {
        return Err(Error::invalid(
            "plan",
            "plan_not_sold",
            format!("`{}` is free: there is nothing to buy", plan.name),
        ));
    }
    plan.price(provider, interval, currency).ok_or_else(|| {
        Error::invalid(
            "plan",
            "no_such_price",
            format!("`{}` has no price per {word} in {currency} at {provider}", plan.name),
        )
    })
}

/// The price of an add-on that goes with a plan's price.
///
/// # Errors
/// [`Error::Invalid`] with `no_such_price`.
pub(crate) fn fitting<'a>(addon: &'a Addon, plan: &Price) -> Result<&'a Price, Error> {
    // A yearly plan may carry what is paid by the month, never the other way around.
    let fits = |price: &&Price| {
        price.provider == plan.provider
            && price.currency == plan.currency
            && (price.interval == plan.interval || price.interval != Interval::Year)
    };
    addon.prices.iter().filter(fits).min_by_key(|price| price.interval != plan.interval).ok_or_else(|| {
        Error::invalid("addons", "no_such_price", format!("`{}` has no price that goes with {}", addon.name, plan.id))
    })
}

/// The lines of what comes on top of a plan: by name, and by price id.
pub(crate) fn addons(
    catalog: &Catalog,
    named: &[(String, i64)],
    ids: &[String],
    plan: &Price,
) -> Result<Vec<CheckoutItem>, Error> {
    let named = named.iter().map(|(name, quantity)| {
        let addon = catalog.addons().iter().find(|addon| addon.name.as_str() == name).ok_or_else(|| {
            Error::invalid("addons", "unknown_addon", format!("Unknown add-on: `{name}` is not in the catalog"))
        })?;
        Ok((fitting(addon, plan)?.id.clone(), *quantity, addon.item_type))
    });
    let by_id = ids.iter().map(|id| match catalog.sold_in(&plan.provider, &id.as_str().into(), plan.currency) {
        Some(Sold::Addon(addon, price)) if price.currency == plan.currency => {
            Ok((price.id.clone(), 1, addon.item_type))
        }
        Some(Sold::Addon(..)) => {
            Err(Error::invalid("itemPriceId", "currency_mismatch", format!("`{id}` is not in {}", plan.currency)))
        }
        Some(Sold::Plan(..)) => {
            Err(Error::invalid("itemPriceId", "not_an_addon", format!("`{id}` is a second plan: one is possible")))
        }
        None => Err(Error::invalid("itemPriceId", "unknown_plan", format!("`{id}` is not in the catalog"))),
    });
    let mut items: Vec<CheckoutItem> = Vec::new();
    for line in named.chain(by_id) {
        let (price_id, quantity, item_type) = line?;
        if !(1..=MOST).contains(&quantity) {
            return Err(Error::invalid(
                "addons",
                "bad_quantity",
                format!("a quantity is {quantity}: 1 to {MOST} are possible"),
            ));
        }
        if items.iter().any(|item| item.price_id == price_id) {
            return Err(Error::invalid("addons", "named_twice", format!("`{price_id}` is named twice")));
        }
        items.push(CheckoutItem { price_id, quantity, item_type });
    }
    Ok(items)
}

fn metadata(value: Option<&Value>) -> Result<Value, Error> {
    let Some(value) = value else { return Ok(Value::Null) };
    let Value::Object(fields) = value else {
        return Err(Error::invalid("metadata", "bad_metadata", "metadata must be an object"));
    };
    if let Some(key) = OUR_KEYS.iter().find(|key| fields.contains_key(**key)) {
        return Err(Error::invalid(
            "metadata",
            "reserved_metadata",
            format!("metadata.{key} is set by us and cannot be given"),
        ));
    }
    if value.to_string().len() > METADATA_BYTES {
        return Err(Error::invalid(
            "metadata",
            "bad_metadata",
            format!("metadata must have at most {METADATA_BYTES} bytes as JSON"),
        ));
    }
    Ok(value.clone())
}

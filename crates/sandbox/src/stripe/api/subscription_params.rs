//! Parameters that subscriptions, their items, previews, schedules and checkout sessions have in common.

use super::catalog::inline_price;
use super::customers::{exclusive, parsed};
use super::params::Params;
use super::{Call, problem};
use crate::stripe::account::creation::{NewItem, TrialEnd};
use crate::stripe::account::model::{BillingMode, CollectionMethod, MissingMethod, PaymentBehavior, ProrationBehavior};
use crate::stripe::account::refusal::Refusal;

type Read<T> = Result<T, Refusal>;

/// Understood, and without an effect here.
pub(super) const IGNORED: [&str; 13] = [
    "application_fee_percent",
    "automatic_tax",
    "backdate_start_date",
    "billing_cycle_anchor_config",
    "billing_schedules",
    "billing_thresholds",
    "default_source",
    "default_tax_rates",
    "discounts",
    "invoice_settings",
    "off_session",
    "pending_invoice_item_interval",
    "trial_from_plan",
];

/// The price and the quantity of an entry, by id or described in passing.
pub(super) fn new_item(call: &mut Call<'_>, mut params: Params) -> Read<NewItem> {
    params.ignore(&["billing_thresholds", "discounts", "tax_rates", "adjustable_quantity", "dynamic_tax_rates"]);
    let price = entry_price(call, &mut params)?.ok_or_else(|| problem::missing(&params.name_of("price")))?;
    let item = NewItem { price, quantity: params.at_least("quantity", 0)?, metadata: params.new_metadata()? };
    params.done()?;
    Ok(item)
}

/// The id of the price that an entry names; in the older version also as `plan`.
pub(super) fn entry_price(call: &mut Call<'_>, params: &mut Params) -> Read<Option<String>> {
    exclusive(params, "price", "price_data")?;
    if let Some(described) = params.branch("price_data")? {
        return inline_price(call, described).map(Some);
    }
    let plan = if call.is_older() { params.text("plan")? } else { None };
    let price = params.text("price")?.or(plan);
    if let Some(id) = &price
        && !call.account.prices.contains(id)
    {
        return Err(Refusal::missing_reference("price", id, params.name_of("price")));
    }
    Ok(price)
}

pub(super) fn new_items(call: &mut Call<'_>, entries: Vec<Params>) -> Read<Vec<NewItem>> {
    entries.into_iter().map(|entry| new_item(call, entry)).collect()
}

/// `trial_end`: Unix seconds or `now`.
pub(super) fn trial_end(params: &mut Params) -> Read<Option<TrialEnd>> {
    let Some(text) = params.text("trial_end")? else { return Ok(None) };
    if text == "now" {
        return Ok(Some(TrialEnd::Now));
    }
    let at = text.parse().map_err(|_| problem::integer(&params.name_of("trial_end"), &text))?;
    Ok(Some(TrialEnd::At(at)))
}

pub(super) fn proration_behavior(params: &mut Params) -> Read<Option<ProrationBehavior>> {
    let words = ["create_prorations", "always_invoice", "none"];
    parsed(params, "proration_behavior", &words, ProrationBehavior::parse)
}

pub(super) fn payment_behavior(params: &mut Params) -> Read<Option<PaymentBehavior>> {
    let words = ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    parsed(params, "payment_behavior", &words, PaymentBehavior::parse)
}

pub(super) fn collection_method(params: &mut Params) -> Read<Option<CollectionMethod>> {
    let words = ["charge_automatically", "send_invoice"];
    parsed(params, "collection_method", &words, CollectionMethod::parse)
}

/// `trial_settings[end_behavior][missing_payment_method]`
pub(super) fn missing_method(params: &mut Params) -> Read<Option<MissingMethod>> {
    let Some(mut settings) = params.branch("trial_settings")? else { return Ok(None) };
    let mut missing = None;
    if let Some(mut end) = settings.branch("end_behavior")? {
        let words = ["create_invoice", "pause", "cancel"];
        missing = parsed(&mut end, "missing_payment_method", &words, MissingMethod::parse)?;
        end.ignore(&["billing_cycle_anchor"]);
        end.done()?;
    }
    settings.done()?;
    Ok(missing)
}

/// `billing_mode[type]`. The older version knows none: its subscriptions are classic.
///
/// Source: Stripe changelog (clover), "Makes flexible billing mode the default for new subscriptions".
pub(super) fn billing_mode(params: &mut Params, is_older: bool) -> Read<BillingMode> {
    let default = if is_older { BillingMode::Classic } else { BillingMode::Flexible };
    let Some(mut mode) = params.branch("billing_mode")? else { return Ok(default) };
    let given = parsed(&mut mode, "type", &["classic", "flexible"], BillingMode::parse)?;
    mode.ignore(&["flexible"]);
    mode.done()?;
    Ok(given.unwrap_or(default))
}

/// `payment_settings`: whether the first payment's method becomes the subscription's own.
pub(super) fn saves_default_method(params: &mut Params) -> Read<Option<bool>> {
    let Some(mut settings) = params.branch("payment_settings")? else { return Ok(None) };
    let saves = settings.word("save_default_payment_method", &["off", "on_subscription"])?;
    settings.ignore(&["payment_method_options", "payment_method_types"]);
    settings.done()?;
    Ok(saves.map(|saves| saves == "on_subscription"))
}

/// Whether the anchor moves to now: `now` in the older version, `[type]=now` since endive. Else it is unchanged.
pub(super) fn anchor_now(params: &mut Params, is_older: bool) -> Read<Option<bool>> {
    let path = params.name_of("billing_cycle_anchor");
    let words = ["now", "unchanged"];
    if is_older {
        return Ok(params.word("billing_cycle_anchor", &words)?.map(|word| word == "now"));
    }
    let Some(mut anchor) = params.branch("billing_cycle_anchor")? else { return Ok(None) };
    let word = anchor.word("type", &words)?.ok_or_else(|| problem::missing(&format!("{path}[type]")))?;
    anchor.done()?;
    Ok(Some(word == "now"))
}

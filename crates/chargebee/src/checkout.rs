//! Hosted checkouts: what is asked for, and what a page says about itself.
//!
//! A checkout has no metadata of its own. What ties it to our row is the subscription's id, which we choose, and the
//! text that the page carries through. Source: API docs, "Create checkout for a new subscription", "… to update a
//! subscription" and "… for one-time charges".

use std::time::Duration;

use serde::Serialize;
use tollkeeper_core::{
    ids::{OrganizationId, SubscriptionId},
    ports::{CheckoutPage, CheckoutRequest, CheckoutState, ErrorKind, HostedChange, PaymentRequest, ProviderError},
    snapshot::ItemType,
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::{
    error::Attempt,
    form::{Form, json},
    wire::{HostedPage, PassThru, instant},
};

/// What starting a checkout is called in errors.
pub(crate) const START: &str = "start checkout";
/// What starting a hosted change is called in errors.
pub(crate) const HOSTED_CHANGE: &str = "start hosted change";

/// What starting a one-time payment is called in errors.
pub(crate) const PAYMENT: &str = "start payment";

/// How long a checkout page works. Source: API docs, "Hosted pages".
const LIFETIME: Duration = Duration::from_secs(3 * 60 * 60);

// Lengths that Chargebee takes, in characters.
pub(crate) const MAX_URL_CHARS: usize = 250;
const MAX_PASS_THRU_CHARS: usize = 2048;

/// What a page carries for us; [`PassThru`] reads it back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Carried<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_id: Option<&'a SubscriptionId>,
    organization_id: &'a OrganizationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

/// The body of `POST /hosted_pages/checkout_new_for_items`.
///
/// # Errors
/// `Rejected`, when a text is longer than Chargebee takes: the message names it.
pub(crate) fn request(request: &CheckoutRequest, gateway_account_id: Option<&str>) -> Result<Form, ProviderError> {
    let carried = Carried {
        subscription_id: Some(&request.subscription_id),
        organization_id: &request.organization_id,
        user_id: request.user_id.as_deref(),
    };
    let carried = carry(START, &carried, &request.redirect_url, &request.cancel_url)?;
    // Left out, the price's own trial would begin; 0 declines it.
    let trial_end = request.trial_end.map_or(0, Timestamp::as_unix_seconds);
    let form = items(Form::new(), &request.items)
        .pair(&["subscription", "id"], &request.subscription_id)
        .pair(&["subscription", "trial_end"], trial_end)
        .pair(&["customer", "id"], &request.customer_id);
    Ok(gateway(form, gateway_account_id)
        .set("redirect_url", &request.redirect_url)
        .set("cancel_url", &request.cancel_url)
        .set("pass_thru_content", carried))
}

/// The body of `POST /hosted_pages/checkout_existing_for_items`, which takes effect at once. How it is prorated and
/// invoiced is for the site to say: the page has no parameters for that.
///
/// # Errors
/// `Rejected`, when a text is longer than Chargebee takes: the message names it.
pub(crate) fn hosted_change(change: &HostedChange, gateway_account_id: Option<&str>) -> Result<Form, ProviderError> {
    let carried = Carried {
        subscription_id: Some(&change.subscription_id),
        organization_id: &change.organization_id,
        user_id: None,
    };
    let carried = carry(HOSTED_CHANGE, &carried, &change.redirect_url, &change.cancel_url)?;
    let form = items(Form::new().pair(&["subscription", "id"], &change.id), &change.items)
        .set("replace_items_list", true)
        .set("change_option", "immediately")
        .set("reactivate", false);
    Ok(gateway(form, gateway_account_id)
        .set("redirect_url", &change.redirect_url)
        .set("cancel_url", &change.cancel_url)
        .set("pass_thru_content", carried))
}

/// The body of `POST /hosted_pages/checkout_one_time_for_items`. Chargebee invoices what is paid there by itself.
///
/// # Errors
/// `Rejected`, when a text is longer than Chargebee takes: the message names it.
pub(crate) fn payment(request: &PaymentRequest, gateway_account_id: Option<&str>) -> Result<Form, ProviderError> {
    let carried = Carried {
        subscription_id: None,
        organization_id: &request.organization_id,
        user_id: request.user_id.as_deref(),
    };
    let carried = carry(PAYMENT, &carried, &request.success_url, &request.cancel_url)?;
    let form = rows(Form::new(), "item_prices", request.items.iter())
        .set("currency_code", request.currency)
        .pair(&["customer", "id"], &request.customer_id);
    Ok(gateway(form, gateway_account_id)
        .set("redirect_url", &request.success_url)
        .set("cancel_url", &request.cancel_url)
        .set("pass_thru_content", carried))
}

/// What a page shall carry, as text, once it and the page's addresses are known to fit.
fn carry(
    operation: &'static str,
    carried: &Carried<'_>,
    redirect_url: &str,
    cancel_url: &str,
) -> Result<String, ProviderError> {
    let carried = json(carried);
    for (name, value, limit) in [
        ("redirect_url", redirect_url, MAX_URL_CHARS),
        ("cancel_url", cancel_url, MAX_URL_CHARS),
        ("pass_thru_content", &carried, MAX_PASS_THRU_CHARS),
    ] {
        check_length(Attempt { operation, writes: true }, name, value, limit)?;
    }
    Ok(carried)
}

/// Adds the lines of a subscription. The first row must be the plan.
pub(crate) fn items(form: Form, items: &[CheckoutItem]) -> Form {
    let plans = items.iter().filter(|item| item.item_type == ItemType::Plan);
    let others = items.iter().filter(|item| item.item_type != ItemType::Plan);
    rows(form, "subscription_items", plans.chain(others))
}

fn rows<'a>(form: Form, table: &str, items: impl Iterator<Item = &'a CheckoutItem>) -> Form {
    items.enumerate().fold(form, |form, (index, item)| {
        form.cell(table, "item_price_id", index, &item.price_id).cell(table, "quantity", index, item.quantity)
    })
}

fn gateway(form: Form, account_id: Option<&str>) -> Form {
    match account_id {
        Some(id) => form.pair(&["card", "gateway_account_id"], id),
        None => form,
    }
}

/// Refuses a text that Chargebee would refuse, with its name.
pub(crate) fn check_length(attempt: Attempt, name: &str, value: &str, limit: usize) -> Result<(), ProviderError> {
    let length = value.chars().count();
    if length <= limit {
        return Ok(());
    }
    let message = format!("{name} has {length} characters, and Chargebee takes {limit}");
    Err(ProviderError { code: Some("param_wrong_value".to_owned()), ..attempt.error(ErrorKind::Rejected, message) })
}

/// A page in our words; `None` when it does not say how long it works.
///
/// With `now`, a page whose time is over is dead; Chargebee has no word for that.
pub(crate) fn page(page: &HostedPage, now: Option<Timestamp>) -> Option<CheckoutPage> {
    let expires_at =
        instant(page.expires_at).or_else(|| instant(page.created_at).map(|created_at| created_at.plus(LIFETIME)))?;
    let state = state(page, now.is_some_and(|now| expires_at <= now));
    let content = page.content.as_ref();
    Some(CheckoutPage {
        reference: page.id.clone(),
        url: page.url.clone().filter(|url| !url.is_empty() && state == CheckoutState::Open),
        expires_at,
        state,
        subscription_id: carried_row(page),
        customer_id: content.and_then(|content| content.customer.as_ref()).map(|named| named.id.as_str().into()),
        provider_subscription_id: content
            .and_then(|content| content.subscription.as_ref())
            .map(|named| named.id.as_str().into()),
    })
}

fn state(page: &HostedPage, is_too_old: bool) -> CheckoutState {
    match page.state.as_deref() {
        Some("succeeded" | "acknowledged") => CheckoutState::Completed,
        Some("cancelled" | "failed") => CheckoutState::Dead,
        _ if is_too_old => CheckoutState::Dead,
        Some("created" | "requested") => CheckoutState::Open,
        unknown => {
            // Open until it is too old: a page that may still be paid must not be replaced by a second one.
            let state: String = unknown.unwrap_or_default().chars().take(60).collect();
            tracing::warn!(state, "Chargebee has a hosted page state that we do not know");
            CheckoutState::Open
        }
    }
}

/// The row that a page carries.
pub(crate) fn carried_row(page: &HostedPage) -> Option<SubscriptionId> {
    let carried: PassThru = serde_json::from_str(page.pass_thru_content.as_deref()?).ok()?;
    (!carried.subscription_id.is_empty()).then(|| carried.subscription_id.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosted(json: &str) -> HostedPage {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn states_are_read_with_and_without_a_clock() {
        let after = Some(Timestamp::from_unix_seconds(20_000));
        for (word, without, with) in [
            ("created", CheckoutState::Open, CheckoutState::Dead),
            ("requested", CheckoutState::Open, CheckoutState::Dead),
            ("succeeded", CheckoutState::Completed, CheckoutState::Completed),
            ("acknowledged", CheckoutState::Completed, CheckoutState::Completed),
            ("cancelled", CheckoutState::Dead, CheckoutState::Dead),
            ("brand_new", CheckoutState::Open, CheckoutState::Dead),
        ] {
            let hosted = hosted(&format!(r#"{{"id":"hp","url":"https://x","state":"{word}","created_at":1000}}"#));
            let before = page(&hosted, None).unwrap();
            assert_eq!(before.state, without, "{word}");
            assert_eq!(before.expires_at, Timestamp::from_unix_seconds(1000 + 10_800), "three hours after it was made");
            assert_eq!(before.url.is_some(), without == CheckoutState::Open, "{word}");
            assert_eq!(page(&hosted, after).unwrap().state, with, "{word}");
        }
    }

    #[test]
    fn what_a_page_carries_is_read_only_when_it_is_ours() {
        let row = |carried: &str| carried_row(&hosted(&format!(r#"{{"id":"hp","pass_thru_content":{carried}}}"#)));
        assert_eq!(row(r#""{\"subscriptionId\":\"tks_1\",\"organizationId\":\"o\"}""#), Some("tks_1".into()));
        for other in [r#""free text""#, r#""{\"local\":\"ls_1\"}""#, "null", r#""{\"subscriptionId\":\"\"}""#] {
            assert_eq!(row(other), None, "{other}");
        }
    }

    #[test]
    fn a_page_without_any_time_cannot_be_used() {
        assert_eq!(page(&hosted(r#"{"id":"hp","state":"created"}"#), None), None);
    }
}

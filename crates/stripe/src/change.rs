//! The forms that change a subscription.
//!
//! What an account sets by default, and what Stripe does unasked, is always said: a preview and its change must mean the
//! same in every account. Source: API reference, "Update a subscription", "Cancel a subscription" and "Create a preview
//! invoice".

use tollkeeper_core::{
    ports::{CancelWhen, ProviderError},
    subscription::CheckoutItem,
    time::Timestamp,
};

use crate::{error::Attempt, form::Form, items, wire::Subscription};

/// How the instant of a change is named; the same for a preview and its change, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proration {
    /// The rest of the period is invoiced at once, counted from this instant where it is known.
    Invoiced(Option<Timestamp>),
    /// Nothing is prorated.
    None,
}

/// The body of `POST /v1/subscriptions/{id}`: a charge that is refused changes nothing.
pub(crate) fn update(
    attempt: Attempt,
    subscription: &Subscription,
    wanted: &[CheckoutItem],
    proration_date: Option<Timestamp>,
) -> Result<Form, ProviderError> {
    let wanted = items::in_order(attempt, wanted)?;
    let form = items::replace(Form::new(), "items", &subscription.items.data, &wanted);
    // Nothing is said of the cancellation: one that is scheduled stays.
    Ok(form
        .set("proration_behavior", "always_invoice")
        .set_some("proration_date", proration_date.map(Timestamp::as_unix_seconds))
        .set("payment_behavior", "error_if_incomplete"))
}

/// The body of `POST /v1/invoices/create_preview`.
pub(crate) fn preview(
    attempt: Attempt,
    subscription: &Subscription,
    wanted: &[CheckoutItem],
    proration: Proration,
) -> Result<Form, ProviderError> {
    let wanted = items::in_order(attempt, wanted)?;
    let form = Form::new().set("subscription", &subscription.id);
    let form = items::replace(form, "subscription_details[items]", &subscription.items.data, &wanted);
    Ok(match proration {
        Proration::Invoiced(date) => form
            .set("subscription_details[proration_behavior]", "always_invoice")
            .set_some("subscription_details[proration_date]", date.map(Timestamp::as_unix_seconds)),
        Proration::None => form.set("subscription_details[proration_behavior]", "none"),
    })
}

/// The query of `DELETE /v1/subscriptions/{id}`.
///
/// With credit, what is left of the period becomes a credit on a last invoice, which goes to the customer's balance.
pub(crate) fn cancellation(credited: bool) -> Form {
    Form::new().set("prorate", credited).set("invoice_now", credited)
}

/// The body of `POST /v1/subscriptions/{id}` that lets it end with its period.
pub(crate) fn cancellation_at_period_end() -> Form {
    Form::new().set("cancel_at_period_end", true)
}

/// The body of `POST /v1/subscriptions/{id}` that takes a scheduled end back: whichever of the two says that it ends. At
/// most one of them may be named at a time.
pub(crate) fn restoration(subscription: &Subscription) -> Form {
    if subscription.cancel_at_period_end == Some(true) {
        Form::new().set("cancel_at_period_end", false)
    } else {
        Form::new().unset("cancel_at")
    }
}

/// Whether a cancellation is at once, and if so, whether what was paid is credited.
pub(crate) fn at_once(when: CancelWhen) -> Option<bool> {
    match when {
        CancelWhen::Now => Some(false),
        CancelWhen::NowCredited => Some(true),
        CancelWhen::PeriodEnd => None,
    }
}

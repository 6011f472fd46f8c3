//! The forms that change a subscription.
//!
//! What a site sets by default, and what Chargebee does unasked, is always said: a preview and its change must mean the
//! same on every site. Source: API docs, "Update subscription for items", "Cancel subscription for items", "Pause a
//! subscription", "Resume a subscription".

use tollkeeper_core::{
    ids::ProviderSubscriptionId,
    ports::{CancelWhen, ChangeRequest, ChangeWhen},
    time::Timestamp,
};

use crate::{checkout, form::Form};

/// The body of `POST /estimates/update_subscription_for_items`.
pub(crate) fn estimate(id: &ProviderSubscriptionId, change: &ChangeRequest) -> Form {
    terms(Form::new().pair(&["subscription", "id"], id), change)
}

/// The body of `POST /subscriptions/{id}/update_for_items`.
pub(crate) fn update(change: &ChangeRequest) -> Form {
    terms(Form::new(), change)
}

/// What the two have in common, which is everything. The instant of proration cannot be named.
fn terms(form: Form, change: &ChangeRequest) -> Form {
    let (now, option) = match change.when {
        ChangeWhen::Now => (true, "immediately"),
        ChangeWhen::PeriodEnd => (false, "end_of_term"),
    };
    checkout::items(form, &change.items)
        .set("prorate", now)
        .set("invoice_immediately", now)
        .set("replace_items_list", true)
        .set("change_option", option)
        // Left out, new items would bring a cancelled subscription back to life.
        .set("reactivate", false)
}

/// The body of `POST /subscriptions/{id}/cancel_for_items`.
pub(crate) fn cancellation(when: CancelWhen) -> Form {
    let (option, credit) = match when {
        CancelWhen::Now => ("immediately", "none"),
        CancelWhen::NowCredited => ("immediately", "full"),
        CancelWhen::PeriodEnd => ("end_of_term", "none"),
    };
    Form::new().set("cancel_option", option).set("credit_option_for_current_term_charges", credit)
}

/// The body of `POST /subscriptions/{id}/pause`.
pub(crate) fn pause(when: ChangeWhen, until: Option<Timestamp>) -> Form {
    let option = match when {
        ChangeWhen::Now => "immediately",
        ChangeWhen::PeriodEnd => "end_of_term",
    };
    Form::new().set("pause_option", option).set_some("resume_date", until.map(Timestamp::as_unix_seconds))
}

/// The body of `POST /subscriptions/{id}/resume`.
pub(crate) fn resume() -> Form {
    Form::new().set("resume_option", "immediately").set("charges_handling", "invoice_immediately")
}

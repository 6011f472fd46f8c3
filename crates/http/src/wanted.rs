//! What is wanted of what an organization has, read the same from a program's body and from a form.

use tollkeeper::{CancelRequest, ContactRequest, PauseRequest, Restore};
use tollkeeper_core::time::Timestamp;

use crate::{
    body::{ADDRESS, Fields, NAME, TEXT},
    problem::Problem,
};

/// Which subscription.
pub(crate) fn named(fields: &Fields) -> Result<Option<String>, Problem> {
    fields.text("subscriptionId", NAME)
}

/// How to cancel.
pub(crate) fn cancel(fields: &Fields) -> Result<CancelRequest, Problem> {
    Ok(CancelRequest {
        now: at_once(fields)?,
        hosted: fields.boolean("hosted")?.unwrap_or(false),
        return_url: fields.text("returnUrl", ADDRESS)?,
        reason: fields.text("reason", TEXT)?,
        subscription_id: named(fields)?,
    })
}

/// What to take back.
pub(crate) fn restore(fields: &Fields) -> Result<Option<Restore>, Problem> {
    fields.word("what", &[("cancellation", Restore::Cancellation), ("change", Restore::Change)])
}

/// How to pause; each spells the end of it in a way of its own.
pub(crate) fn pause(fields: &Fields, until: Option<Timestamp>) -> Result<PauseRequest, Problem> {
    Ok(PauseRequest { now: at_once(fields)?, until, subscription_id: named(fields)? })
}

/// Who gets the invoices.
pub(crate) fn contact(fields: &Fields) -> Result<ContactRequest, Problem> {
    Ok(ContactRequest { email: fields.text("email", NAME)?, locale: fields.text("locale", NAME)? })
}

fn at_once(fields: &Fields) -> Result<bool, Problem> {
    Ok(fields.word("when", &[("now", true), ("period_end", false)])?.unwrap_or(false))
}

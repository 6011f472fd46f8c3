//! Pauses: how one is asked for, and how it is read back.
//!
//! Stripe has two kinds. A *pause* stops the subscription: its status says so, and no period begins. It is young, and only
//! for subscriptions in flexible billing mode that are charged automatically and have no schedule; it begins at once and
//! lasts until somebody ends it. A *paused collection* leaves the status alone, makes invoices and voids them, and may end
//! by itself. So a pause at once without an end is the first kind where that is possible, and everything else is the
//! second kind with marks of ours in the metadata: that we asked for it, so that the gate closes, from when on, and until
//! when. A collection that somebody else paused is theirs to explain, and leaves the gate open; so does one that is
//! paused after ours was over, because Stripe ends a pause without touching our marks.
//!
//! Source: API reference, "Pause a subscription" (2026-09-30.endive) and "Pause payment collection".

use tollkeeper_core::{ports::ChangeWhen, snapshot::Phase, time::Timestamp};

use crate::{
    form::Form,
    wire::{Subscription, instant},
};

/// The mark of who asked for it.
const PAUSED_BY: &str = "pausedBy";
/// The mark of when it begins, in whole seconds; absent when it began at once.
const PAUSED_FROM: &str = "pausedFrom";
/// The mark of when it ends by itself; absent when it does not.
const PAUSED_UNTIL: &str = "pausedUntil";
/// Us.
const US: &str = "tollkeeper";

/// A pause that we asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// There is none.
    None,
    /// It begins then.
    At(Timestamp),
    /// It has begun.
    Begun,
}

/// Reads the marks. What is over, or never began, is not paused; nor is a collection that goes on again.
pub(crate) fn pause(subscription: &Subscription, phase: Phase, now: Option<Timestamp>) -> Pause {
    let runs = matches!(phase, Phase::Trialing | Phase::Active | Phase::PastDue | Phase::Unpaid);
    if !runs || !is_ours(subscription) || subscription.pause_collection.is_none() {
        return Pause::None;
    }
    let mark = |name| subscription.metadata.text(name).and_then(|seconds| instant(seconds.parse().ok()));
    let now = now.or_else(|| instant(subscription.period_start()));
    match (mark(PAUSED_FROM), mark(PAUSED_UNTIL), now) {
        (_, Some(until), Some(now)) if until <= now => Pause::None,
        (Some(from), _, Some(now)) if now < from => Pause::At(from),
        _ => Pause::Begun,
    }
}

fn is_ours(subscription: &Subscription) -> bool {
    subscription.metadata.text(PAUSED_BY) == Some(US)
}

/// Whether somebody else paused its collection, given what [`pause`] says of it.
///
/// [`pause`] says nothing of a subscription that stands still as a whole. Where our mark is on one, the collection was
/// paused by us before that.
pub(crate) fn is_paused_by_others(subscription: &Subscription, phase: Phase, pause: Pause) -> bool {
    let ours = is_ours(subscription) && phase == Phase::Paused;
    is_collection_paused(subscription) && pause == Pause::None && !ours
}

/// Whether its collection is paused, by us or by others.
pub(crate) fn is_collection_paused(subscription: &Subscription) -> bool {
    subscription.pause_collection.is_some()
}

/// Whether Stripe can stop it as a whole.
pub(crate) fn can_stop(subscription: &Subscription, when: ChangeWhen, until: Option<Timestamp>) -> bool {
    let mode = subscription.billing_mode.as_ref().and_then(|mode| mode.kind.as_deref());
    when == ChangeWhen::Now
        && until.is_none()
        && subscription.status == "active"
        && mode == Some("flexible")
        && subscription.collection_method.as_deref() == Some("charge_automatically")
        && !is_collection_paused(subscription)
}

/// The body of `POST /v1/subscriptions/{id}/pause`.
///
/// Going on begins a new period and charges it whole. So what is left of this one is given back, as a line that waits
/// for that invoice; and what was used until now is on it too.
pub(crate) fn stop() -> Form {
    Form::new()
        .set("type", "subscription")
        .set("bill_for[unused_time_from][type]", "now")
        .set("bill_for[outstanding_usage_through][type]", "now")
        .set("invoicing_behavior", "pending_invoice_item")
}

/// The body of `POST /v1/subscriptions/{id}` that pauses the collection.
pub(crate) fn hold(from: Option<Timestamp>, until: Option<Timestamp>) -> Form {
    let form = Form::new()
        .set("pause_collection[behavior]", "void")
        .set_some("pause_collection[resumes_at]", until.map(Timestamp::as_unix_seconds))
        .set(format!("metadata[{PAUSED_BY}]"), US);
    // A mark that an earlier pause left behind would move this one.
    [(PAUSED_FROM, from), (PAUSED_UNTIL, until)].into_iter().fold(form, |form, (mark, at)| {
        let name = format!("metadata[{mark}]");
        match at {
            Some(at) => form.instant(name, at),
            None => form.unset(name),
        }
    })
}

/// The body of `POST /v1/subscriptions/{id}` that lets the collection go on.
pub(crate) fn release() -> Form {
    let form = Form::new().unset("pause_collection");
    [PAUSED_BY, PAUSED_FROM, PAUSED_UNTIL].iter().fold(form, |form, mark| form.unset(format!("metadata[{mark}]")))
}

/// The body of `POST /v1/subscriptions/{id}/resume`: a new period begins, and the gate opens when it is paid.
pub(crate) fn resume() -> Form {
    Form::new().set("billing_cycle_anchor[type]", "now").set("payment_behavior", "resume_on_payment_success")
}

//! What is owed because a row changed: a function of before and after.

use serde_json::{Map, Value, json};

use crate::{
    account::Account,
    catalog::Catalog,
    effect::{Effect, EffectKind},
    gate::{self, View},
    snapshot::Dues,
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

/// The effects of one row becoming another, in order of delivery.
pub(super) fn between(
    account: &Account,
    after: &Account,
    before: Option<&Subscription>,
    next: &Subscription,
    catalog: &Catalog,
    now: Timestamp,
) -> Vec<Effect> {
    let data = subscription_data(before, next);
    let told = |kind| match kind {
        EffectKind::PaymentFailed => with_final(data.clone(), before, next, catalog),
        _ => data.clone(),
    };
    let mut effects: Vec<_> = EffectKind::ALL
        .into_iter()
        .filter(|kind| happened(*kind, before, next))
        .map(|kind| Effect { kind, subscription_id: Some(next.id.clone()), data: told(kind) })
        .collect();
    // What was granted until a moment ago: an instant that has just passed must not count as "before" too.
    let until = before.and_then(|row| row.due_at).filter(|due| *due <= now);
    let since = until.map_or(now, |due| Timestamp::from_micros(due.as_micros().saturating_sub(1)));
    effects.extend(entitlements_changed(account, since, after, now, catalog));
    effects
}

/// The effect that what the organization may use became another set, if it did.
pub(super) fn entitlements_changed(
    before: &Account,
    since: Timestamp,
    after: &Account,
    now: Timestamp,
    catalog: &Catalog,
) -> Option<Effect> {
    let previous = gate::entitlements(&View::of(before), catalog, since);
    let current = gate::entitlements(&View::of(after), catalog, now);
    (previous != current).then(|| Effect {
        kind: EffectKind::EntitlementsChanged,
        subscription_id: None,
        data: json!({ "entitlements": current, "previous": previous }),
    })
}

/// A sentence about what became of the row.
pub(super) fn sentence(before: Option<&Subscription>, next: &Subscription, how: &str) -> String {
    match before {
        Some(row) if row.status != next.status => {
            format!("{how}; {} went from {} to {}", next.id, row.status, next.status)
        }
        Some(_) => format!("{how}; {} stays {} and changed in detail", next.id, next.status),
        None => format!("{how}; {} begins as {}", next.id, next.status),
    }
}

fn happened(kind: EffectKind, before: Option<&Subscription>, next: &Subscription) -> bool {
    use EffectKind as E;
    let was = before.map(|row| row.status);
    let was_over = before.is_some_and(|row| row.status.is_over());
    let completed = before.is_none_or(|row| row.activated_at.is_none()) && next.activated_at.is_some();
    let ended = next.status == Status::Cancelled && was != Some(Status::Cancelled);
    let asked_to_end = next.cancel_at.is_some() && before.is_none_or(|row| row.cancel_at.is_none());
    let ended_unannounced = ended && !was_over && before.is_some_and(|row| row.cancel_at.is_none());
    match kind {
        // A customer is not a matter of rows: see `organization`.
        E::CustomerCreated | E::EntitlementsChanged => false,
        E::SubscriptionCreated => before.is_none(),
        E::SubscriptionCompleted => completed,
        E::SubscriptionCancelled => asked_to_end || ended_unannounced,
        E::SubscriptionDeleted => ended,
        E::SubscriptionUpdated => before.is_some_and(|row| {
            let told = completed || asked_to_end || ended;
            sells_differently(row, next) && !completed
                || (row.status != next.status || row.cancel_at != next.cancel_at) && !told
        }),
        E::TrialStarted => {
            next.status == Status::InTrial && before.is_none_or(|row| row.trial_start != next.trial_start)
        }
        E::TrialEnding => {
            next.trial_end_told.is_some() && before.is_none_or(|row| row.trial_end_told != next.trial_end_told)
        }
        E::SubscriptionDuplicated => {
            next.duplicate_of.is_some() && before.is_none_or(|row| row.duplicate_of != next.duplicate_of)
        }
        E::TrialEnded => was == Some(Status::InTrial) && next.status != Status::InTrial,
        E::PaymentFailed => attempts(next.dues.as_ref()) > attempts(before.and_then(|row| row.dues.as_ref())),
        E::PaymentRecovered => {
            // Whoever pauses in debt has not paid.
            let runs = matches!(next.status, Status::Active | Status::NonRenewing | Status::InTrial);
            before.is_some_and(|row| row.dues.is_some()) && next.dues.is_none() && runs
        }
    }
}

/// Attempts that failed, counting open dues as at least one.
fn attempts(dues: Option<&Dues>) -> u32 {
    dues.map_or(0, |dues| dues.attempts.max(1))
}

fn sells_differently(row: &Subscription, next: &Subscription) -> bool {
    row.plan != next.plan
        || row.price_id != next.price_id
        || row.seats != next.seats
        || row.items != next.items
        || row.period_start != next.period_start
        || row.period_end != next.period_end
        || row.trial_end != next.trial_end
        || row.scheduled != next.scheduled
        || row.pause_at != next.pause_at
        || row.collection_paused != next.collection_paused
}

/// Says beside a failed payment whether it was the last attempt: `"final": true` once per invoice.
fn with_final(mut data: Value, before: Option<&Subscription>, next: &Subscription, catalog: &Catalog) -> Value {
    let last = |dues: &Dues| {
        dues.exhausted || dues.next_attempt_at.is_none() || dues.attempts >= catalog.policy().final_attempt
    };
    let told = before
        .and_then(|row| row.dues.as_ref())
        .is_some_and(|known| last(known) && Some(&known.invoice) == next.dues.as_ref().map(|dues| &dues.invoice));
    data["final"] = Value::from(!told && next.dues.as_ref().is_some_and(last));
    data
}

/// `{"subscription": the row, "previous": what it was, only where it differs}`.
fn subscription_data(before: Option<&Subscription>, next: &Subscription) -> Value {
    let current = public(next);
    let mut previous = Map::new();
    if let Some(before) = before {
        for (key, value) in public(before) {
            if current.get(&key) != Some(&value) {
                previous.insert(key, value);
            }
        }
    }
    json!({ "subscription": current, "previous": previous })
}

/// The row without what is only bookkeeping between us and the provider.
fn public(row: &Subscription) -> Map<String, Value> {
    let value = serde_json::to_value(row).expect("a row has no map with keys that are not text");
    let Value::Object(mut fields) = value else { unreachable!("a struct serializes as an object") };
    for key in ["checkout", "version", "dueAt", "observedAt", "owedChange", "providerVersion", "trialEndTold"] {
        fields.remove(key);
    }
    fields
}

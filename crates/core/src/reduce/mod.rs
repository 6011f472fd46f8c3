//! The one function that decides what a provider's view, or time alone, changes in our rows.
//!
//! Webhooks, eager sync, answers to our own calls and reconciliation all end here. No IO, no clock.

mod apply;
mod due;
mod effects;
mod matching;
mod organization;

pub use due::RECHECK;
pub use matching::{Match, find_row};
pub use organization::{
    NotYet, begin_checkout, begin_deletion, contact, customer_created, customer_gone, identify, postpone, rewrite,
    tombstone,
};

use crate::{
    account::Account,
    catalog::Catalog,
    effect::Transition,
    ids::{OrganizationId, ProviderCustomerId, SubscriptionId},
    invariants,
    snapshot::{Origin, Snapshot},
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

/// Why a snapshot must not be applied to an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReduceError {
    /// It belongs to a customer that is not this organization's: link it or leave it, never apply it.
    #[error("customer {0} is not this organization's customer")]
    ForeignCustomer(ProviderCustomerId),
    /// Its metadata name another organization: a person should look.
    #[error("its metadata name organization {0}")]
    ForeignOrganization(OrganizationId),
}

/// Decides what a snapshot changes in our rows, without touching anything.
///
/// `snapshot` is `None` when only time has passed: then the first row that is due is looked at. `now` is business time.
/// Calling it twice with the same snapshot gives no effects the second time.
///
/// # Errors
/// [`ReduceError`]: the snapshot belongs to another organization.
pub fn reduce(
    account: &Account,
    snapshot: Option<&Snapshot>,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Transition, ReduceError> {
    let transition = match snapshot {
        Some(snapshot) => take(account, snapshot, catalog, now)?,
        None => match account.subscriptions.iter().find(|row| is_due(row, now)) {
            Some(row) => tick(account, &row.id, catalog, now),
            None => nothing(account, "nothing is due".into()),
        },
    };
    // An account that was read while somebody wrote it may not hold together; what is decided about it is never written.
    debug_assert!(
        invariants::violations(&transition.after, catalog, now).is_empty()
            || !invariants::violations(account, catalog, now).is_empty(),
        "after {}: {:?}",
        transition.why,
        invariants::violations(&transition.after, catalog, now)
    );
    Ok(transition)
}

/// Whether the content of a delivery may be applied without asking the provider again.
///
/// It may when the row has an older version of it and nothing is scheduled there or here.
pub fn may_apply_directly(row: Option<&Subscription>, content: &Snapshot) -> bool {
    let Some(version) = content.version else { return false };
    content.scheduled.is_none()
        && row.is_some_and(|row| {
            row.provider_subscription_id.as_ref() == Some(&content.id)
                && row.scheduled.is_none()
                && row.provider_version.is_some_and(|known| known < version)
        })
}

fn take(account: &Account, snapshot: &Snapshot, catalog: &Catalog, now: Timestamp) -> Result<Transition, ReduceError> {
    if account.customer(&snapshot.provider) != Some(&snapshot.customer_id) {
        return moved_away(account, snapshot, catalog, now);
    }
    if let Some(named) = snapshot.organization_id.as_ref().filter(|named| **named != account.organization.id) {
        return Err(ReduceError::ForeignOrganization(named.clone()));
    }
    let (row, base, how) = match find_row(account, snapshot, catalog, now) {
        Match::Row(row, how) => (Some(row), row.clone(), how),
        Match::New(fresh, how) => (None, *fresh, how),
    };
    if let Some((row, version, known)) = stale(row, snapshot) {
        let fate = if version == known { "is what we have" } else { "is older than what we have" };
        return Ok(nothing(account, format!("version {version} of {} {fate} ({known}) in {}", snapshot.id, row.id)));
    }
    let next = apply::apply(account, &base, snapshot, catalog, now);
    Ok(finish(account, row, next, catalog, now, &how))
}

/// A subscription of ours that another customer pays for now is over for this organization; anything else is foreign.
fn moved_away(
    account: &Account,
    snapshot: &Snapshot,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Transition, ReduceError> {
    let known = account.subscriptions.iter().find(|row| {
        row.provider == snapshot.provider
            && row.provider_subscription_id.as_ref() == Some(&snapshot.id)
            && row.status.is_live()
            && row.provider_customer_id.is_some()
            && row.provider_customer_id == account.customer(&snapshot.provider).cloned()
    });
    let Some((row, customer)) = known.zip(account.customer(&snapshot.provider)) else {
        return Err(ReduceError::ForeignCustomer(snapshot.customer_id.clone()));
    };
    let gone = Snapshot { version: snapshot.version, ..Snapshot::gone(row, &snapshot.id, customer, now) };
    let next = apply::apply(account, row, &gone, catalog, now);
    let how = format!("{} is paid by customer {} now", snapshot.id, snapshot.customer_id);
    Ok(finish(account, Some(row), next, catalog, now, &how))
}

/// A snapshot that tells nothing new: the row it meets, its version and the version that we have.
fn stale<'a>(row: Option<&'a Subscription>, snapshot: &Snapshot) -> Option<(&'a Subscription, i64, i64)> {
    let row = row.filter(|row| row.provider_subscription_id.as_ref() == Some(&snapshot.id))?;
    let (known, version) = row.provider_version.zip(snapshot.version)?;
    let old = match snapshot.origin {
        // What is beside the subscription (its unpaid invoices) changes without its version.
        Origin::Fetched => version < known,
        Origin::Delivered => version <= known,
    };
    old.then_some((row, version, known))
}

fn is_due(row: &Subscription, now: Timestamp) -> bool {
    row.due_at.is_some_and(|due| due <= now)
}

/// Decides what time alone changes in one row, as [`reduce`] without a snapshot does for the first that is due.
pub fn tick(account: &Account, id: &SubscriptionId, catalog: &Catalog, now: Timestamp) -> Transition {
    let Some(row) = account.subscription(id).filter(|row| is_due(row, now)) else {
        return nothing(account, format!("{id} is not due"));
    };
    let mut next = row.clone();
    let abandoned = row.status == Status::Future
        && row.provider_subscription_id.is_none()
        && row.checkout.as_ref().is_some_and(|checkout| checkout.expires_at <= now);
    if abandoned {
        next.status = Status::Expired;
        next.ended_at = Some(now);
    }
    due::remind(&mut next, catalog.policy(), now);
    next.due_at = due::next(&next, catalog.policy(), now);
    let how = if abandoned { "the checkout was abandoned" } else { "time has passed" };
    finish(account, Some(row), next, catalog, now, how)
}

/// Completes a decision about one row: what follows for the organization, and what is owed because of it.
fn finish(
    account: &Account,
    before: Option<&Subscription>,
    next: Subscription,
    catalog: &Catalog,
    now: Timestamp,
    how: &str,
) -> Transition {
    let mut after = account.with(&next);
    after.organization.had_trial |= next.trial_start.is_some();
    if after.organization.currency.is_none() {
        after.organization.currency = next.items.iter().find_map(|item| item.currency);
    }
    let unchanged = before.is_some_and(|row| same(row, &next)) && after.organization == account.organization;
    if unchanged {
        return nothing(account, format!("{how}; nothing changed in {}", next.id));
    }
    let effects = effects::between(account, &after, before, &next, catalog, now);
    let why = effects::sentence(before, &next, how);
    Transition { after, before: before.cloned(), next: Some(next), effects, changed: true, why }
}

/// Whether two states of a row differ in nothing that is compared.
fn same(row: &Subscription, next: &Subscription) -> bool {
    let seen = Subscription { observed_at: row.observed_at, ..next.clone() };
    *row == seen
}

fn nothing(account: &Account, why: String) -> Transition {
    Transition { after: account.clone(), before: None, next: None, effects: Vec::new(), changed: false, why }
}

#[cfg(test)]
mod tests;

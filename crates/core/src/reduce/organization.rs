//! Decisions that are not about a provider's subscription: checkout rows, names, customers, and the end of an
//! organization.

use serde_json::json;

use super::{RECHECK, due, effects, finish, nothing};
use crate::{
    account::Account,
    catalog::Catalog,
    effect::{Effect, EffectKind, Transition},
    ids::SubscriptionId,
    organization::Customer,
    ports::OrganizationRecord,
    subscription::Subscription,
    time::Timestamp,
};

/// Writes down a checkout that is about to begin.
pub fn begin_checkout(account: &Account, mut row: Subscription, catalog: &Catalog, now: Timestamp) -> Transition {
    row.due_at = due::next(&row, catalog.policy(), now);
    finish(account, None, row, catalog, now, "a checkout began")
}

/// Writes down what our own bookkeeping of a row became (the link of a hosted page, its end).
pub fn rewrite(account: &Account, mut next: Subscription, catalog: &Catalog, now: Timestamp, how: &str) -> Transition {
    let before = account.subscription(&next.id);
    next.due_at = due::next(&next, catalog.policy(), now);
    finish(account, before, next, catalog, now, how)
}

/// Takes in the identity provider's record of the organization. A tombstone beats everything, and newer beats older.
pub fn identify(account: &Account, record: &OrganizationRecord) -> Transition {
    let known = &account.organization;
    if known.is_leaving() {
        return nothing(account, format!("{} was deleted: its record stays as it is", known.id));
    }
    if let Some((had, has)) = known.identity_updated_at.zip(record.updated_at)
        && has < had
    {
        return nothing(account, format!("the record of {} is older than what we have", known.id));
    }
    let mut after = account.clone();
    if let Some(name) = &record.display_name {
        after.organization.display_name.clone_from(name);
    }
    after.organization.external_id.clone_from(&record.external_id);
    after.organization.identity_updated_at = record.updated_at.or(known.identity_updated_at);
    if after == *account {
        return nothing(account, format!("the record of {} is what we have", known.id));
    }
    let why = format!("the identity provider told about {}", known.id);
    about_organization(after, Vec::new(), why)
}

/// Takes in who the billing contact is, and its language; what is not told stays.
pub fn contact(account: &Account, email: Option<&str>, locale: Option<&str>) -> Transition {
    let organization = &account.organization;
    let mut after = account.clone();
    for (known, told) in [(&mut after.organization.email, email), (&mut after.organization.locale, locale)] {
        if told.is_some() {
            *known = told.map(str::to_owned);
        }
    }
    if organization.is_leaving() || after == *account {
        return nothing(account, format!("the billing contact of {} stays", organization.id));
    }
    about_organization(after, Vec::new(), format!("the billing contact of {} is another", organization.id))
}

/// Closes everything for an organization that was deleted at the identity provider, before what it pays for is ended.
pub fn begin_deletion(account: &Account, catalog: &Catalog, now: Timestamp) -> Transition {
    if account.organization.is_leaving() {
        return nothing(account, format!("the deletion of {} began before", account.organization.id));
    }
    let mut after = account.clone();
    after.organization.deletion_began_at = Some(now);
    let effects = effects::entitlements_changed(account, now, &after, now, catalog).into_iter().collect();
    let why =
        format!("{} was deleted at the identity provider: what it pays for is being ended", account.organization.id);
    about_organization(after, effects, why)
}

/// Something of the organization is still billed: end that first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not over yet")]
pub struct NotYet(pub SubscriptionId);

/// Marks the organization as deleted.
///
/// # Errors
/// [`NotYet`]: a subscription is live, perhaps since a moment ago. Never a tombstone on something that is paid for.
pub fn tombstone(account: &Account, catalog: &Catalog, now: Timestamp) -> Result<Transition, NotYet> {
    if let Some(row) = account.subscriptions.iter().find(|row| row.status.is_live()) {
        return Err(NotYet(row.id.clone()));
    }
    if account.organization.deleted_at.is_some() {
        return Ok(nothing(account, format!("{} was deleted before", account.organization.id)));
    }
    let mut after = account.clone();
    after.organization.deleted_at = Some(now);
    let effects = effects::entitlements_changed(account, now, &after, now, catalog).into_iter().collect();
    let why = format!(
        "{} was deleted at the identity provider, and nothing of it is billed any more",
        account.organization.id
    );
    Ok(about_organization(after, effects, why))
}

/// Forgets a customer that the provider does not have any more, so that the next purchase makes a new one.
pub fn customer_gone(account: &Account, customer: &Customer) -> Transition {
    if !account.customers.contains(customer) {
        return nothing(account, format!("{} does not have customer {}", account.organization.id, customer.id));
    }
    let mut after = account.clone();
    after.customers.retain(|known| known != customer);
    let why = format!("customer {} is gone at {}", customer.id, customer.provider);
    about_organization(after, Vec::new(), why)
}

/// Looks at a row again later, because nobody could be asked about it now.
pub fn postpone(account: &Account, id: &SubscriptionId, now: Timestamp) -> Transition {
    let Some(row) = account.subscription(id).filter(|row| row.due_at.is_some_and(|due| due <= now)) else {
        return nothing(account, format!("{id} is not due"));
    };
    let next = Subscription { due_at: Some(now.plus(RECHECK)), ..row.clone() };
    let why = format!("nobody could be asked about {id}; it is looked at again later");
    let after = account.with(&next);
    Transition { after, before: Some(row.clone()), next: Some(next), effects: Vec::new(), changed: true, why }
}

/// Writes down that the organization has a customer now.
pub fn customer_created(account: &Account, customer: &Customer) -> Transition {
    if account.customers.contains(customer) {
        return nothing(account, format!("{} has customer {} already", account.organization.id, customer.id));
    }
    let mut after = account.clone();
    after.customers.push(customer.clone());
    let effect = Effect {
        kind: EffectKind::CustomerCreated,
        subscription_id: None,
        data: json!({ "customer": customer, "organizationId": account.organization.id }),
    };
    let why = format!("{} became customer {} at {}", account.organization.id, customer.id, customer.provider);
    about_organization(after, vec![effect], why)
}

/// A decision that changes no subscription.
fn about_organization(after: Account, effects: Vec<Effect>, why: String) -> Transition {
    Transition { after, before: None, next: None, effects, changed: true, why }
}

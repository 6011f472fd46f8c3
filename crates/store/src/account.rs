//! Everything of one organization: read for a decision, and the one writer of decisions.

use std::collections::HashSet;

use tollkeeper_core::{
    account::Account,
    effect::Transition,
    ids::OrganizationId,
    organization::{Customer, Organization},
    time::Timestamp,
};

use crate::{
    C, Constraint, Error, Tx, customer, customer::Linked, history, macros::Both, organization, outbox, subscription,
};

/// How many subscriptions that are over an account carries.
const OVER: i64 = 50;

/// What made us decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// A delivery.
    Inbox,
    /// A request to us.
    Api,
    /// A comparison with the provider.
    Reconcile,
    /// Time alone.
    Time,
    /// A person of the product.
    Operator,
}

impl CauseKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Inbox, Self::Api, Self::Reconcile, Self::Time, Self::Operator];

    /// The spelling of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Api => "api",
            Self::Reconcile => "reconcile",
            Self::Time => "time",
            Self::Operator => "operator",
        }
    }
}

/// What made us decide, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The kind.
    pub kind: CauseKind,
    /// Which delivery (its event id), request, run or person; may be empty.
    pub id: String,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Written.
    Written {
        /// The organization's new version, which numbers the history row and the effects.
        seq: i64,
    },
    /// Somebody wrote first. Nothing of this decision is left in the transaction: read again and decide again.
    Lost,
}

/// Reads an organization with its customers and subscriptions: all that are not over, and the 50 that ended last.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn load(c: C<'_>, id: &OrganizationId) -> Result<Option<Account>, Error> {
    load_with(c, id, None).await
}

/// As [`load`], and in any case with the subscription that `wanted` names, by our id or by the provider's: a decision
/// about it must meet its row however long ago that ended.
///
/// # Errors
/// As [`load`].
pub async fn load_with(c: C<'_>, id: &OrganizationId, wanted: Option<&str>) -> Result<Option<Account>, Error> {
    Ok(read(c, &[id.as_str()], wanted).await?.pop())
}

/// As [`load`] for many at once, in as many statements as for one: those of `ids` that exist, by id.
///
/// # Errors
/// As [`load`].
pub async fn load_many(c: C<'_>, ids: impl IntoIterator<Item = &OrganizationId>) -> Result<Vec<Account>, Error> {
    let ids: Vec<&str> = ids.into_iter().map(OrganizationId::as_str).collect();
    read(c, &ids, None).await
}

row! {
    /// The customer beside an organization; empty where it has none.
    struct OwnCustomer { provider: Option<String>, provider_customer_id: Option<String> }
}

async fn read(mut c: C<'_>, ids: &[&str], wanted: Option<&str>) -> Result<Vec<Account>, Error> {
    type Joined = Both<organization::Row, OwnCustomer>;
    // The organizations first: their versions guard everything that is read after them.
    let rows: Vec<Joined> = sql!(
        c.again(),
        all Joined among ids,
        "
        SELECT o.id, o.display_name, o.external_id, o.email, o.locale, o.currency, o.billing_provider, o.had_trial, o.version,
        o.identity_updated_at, o.deletion_began_at, o.deleted_at, o.created_at, o.updated_at, c.provider, c.provider_customer_id
        FROM organization AS o
        LEFT JOIN customer AS c
          ON c.organization_id = o.id
        WHERE o.id",
        "ORDER BY o.id, c.provider"
    )?;
    let mut accounts: Vec<Account> = Vec::with_capacity(ids.len());
    for Both(row, customer) in rows {
        let organization = row.read()?;
        if accounts.last().is_none_or(|last| last.organization.id != organization.id) {
            accounts.push(Account { organization, customers: Vec::new(), subscriptions: Vec::new() });
        }
        if let (Some(account), Some(provider), Some(id)) =
            (accounts.last_mut(), customer.provider, customer.provider_customer_id)
        {
            account.customers.push(Customer { provider: provider.into(), id: id.into() });
        }
    }
    if accounts.is_empty() {
        return Ok(accounts);
    }
    let mut subscriptions = subscription::load(c, ids, wanted, OVER).await?.into_iter().peekable();
    for account in &mut accounts {
        let id = &account.organization.id;
        // Both come in the order of the organizations. One that came into being between the two statements is passed over.
        while subscriptions.next_if(|row| row.organization_id < *id).is_some() {}
        while let Some(row) = subscriptions.next_if(|row| row.organization_id == *id) {
            account.subscriptions.push(row);
        }
    }
    Ok(accounts)
}

/// A decision that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The account that it was made on.
    pub before: &'a Account,
    /// What was decided.
    pub transition: &'a Transition,
    /// What made us decide.
    pub cause: &'a Cause,
}

impl Decision<'_> {
    /// The organization's version when it is written.
    pub(crate) const fn seq(&self) -> i64 {
        self.before.organization.version + 1
    }
}

/// Writes decisions about different organizations, each all of it or nothing: the organization under its next version,
/// the row that changes, customers that came or went, one line of history, and each effect once for every sink. Answers
/// what became of each, in their order.
///
/// The versions of what a decision was made on must still be the rows' own, or it is lost. `now` is business time. A
/// decision that is empty is written too (version and history), so ask [`Transition::changed`] first.
///
/// # Errors
/// [`Constraint::OpenCheckout`], [`Constraint::ExternalId`] (also for a customer of another organization): roll back.
pub async fn save_all(
    tx: &mut Tx,
    decisions: &[Decision<'_>],
    sinks: &[&str],
    now: Timestamp,
) -> Result<Vec<Saved>, Error> {
    let next =
        |decision: &Decision<'_>| Organization { updated_at: now, ..decision.transition.after.organization.clone() };
    let organizations: Vec<(Organization, i64)> =
        decisions.iter().map(|decision| (next(decision), decision.before.organization.version)).collect();
    let organizations: Vec<_> = organizations.iter().map(|(organization, version)| (organization, *version)).collect();
    // From here on these organizations' rows are ours: nobody else decides about them until we commit.
    let mut ours = organization::save_all(tx, &organizations).await?;
    drop(organizations);
    let of_ours = |ours: &HashSet<OrganizationId>| -> Vec<&Decision<'_>> {
        decisions.iter().filter(|decision| ours.contains(&decision.before.organization.id)).collect()
    };
    let kept = of_ours(&ours);
    let changed: Vec<_> = kept
        .iter()
        .filter_map(|decision| decision.transition.before.as_ref().zip(decision.transition.next.as_ref()))
        .collect();
    let written = subscription::save_changed(tx, &changed).await?;
    for Decision { before: Account { organization, .. }, transition, .. } in kept {
        let written = match (&transition.before, &transition.next) {
            (_, None) => true,
            (None, Some(next)) => subscription::insert_new(tx, next).await?,
            (Some(_), Some(_)) => written.contains(&organization.id),
        };
        if !written {
            organization::unsave(tx, organization).await?;
            ours.remove(&organization.id);
        }
    }
    let kept = of_ours(&ours);
    for decision in &kept {
        save_customers(tx, decision.before, &decision.transition.after).await?;
    }
    history::insert(tx, &kept, now).await?;
    outbox::insert(tx, &kept, sinks, now).await?;
    let fate = |decision: &Decision<'_>| match ours.contains(&decision.before.organization.id) {
        true => Saved::Written { seq: decision.seq() },
        false => Saved::Lost,
    };
    Ok(decisions.iter().map(fate).collect())
}

/// As [`save_all`] for one.
///
/// # Errors
/// As [`save_all`].
pub async fn save(tx: &mut Tx, decision: Decision<'_>, sinks: &[&str], now: Timestamp) -> Result<Saved, Error> {
    Ok(save_all(tx, &[decision], sinks, now).await?.pop().unwrap_or(Saved::Lost))
}

async fn save_customers(tx: &mut Tx, before: &Account, after: &Account) -> Result<(), Error> {
    let id = &before.organization.id;
    let known = |account: &Account, customer: &Customer| account.customers.contains(customer);
    for gone in before.customers.iter().filter(|customer| !known(after, customer)) {
        customer::unlink(tx, id, &gone.provider).await?;
    }
    for new in after.customers.iter().filter(|customer| !known(before, customer)) {
        match customer::link(tx, id, new).await? {
            Linked::New | Linked::Already => {}
            Linked::OtherId(_) | Linked::Foreign(_) => return Err(Error::Constraint(Constraint::ExternalId)),
        }
    }
    Ok(())
}

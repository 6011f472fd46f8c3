//! Everything of one organization: read for a decision, and the one writer of decisions.

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
pub async fn load_many(c: C<'_>, ids: &[OrganizationId]) -> Result<Vec<Account>, Error> {
    let ids: Vec<&str> = ids.iter().map(OrganizationId::as_str).collect();
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

/// Writes a decision, all of it or nothing: the organization under its next version, the row that changes, customers
/// that came or went, one line of history, and each effect once for every sink.
///
/// `before` is the account that the decision was made on; its versions must still be the rows' own. `now` is business
/// time. A decision that is empty is written too (version and history), so ask [`Transition::changed`] first.
///
/// # Errors
/// [`Constraint::OpenCheckout`], [`Constraint::ExternalId`] (also for a customer of another organization): roll back.
pub async fn save(
    tx: &mut Tx,
    before: &Account,
    transition: &Transition,
    cause: &Cause,
    sinks: &[&str],
    now: Timestamp,
) -> Result<Saved, Error> {
    let version = before.organization.version;
    let organization = Organization { updated_at: now, ..transition.after.organization.clone() };
    if !organization::save(tx, &organization, version).await? {
        return Ok(Saved::Lost);
    }
    // From here on the organization's row is ours: nobody else decides about it until we commit.
    let written = match (&transition.before, &transition.next) {
        (_, None) => true,
        (None, Some(next)) => subscription::insert_new(tx, next).await?,
        (Some(row), Some(next)) => subscription::save_changed(tx, row, next).await?,
    };
    if !written {
        organization::unsave(tx, &before.organization).await?;
        return Ok(Saved::Lost);
    }
    save_customers(tx, before, &transition.after).await?;
    let seq = version + 1;
    history::insert(tx, &before.organization.id, seq, transition, cause, now).await?;
    outbox::insert(tx, &before.organization.id, seq, &transition.effects, sinks, now).await?;
    Ok(Saved::Written { seq })
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

//! Everything of one organization: read for a decision, and the one writer of decisions.

use tollkeeper_core::{
    account::Account,
    effect::{EffectKind, Transition},
    ids::OrganizationId,
    organization::{Customer, Organization},
    time::Timestamp,
};

use crate::{C, Constraint, Error, Tx, customer, customer::Linked, history, organization, outbox, subscription};

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
pub async fn load_with(mut c: C<'_>, id: &OrganizationId, wanted: Option<&str>) -> Result<Option<Account>, Error> {
    // The organization first: its version guards everything that is read after it.
    let Some(organization) = organization::get(c.again(), id).await? else { return Ok(None) };
    let customers = customer::list(c.again(), id).await?;
    let subscriptions = subscription::load(c, id, wanted, OVER).await?;
    Ok(Some(Account { organization, customers, subscriptions }))
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
    for effect in &transition.effects {
        let position = EffectKind::ALL.iter().position(|kind| *kind == effect.kind).unwrap_or(EffectKind::ALL.len());
        for sink in sinks {
            outbox::insert(tx, &before.organization.id, seq, position, sink, effect, now).await?;
        }
    }
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

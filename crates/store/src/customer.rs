//! The organization's records at billing providers.

use tollkeeper_core::{
    ids::{OrganizationId, Provider, ProviderCustomerId},
    organization::Customer,
    time::Timestamp,
};

use crate::{
    C, Error, Tx, link,
    link::LinkKind,
    value::{At, instant},
};

/// What became of linking a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linked {
    /// Linked now.
    New,
    /// It was linked already.
    Already,
    /// The organization has another customer at this provider; nothing was written.
    OtherId(ProviderCustomerId),
    /// The customer is another organization's; nothing was written.
    Foreign(OrganizationId),
}

row! { struct Row { provider: String, provider_customer_id: String } }

impl Row {
    fn read(self) -> Customer {
        Customer { provider: self.provider.into(), id: self.provider_customer_id.into() }
    }
}

/// Links a customer to an organization whose row exists. Of any number of callers at once, one gets [`Linked::New`].
///
/// # Errors
/// A constraint when the organization has no row; else only the database's own.
pub async fn link(tx: &mut Tx, organization: &OrganizationId, customer: &Customer) -> Result<Linked, Error> {
    // It may be unlinked between the two statements; then the place is free again.
    loop {
        // The organization's own row first: it makes callers of one organization wait for each other before any claims.
        let inserted = sql!(
            tx.c(),
            exec,
            "
            INSERT INTO customer (organization_id, provider, provider_customer_id)
            VALUES ($1, $2, $3)
            ON CONFLICT (organization_id, provider) DO UPDATE
            SET provider_customer_id = excluded.provider_customer_id, tried_since = NULL
            WHERE customer.provider_customer_id IS NULL",
            organization.as_str(),
            customer.provider.as_str(),
            customer.id.as_str()
        )?;
        if inserted == 1 {
            break;
        }
        match get(tx.c(), organization, &customer.provider).await? {
            Some(id) if id == customer.id => return Ok(Linked::Already),
            Some(id) => return Ok(Linked::OtherId(id)),
            None => {}
        }
    }
    match link::claim(tx, &customer.provider, LinkKind::Customer, customer.id.as_str(), organization, None).await? {
        link::Claim::New | link::Claim::Already => Ok(Linked::New),
        link::Claim::Foreign(owner) => {
            remove(tx, organization, &customer.provider).await?;
            Ok(Linked::Foreign(owner))
        }
    }
}

/// Forgets the organization's customer at a provider and gives its id back; says whether there was one.
///
/// # Errors
/// Only the database's own.
pub async fn unlink(tx: &mut Tx, organization: &OrganizationId, provider: &Provider) -> Result<bool, Error> {
    let Some(id) = get(tx.c(), organization, provider).await? else { return Ok(false) };
    link::release(tx, provider, LinkKind::Customer, id.as_str(), organization).await?;
    remove(tx, organization, provider).await
}

/// The row stays: it counts the tries, and none may be repeated.
async fn remove(tx: &mut Tx, organization: &OrganizationId, provider: &Provider) -> Result<bool, Error> {
    let removed = sql!(
        tx.c(),
        exec,
        "
        UPDATE customer
        SET provider_customer_id = NULL, tried_since = NULL
        WHERE organization_id = $1
          AND provider = $2
          AND provider_customer_id IS NOT NULL",
        organization.as_str(),
        provider.as_str()
    )?;
    Ok(removed == 1)
}

/// Tries to make a customer at a provider that chooses its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// How many there were for this organization ever; each has a number that no other has.
    pub count: i64,
    /// When the first began of those that have not come to anything yet; `None` when there are none.
    pub since: Option<Timestamp>,
}

/// What became of noting a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is the newest: the customer may be asked for under its number.
    Try,
    /// There is a newer one: asking under an older number could make a second customer.
    Overtaken,
    /// There is a customer by now: asking could make a second one.
    Customer(ProviderCustomerId),
}

/// What was tried for an organization at a provider.
///
/// # Errors
/// Only the database's own.
pub async fn tries(c: C<'_>, organization: &OrganizationId, provider: &Provider) -> Result<Tries, Error> {
    row! { struct Row { tries: i64, tried_since: Option<At<Timestamp>> } }
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT tries, tried_since
        FROM customer
        WHERE organization_id = $1
          AND provider = $2",
        organization.as_str(),
        provider.as_str()
    )?;
    Ok(row.map_or_else(Tries::default, |row| Tries { count: row.tries, since: instant(row.tried_since) }))
}

/// Notes that a customer is going to be asked for, the `number`th time; does nothing where that was noted already.
///
/// # Errors
/// A constraint when the organization has no row; else only the database's own.
pub async fn note_try(
    tx: &mut Tx,
    organization: &OrganizationId,
    provider: &Provider,
    number: i64,
    now: Timestamp,
) -> Result<Noted, Error> {
    let noted = sql!(
        tx.c(),
        exec,
        "
        INSERT INTO customer (organization_id, provider, tries, tried_since)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (organization_id, provider) DO UPDATE
        SET tries = excluded.tries, tried_since = COALESCE(customer.tried_since, excluded.tried_since)
        WHERE customer.provider_customer_id IS NULL
          AND customer.tries < excluded.tries",
        organization.as_str(),
        provider.as_str(),
        number,
        At(now)
    )?;
    if noted == 1 {
        return Ok(Noted::Try);
    }
    // The statement has locked the row, whether it wrote or not.
    if let Some(id) = get(tx.c(), organization, provider).await? {
        return Ok(Noted::Customer(id));
    }
    let known = tries(tx.c(), organization, provider).await?.count;
    Ok(if known == number { Noted::Try } else { Noted::Overtaken })
}

async fn get(
    c: C<'_>,
    organization: &OrganizationId,
    provider: &Provider,
) -> Result<Option<ProviderCustomerId>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT provider, provider_customer_id
        FROM customer
        WHERE organization_id = $1
          AND provider = $2
          AND provider_customer_id IS NOT NULL",
        organization.as_str(),
        provider.as_str()
    )?;
    Ok(row.map(|row| row.read().id))
}

/// Every customer of an organization, by provider.
///
/// # Errors
/// Only the database's own.
pub async fn list(c: C<'_>, organization: &OrganizationId) -> Result<Vec<Customer>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT provider, provider_customer_id
        FROM customer
        WHERE organization_id = $1
          AND provider_customer_id IS NOT NULL
        ORDER BY provider",
        organization.as_str()
    )?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// Reads at most `limit` customers at a provider, by organization, those after `after`.
///
/// # Errors
/// Only the database's own.
pub async fn page(
    c: C<'_>,
    provider: &Provider,
    after: Option<&OrganizationId>,
    limit: i64,
) -> Result<Vec<(OrganizationId, ProviderCustomerId)>, Error> {
    row! { struct Page { organization_id: String, provider_customer_id: String } }
    let rows: Vec<Page> = sql!(
        c,
        all Page,
        "
        SELECT organization_id, provider_customer_id
        FROM customer
        WHERE organization_id > $2
          AND provider = $1
          AND provider_customer_id IS NOT NULL
        ORDER BY organization_id
        LIMIT $3 + 0",
        provider.as_str(),
        after.map_or("", OrganizationId::as_str),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.organization_id.into(), row.provider_customer_id.into())).collect())
}

//! The organization's records at billing providers.

use tollkeeper_core::{
    ids::{OrganizationId, Provider, ProviderCustomerId},
    organization::Customer,
};

use crate::{C, Error, Tx, link, link::LinkKind};

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
            ON CONFLICT (organization_id, provider) DO NOTHING",
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

async fn remove(tx: &mut Tx, organization: &OrganizationId, provider: &Provider) -> Result<bool, Error> {
    let removed = sql!(
        tx.c(),
        exec,
        "
        DELETE FROM customer
        WHERE organization_id = $1
          AND provider = $2",
        organization.as_str(),
        provider.as_str()
    )?;
    Ok(removed == 1)
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
          AND provider = $2",
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
        ORDER BY organization_id
        LIMIT $3 + 0",
        provider.as_str(),
        after.map_or("", OrganizationId::as_str),
        limit
    )?;
    Ok(rows.into_iter().map(|row| (row.organization_id.into(), row.provider_customer_id.into())).collect())
}

//! Whose is this id at a provider: the one table whose keys span organizations.

use std::collections::HashMap;

use tollkeeper_core::ids::{OrganizationId, Provider};

use crate::{C, Error, Tx};

/// What an id at a provider names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// A customer.
    Customer,
    /// A subscription.
    Subscription,
    /// An invoice.
    Invoice,
}

impl LinkKind {
    /// The spelling of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Subscription => "subscription",
            Self::Invoice => "invoice",
        }
    }
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Claimed now.
    New,
    /// It was this organization's already.
    Already,
    /// It is another organization's; nothing was written.
    Foreign(OrganizationId),
}

/// Finds whose an id is, and which row of ours it stands for.
///
/// # Errors
/// Only the database's own.
pub async fn find(
    c: C<'_>,
    provider: &Provider,
    kind: LinkKind,
    external_id: &str,
) -> Result<Option<(OrganizationId, Option<String>)>, Error> {
    row! { struct Row { organization_id: String, our_id: Option<String> } }
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT organization_id, our_id
        FROM provider_link
        WHERE provider = $1
          AND kind = $2
          AND external_id = $3",
        provider.as_str(),
        kind.as_str(),
        external_id
    )?;
    Ok(row.map(|row| (row.organization_id.into(), row.our_id)))
}

/// How many ids of a kind are known of a provider.
///
/// # Errors
/// Only the database's own.
pub async fn count(c: C<'_>, provider: &Provider, kind: LinkKind) -> Result<i64, Error> {
    row! { struct Count { count: i64 } }
    let row: Option<Count> = sql!(
        c,
        opt Count,
        "
        SELECT COUNT(*) AS count
        FROM provider_link
        WHERE provider = $1
          AND kind = $2",
        provider.as_str(),
        kind.as_str()
    )?;
    Ok(row.map_or(0, |row| row.count))
}

/// Finds whose many ids are; answers for each, in their order.
///
/// # Errors
/// Only the database's own.
pub async fn owners(c: C<'_>, ids: &[(&Provider, LinkKind, &str)]) -> Result<Vec<Option<OrganizationId>>, Error> {
    row! { struct Row { provider: String, kind: String, external_id: String, organization_id: String } }
    // Joined by the whole key, so that no plan without statistics reads all that a provider has.
    let rows: Vec<Row> = sql!(
        c,
        all Row rows ids,
        "WITH wanted (provider, kind, external_id) AS (",
        ")
        SELECT l.provider, l.kind, l.external_id, l.organization_id
        FROM wanted
        JOIN provider_link AS l
          ON l.provider = wanted.provider
         AND l.kind = wanted.kind
         AND l.external_id = wanted.external_id",
        |it| (it.0.as_str(), it.1.as_str(), it.2)
    )?;
    let owners: HashMap<_, _> =
        rows.iter().map(|row| ((row.provider.as_str(), row.kind.as_str(), row.external_id.as_str()), row)).collect();
    let owner = |(provider, kind, id): &(&Provider, LinkKind, &str)| {
        owners
            .get(&(provider.as_str(), kind.as_str(), *id))
            .map(|row| OrganizationId::from(row.organization_id.as_str()))
    };
    Ok(ids.iter().map(owner).collect())
}

/// Claims an id for an organization, if nobody has it. The first claim stays: `our_id` of a repeated one is not
/// written.
///
/// # Errors
/// Only the database's own.
pub async fn claim(
    tx: &mut Tx,
    provider: &Provider,
    kind: LinkKind,
    external_id: &str,
    organization: &OrganizationId,
    our_id: Option<&str>,
) -> Result<Claim, Error> {
    Ok(match hold(tx, provider, kind, external_id, organization, our_id).await? {
        None => Claim::New,
        Some((owner, _)) if &owner == organization => Claim::Already,
        Some((owner, _)) => Claim::Foreign(owner),
    })
}

/// Claims, and answers `None`, or else who holds it: organization and row.
pub(crate) async fn hold(
    tx: &mut Tx,
    provider: &Provider,
    kind: LinkKind,
    external_id: &str,
    organization: &OrganizationId,
    our_id: Option<&str>,
) -> Result<Option<(OrganizationId, Option<String>)>, Error> {
    // A link may be released between the two statements; then the claim is open again.
    loop {
        let inserted = sql!(
            tx.c(),
            exec,
            "
            INSERT INTO provider_link (provider, kind, external_id, organization_id, our_id)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (provider, kind, external_id) DO NOTHING",
            provider.as_str(),
            kind.as_str(),
            external_id,
            organization.as_str(),
            our_id
        )?;
        if inserted == 1 {
            return Ok(None);
        }
        if let Some(holder) = find(tx.c(), provider, kind, external_id).await? {
            return Ok(Some(holder));
        }
    }
}

/// Gives an id back that this organization holds.
pub(crate) async fn release(
    tx: &mut Tx,
    provider: &Provider,
    kind: LinkKind,
    external_id: &str,
    organization: &OrganizationId,
) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        DELETE FROM provider_link
        WHERE provider = $1
          AND kind = $2
          AND external_id = $3
          AND organization_id = $4",
        provider.as_str(),
        kind.as_str(),
        external_id,
        organization.as_str()
    )?;
    Ok(())
}

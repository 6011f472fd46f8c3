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

/// Finds whose many ids are, and which rows of ours they stand for; an id that is nobody's is not in the answer.
///
/// # Errors
/// Only the database's own.
pub async fn find_many(
    c: C<'_>,
    provider: &Provider,
    kind: LinkKind,
    external_ids: &[&str],
) -> Result<HashMap<String, (OrganizationId, Option<String>)>, Error> {
    row! { struct Row { external_id: String, organization_id: String, our_id: Option<String> } }
    let rows: Vec<Row> = sql!(
        c,
        all Row among external_ids,
        "
        SELECT external_id, organization_id, our_id
        FROM provider_link
        WHERE provider = $2
          AND kind = $3
          AND external_id",
        "",
        provider.as_str(),
        kind.as_str()
    )?;
    Ok(rows.into_iter().map(|row| (row.external_id, (row.organization_id.into(), row.our_id))).collect())
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

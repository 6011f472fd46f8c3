//! Rows of organizations.

use std::collections::HashSet;

use tollkeeper_core::{ids::OrganizationId, organization::Organization, time::Timestamp};

use crate::{
    C, Error, Tx,
    search::folded,
    value::{At, at, instant},
};

row! {
    pub(crate) struct Row {
        id: String,
        display_name: String,
        external_id: Option<String>,
        email: Option<String>,
        locale: Option<String>,
        currency: Option<String>,
        billing_provider: String,
        had_trial: bool,
        version: i64,
        identity_updated_at: Option<At<Timestamp>>,
        deletion_began_at: Option<At<Timestamp>>,
        deleted_at: Option<At<Timestamp>>,
        created_at: Option<At<Timestamp>>,
        updated_at: Option<At<Timestamp>>,
    }
}

impl Row {
    pub(crate) fn read(self) -> Result<Organization, Error> {
        let corrupt =
            |column, problem: String| Error::Corrupt { table: "organization", column, id: self.id.clone(), problem };
        let absent = |column| {
            move || Error::Corrupt { table: "organization", column, id: String::new(), problem: "is empty".into() }
        };
        Ok(Organization {
            currency: self
                .currency
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error: tollkeeper_core::money::NotACurrency| corrupt("currency", error.to_string()))?,
            created_at: instant(self.created_at).ok_or_else(absent("created_at"))?,
            updated_at: instant(self.updated_at).ok_or_else(absent("updated_at"))?,
            id: self.id.into(),
            display_name: self.display_name,
            external_id: self.external_id,
            email: self.email,
            locale: self.locale,
            billing_provider: self.billing_provider.into(),
            had_trial: self.had_trial,
            version: self.version,
            identity_updated_at: instant(self.identity_updated_at),
            deletion_began_at: instant(self.deletion_began_at),
            deleted_at: instant(self.deleted_at),
        })
    }
}

/// Writes a new row, with its version as given; `false` when the organization exists, and then nothing is written.
///
/// # Errors
/// Only the database's own.
pub async fn insert(tx: &mut Tx, organization: &Organization) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        INSERT INTO organization (id, display_name, external_id, email, locale, currency, billing_provider, had_trial, version, identity_updated_at, deletion_began_at, deleted_at, created_at, updated_at, search_name)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        ON CONFLICT (id) DO NOTHING",
        organization.id.as_str(),
        &organization.display_name,
        organization.external_id.as_deref(),
        organization.email.as_deref(),
        organization.locale.as_deref(),
        organization.currency.as_ref().map(|currency| currency.as_str()),
        organization.billing_provider.as_str(),
        organization.had_trial,
        organization.version,
        at(organization.identity_updated_at),
        at(organization.deletion_began_at),
        at(organization.deleted_at),
        At(organization.created_at),
        At(organization.updated_at),
        folded(&organization.display_name),
    )?;
    Ok(rows == 1)
}

/// Reads one.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn get(c: C<'_>, id: &OrganizationId) -> Result<Option<Organization>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT id, display_name, external_id, email, locale, currency, billing_provider, had_trial, version, identity_updated_at, deletion_began_at, deleted_at, created_at, updated_at
        FROM organization
        WHERE id = $1",
        id.as_str()
    )?;
    row.map(Row::read).transpose()
}

/// Writes new values if the row still has `expected_version`; its version is one higher then, whatever the value says.
/// `false`: the race is lost and nothing is written.
///
/// # Errors
/// Only the database's own.
pub async fn save(tx: &mut Tx, organization: &Organization, expected_version: i64) -> Result<bool, Error> {
    Ok(!save_all(tx, &[(organization, expected_version)]).await?.is_empty())
}

/// As [`save`] for several, each with the version expected of it; answers those that were written.
pub(crate) async fn save_all(tx: &mut Tx, all: &[(&Organization, i64)]) -> Result<HashSet<OrganizationId>, Error> {
    put(tx, &all.iter().map(|(organization, expected)| (*organization, *expected, expected + 1)).collect::<Vec<_>>())
        .await
}

/// Gives each its next version and changes nothing else, where the row still has the version that is given; answers those
/// that had it.
///
/// # Errors
/// Only the database's own.
pub async fn confirm(tx: &mut Tx, all: &[&Organization]) -> Result<HashSet<OrganizationId>, Error> {
    save_all(tx, &all.iter().map(|organization| (*organization, organization.version)).collect::<Vec<_>>()).await
}

/// Takes [`save`] back within its own transaction: the row is again what it was, version and all.
pub(crate) async fn unsave(tx: &mut Tx, before: &Organization) -> Result<(), Error> {
    put(tx, &[(before, before.version + 1, before.version)]).await.map(|_| ())
}

/// Each with the version that its row must have, and the one that it gets.
async fn put(tx: &mut Tx, all: &[(&Organization, i64, i64)]) -> Result<HashSet<OrganizationId>, Error> {
    row! { struct Written { id: String } }
    let written: Vec<Written> = sql!(
        tx.c(),
        all Written rows all,
        "
        WITH new (id, expected_version, version, display_name, external_id, email, locale, currency, billing_provider, had_trial, identity_updated_at, deletion_began_at, deleted_at, created_at, updated_at, search_name) AS (",
        ")
        UPDATE organization
        SET version = new.version, display_name = new.display_name, external_id = new.external_id, email = new.email, locale = new.locale, currency = new.currency, billing_provider = new.billing_provider, had_trial = new.had_trial, identity_updated_at = new.identity_updated_at, deletion_began_at = new.deletion_began_at, deleted_at = new.deleted_at, created_at = new.created_at, updated_at = new.updated_at, search_name = new.search_name
        FROM new
        WHERE organization.id = new.id
          AND organization.version = new.expected_version
        RETURNING organization.id",
        |new| (
            new.0.id.as_str(),
            new.1,
            new.2,
            &new.0.display_name,
            new.0.external_id.as_deref(),
            new.0.email.as_deref(),
            new.0.locale.as_deref(),
            new.0.currency.as_ref().map(|currency| currency.as_str()),
            new.0.billing_provider.as_str(),
            new.0.had_trial,
            at(new.0.identity_updated_at),
            at(new.0.deletion_began_at),
            at(new.0.deleted_at),
            At(new.0.created_at),
            At(new.0.updated_at),
            folded(&new.0.display_name),
        )
    )?;
    Ok(written.into_iter().map(|row| row.id.into()).collect())
}

/// The versions of those of `ids` that exist, in no order.
///
/// # Errors
/// Only the database's own.
pub async fn versions(
    c: C<'_>,
    ids: impl IntoIterator<Item = &OrganizationId>,
) -> Result<Vec<(OrganizationId, i64)>, Error> {
    row! { struct Version { id: String, version: i64 } }
    let ids: Vec<&str> = ids.into_iter().map(OrganizationId::as_str).collect();
    let rows: Vec<Version> = sql!(c, all Version among &ids, "SELECT id, version FROM organization WHERE id", "")?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.version)).collect())
}

/// Reads at most `limit`, by id, those after `after`; the deleted ones too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>, after: Option<&OrganizationId>, limit: i64) -> Result<Vec<Organization>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT id, display_name, external_id, email, locale, currency, billing_provider, had_trial, version, identity_updated_at, deletion_began_at, deleted_at, created_at, updated_at
        FROM organization
        WHERE id > $1
        ORDER BY id
        LIMIT $2 + 0",
        after.map_or("", OrganizationId::as_str),
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

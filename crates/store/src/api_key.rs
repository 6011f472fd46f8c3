//! Keys of the product's backend, by their hash: the secret never comes here.

use sqlx::types::Json;
use tollkeeper_core::{ids::OrganizationId, time::MachineTime};

use crate::{
    C, Error, Tx,
    value::{At, instant},
};

/// SHA-256 of a key's secret.
pub type Hash = [u8; 32];

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Names it towards people; no secret.
    pub id: String,
    /// Recognises it.
    pub hash: Hash,
    /// What people call it.
    pub name: String,
    /// What it may do, in the words of whoever checks it.
    pub scopes: Vec<String>,
    /// The only organization that it may name; `None` is any.
    pub organization_id: Option<OrganizationId>,
    /// When.
    pub created_at: MachineTime,
}

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Names it towards people; no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do, in the words of whoever checks it.
    pub scopes: Vec<String>,
    /// The only organization that it may name; `None` is any.
    pub organization_id: Option<OrganizationId>,
    /// When it was made.
    pub created_at: MachineTime,
    /// When it was last seen; not of every use.
    pub last_used_at: Option<MachineTime>,
    /// Since when it opens nothing.
    pub revoked_at: Option<MachineTime>,
}

row! {
    struct Row {
        id: String,
        name: String,
        scopes: Json<Vec<String>>,
        organization_id: Option<String>,
        created_at: Option<At<MachineTime>>,
        last_used_at: Option<At<MachineTime>>,
        revoked_at: Option<At<MachineTime>>,
    }
}

impl Row {
    fn read(self) -> Result<ApiKey, Error> {
        let Some(created_at) = instant(self.created_at) else {
            let problem = "is empty".to_owned();
            return Err(Error::Corrupt { table: "api_key", column: "created_at", id: self.id, problem });
        };
        Ok(ApiKey {
            id: self.id,
            name: self.name,
            scopes: self.scopes.0,
            organization_id: self.organization_id.map(Into::into),
            created_at,
            last_used_at: instant(self.last_used_at),
            revoked_at: instant(self.revoked_at),
        })
    }
}

/// Writes a new key.
///
/// # Errors
/// A constraint when the id or the hash exists; else only the database's own.
pub async fn create(tx: &mut Tx, key: &NewKey) -> Result<(), Error> {
    let NewKey { id, hash, name, scopes, organization_id, created_at } = key;
    sql!(
        tx.c(),
        exec,
        "
        INSERT INTO api_key (id, hash, name, scopes, organization_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        &hash[..],
        name,
        Json(scopes),
        organization_id.as_ref().map(OrganizationId::as_str),
        At(*created_at)
    )?;
    Ok(())
}

/// Finds the key with this hash; the revoked ones too, so that an answer can say so.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn find(c: C<'_>, hash: &Hash) -> Result<Option<ApiKey>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT id, name, scopes, organization_id, created_at, last_used_at, revoked_at
        FROM api_key
        WHERE hash = $1",
        &hash[..]
    )?;
    row.map(Row::read).transpose()
}

/// Reads a key by its id, with its hash; the revoked ones too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn get(mut c: C<'_>, id: &str) -> Result<Option<(ApiKey, Hash)>, Error> {
    row! { struct Hashed { hash: Vec<u8> } }
    let hashed: Option<Hashed> = sql!(
        c.again(),
        opt Hashed,
        "
        SELECT hash
        FROM api_key
        WHERE id = $1",
        id
    )?;
    let Some(hashed) = hashed else { return Ok(None) };
    let corrupt = |bytes: Vec<u8>| Error::Corrupt {
        table: "api_key",
        column: "hash",
        id: id.to_owned(),
        problem: format!("has {} bytes", bytes.len()),
    };
    let hash: Hash = hashed.hash.try_into().map_err(corrupt)?;
    Ok(find(c, &hash).await?.map(|key| (key, hash)))
}

/// Every key, the oldest first; the revoked ones too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>) -> Result<Vec<ApiKey>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT id, name, scopes, organization_id, created_at, last_used_at, revoked_at
        FROM api_key
        ORDER BY created_at, id"
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// Revokes a key for good; `false` when there is none, or it was revoked before.
///
/// # Errors
/// Only the database's own.
pub async fn revoke(tx: &mut Tx, id: &str, at: MachineTime) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        UPDATE api_key
        SET revoked_at = $2
        WHERE id = $1
          AND revoked_at IS NULL",
        id,
        At(at)
    )?;
    Ok(rows == 1)
}

/// Notes that a key was used; an older instant than the noted one changes nothing.
///
/// # Errors
/// Only the database's own.
pub async fn touch(tx: &mut Tx, id: &str, at: MachineTime) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        UPDATE api_key
        SET last_used_at = $2
        WHERE id = $1
          AND (last_used_at IS NULL OR last_used_at < $2)",
        id,
        At(at)
    )?;
    Ok(())
}

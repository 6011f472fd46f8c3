//! People who signed in for our own pages. What the tokens are, only whoever sealed them knows.

use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    time::MachineTime,
};

use crate::{
    C, Error, Tx,
    value::{At, instant},
};

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Names it; whoever knows it has nothing yet, because the cookie that carries it is sealed.
    pub id: String,
    /// Who.
    pub user_id: UserId,
    /// The organization that was signed in to; `None` when the tokens named none.
    pub organization_id: Option<OrganizationId>,
    /// The tokens, sealed.
    pub tokens: Vec<u8>,
    /// When somebody signed in.
    pub created_at: MachineTime,
    /// From when on it is over, unless it is used before.
    pub expires_at: MachineTime,
    /// Counts the changes of the tokens.
    pub version: i64,
}

row! {
    struct Row {
        id: String,
        user_id: String,
        organization_id: Option<String>,
        tokens: Vec<u8>,
        created_at: Option<At<MachineTime>>,
        expires_at: Option<At<MachineTime>>,
        version: i64,
    }
}

impl Row {
    fn read(self) -> Result<Session, Error> {
        let empty = |column| {
            let (id, problem) = (self.id.clone(), "is empty".to_owned());
            Error::Corrupt { table: "session", column, id, problem }
        };
        Ok(Session {
            created_at: instant(self.created_at).ok_or_else(|| empty("created_at"))?,
            expires_at: instant(self.expires_at).ok_or_else(|| empty("expires_at"))?,
            id: self.id,
            user_id: self.user_id.into(),
            organization_id: self.organization_id.map(Into::into),
            tokens: self.tokens,
            version: self.version,
        })
    }
}

/// Writes a new session.
///
/// # Errors
/// A constraint when the id exists; else only the database's own.
pub async fn create(tx: &mut Tx, session: &Session) -> Result<(), Error> {
    let Session { id, user_id, organization_id, tokens, created_at, expires_at, version } = session;
    sql!(
        tx.c(),
        exec,
        "
        INSERT INTO session (id, user_id, organization_id, tokens, created_at, expires_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        user_id.as_str(),
        organization_id.as_ref().map(OrganizationId::as_str),
        &tokens[..],
        At(*created_at),
        At(*expires_at),
        version
    )?;
    Ok(())
}

/// Finds a session, also one that is over.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn find(c: C<'_>, id: &str) -> Result<Option<Session>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT id, user_id, organization_id, tokens, created_at, expires_at, version
        FROM session
        WHERE id = $1",
        id
    )?;
    row.map(Row::read).transpose()
}

/// Puts new tokens in the place of those of `version`, and counts; `false` when somebody else was faster, or the session is
/// gone.
///
/// # Errors
/// Only the database's own.
pub async fn renew(tx: &mut Tx, id: &str, version: i64, tokens: &[u8]) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        UPDATE session
        SET tokens = $3, version = version + 1
        WHERE id = $1
          AND version = $2",
        id,
        version,
        tokens
    )?;
    Ok(rows == 1)
}

/// Lets a session last until then; an earlier end than it has changes nothing.
///
/// # Errors
/// Only the database's own.
pub async fn extend(tx: &mut Tx, id: &str, until: MachineTime) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        UPDATE session
        SET expires_at = $2
        WHERE id = $1
          AND expires_at < $2",
        id,
        At(until)
    )?;
    Ok(())
}

/// Ends a session; `false` when there is none.
///
/// # Errors
/// Only the database's own.
pub async fn end(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    let rows = sql!(tx.c(), exec, "DELETE FROM session WHERE id = $1", id)?;
    Ok(rows == 1)
}

/// Ends a session whose tokens are still those of `version`; `false` when there is none.
///
/// # Errors
/// Only the database's own.
pub async fn end_version(tx: &mut Tx, id: &str, version: i64) -> Result<bool, Error> {
    let rows = sql!(tx.c(), exec, "DELETE FROM session WHERE id = $1 AND version = $2", id, version)?;
    Ok(rows == 1)
}

/// Forgets sessions that were over by `now`, the oldest first; answers how many.
///
/// # Errors
/// Only the database's own.
pub async fn forget(tx: &mut Tx, now: MachineTime, limit: i64) -> Result<u64, Error> {
    sql!(
        tx.c(),
        exec,
        "
        DELETE FROM session
        WHERE id IN (
            SELECT id
            FROM session
            WHERE expires_at <= $1
            ORDER BY expires_at, id
            LIMIT $2 + 0
        )",
        At(now),
        limit
    )
}

//! Members of organizations.

use sqlx::types::Json;
use tollkeeper_core::{
    ids::OrganizationId,
    member::{Member, MemberChange, MemberIdentity},
    time::Timestamp,
};

use crate::{
    C, Error, Tx, dialect,
    value::{At, instant},
};

/// What became of news about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberApplied {
    /// The member is another than before.
    Changed(Member),
    /// The news was known, or older than what is known.
    Unchanged(Member),
    /// The news names no e-mail, and nobody has this id: nothing to apply it to, nothing written.
    Unknown,
}

row! {
    struct Row { organization_id: String, holder: String, ids: Json<Vec<MemberIdentity>>, since: Option<At<Timestamp>> }
}

impl Row {
    fn read(self) -> Result<Member, Error> {
        let Some(since) = instant(self.since) else {
            let problem = "is empty".to_owned();
            return Err(Error::Corrupt { table: "member", column: "since", id: self.holder, problem });
        };
        Ok(Member { organization_id: self.organization_id.into(), holder: self.holder, ids: self.ids.0, since })
    }
}

/// Takes in news about a member, in any order, any number of times. The organization needs no row.
///
/// The member is found by the lower-cased e-mail, and without one by the provider's id.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn apply(tx: &mut Tx, change: &MemberChange) -> Result<MemberApplied, Error> {
    let organization = &change.organization_id;
    let holder = match &change.email {
        Some(email) => Some(Member::holder_of(email)),
        None => dialect::holder_of_user(tx.c(), organization, &change.user_id).await?,
    };
    let Some(holder) = holder else { return Ok(MemberApplied::Unknown) };
    // Writing the row as it is takes its lock, so that two pieces of news about one person follow each other.
    let row: Row = sql!(
        tx.c(),
        one Row,
        "
        INSERT INTO member (organization_id, holder, ids, since)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (organization_id, holder) DO UPDATE
        SET since = member.since
        RETURNING organization_id, holder, ids, since",
        organization.as_str(),
        &holder,
        Json(Vec::<MemberIdentity>::new()),
        At(change.occurred_at)
    )?;
    let mut member = row.read()?;
    if !member.apply(change) {
        return Ok(MemberApplied::Unchanged(member));
    }
    sql!(
        tx.c(),
        exec,
        "
        UPDATE member
        SET ids = $3, since = $4
        WHERE organization_id = $1
          AND holder = $2",
        organization.as_str(),
        &holder,
        Json(&member.ids),
        At(member.since)
    )?;
    Ok(MemberApplied::Changed(member))
}

/// Reads one, by the lower-cased e-mail.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn get(c: C<'_>, organization: &OrganizationId, holder: &str) -> Result<Option<Member>, Error> {
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT organization_id, holder, ids, since
        FROM member
        WHERE organization_id = $1
          AND holder = $2",
        organization.as_str(),
        holder
    )?;
    row.map(Row::read).transpose()
}

/// Every member of an organization by e-mail, the leavers too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>, organization: &OrganizationId) -> Result<Vec<Member>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, holder, ids, since
        FROM member
        WHERE organization_id = $1
        ORDER BY holder",
        organization.as_str()
    )?;
    rows.into_iter().map(Row::read).collect()
}

//! Members of organizations.

use sqlx::types::Json;
use tollkeeper_core::{
    ids::{OrganizationId, UserId},
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
/// The member is found by the lower-cased e-mail, and without one by the provider's id. An id belongs to one e-mail at
/// a time, the one of the newest news: whoever changes the address does not count twice.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn apply(tx: &mut Tx, change: &MemberChange) -> Result<MemberApplied, Error> {
    let organization = &change.organization_id;
    let mut holders = dialect::holders_of_user(tx.c(), organization, &change.user_id).await?;
    let holder = match &change.email {
        Some(email) => Member::holder_of(email),
        None => match active_holder(tx, organization, &change.user_id, &holders).await? {
            Some(holder) => holder,
            None => return Ok(MemberApplied::Unknown),
        },
    };
    holders.retain(|other| *other != holder);
    let mut news = change.clone();
    for other in &holders {
        let mut member = lock(tx, organization, other, change.occurred_at).await?;
        let newest = member.ids.iter().filter(|identity| identity.id == change.user_id).map(|it| it.occurred_at).max();
        if newest.is_some_and(|newest| newest > change.occurred_at) {
            news.active = false;
        } else if member.apply(&MemberChange { active: false, ..change.clone() }) {
            write(tx, &member).await?;
        }
    }
    let mut member = lock(tx, organization, &holder, change.occurred_at).await?;
    if !member.apply(&news) {
        return Ok(MemberApplied::Unchanged(member));
    }
    write(tx, &member).await?;
    Ok(MemberApplied::Changed(member))
}

/// The e-mail that an id at the identity provider goes by now, as signed deliveries told it.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn email_of(mut c: C<'_>, organization: &OrganizationId, user: &UserId) -> Result<Option<String>, Error> {
    for holder in dialect::holders_of_user(c.again(), organization, user).await? {
        let member = get(c.again(), organization, &holder).await?;
        if member.is_some_and(|member| member.ids.iter().any(|it| it.id == *user && it.active)) {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}

/// Of several e-mails that an id had, the one where it is active, else any.
async fn active_holder(
    tx: &mut Tx,
    organization: &OrganizationId,
    user: &UserId,
    holders: &[String],
) -> Result<Option<String>, Error> {
    let active = email_of(tx.c(), organization, user).await?;
    Ok(active.or_else(|| holders.first().cloned()))
}

/// Reads a member, and makes the row if there is none.
async fn lock(tx: &mut Tx, organization: &OrganizationId, holder: &str, since: Timestamp) -> Result<Member, Error> {
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
        holder,
        Json(Vec::<MemberIdentity>::new()),
        At(since)
    )?;
    row.read()
}

async fn write(tx: &mut Tx, member: &Member) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        UPDATE member
        SET ids = $3, since = $4
        WHERE organization_id = $1
          AND holder = $2",
        member.organization_id.as_str(),
        &member.holder,
        Json(&member.ids),
        At(member.since)
    )?;
    Ok(())
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

/// At most `limit` members of an organization by e-mail, the leavers too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn first(c: C<'_>, organization: &OrganizationId, limit: i64) -> Result<Vec<Member>, Error> {
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        "
        SELECT organization_id, holder, ids, since
        FROM member
        WHERE organization_id = $1
        ORDER BY holder
        LIMIT $2 + 0",
        organization.as_str(),
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

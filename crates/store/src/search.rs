//! Finding organizations by what a person remembers of them.

use tollkeeper_core::{member::Member, organization::Organization};

use crate::{C, Error, organization::Row};

/// The last of all characters: a text with it behind comes after everything that begins with that text.
const LAST: char = char::MAX;

/// Every column of an organization, from one statement text to the next.
macro_rules! select {
    ($c:expr, $rest:literal $(, $bound:expr)* $(,)?) => {
        sql!(
            $c,
            all Row,
            concat!(
                "
                SELECT organization.id, organization.display_name, organization.external_id, organization.email,
                organization.locale, organization.currency, organization.billing_provider, organization.had_trial,
                organization.version, organization.identity_updated_at, organization.deletion_began_at,
                organization.deleted_at, organization.created_at, organization.updated_at
                ",
                $rest
            ),
            $($bound),*
        )
    };
}

/// Finds at most `limit` organizations: those whose id or external id begins with `text`, those with a member of exactly
/// this e-mail, then those that have it in their name or are billed to this e-mail. The deleted ones too, and each once.
///
/// Ids and members are found by indexes. Names are all looked at, unless the text is an id or a member's e-mail. Case
/// does not matter in e-mails and names; on SQLite that holds for the letters of ASCII alone.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn organizations(mut c: C<'_>, text: &str, limit: i64) -> Result<Vec<Organization>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (lower, beyond) = (text.to_lowercase(), format!("{text}{LAST}"));
    let mut found = Vec::new();
    let rows = select!(
        c.again(),
        "FROM organization
        WHERE id >= $1
          AND id < $2
        ORDER BY id
        LIMIT $3 + 0",
        text,
        &beyond,
        limit
    )?;
    add(&mut found, rows)?;
    let rows = select!(
        c.again(),
        "FROM organization
        WHERE external_id IS NOT NULL
          AND external_id >= $1
          AND external_id < $2
        ORDER BY external_id
        LIMIT $3 + 0",
        text,
        &beyond,
        limit
    )?;
    add(&mut found, rows)?;
    let mut is_told = found.first().is_some_and(|first| first.id.as_str() == text);
    if text.contains('@') {
        let rows = select!(
            c.again(),
            "FROM member
            JOIN organization ON organization.id = member.organization_id
            WHERE member.holder = $1
            ORDER BY organization.id
            LIMIT $2 + 0",
            Member::holder_of(text),
            limit
        )?;
        is_told |= !rows.is_empty();
        add(&mut found, rows)?;
    }
    if !is_told {
        let rows = select!(
            c,
            "FROM organization
            WHERE lower(display_name) LIKE $1 ESCAPE '!'
               OR display_name LIKE $2 ESCAPE '!'
               OR lower(email) = $3
            ORDER BY id
            LIMIT $4 + 0",
            pattern(&lower),
            pattern(text),
            &lower,
            limit
        )?;
        add(&mut found, rows)?;
    }
    found.truncate(usize::try_from(limit).unwrap_or_default());
    Ok(found)
}

fn add(found: &mut Vec<Organization>, rows: Vec<Row>) -> Result<(), Error> {
    for row in rows {
        let organization = row.read()?;
        if !found.iter().any(|known| known.id == organization.id) {
            found.push(organization);
        }
    }
    Ok(())
}

/// At most `limit` organizations, the newest first; the deleted ones too.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn newest(c: C<'_>, limit: i64) -> Result<Vec<Organization>, Error> {
    let rows: Vec<Row> = select!(
        c,
        "FROM organization
        ORDER BY created_at DESC, id
        LIMIT $1 + 0",
        limit
    )?;
    rows.into_iter().map(Row::read).collect()
}

/// What LIKE takes for texts that have this inside.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

//! Finding organizations by what a person remembers of them.

use tollkeeper_core::{member::Member, organization::Organization};

use crate::{C, Error, organization::Row};

/// The last of all characters: a text with it behind comes after everything that begins with that text.
const LAST: char = char::MAX;

/// The text of a statement that reads whole organizations, from its `FROM` on.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "
            SELECT organization.id, organization.display_name, organization.external_id, organization.email,
            organization.locale, organization.currency, organization.billing_provider, organization.had_trial,
            organization.version, organization.identity_updated_at, organization.deletion_began_at,
            organization.deleted_at, organization.created_at, organization.updated_at
            ",
            $rest
        )
    };
}

const BY_ID: &str = select!(
    "FROM organization
    WHERE id >= $1
      AND id < $2
    ORDER BY id
    LIMIT $3 + 0"
);

const BY_EXTERNAL_ID: &str = select!(
    "FROM organization
    WHERE length(external_id) <= 255
      AND external_id >= $1
      AND external_id < $2
    ORDER BY external_id
    LIMIT $3 + 0"
);

/// Put in order by what is no column, as the next: or else Postgres may read all rows in the order of their key, as long
/// as it does not know how many there are.
const BY_MEMBER: &str = select!(
    "FROM member
    JOIN organization ON organization.id = member.organization_id
    WHERE member.holder = $1
    ORDER BY member.organization_id || ''
    LIMIT $2 + 0"
);

const BY_EMAIL: &str = select!(
    "FROM organization
    WHERE length(email) <= 255
      AND lower(email) = $1
    ORDER BY id || ''
    LIMIT $2 + 0"
);

const BY_BEGINNING_OF_NAME: &str = select!(
    "FROM organization
    WHERE search_name >= $1
      AND search_name < $2
    ORDER BY search_name, id
    LIMIT $3 + 0"
);

const BY_PART_OF_NAME: &str = select!(
    "FROM organization
    WHERE search_name LIKE $1 ESCAPE '!'
    ORDER BY search_name, id
    LIMIT $2 + 0"
);

const NEWEST: &str = select!(
    "FROM organization
    ORDER BY created_at DESC, id
    LIMIT $1 + 0"
);

/// Which part of a name must be what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameMatch {
    /// Its beginning: found by an index.
    Beginning,
    /// Any part of its first 255 letters: every name is looked at, which takes longer the more organizations there are.
    Anywhere,
}

/// Characters of a name by which it is found. An index of Postgres takes 2,700 bytes and no more.
/// Source: PostgreSQL 15, `BTMaxItemSize` in `nbtree.h`.
const NAME: usize = 255;

/// A name as it is looked for: without regard to case, each letter on its own, so that the beginning of a name gives the
/// beginning of this. A sigma at the end of a word is one as any, and the dot of a Turkish capital is left out.
/// Source: Unicode 16, `SpecialCasing.txt`.
pub(crate) fn folded(name: &str) -> String {
    let letters = name.trim().chars().flat_map(char::to_lowercase).filter(|letter| *letter != '\u{307}');
    letters.map(|letter| if letter == 'ς' { 'σ' } else { letter }).take(NAME).collect()
}

/// Finds at most `limit` organizations: those whose id or external id begins with `text`, those with a member of exactly
/// this e-mail or billed to it, then those that have it in their name, as `names` says. The deleted ones too, and each
/// once. Case does not matter in names, nor in e-mails as far as the database knows it: on SQLite for the letters of ASCII.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn organizations(mut c: C<'_>, text: &str, names: NameMatch, limit: i64) -> Result<Vec<Organization>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (beyond, folded) = (format!("{text}{LAST}"), folded(text));
    let mut found = Vec::new();
    add(&mut found, sql!(c.again(), all Row, BY_ID, text, &beyond, limit)?)?;
    add(&mut found, sql!(c.again(), all Row, BY_EXTERNAL_ID, text, &beyond, limit)?)?;
    if text.contains('@') {
        add(&mut found, sql!(c.again(), all Row, BY_MEMBER, Member::holder_of(text), limit)?)?;
        add(&mut found, sql!(c.again(), all Row, BY_EMAIL, text.to_lowercase(), limit)?)?;
    }
    let rows = match names {
        NameMatch::Beginning => sql!(c, all Row, BY_BEGINNING_OF_NAME, &folded, format!("{folded}{LAST}"), limit)?,
        NameMatch::Anywhere => sql!(c, all Row, BY_PART_OF_NAME, pattern(&folded), limit)?,
    };
    add(&mut found, rows)?;
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
    let rows: Vec<Row> = sql!(c, all Row, NEWEST, limit)?;
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

#[cfg(test)]
mod tests {
    use tollkeeper_testkit::both_engines;

    use super::*;
    use crate::dialect;

    both_engines! {
        async fn whatever_is_typed_is_found_by_an_index(db: TestDb) {
            for (statement, asks, [on_sqlite, on_postgres]) in [
                (BY_ID, "'', '', 9", ["PRIMARY KEY (id>? AND id<?)", "organization_pkey"]),
                (BY_EXTERNAL_ID, "'', '', 9", ["organization_external_id"; 2]),
                (BY_MEMBER, "'', 9", ["member_by_holder"; 2]),
                (BY_EMAIL, "'', 9", ["organization_email"; 2]),
                (BY_BEGINNING_OF_NAME, "'', '', 9", ["organization_search_name"; 2]),
                (NEWEST, "9", ["organization_created"; 2]),
            ] {
                let plan = dialect::plan(db.url(), statement, asks).await;
                let index = if db.url().starts_with("sqlite") { on_sqlite } else { on_postgres };
                assert!(plan.contains(index), "{index}: {plan}");
                assert!(!plan.lines().any(|line| line == "SCAN organization"), "{plan}");
            }
        }
    }
}

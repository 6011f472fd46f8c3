//! The drift ledger: every difference between our rows and a provider's truth that a comparison found.

use sqlx::types::Json;
use tollkeeper_core::{
    ids::{OrganizationId, Provider, SubscriptionId},
    time::Timestamp,
};

use crate::{
    C, Error, Tx,
    value::{At, document, instant},
};

/// Where a difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DriftClass {
    /// A delivery should have told us, and did not.
    Missed,
    /// Somebody edited it at the provider.
    Edited,
    /// Our fault.
    Ours,
    /// Another amount was charged than was shown.
    Amount,
}

impl DriftClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Missed, Self::Edited, Self::Ours, Self::Amount];

    /// The spelling of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Edited => "edited",
            Self::Ours => "ours",
            Self::Amount => "amount",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Whose; `None` for what the provider has and none of our organizations does.
    pub organization_id: Option<OrganizationId>,
    /// Names it; made by whoever found it, growing with time.
    pub id: String,
    /// When it was found, in business time.
    pub at: Timestamp,
    /// At which provider.
    pub provider: Provider,
    /// The row it is about, if it is about one.
    pub subscription_id: Option<SubscriptionId>,
    /// Where it comes from.
    pub class: DriftClass,
    /// What differs.
    pub field: String,
    /// What our row said; null for nothing.
    pub expected: serde_json::Value,
    /// What the provider says; null for nothing.
    pub found: serde_json::Value,
    /// Whether our row says the same now.
    pub repaired: bool,
    /// A sentence for the console.
    pub why: String,
}

row! {
    struct Row {
        organization_id: String,
        id: String,
        at: Option<At<Timestamp>>,
        provider: String,
        subscription_id: Option<String>,
        class: String,
        field: String,
        expected: Option<Json<serde_json::Value>>,
        found: Option<Json<serde_json::Value>>,
        repaired: bool,
        why: String,
    }
}

impl Row {
    fn read(self) -> Result<Drift, Error> {
        let id = format!("{}/{}", self.organization_id, self.id);
        let corrupt = |column, problem: String| Error::Corrupt { table: "drift", column, id: id.clone(), problem };
        let Some(class) = DriftClass::ALL.into_iter().find(|class| class.as_str() == self.class) else {
            return Err(corrupt("class", format!("is `{}`", self.class)));
        };
        Ok(Drift {
            at: instant(self.at).ok_or_else(|| corrupt("at", "is empty".to_owned()))?,
            organization_id: (!self.organization_id.is_empty()).then(|| self.organization_id.into()),
            id: self.id,
            provider: self.provider.into(),
            subscription_id: self.subscription_id.map(Into::into),
            class,
            field: self.field,
            expected: self.expected.map_or(serde_json::Value::Null, |document| document.0),
            found: self.found.map_or(serde_json::Value::Null, |document| document.0),
            repaired: self.repaired,
            why: self.why,
        })
    }
}

/// Writes differences; one that is written already stays as it is.
///
/// # Errors
/// Only the database's own.
pub async fn record(tx: &mut Tx, found: &[Drift]) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec rows found,
        "INSERT INTO drift (organization_id, id, at, provider, subscription_id, class, field, expected, found, repaired, why)",
        "ON CONFLICT (organization_id, id) DO NOTHING",
        |drift| (
            drift.organization_id.as_ref().map_or("", OrganizationId::as_str),
            &drift.id,
            At(drift.at),
            drift.provider.as_str(),
            drift.subscription_id.as_ref().map(SubscriptionId::as_str),
            drift.class.as_str(),
            &drift.field,
            document(&drift.expected),
            document(&drift.found),
            drift.repaired,
            &drift.why
        )
    )?;
    Ok(())
}

/// Reads at most `limit` differences, of one organization or of all and none, the newest first.
///
/// # Errors
/// [`Error::Corrupt`], or the database's own.
pub async fn list(c: C<'_>, organization: Option<&OrganizationId>, limit: i64) -> Result<Vec<Drift>, Error> {
    // One statement for each index.
    macro_rules! select {
        ($condition:literal) => {
            sql!(
                c,
                all Row,
                concat!(
                    "
                    SELECT organization_id, id, at, provider, subscription_id, class, field, expected, found, repaired, why
                    FROM drift
                    WHERE ", $condition, "
                    ORDER BY at DESC, id DESC
                    LIMIT $2 + 0"
                ),
                organization.map_or("", OrganizationId::as_str),
                limit
            )?
        };
    }
    let rows: Vec<Row> = match organization {
        Some(_) => select!("organization_id = $1"),
        None => select!("$1 = ''"),
    };
    rows.into_iter().map(Row::read).collect()
}

/// How many differences were found since an instant.
///
/// # Errors
/// Only the database's own.
pub async fn count_since(c: C<'_>, since: Timestamp) -> Result<i64, Error> {
    row! { struct Count { differences: i64 } }
    let row: Count = sql!(
        c,
        one Count,
        "
        SELECT COUNT(*) AS differences
        FROM drift
        WHERE at >= $1",
        At(since)
    )?;
    Ok(row.differences)
}

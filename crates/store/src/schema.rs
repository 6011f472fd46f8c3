//! The schema of the database, and the steps that lead to it.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    Error,
    db::{C, Pools},
    dialect,
};

/// How the database's schema compares with this program's. Versions are migration numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// The same.
    Current,
    /// Nothing there yet.
    Empty,
    /// Older: migrate first.
    Behind {
        /// The database's version.
        have: i64,
        /// This program's version.
        want: i64,
    },
    /// Newer: this program is too old for it.
    Ahead {
        /// The database's version.
        have: i64,
        /// This program's version.
        want: i64,
    },
}

/// One step, as it is written for each engine.
struct Step {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every step, in order. A step that was released is never edited; a new one is added.
const STEPS: &[Step] = &[Step {
    version: 1,
    name: "init",
    sqlite: include_str!("../migrations/sqlite/0001_init.sql"),
    postgres: include_str!("../migrations/postgres/0001_init.sql"),
}];

/// Identifies the schema of this program: the same text gives the same number. Tests name their template by it.
pub fn fingerprint() -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for step in STEPS {
        (step.version, step.sqlite, step.postgres).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn migrator(text: fn(&Step) -> &'static str) -> Migrator {
    let step = |step: &Step| {
        Migration::new(step.version, step.name.into(), MigrationType::Simple, text(step).into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}

pub(crate) async fn migrate(pools: &Pools) -> Result<(), Error> {
    dialect::migrate(pools, &migrator(|step| step.sqlite), &migrator(|step| step.postgres)).await
}

pub(crate) async fn compare(mut c: C<'_>) -> Result<Schema, Error> {
    row! { struct Latest { version: Option<i64> } }
    if !dialect::table_exists(c.again(), "_sqlx_migrations").await? {
        return Ok(Schema::Empty);
    }
    let latest: Latest = sql!(c, one Latest, "SELECT MAX(version) AS version FROM _sqlx_migrations WHERE success")?;
    let want = STEPS.last().map_or(0, |step| step.version);
    Ok(match latest.version {
        None => Schema::Empty,
        Some(have) if have < want => Schema::Behind { have, want },
        Some(have) if have > want => Schema::Ahead { have, want },
        Some(_) => Schema::Current,
    })
}

//! Every difference between SQLite and Postgres, as a named function. Nobody else asks which engine it is.

use std::{
    fs::OpenOptions, io::ErrorKind, os::unix::fs::OpenOptionsExt as _, path::Path, str::FromStr, time::Duration,
};

use sqlx::{
    Connection, QueryBuilder, Sqlite,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    types::Json,
};
use tollkeeper_core::{
    ids::{EventId, OrganizationId, Source, UserId},
    time::MachineTime,
};

use crate::{
    Constraint, Error,
    db::{C, Options, Pools, TxKind},
    inbox::{Batch, Mark},
    value::{At, at},
};

/// Opens the pools that an address asks for.
pub(crate) async fn connect(url: &str, options: &Options) -> Result<Pools, Error> {
    match url.split_once(':') {
        Some(("sqlite", _)) => connect_sqlite(url, options).await,
        Some(("postgres" | "postgresql", _)) => {
            let address = PgConnectOptions::from_str(url).map_err(|error| Error::Address(error.to_string()))?;
            let pool = PgPoolOptions::new()
                .max_connections(options.max_connections)
                .acquire_timeout(options.acquire_timeout)
                .connect_with(address)
                .await?;
            Ok(Pools::Pg(pool))
        }
        _ => Err(Error::Address("it begins with `sqlite:` or `postgres://`".to_owned())),
    }
}

async fn connect_sqlite(url: &str, options: &Options) -> Result<Pools, Error> {
    let address = SqliteConnectOptions::from_str(url).map_err(|error| Error::Address(error.to_string()))?;
    // An address in memory is named after nothing on disk; its connections meet in one shared cache.
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let mut address = address.foreign_keys(true).busy_timeout(options.busy_timeout).create_if_missing(true);
    if in_memory {
        address = address.shared_cache(true);
    } else {
        if let Some(folder) = Path::new(address.get_filename()).parent().filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            return Err(Error::Address(format!("the folder {} does not exist", folder.display())));
        }
        // It will hold e-mail addresses and raw deliveries: nobody else's to read. Its companions get the same mode.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(address.get_filename());
        if let Err(error) = file
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(Error::Address(format!("{} cannot be made: {error}", address.get_filename().display())));
        }
        address = address.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    }
    // A database in memory lives as long as one connection, so none may be retired.
    let pool = |size: u32| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .min_connections(u32::from(in_memory))
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(options.acquire_timeout)
    };
    let mut pause = Duration::from_millis(5);
    let writer = loop {
        // Turning the log on needs the file for itself and does not wait for another process that does the same.
        match pool(1).connect_with(address.clone()).await.map_err(Error::from) {
            Err(Error::Busy(_)) if pause < options.busy_timeout => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            other => break other?,
        }
    };
    let readers = pool(options.read_only_pool.max(1)).connect_lazy_with(address.pragma("query_only", "ON"));
    Ok(Pools::Lite { writer, readers })
}

/// Begins a transaction that is going to write. SQLite takes its one write lock at once: a reader that becomes a writer
/// later would be refused without being able to wait.
pub(crate) async fn begin(pools: &Pools) -> Result<TxKind, Error> {
    Ok(match pools {
        Pools::Lite { writer, .. } => TxKind::Lite(writer.begin_with("BEGIN IMMEDIATE").await?),
        Pools::Pg(pool) => TxKind::Pg(pool.begin().await?),
    })
}

/// Runs the migrations of one engine or of the other, one process at a time.
pub(crate) async fn migrate(pools: &Pools, sqlite: &Migrator, postgres: &Migrator) -> Result<(), Error> {
    match pools {
        Pools::Lite { writer, .. } => {
            // The migrator takes no lock on SQLite. An outer write transaction is one: whoever comes second waits for
            // it and then finds everything done.
            let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
            sqlite.run_direct(None, &mut *tx, false).await?;
            tx.commit().await?;
        }
        Pools::Pg(pool) => {
            // The migrator takes an advisory lock and keeps it when a step fails, so it gets a connection of its own,
            // which ends with it.
            let mut connection = pool.acquire().await?.detach();
            let result = postgres.run_direct(None, &mut connection, false).await;
            // What matters was decided above; the server ends the session in any case.
            let _ = connection.close().await;
            result?;
        }
    }
    Ok(())
}

/// What an error of the driver means to us.
pub(crate) enum Trouble {
    /// Somebody else was in the way.
    Busy,
    /// Nobody answers, or not for long.
    Away,
    /// A constraint refused.
    Constraint(Constraint),
    /// None of these.
    Other,
}

/// Reads the driver's error.
pub(crate) fn trouble(error: &sqlx::Error) -> Trouble {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => return Trouble::Away,
        _ => return Trouble::Other,
    };
    if let Some(error) = database.try_downcast_ref::<PgDatabaseError>() {
        return postgres_trouble(error);
    }
    if database.try_downcast_ref::<SqliteError>().is_some() {
        let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
        return sqlite_trouble(code, database.message());
    }
    Trouble::Other
}

/// Source: PostgreSQL 15 documentation, appendix A, "Error Codes".
fn postgres_trouble(error: &PgDatabaseError) -> Trouble {
    match error.code() {
        // Serialization failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Trouble::Busy,
        // A standby or a server that became one, a server that stops, crashed or starts, no slot left.
        "25006" | "57P01" | "57P02" | "57P03" | "53300" => Trouble::Away,
        code if code.starts_with("08") => Trouble::Away,
        code if code.starts_with("23") => Trouble::Constraint(match error.constraint().unwrap_or_default() {
            "subscription_open_checkout" => Constraint::OpenCheckout,
            "provider_link_pkey" => Constraint::ExternalId,
            name => Constraint::Other(name.to_owned()),
        }),
        _ => Trouble::Other,
    }
}

/// Source: sqlite.org/rescode.html; the low byte is the kind. SQLite names the columns of a broken key, never the key.
fn sqlite_trouble(code: i32, message: &str) -> Trouble {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const IO: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    match code & 0xff {
        BUSY | LOCKED => Trouble::Busy,
        IO | FULL | CANNOT_OPEN => Trouble::Away,
        CONSTRAINT => {
            let what = message.split_once(" constraint failed: ").map_or(message, |(_, what)| what);
            Trouble::Constraint(match what {
                "subscription.organization_id, subscription.plan_group" => Constraint::OpenCheckout,
                "provider_link.provider, provider_link.kind, provider_link.external_id" => Constraint::ExternalId,
                other => Constraint::Other(other.to_owned()),
            })
        }
        _ => Trouble::Other,
    }
}

/// Whether a table is there.
pub(crate) async fn table_exists(c: C<'_>, name: &str) -> Result<bool, Error> {
    row! { struct Found { name: String } }
    let found = sql!(
        c,
        opt Found,
        lite "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1"
        pg "SELECT CAST(table_name AS text) AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1",
        name
    )?;
    Ok(found.is_some_and(|found| found.name == name))
}

/// The versions of the organizations in a list; SQLite takes the list as a JSON array, Postgres as an array.
pub(crate) async fn organization_versions(
    c: C<'_>,
    ids: &[OrganizationId],
) -> Result<Vec<(OrganizationId, i64)>, Error> {
    row! { struct Row { id: String, version: i64 } }
    let rows = match c {
        C::Lite(c) => {
            sqlx::query_as::<_, Row>(
                "SELECT id, version FROM organization WHERE id IN (SELECT value FROM json_each($1))",
            )
            .bind(Json(ids))
            .fetch_all(c)
            .await
        }
        C::Pg(c) => {
            sqlx::query_as::<_, Row>("SELECT id, version FROM organization WHERE id = ANY($1)")
                .bind(ids.iter().map(OrganizationId::as_str).collect::<Vec<_>>())
                .fetch_all(c)
                .await
        }
    }?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.version)).collect())
}

/// The holders of the members that have, or had, an id at the identity provider.
pub(crate) async fn holders_of_user(
    c: C<'_>,
    organization: &OrganizationId,
    user: &UserId,
) -> Result<Vec<String>, Error> {
    row! { struct Row { holder: String } }
    let rows: Vec<Row> = sql!(
        c,
        all Row,
        lite "
        SELECT holder
        FROM member
        WHERE organization_id = $1
          AND EXISTS (SELECT 1 FROM json_each(member.ids) AS identity WHERE identity.value ->> '$.id' = $2)
        ORDER BY holder"
        pg "
        SELECT holder
        FROM member
        WHERE organization_id = $1
          AND ids @> jsonb_build_array(jsonb_build_object('id', CAST($2 AS text)))
        ORDER BY holder",
        organization.as_str(),
        user.as_str()
    )?;
    Ok(rows.into_iter().map(|row| row.holder).collect())
}

row! {
    /// How often a delivery has been seen after a batch was put.
    pub(crate) struct Seen { pub(crate) source: String, pub(crate) event_id: String, pub(crate) seen: i64 }
}

/// Inserts a batch of deliveries in one statement: many VALUES on SQLite, arrays on Postgres (so that there the text,
/// and with it the plan, is the same for every length). Ids must be distinct within the batch.
pub(crate) async fn put_deliveries(c: C<'_>, batch: &[&Batch<'_>]) -> Result<Vec<Seen>, Error> {
    Ok(match c {
        C::Lite(c) => {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO inbox (source, event_id, event_type, subject, occurred_at, received_at, seen, body) ",
            );
            query.push_values(batch, |mut row, Batch { delivery, subject, count }| {
                row.push_bind(delivery.source.as_str())
                    .push_bind(delivery.event_id.as_str())
                    .push_bind(&delivery.event_type)
                    .push_bind(subject)
                    .push_bind(at(delivery.occurred_at))
                    .push_bind(At(delivery.received_at))
                    .push_bind(*count)
                    .push_bind(&delivery.body[..]);
            });
            query.push(
                " ON CONFLICT (source, event_id) DO UPDATE SET seen = inbox.seen + excluded.seen RETURNING source, event_id, seen",
            );
            query.build_query_as::<Seen>().fetch_all(c).await?
        }
        C::Pg(c) => {
            sqlx::query_as::<_, Seen>(
                "
                INSERT INTO inbox (source, event_id, event_type, subject, occurred_at, received_at, seen, body)
                SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body
                FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8)
                  AS row (source, event_id, event_type, subject, occurred_at, received_at, seen, body)
                ON CONFLICT (source, event_id) DO UPDATE
                SET seen = inbox.seen + excluded.seen
                RETURNING source, event_id, seen",
            )
            .bind(batch.iter().map(|row| row.delivery.source.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| row.delivery.event_id.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| row.delivery.event_type.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| &*row.subject).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| at(row.delivery.occurred_at)).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| At(row.delivery.received_at)).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| row.count).collect::<Vec<_>>())
            .bind(batch.iter().map(|row| &row.delivery.body[..]).collect::<Vec<_>>())
            .fetch_all(c)
            .await?
        }
    })
}

/// Gives the pending ones of a list of deliveries another state.
pub(crate) async fn mark_deliveries(c: C<'_>, source: &Source, ids: &[EventId], mark: &Mark<'_>) -> Result<u64, Error> {
    let Mark { state, why, error, next_attempt_at, attempts } = mark;
    let (state, next_attempt_at): (_, Option<At<MachineTime>>) = (state.as_str(), at(*next_attempt_at));
    let done = match c {
        C::Lite(c) => sqlx::query(
            "
            UPDATE inbox
            SET state = $3, why = COALESCE($4, why), last_error = COALESCE($5, last_error), next_attempt_at = $6, attempts = attempts + $7
            WHERE source = $1
              AND event_id IN (SELECT value FROM json_each($2))
              AND state = 'pending'",
        )
        .bind(source.as_str())
        .bind(Json(ids))
        .bind(state)
        .bind(*why)
        .bind(*error)
        .bind(next_attempt_at)
        .bind(*attempts)
        .execute(c)
        .await?
        .rows_affected(),
        C::Pg(c) => sqlx::query(
            "
            UPDATE inbox
            SET state = $3, why = COALESCE($4, why), last_error = COALESCE($5, last_error), next_attempt_at = $6, attempts = attempts + $7
            WHERE source = $1
              AND event_id = ANY($2)
              AND state = 'pending'",
        )
        .bind(source.as_str())
        .bind(ids.iter().map(EventId::as_str).collect::<Vec<_>>())
        .bind(state)
        .bind(*why)
        .bind(*error)
        .bind(next_attempt_at)
        .bind(*attempts)
        .execute(c)
        .await?
        .rows_affected(),
    };
    Ok(done)
}

//! Every difference between SQLite and Postgres, as a named function; only how a list is written differs in `sql!` itself.
//! Nobody else asks which engine it is.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, Executor,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tollkeeper_core::{
    ids::{OrganizationId, Source, UserId},
    time::MachineTime,
};

use crate::{
    Constraint, Error,
    db::{C, Options, Pools, TxKind},
    group::Line,
    inbox,
    notice::Channel,
    value::At,
};

/// What every session on Postgres is told. Our statements find few rows by keys: planning one takes longer than running
/// it, compiling one never pays, and a plan that was made while a table was small must still be right when it has grown.
/// A row that somebody else keeps is waited for, but not for long; whoever died in the middle of a transaction keeps
/// nothing for longer than that takes to show.
/// Source: PostgreSQL 15 documentation, "Query Planning" and "Client Connection Defaults".
const SESSION: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; \
                       SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'";

/// How many prepared statements a connection to SQLite keeps: there the text depends on how many rows a statement has.
const STATEMENTS: usize = 512;

/// Pages in SQLite's log after which whoever commits copies them into the database, while all others wait: 200 of 4 KiB
/// take a few milliseconds, its own 1,000 take twenty. Source: sqlite.org/wal.html#ckpt.
const CHECKPOINT: &str = "200";

/// Opens the pools that an address asks for.
pub(crate) async fn connect(url: &str, options: &Options) -> Result<Pools, Error> {
    match url.split_once(':') {
        Some(("sqlite", _)) => connect_sqlite(url, options).await,
        Some(("postgres" | "postgresql", _)) => {
            let address = PgConnectOptions::from_str(url).map_err(|error| Error::Address(error.to_string()))?;
            let suspicion = Suspicion::default();
            let (suspected, believed_alive) = (suspicion.clone(), options.believed_alive);
            let pool = PgPoolOptions::new()
                .max_connections(options.max_connections)
                .acquire_timeout(options.acquire_timeout)
                // Asked only after a pause: one that just answered still does, nearly always, and asking costs as much
                // as what is wanted. A writer that meets a dead connection runs again.
                .test_before_acquire(false)
                .before_acquire(move |connection, session| {
                    let suspected = suspected.covers(session.age);
                    Box::pin(async move {
                        Ok(!suspected && (session.idle_for < believed_alive || connection.ping().await.is_ok()))
                    })
                })
                .after_connect(|session, _| {
                    Box::pin(async move {
                        session.execute(SESSION).await?;
                        Ok(())
                    })
                })
                .connect_with(address)
                .await?;
            Ok(Pools::Pg(pool, suspicion))
        }
        _ => Err(Error::Address("it begins with `sqlite:` or `postgres://`".to_owned())),
    }
}

async fn connect_sqlite(url: &str, options: &Options) -> Result<Pools, Error> {
    let address = SqliteConnectOptions::from_str(url).map_err(|error| Error::Address(error.to_string()))?;
    // An address in memory is named after nothing on disk; its connections meet in one shared cache.
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let mut address = address
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .create_if_missing(true)
        .statement_cache_capacity(STATEMENTS);
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
        address = address
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT);
    }
    // A database in memory lives as long as one connection, so none may be retired.
    let pool = |size: u32| {
        SqlitePoolOptions::new()
            .max_connections(size)
            .min_connections(u32::from(in_memory))
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
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
    Ok(Pools::Lite { writer: Line::new(writer, options.acquire_timeout), readers })
}

/// Begins a transaction that is going to write.
pub(crate) async fn begin(pools: &Pools) -> Result<TxKind, Error> {
    Ok(match pools {
        Pools::Lite { writer, .. } => TxKind::Lite(writer.join().await?),
        Pools::Pg(pool, _) => TxKind::Pg(pool.begin().await?),
    })
}

/// Sessions on Postgres that began before one was lost, or found its server to be a standby, are not used again: what
/// happened to one, a restart or a failover, happened to all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    fn covers(&self, age: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() < age)
    }
}

/// Looks at why a write failed, for what it says about other sessions.
pub(crate) fn suspect(pools: &Pools, failure: &Error) {
    let (Pools::Pg(_, suspicion), Error::Unavailable(error)) = (pools, failure) else { return };
    let lost = match &**error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["25006", "57P01", "57P02"].contains(&&*code) || code.starts_with("08"))
        }
        _ => false,
    };
    if lost {
        *suspicion.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// The server, for a connection beside the pool; `None` on SQLite.
pub(crate) fn server(pools: &Pools) -> Option<PgConnectOptions> {
    match pools {
        Pools::Lite { .. } => None,
        Pools::Pg(pool, _) => Some((*pool.connect_options()).clone()),
    }
}

/// Runs the migrations of one engine or of the other, one process at a time.
pub(crate) async fn migrate(pools: &Pools, sqlite: &Migrator, postgres: &Migrator) -> Result<(), Error> {
    match pools {
        Pools::Lite { writer, .. } => {
            // The migrator takes no lock on SQLite. An outer write transaction is one: whoever comes second waits for
            // it and then finds everything done.
            let mut tx = writer.pool().begin_with("BEGIN IMMEDIATE").await?;
            sqlite.run_direct(None, &mut *tx, false).await?;
            tx.commit().await?;
        }
        Pools::Pg(pool, _) => {
            // The migrator takes an advisory lock and keeps it when a step fails, so it gets a connection of its own,
            // which ends with it.
            let mut connection = pool.acquire().await?.detach();
            // However long somebody else takes for it.
            connection.execute("SET lock_timeout = 0").await?;
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
        // A standby or a server that became one, a transaction that was idle for too long, a server that stops, crashed
        // or starts, no slot left.
        "25006" | "25P03" | "57P01" | "57P02" | "57P03" | "53300" => Trouble::Away,
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

/// Reads what [`inbox::pending`] reads, in no order between subjects. One bounded look into the index for each of them: no
/// plan reads all that waits.
pub(crate) async fn pending(
    c: C<'_>,
    subjects: &[(&Source, &str)],
    now: MachineTime,
    limit: i64,
) -> Result<Vec<inbox::Row>, Error> {
    Ok(match c {
        _ if subjects.is_empty() => Vec::new(),
        C::Lite(c) => {
            // There is no LATERAL.
            let one = "
                SELECT *
                FROM (
                    SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body, state, why,
                    attempts, next_attempt_at, last_error
                    FROM inbox
                    WHERE source = ?
                      AND subject = ?
                      AND state = 'pending'
                      AND (next_attempt_at IS NULL OR next_attempt_at <= ?)
                    ORDER BY received_at, event_id
                    LIMIT ? + 0
                )";
            let text = vec![one; subjects.len()].join(" UNION ALL ");
            let mut query = sqlx::query_as::<_, inbox::Row>(sqlx::AssertSqlSafe(text));
            for (source, subject) in subjects {
                query = query.bind(source.as_str()).bind(*subject).bind(At(now)).bind(limit);
            }
            query.fetch_all(c).await?
        }
        C::Pg(c) => {
            sqlx::query_as::<_, inbox::Row>(
                "
                SELECT about.*
                FROM UNNEST($1, $2) AS wanted (source, subject),
                LATERAL (
                    SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, body, state, why,
                    attempts, next_attempt_at, last_error
                    FROM inbox
                    WHERE source = wanted.source
                      AND subject = wanted.subject
                      AND state = 'pending'
                      AND (next_attempt_at IS NULL OR next_attempt_at <= $3)
                    ORDER BY received_at, event_id
                    LIMIT $4 + 0
                ) AS about",
            )
            .bind(subjects.iter().map(|(source, _)| source.as_str()).collect::<Vec<_>>())
            .bind(subjects.iter().map(|(_, subject)| *subject).collect::<Vec<_>>())
            .bind(At(now))
            .bind(limit)
            .fetch_all(c)
            .await?
        }
    })
}

/// Reads what [`inbox::about`] reads, in no order: of each subject the newest of what waits and of what does not.
pub(crate) async fn about(c: C<'_>, subjects: &[(&Source, &str)], limit: i64) -> Result<Vec<inbox::Row>, Error> {
    Ok(match c {
        _ if subjects.is_empty() => Vec::new(),
        C::Lite(c) => {
            let half = |condition: &str| {
                format!(
                    "
                    SELECT *
                    FROM (
                        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, x'' AS body,
                        state, why, attempts, next_attempt_at, last_error
                        FROM inbox
                        WHERE source = ?
                          AND subject = ?
                          AND {condition}
                        ORDER BY received_at DESC
                        LIMIT ? + 0
                    )"
                )
            };
            let halves = [half("state = 'pending'"), half("state <> 'pending'")].join(" UNION ALL ");
            let text = vec![halves; subjects.len()].join(" UNION ALL ");
            let mut query = sqlx::query_as::<_, inbox::Row>(sqlx::AssertSqlSafe(text));
            for (source, subject) in subjects.iter().flat_map(|both| [both, both]) {
                query = query.bind(source.as_str()).bind(*subject).bind(limit);
            }
            query.fetch_all(c).await?
        }
        C::Pg(c) => {
            sqlx::query_as::<_, inbox::Row>(
                "
                SELECT about.*
                FROM UNNEST($1, $2) AS wanted (source, subject),
                LATERAL (
                    (
                        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, ''::bytea AS body,
                        state, why, attempts, next_attempt_at, last_error
                        FROM inbox
                        WHERE source = wanted.source
                          AND subject = wanted.subject
                          AND state = 'pending'
                        ORDER BY received_at DESC
                        LIMIT $3 + 0
                    )
                    UNION ALL
                    (
                        SELECT source, event_id, event_type, subject, occurred_at, received_at, seen, ''::bytea AS body,
                        state, why, attempts, next_attempt_at, last_error
                        FROM inbox
                        WHERE source = wanted.source
                          AND subject = wanted.subject
                          AND state <> 'pending'
                        ORDER BY received_at DESC
                        LIMIT $3 + 0
                    )
                ) AS about",
            )
            .bind(subjects.iter().map(|(source, _)| source.as_str()).collect::<Vec<_>>())
            .bind(subjects.iter().map(|(_, subject)| *subject).collect::<Vec<_>>())
            .bind(limit)
            .fetch_all(c)
            .await?
        }
    })
}

/// Tells other processes something when the transaction commits. On SQLite there are none.
pub(crate) async fn tell(c: C<'_>, channel: Channel, payload: &str) -> Result<(), Error> {
    match c {
        C::Lite(_) => {}
        C::Pg(c) => {
            sqlx::query("SELECT pg_notify($1, $2)").bind(channel.as_str()).bind(payload).execute(c).await?;
        }
    }
    Ok(())
}

/// How the engine goes about a statement, whatever values it has; `types` are values of the right types, for Postgres.
#[cfg(test)]
pub(crate) async fn plan(url: &str, statement: &str, types: &str) -> String {
    use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};

    let column = |rows: Vec<String>| rows.join("\n");
    if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let rows = connection.fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"))).await.unwrap();
        return column(rows.iter().map(|row| row.get("detail")).collect());
    }
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(SESSION).await.unwrap();
    connection.execute(AssertSqlSafe(format!("PREPARE asked AS {statement}"))).await.unwrap();
    let values = if types.is_empty() { String::new() } else { format!("({types})") };
    let rows = connection.fetch_all(AssertSqlSafe(format!("EXPLAIN EXECUTE asked{values}"))).await.unwrap();
    column(rows.iter().map(|row| row.get(0)).collect())
}

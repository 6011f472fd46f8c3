//! The database: connections, and the one way to write.

use std::{
    future::Future,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    pin::Pin,
    time::Duration,
};

use sqlx::{PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction, pool::PoolConnection};

use crate::{
    Error, StoreError,
    dialect::{self, Suspicion},
    group::{Line, Member},
    schema::{self, Schema},
};

/// How to connect.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections to Postgres, readers and writers together.
    pub max_connections: u32,
    /// Readers beside the one writer of SQLite.
    pub read_only_pool: u32,
    /// How long to wait for a connection before the database counts as away.
    pub acquire_timeout: Duration,
    /// How long an unused session on Postgres is believed to be alive; after that it is asked before it is used.
    pub believed_alive: Duration,
    /// How long a writer of SQLite waits for a writer in another process.
    pub busy_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 16,
            read_only_pool: 8,
            acquire_timeout: Duration::from_secs(5),
            believed_alive: Duration::from_secs(1),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// How often a write runs at most, and how long it waits before the second run; the wait doubles.
const RUNS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(pub(crate) Pools);

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// SQLite: a line in front of the one writer, and readers that cannot write.
    Lite { writer: Line, readers: SqlitePool },
    /// Postgres, with what is known about its sessions.
    Pg(PgPool, Suspicion),
}

/// A connection for reading. Returned to its pool when dropped.
#[derive(Debug)]
pub enum Conn {
    /// To SQLite.
    Lite(PoolConnection<Sqlite>),
    /// To Postgres.
    Pg(PoolConnection<Postgres>),
}

/// An open transaction; only [`Db::write`] makes one.
#[derive(Debug)]
pub struct Tx(pub(crate) TxKind);

#[derive(Debug)]
pub(crate) enum TxKind {
    Lite(Member),
    Pg(Transaction<'static, Postgres>),
}

/// What the closure of [`Db::write`] gets: a [`Tx`], by dereference.
///
/// `'env` is what the closure borrows from around it. That it outlives the transaction follows from this type, which is
/// what lets the closure borrow at all.
#[derive(Debug)]
pub struct Scope<'env> {
    tx: Tx,
    env: PhantomData<&'env ()>,
}

/// What the closure of [`Db::write`] returns: `Box::pin(async move { … })`.
pub type Work<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

impl Deref for Scope<'_> {
    type Target = Tx;
    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Scope<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

/// What every reading function takes: a borrowed connection, in or out of a transaction ([`Conn::c`], [`Tx::c`]).
#[derive(Debug)]
pub enum C<'a> {
    /// To SQLite.
    Lite(&'a mut SqliteConnection),
    /// To Postgres.
    Pg(&'a mut PgConnection),
}

impl Conn {
    /// Borrows the connection for one call.
    pub fn c(&mut self) -> C<'_> {
        match self {
            Self::Lite(connection) => C::Lite(connection),
            Self::Pg(connection) => C::Pg(connection),
        }
    }
}

impl Tx {
    /// Borrows the transaction for one call.
    pub fn c(&mut self) -> C<'_> {
        match &mut self.0 {
            TxKind::Lite(member) => C::Lite(member.connection()),
            TxKind::Pg(transaction) => C::Pg(transaction),
        }
    }

    async fn commit(self) -> Result<(), Error> {
        match self.0 {
            TxKind::Lite(member) => member.commit().await,
            TxKind::Pg(transaction) => Ok(transaction.commit().await?),
        }
    }

    async fn rollback(self) -> Result<(), Error> {
        match self.0 {
            TxKind::Lite(member) => member.rollback().await,
            TxKind::Pg(transaction) => {
                // The transaction is gone either way; the reason to tell is the one before.
                let _ = transaction.rollback().await;
                Ok(())
            }
        }
    }
}

impl C<'_> {
    /// Borrows again, for a function that asks more than once.
    pub fn again(&mut self) -> C<'_> {
        match self {
            Self::Lite(connection) => C::Lite(connection),
            Self::Pg(connection) => C::Pg(connection),
        }
    }
}

impl Db {
    /// Connects, and creates a missing SQLite file.
    ///
    /// `url` is `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:` (gone with the last clone) or `postgres://…`.
    ///
    /// # Errors
    /// [`Error::Address`]: neither of these. [`Error::Unavailable`]: nobody answers.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, Error> {
        dialect::connect(url, options).await.map(Self)
    }

    /// Whether this is Postgres; for messages such as "a worker beside the server needs Postgres", not for SQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Pools::Pg(..))
    }

    /// Brings the schema to this version, one process at a time; does nothing when it is there.
    ///
    /// # Errors
    /// [`Error::Schema`]: a migration failed or was edited, or the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), Error> {
        schema::migrate(&self.0).await
    }

    /// Compares the database's schema with this program's.
    ///
    /// # Errors
    /// Only that the database cannot be asked.
    pub async fn schema(&self) -> Result<Schema, Error> {
        schema::compare(self.read().await?.c()).await
    }

    /// Asks the database for nothing, to see that it answers.
    ///
    /// # Errors
    /// [`Error::is_unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        row! { struct One { one: i64 } }
        let answer: One = sql!(self.read().await?.c(), one One, "SELECT CAST(1 AS BIGINT) AS one")?;
        debug_assert_eq!(answer.one, 1);
        Ok(())
    }

    /// Takes a connection for reading.
    ///
    /// # Errors
    /// [`Error::is_unavailable`] when none comes free in time.
    pub async fn read(&self) -> Result<Conn, Error> {
        Ok(match &self.0 {
            Pools::Lite { readers, .. } => Conn::Lite(readers.acquire().await?),
            Pools::Pg(pool, _) => Conn::Pg(pool.acquire().await?),
        })
    }

    async fn begin(&self) -> Result<Tx, Error> {
        dialect::begin(&self.0).await.map(Tx)
    }

    /// Runs `f` in a transaction: commits when it returns `Ok`, rolls back when it returns `Err`. The only way to
    /// write.
    ///
    /// `f` **may run again**, a bounded number of times, when the database was busy, chose it as the victim of a
    /// deadlock or a serialization conflict, failed over, or lost the connection, even while it answered the commit. So
    /// `f` calls no provider and keeps nothing from an earlier run; what it writes is guarded by a version or a key.
    ///
    /// On SQLite several writers that wait for each other share one commit. Each is undone by itself when it fails, and
    /// each hears of its end when all of it is durable.
    ///
    /// An error of a store function must leave `f` as an error: after a refused statement Postgres commits nothing
    /// more, while SQLite would. Turn it into an answer outside.
    ///
    /// `f` returns a boxed future because the compiler cannot yet prove that the future of an async closure which
    /// borrows is `Send`, and then no task could be spawned that writes. It borrows what it needs, as it may run again:
    ///
    /// ```
    /// # use tollkeeper_store::{Db, Error, cursor};
    /// # async fn example(db: &Db) -> Result<(), Error> {
    /// let value = String::from("evt_42");
    /// let value = &value;
    /// db.write(|tx| {
    ///     Box::pin(async move {
    ///         cursor::set(tx, "events", value).await?;
    ///         Ok::<_, Error>(())
    ///     })
    /// })
    /// .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever `f` returned; [`Error::is_unavailable`] when the database stayed away.
    pub async fn write<'env, T, E, F>(&self, mut f: F) -> Result<T, E>
    where
        E: StoreError,
        F: for<'t> FnMut(&'t mut Scope<'env>) -> Work<'t, T, E>,
    {
        let mut run = 1;
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.attempt(&mut f).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let error = failure.store_error();
            if let Some(error) = error {
                dialect::suspect(&self.0, error);
            }
            if run == RUNS || !error.is_some_and(Error::is_worth_another_run) {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            run += 1;
        }
    }

    async fn attempt<'env, T, E, F>(&self, f: &mut F) -> Result<T, E>
    where
        E: StoreError,
        F: for<'t> FnMut(&'t mut Scope<'env>) -> Work<'t, T, E>,
    {
        let mut scope = Scope { tx: self.begin().await?, env: PhantomData };
        match f(&mut scope).await {
            Ok(value) => {
                scope.tx.commit().await?;
                Ok(value)
            }
            Err(error) => {
                scope.tx.rollback().await?;
                Err(error)
            }
        }
    }

    /// Closes every connection; waits until the ones in use are given back.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Lite { writer, readers } => {
                readers.close().await;
                writer.pool().close().await;
            }
            Pools::Pg(pool, _) => pool.close().await,
        }
    }
}

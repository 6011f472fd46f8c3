//! A fresh database for every test, on SQLite and on Postgres.

use std::{
    hash::{BuildHasher, RandomState},
    sync::OnceLock,
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tollkeeper_store::{Db, Options};

/// Names the server that Postgres tests use, as an address that may create databases.
pub const POSTGRES: &str = "TOLLKEEPER_TEST_POSTGRES";

/// Which engine a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A temporary file.
    Sqlite,
    /// A database of its own on the server named by [`POSTGRES`].
    Postgres,
}

/// A fresh and migrated database; gone when dropped.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    url: String,
    engine: Engine,
    _cleanup: Cleanup,
}

#[derive(Debug)]
enum Cleanup {
    Folder { _folder: tempfile::TempDir },
    Database { admin: String, name: String },
}

/// Makes two tests out of one body: `name::sqlite` and `name::postgres`.
///
/// ```
/// tollkeeper_testkit::both_engines! {
///     async fn answers(db: TestDb) {
///         db.db().ping().await.unwrap();
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            async fn body($db: $crate::database::TestDb) $body

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                body($crate::database::TestDb::new($crate::database::Engine::Sqlite).await).await;
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                body($crate::database::TestDb::new($crate::database::Engine::Postgres).await).await;
            }
        }
    )+};
}

impl TestDb {
    /// Makes one.
    ///
    /// # Panics
    /// When it cannot be made; for Postgres also when [`POSTGRES`] is not set, because an engine is never left out silently.
    pub async fn new(engine: Engine) -> Self {
        Self::with(engine, &Self::options()).await
    }

    /// Small pools, so that many tests fit on one server, and short waits.
    pub fn options() -> Options {
        Options {
            max_connections: 6,
            read_only_pool: 4,
            acquire_timeout: Duration::from_secs(30),
            ..Options::default()
        }
    }

    /// Makes one and connects to it with other options.
    ///
    /// # Panics
    /// As [`TestDb::new`].
    pub async fn with(engine: Engine, options: &Options) -> Self {
        let (url, cleanup) = match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder can be made");
                let url = format!("sqlite://{}", folder.path().join("test.db").display());
                (url, Cleanup::Folder { _folder: folder })
            }
            Engine::Postgres => {
                let admin = std::env::var(POSTGRES).unwrap_or_else(|_| {
                    panic!("{POSTGRES} is not set: run `scripts/test`, or set it to the address of a Postgres server, such as postgres://postgres@127.0.0.1:5432/postgres")
                });
                let name = copy_template(&admin).await;
                (with_database(&admin, &name), Cleanup::Database { admin, name })
            }
        };
        let db = Db::connect(&url, options).await.expect("the test database can be reached");
        db.migrate().await.expect("the test database can be migrated");
        Self { db, url, engine, _cleanup: cleanup }
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Its address, for a second connection as another process would have it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The engine, for the few assertions that have to know.
    pub fn engine(&self) -> Engine {
        self.engine
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let Self::Database { admin, name } = self else { return };
        let (admin, name) = (admin.clone(), name.clone());
        // A drop cannot wait for the runtime that it runs on, so it takes a thread with one of its own. What is left
        // behind after a crash is harmless: names are never used twice.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&admin).await.ok()?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                connection.execute(AssertSqlSafe(drop)).await.ok()
            })
        });
        let _ = dropped.join();
    }
}

/// The server of `admin`, with another database.
fn with_database(admin: &str, name: &str) -> String {
    let (address, query) = admin.split_once('?').map_or((admin, None), |(address, query)| (address, Some(query)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let server = address[authority..].find('/').map_or(address, |slash| &address[..authority + slash]);
    match query {
        Some(query) => format!("{server}/{name}?{query}"),
        None => format!("{server}/{name}"),
    }
}

/// Makes a database out of the template of this schema, and the template first where the server has none yet.
async fn copy_template(admin: &str) -> String {
    let template = format!("tollkeeper_template_{}", tollkeeper_store::fingerprint());
    let name = format!("tollkeeper_test_{}", unique());
    let mut connection = PgConnection::connect(admin).await.expect("the Postgres server for tests can be reached");
    static READY: OnceLock<()> = OnceLock::new();
    if READY.get().is_none() {
        make_template(admin, &mut connection, &template).await;
        let _ = READY.set(());
    }
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
    connection.execute(AssertSqlSafe(copy)).await.expect("a template can be copied");
    let _ = connection.close().await;
    name
}

/// One process at a time. The template gets its name when it is complete, so that nobody copies half a schema.
async fn make_template(admin: &str, connection: &mut PgConnection, template: &str) {
    /// Any number that nobody else on a test server uses.
    const LOCK: i64 = 0x746f_6c6c_7465_7374;
    let expect = "the template can be made";
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *connection).await.expect(expect);
    let exists = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1) AS found";
    let found: bool = sqlx::query(exists).bind(template).fetch_one(&mut *connection).await.expect(expect).get("found");
    if !found {
        let draft = format!("tollkeeper_draft_{}", unique());
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {draft}"))).await.expect(expect);
        let db = Db::connect(&with_database(admin, &draft), &TestDb::options()).await.expect(expect);
        db.migrate().await.expect(expect);
        db.close().await;
        let rename = format!("ALTER DATABASE {draft} RENAME TO {template}");
        connection.execute(AssertSqlSafe(rename)).await.expect(expect);
    }
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(connection).await.expect(expect);
}

/// A name that no other test process uses: random, and counted within this one.
fn unique() -> String {
    format!("{}_{:016x}", std::process::id(), RandomState::new().hash_one(std::process::id()))
}

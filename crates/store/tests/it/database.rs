//! Connecting, and the one way to write.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::Barrier;
use tollkeeper_store::{Db, Error, Options, StoreError, cursor, organization};
use tollkeeper_testkit::{
    both_engines,
    database::{Engine, TestDb},
};

use crate::sample;

/// As an engine above the store has it.
#[derive(Debug)]
enum AppError {
    Store(Error),
    No,
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl StoreError for AppError {
    fn store_error(&self) -> Option<&Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::No => None,
        }
    }
}

both_engines! {
    async fn a_database_answers_and_closes(db: TestDb) {
        db.db().ping().await.unwrap();
        assert_eq!(db.db().is_postgres(), db.engine() == Engine::Postgres);
        db.db().close().await;
        assert!(db.db().ping().await.unwrap_err().is_unavailable());
        let refused = db.db().write(|tx| Box::pin(async move { cursor::set(tx, "a", "b").await })).await;
        assert!(refused.unwrap_err().is_unavailable());
    }

    async fn an_error_rolls_back_and_is_not_run_again(db: TestDb) {
        let mut runs = 0;
        let failed = db
            .db()
            .write(|tx| {
                runs += 1;
                Box::pin(async move {
                    cursor::set(tx, "a", "b").await?;
                    if cursor::get(tx.c(), "a").await?.is_some() { Err(AppError::No) } else { Ok(()) }
                })
            })
            .await;
        assert!(matches!(failed, Err(AppError::No)), "{failed:?}");
        assert_eq!(runs, 1);
        assert_eq!(cursor::get(db.db().read().await.unwrap().c(), "a").await.unwrap(), None);
    }

    /// What the type of `write` is about: a task is spawned whose closure borrows its locals and awaits the store.
    async fn a_spawned_task_writes_with_what_it_borrows(db: TestDb) {
        let owned = db.db().clone();
        let written = tokio::spawn(async move {
            let (name, values) = (String::from("name"), vec![String::from("one"), String::from("two")]);
            let (name, values) = (&name, &values);
            owned
                .write(|tx| {
                    Box::pin(async move {
                        for value in values.iter().map(String::as_str) {
                            cursor::set(tx, name, value).await?;
                        }
                        Ok::<_, AppError>(cursor::get(tx.c(), name).await?)
                    })
                })
                .await
        });
        assert_eq!(written.await.unwrap().unwrap().as_deref(), Some("two"));
    }

    async fn a_reader_sees_nothing_before_the_commit(db: TestDb) {
        let other = db.db();
        db.db()
            .write(|tx| {
                Box::pin(async move {
                    cursor::set(tx, "a", "b").await?;
                    assert_eq!(cursor::get(other.read().await?.c(), "a").await?, None);
                    Ok::<_, Error>(())
                })
            })
            .await
            .unwrap();
        assert_eq!(cursor::get(db.db().read().await.unwrap().c(), "a").await.unwrap().as_deref(), Some("b"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victim_of_a_deadlock_runs_again() {
    let db = TestDb::new(Engine::Postgres).await;
    for id in ["org_1", "org_2"] {
        sample::add_organization(db.db(), id).await;
    }
    let (both_hold_one, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let tasks = [["org_1", "org_2"], ["org_2", "org_1"]].map(|order| {
        let (db, both_hold_one, runs) = (db.db().clone(), both_hold_one.clone(), runs.clone());
        tokio::spawn(async move {
            let (both_hold_one, runs) = (&both_hold_one, &runs);
            let mut first = true;
            db.write(|tx| {
                let first = std::mem::take(&mut first);
                Box::pin(async move {
                    runs.fetch_add(1, Ordering::Relaxed);
                    for (place, id) in order.into_iter().enumerate() {
                        // The other one may commit between the two statements.
                        loop {
                            let row = organization::get(tx.c(), &id.into()).await?.unwrap();
                            if organization::save(tx, &row, row.version).await? {
                                break;
                            }
                        }
                        if place == 0 && first {
                            both_hold_one.wait().await;
                        }
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
        })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    let versions = organization::versions(db.db().read().await.unwrap().c(), &["org_1".into(), "org_2".into()]).await;
    assert_eq!(versions.unwrap().into_iter().map(|(_, version)| version).collect::<Vec<_>>(), [9, 9]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_replaced_and_the_closure_runs_again() {
    let db = TestDb::new(Engine::Postgres).await;
    let address = db.url();
    let mut first = true;
    db.db()
        .write(|tx| {
            let first = std::mem::take(&mut first);
            Box::pin(async move {
                cursor::set(tx, "a", if first { "first" } else { "second" }).await?;
                if first {
                    let mut killer = sqlx::PgConnection::connect(address).await?;
                    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
                    sqlx::query(others).execute(&mut killer).await?;
                }
                cursor::set(tx, "b", "done").await
            })
        })
        .await
        .unwrap();
    let mut conn = db.db().read().await.unwrap();
    assert_eq!(cursor::get(conn.c(), "a").await.unwrap().as_deref(), Some("second"));
    assert_eq!(cursor::get(conn.c(), "b").await.unwrap().as_deref(), Some("done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_of_sqlite_tells_when_another_process_takes_too_long() {
    let busy = std::time::Duration::from_millis(1);
    let db = TestDb::with(Engine::Sqlite, &Options { busy_timeout: busy, ..TestDb::options() }).await;
    let mut other = SqliteConnection::connect(db.url()).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let set = || db.db().write(|tx| Box::pin(async move { cursor::set(tx, "a", "b").await }));
    let refused = set().await.unwrap_err();
    assert!(matches!(refused, Error::Busy(_)), "{refused:?}");
    assert!(refused.is_unavailable());
    other.execute("COMMIT").await.unwrap();
    set().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closure_that_met_a_busy_sqlite_runs_again() {
    let db = TestDb::new(Engine::Sqlite).await;
    let options: SqliteConnectOptions = db.url().parse().unwrap();
    let options = &options.busy_timeout(std::time::Duration::ZERO);
    let mut runs = 0;
    db.db()
        .write(|tx| {
            runs += 1;
            let first = runs == 1;
            Box::pin(async move {
                cursor::set(tx, "a", if first { "first" } else { "second" }).await?;
                if first {
                    // We hold the lock, so this is refused, with the code that a writer in another process would give us.
                    options.connect().await?.execute("BEGIN IMMEDIATE").await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
    assert_eq!(runs, 2);
    assert_eq!(cursor::get(db.db().read().await.unwrap().c(), "a").await.unwrap().as_deref(), Some("second"));
}

#[tokio::test]
async fn a_reader_of_sqlite_cannot_write() {
    let db = TestDb::new(Engine::Sqlite).await;
    let mut conn = db.db().read().await.unwrap();
    let tollkeeper_store::C::Lite(connection) = conn.c() else { panic!("not SQLite") };
    assert!(sqlx::query("DELETE FROM cursor").execute(connection).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_memory_is_one_for_all_its_connections_and_nobody_else() {
    let db = Db::connect("sqlite::memory:", &Options::default()).await.unwrap();
    db.migrate().await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move {
                let name = &format!("cursor {number}");
                db.write(|tx| Box::pin(async move { cursor::set(tx, name, "here").await })).await.unwrap();
                cursor::get(db.read().await.unwrap().c(), name).await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().as_deref(), Some("here"));
    }
    let other = Db::connect("sqlite::memory:", &Options::default()).await.unwrap();
    assert_eq!(other.schema().await.unwrap(), tollkeeper_store::Schema::Empty);
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_told_in_words() {
    for url in ["mysql://localhost/x", "", "tollkeeper.db", "sqlite:/no/such/folder/x.db"] {
        let refused = Db::connect(url, &Options::default()).await;
        assert!(matches!(refused, Err(Error::Address(_))), "{url}: {refused:?}");
    }
    let nobody = Options { acquire_timeout: std::time::Duration::from_millis(50), ..Options::default() };
    let refused = Db::connect("postgres://postgres@127.0.0.1:1/postgres", &nobody).await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
}

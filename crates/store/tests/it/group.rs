//! Writers of SQLite that share a commit: each is alone with its failure, and nobody hears of anything before it is
//! durable.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Barrier, Notify};
use tollkeeper_store::{Db, Error, cursor};
use tollkeeper_testkit::{
    both_engines,
    database::{Engine, TestDb},
};

/// What another process sees.
async fn seen(db: &TestDb) -> Vec<String> {
    let mut other = SqliteConnection::connect(db.url()).await.unwrap();
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM cursor ORDER BY name").fetch_all(&mut other).await.unwrap();
    rows.into_iter().map(|(name,)| name).collect()
}

async fn set(db: &Db, name: &str) -> Result<(), Error> {
    db.write(|tx| Box::pin(async move { cursor::set(tx, name, "here").await })).await
}

/// Lets a future go on until it waits for others.
async fn poke<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

both_engines! {
    async fn of_many_writers_at_once_those_that_fail_leave_nothing_and_the_others_all(db: TestDb) {
        let together = Arc::new(Barrier::new(32));
        let tasks: Vec<_> = (0..32)
            .map(|number| {
                let (db, together) = (db.db().clone(), together.clone());
                tokio::spawn(async move {
                    let name = &format!("cursor {number:02}");
                    together.wait().await;
                    let written = db
                        .write(|tx| {
                            Box::pin(async move {
                                cursor::set(tx, name, "here").await?;
                                if number % 3 == 0 { Err(Error::Overloaded) } else { Ok(()) }
                            })
                        })
                        .await;
                    assert_eq!(written.is_err(), number % 3 == 0);
                    cursor::get(db.read().await.unwrap().c(), name).await.unwrap().is_some()
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), number % 3 != 0, "{number}");
        }
    }
}

/// While the first one works, the others stand in line behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_in_a_group_is_answered_after_the_commit_of_all() {
    let db = TestDb::new(Engine::Sqlite).await;
    let (working, go_on) = (&Notify::new(), &Notify::new());
    let first = db.db().write(|tx| {
        Box::pin(async move {
            cursor::set(tx, "first", "here").await?;
            working.notify_one();
            go_on.notified().await;
            Ok::<_, Error>(())
        })
    });
    let (first, second) = (pin!(first), pin!(set(db.db(), "second")));
    let (mut first, mut second) = (first, second);
    tokio::select! {
        _ = &mut first => panic!("it waits for us"),
        () = working.notified() => {}
    }
    assert!(poke(&mut second).await.is_none(), "it stands in line");
    assert_eq!(seen(&db).await, [""; 0]);
    go_on.notify_one();
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second.unwrap();
    assert_eq!(seen(&db).await, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_dropped_while_it_works_takes_nothing_of_others_with_it() {
    let db = TestDb::new(Engine::Sqlite).await;
    let (working, go_on, dropped) = (&Notify::new(), &Notify::new(), &Notify::new());
    let runs = &AtomicU32::new(0);
    let first = db.db().write(|tx| {
        Box::pin(async move {
            cursor::set(tx, "first", "here").await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                working.notify_one();
                go_on.notified().await;
            }
            Ok::<_, Error>(())
        })
    });
    let mut first = pin!(first);
    tokio::select! {
        _ = &mut first => panic!("it waits for us"),
        () = working.notified() => {}
    }
    // In line behind the first one, so it works in the same transaction, and never ends.
    let mut never = Box::pin(db.db().write(|tx| {
        Box::pin(async move {
            cursor::set(tx, "never", "here").await?;
            dropped.notify_one();
            std::future::pending::<Result<(), Error>>().await
        })
    }));
    assert!(poke(&mut never).await.is_none(), "it stands in line");
    go_on.notify_one();
    tokio::select! {
        _ = &mut first => panic!("its group is not committed yet"),
        _ = &mut never => panic!("it never ends"),
        () = dropped.notified() => {}
    }
    drop(never);
    first.await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2, "what it wrote was undone with the group, so it ran again");
    assert_eq!(seen(&db).await, ["first"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_dropped_at_any_moment_does_not_stop_the_line() {
    let db = TestDb::new(Engine::Sqlite).await;
    for polls in 0..30 {
        let name = &format!("given up {polls}");
        let mut given_up = Box::pin(set(db.db(), name));
        for _ in 0..polls {
            if poke(&mut given_up).await.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(given_up);
        let next = &format!("next {polls}");
        set(db.db(), next).await.unwrap();
        assert!(seen(&db).await.contains(next));
    }
}

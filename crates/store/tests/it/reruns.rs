//! What a transaction leaves behind when the connection or the server goes away around its COMMIT: the work, once.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::Barrier;
use tollkeeper_core::effect::EffectKind;
use tollkeeper_store::{
    C, Db, Decision, Error, Options, Saved, account, cursor, history,
    inbox::{self, Delivery, Filter, Put, Writer},
    lease, outbox,
};
use tollkeeper_testkit::{
    database::{Engine, TestDb},
    process::until,
    proxy::{Cut, CutProxy},
};

use crate::{inbox::delivery, sample};

/// A database, the proxy in front of it, and a connection through that.
async fn behind_a_proxy() -> (TestDb, CutProxy, Db) {
    let db = TestDb::new(Engine::Postgres).await;
    let proxy = CutProxy::start(db.url()).await;
    // A second would pass before a session that was just used is asked again; here that is now.
    let options = Options { believed_alive: std::time::Duration::ZERO, ..TestDb::options() };
    let cut_off = Db::connect(proxy.url(), &options).await.unwrap();
    (db, proxy, cut_off)
}

/// The database with something said to every session.
async fn with_setting(db: &TestDb, setting: &str, options: &Options) -> Db {
    Db::connect(&format!("{}?options[{setting}", db.url()), options).await.unwrap()
}

/// Saves a decision while the COMMIT is cut; answers what the last run found, and how many there were.
async fn save_while_cut(cut: Cut) -> (Saved, u32) {
    let (db, proxy, cut_off) = behind_a_proxy().await;
    sample::add_organization(db.db(), "org_1").await;
    let before = &account::load(cut_off.read().await.unwrap().c(), &"org_1".into()).await.unwrap().unwrap();
    let row = sample::open("org_1", "tks_1", "main");
    let transition = &sample::transition(before, Some(row), &[EffectKind::SubscriptionCreated]);
    let cause = &sample::cause();
    let mut runs = 0;
    proxy.cut_next(cut);
    let saved = cut_off
        .write(|tx| {
            runs += 1;
            Box::pin(async move {
                account::save(tx, Decision { before, transition, cause }, &["hooks"], sample::at(1)).await
            })
        })
        .await
        .unwrap();
    assert_eq!(proxy.cuts(), 1);
    let mut conn = db.db().read().await.unwrap();
    let after = account::load(conn.c(), &"org_1".into()).await.unwrap().unwrap();
    assert_eq!((after.organization.version, after.subscriptions.len()), (before.organization.version + 1, 1));
    assert_eq!(history::list(conn.c(), &"org_1".into(), 0, 10).await.unwrap().len(), 1);
    assert_eq!(outbox::list(conn.c(), &"org_1".into()).await.unwrap().len(), 1);
    (saved, runs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_whose_commit_did_not_arrive_is_written_by_the_second_run() {
    assert_eq!(save_while_cut(Cut::BeforeCommit).await, (Saved::Written { seq: 8 }, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_whose_commit_was_not_answered_is_recognised_by_the_second_run() {
    // It lost against itself: whoever reads again finds the decision made.
    assert_eq!(save_while_cut(Cut::AfterCommit).await, (Saved::Lost, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_stored_once_however_its_commit_ended() {
    for (cut, answer) in [(Cut::BeforeCommit, Put::New), (Cut::AfterCommit, Put::Duplicate)] {
        let (db, proxy, cut_off) = behind_a_proxy().await;
        let writer = Writer::start(cut_off);
        proxy.cut_next(cut);
        let full: Delivery = delivery("ev_1", "subscription:a", 1);
        assert_eq!(writer.put(full.clone()).await.unwrap(), answer, "{cut:?}");
        assert_eq!(proxy.cuts(), 1);
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(inbox::list(conn.c(), &Filter::default(), 10).await.unwrap().len(), 1, "{cut:?}");
        let stored = inbox::get(conn.c(), &full.source, &full.event_id).await.unwrap().unwrap();
        assert_eq!(stored.body, full.body, "{cut:?}");
        drop(conn);
        assert_eq!(writer.put(full).await.unwrap(), Put::Duplicate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_the_same_owners_however_its_commit_ended() {
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let (db, proxy, cut_off) = behind_a_proxy().await;
        let (now, until) = (sample::machine(0), sample::machine(10));
        let acquire = async |db: &Db, owner: &str| {
            db.write(|tx| Box::pin(async move { lease::acquire(tx, "key", owner, now, until).await })).await.unwrap()
        };
        proxy.cut_next(cut);
        assert!(acquire(&cut_off, "a").await, "{cut:?}");
        assert!(!acquire(db.db(), "b").await, "{cut:?}");
        proxy.cut_next(cut);
        cut_off.write(|tx| Box::pin(async move { lease::release(tx, &["key"], "a").await })).await.unwrap();
        assert_eq!(proxy.cuts(), 2);
        assert!(acquire(db.db(), "b").await, "{cut:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_that_died_are_not_noticed() {
    let (_db, proxy, cut_off) = behind_a_proxy().await;
    for write in [false, true, false, true] {
        // As many idle ones as the pool may have.
        let mut busy = Vec::new();
        for _ in 0..TestDb::options().max_connections {
            busy.push(cut_off.read().await.unwrap());
        }
        drop(busy);
        proxy.cut_all().await;
        if write {
            cut_off.write(|tx| Box::pin(async move { cursor::set(tx, "a", "b").await })).await.unwrap();
        } else {
            cut_off.ping().await.unwrap();
        }
    }
    assert_eq!(cursor::get(cut_off.read().await.unwrap().c(), "a").await.unwrap().as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_could_not_be_serialized_runs_again() {
    let db = TestDb::new(Engine::Postgres).await;
    let serializable = with_setting(&db, "default_transaction_isolation]=serializable", &TestDb::options()).await;
    let (both_have_read, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    // Each writes what the other has read: no order of the two explains what both saw.
    let tasks = [("a", "b"), ("b", "a")].map(|(own, other)| {
        let (db, both_have_read, runs) = (serializable.clone(), both_have_read.clone(), runs.clone());
        tokio::spawn(async move {
            let (both_have_read, runs) = (&both_have_read, &runs);
            let mut first = true;
            db.write(|tx| {
                let first = std::mem::take(&mut first);
                Box::pin(async move {
                    runs.fetch_add(1, Ordering::Relaxed);
                    let seen = cursor::get(tx.c(), other).await?;
                    if first {
                        both_have_read.wait().await;
                    }
                    cursor::set(tx, own, if seen.is_some() { "second" } else { "first" }).await
                })
            })
            .await
        })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    // The server may refuse more often than it has to.
    assert!(runs.load(Ordering::Relaxed) >= 3);
    let mut conn = db.db().read().await.unwrap();
    let mut values = [cursor::get(conn.c(), "a").await.unwrap(), cursor::get(conn.c(), "b").await.unwrap()];
    values.sort();
    assert_eq!(values.map(Option::unwrap), ["first", "second"], "as if one had come after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_leaves_a_server_that_became_a_standby() {
    let db = TestDb::new(Engine::Postgres).await;
    // More sessions on the old server than a write has runs.
    let many = Options { max_connections: 12, ..TestDb::options() };
    let failed_over = Db::connect(db.url(), &many).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..many.max_connections {
        let mut conn = failed_over.read().await.unwrap();
        let C::Pg(session) = conn.c() else { panic!("not Postgres") };
        sqlx::query("SET default_transaction_read_only = on").execute(session).await.unwrap();
        sessions.push(conn);
    }
    drop(sessions);
    let mut runs = 0;
    failed_over
        .write(|tx| {
            runs += 1;
            Box::pin(async move { cursor::set(tx, "a", "b").await })
        })
        .await
        .unwrap();
    assert_eq!(runs, 2, "one session is enough to know about all");
    assert_eq!(cursor::get(db.db().read().await.unwrap().c(), "a").await.unwrap().as_deref(), Some("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_whose_session_is_ended_by_the_server_runs_again() {
    let db = TestDb::new(Engine::Postgres).await;
    let killer = db.db();
    let one = Db::connect(db.url(), &Options { max_connections: 1, ..TestDb::options() }).await.unwrap();
    let mut runs = 0;
    one.write(|tx| {
        runs += 1;
        let first = runs == 1;
        Box::pin(async move {
            cursor::set(tx, "a", if first { "first" } else { "second" }).await?;
            if first {
                let C::Pg(session) = tx.c() else { panic!("not Postgres") };
                let (pid,): (i32,) = sqlx::query_as("SELECT pg_backend_pid()").fetch_one(session).await?;
                let mut conn = killer.read().await?;
                let C::Pg(other) = conn.c() else { panic!("not Postgres") };
                sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(other).await?;
            }
            Ok::<_, Error>(())
        })
    })
    .await
    .unwrap();
    assert_eq!(runs, 2, "its COMMIT met the end of the session");
    let value =
        until("it is written", async || cursor::get(db.db().read().await.unwrap().c(), "a").await.unwrap()).await;
    assert_eq!(value, "second");
}

//! Notices between processes.

use tokio::time::timeout;
use tollkeeper_store::{
    Db, Error, cursor, notice,
    notice::{Channel, Heard, Listener},
};
use tollkeeper_testkit::{
    both_engines,
    database::{Engine, TestDb},
    process::PATIENCE,
    proxy::CutProxy,
};

async fn tell(db: &Db, channel: Channel, payload: &str) {
    db.write(|tx| Box::pin(async move { notice::tell(tx, channel, payload).await })).await.unwrap();
}

async fn hear(listener: &mut Listener) -> Heard {
    timeout(PATIENCE, listener.hear()).await.expect("something is heard in time").unwrap()
}

fn notice(channel: Channel, payload: &str) -> Heard {
    Heard::Notice(channel, payload.to_owned())
}

both_engines! {
    async fn telling_is_part_of_a_write_on_either_engine(db: TestDb) {
        tell(db.db(), Channel::Gate, "org_1").await;
        let listener = Listener::start(db.db()).await.unwrap();
        assert_eq!(listener.is_some(), db.db().is_postgres(), "on SQLite nobody else is there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_heard_elsewhere_when_it_is_committed_and_only_then() {
    let db = TestDb::new(Engine::Postgres).await;
    let other = Db::connect(db.url(), &TestDb::options()).await.unwrap();
    let mut listener = Listener::start(&other).await.unwrap().unwrap();
    let failed = db
        .db()
        .write(|tx| {
            Box::pin(async move {
                notice::tell(tx, Channel::Gate, "rolled back").await?;
                Err::<(), _>(Error::Overloaded)
            })
        })
        .await;
    assert!(failed.is_err());
    let outside = db.db();
    db.db()
        .write(|tx| {
            Box::pin(async move {
                notice::tell(tx, Channel::Gate, "org_1").await?;
                // Told by another transaction that commits before this one: it is heard first.
                tell(outside, Channel::Inbox, "before the commit").await;
                cursor::set(tx, "a", "b").await
            })
        })
        .await
        .unwrap();
    assert_eq!(hear(&mut listener).await, notice(Channel::Inbox, "before the commit"));
    assert_eq!(hear(&mut listener).await, notice(Channel::Gate, "org_1"));
    // What is heard next is the next that was told: nothing was left of the one that was rolled back.
    tell(db.db(), Channel::Inbox, "last").await;
    assert_eq!(hear(&mut listener).await, notice(Channel::Inbox, "last"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_connects_again_and_tells_that_it_missed_something() {
    let db = TestDb::new(Engine::Postgres).await;
    let proxy = CutProxy::start(db.url()).await;
    let cut_off = Db::connect(proxy.url(), &TestDb::options()).await.unwrap();
    let mut listener = Listener::start(&cut_off).await.unwrap().unwrap();
    tell(db.db(), Channel::Gate, "org_1").await;
    assert_eq!(hear(&mut listener).await, notice(Channel::Gate, "org_1"));
    proxy.cut_all().await;
    tell(db.db(), Channel::Gate, "lost").await;
    assert_eq!(hear(&mut listener).await, Heard::Gap);
    tell(db.db(), Channel::Gate, "org_2").await;
    assert_eq!(hear(&mut listener).await, notice(Channel::Gate, "org_2"));
    cut_off.close().await;
}

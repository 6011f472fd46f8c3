//! People who signed in.

use tollkeeper_store::{
    Constraint, Error,
    session::{self, Session},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

fn sample_of(id: &str, expires: i64) -> Session {
    Session {
        id: id.into(),
        user_id: "usr_1".into(),
        organization_id: Some("org_1".into()),
        tokens: vec![0, 255, 1],
        created_at: sample::machine(10),
        expires_at: sample::machine(expires),
        version: 0,
    }
}

both_engines! {
    async fn a_session_comes_back_as_it_was_written(db: TestDb) {
        let (one, two) = (sample_of("one", 20), Session { organization_id: None, tokens: vec![], ..sample_of("two", 30) });
        for it in [&one, &two] {
            db.db().write(|tx| Box::pin(session::create(tx, it))).await.unwrap();
        }
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(session::find(conn.c(), "one").await.unwrap(), Some(one.clone()));
        assert_eq!(session::find(conn.c(), "two").await.unwrap(), Some(two));
        assert_eq!(session::find(conn.c(), "three").await.unwrap(), None);
        let again = db.db().write(|tx| Box::pin(session::create(tx, &one))).await;
        assert!(matches!(again, Err(Error::Constraint(Constraint::Other(_)))), "{again:?}");
    }

    async fn tokens_are_replaced_by_whoever_knows_their_version(db: TestDb) {
        let one = sample_of("one", 20);
        db.db().write(|tx| Box::pin(session::create(tx, &one))).await.unwrap();
        let renew = |version, tokens: &'static [u8]| db.db().write(move |tx| {
            Box::pin(async move { session::renew(tx, "one", version, tokens).await })
        });
        assert!(renew(0, b"first").await.unwrap());
        assert!(!renew(0, b"second").await.unwrap(), "somebody was faster");
        let mut conn = db.db().read().await.unwrap();
        let found = session::find(conn.c(), "one").await.unwrap().unwrap();
        assert_eq!((&found.tokens[..], found.version), (&b"first"[..], 1));
        assert_eq!(Session { tokens: one.tokens.clone(), version: 0, ..found }, one, "nothing else has changed");

        let end = |version| db.db().write(move |tx| Box::pin(async move { session::end_version(tx, "one", version).await }));
        assert!(!end(0).await.unwrap(), "its tokens are others by now");
        assert!(end(1).await.unwrap());
        assert!(!renew(1, b"late").await.unwrap(), "what has ended does not come back");
        assert_eq!(session::find(conn.c(), "one").await.unwrap(), None);
    }

    async fn a_session_lasts_longer_and_never_shorter(db: TestDb) {
        let one = sample_of("one", 20);
        db.db().write(|tx| Box::pin(session::create(tx, &one))).await.unwrap();
        for until in [40, 30] {
            db.db().write(|tx| Box::pin(session::extend(tx, "one", sample::machine(until)))).await.unwrap();
        }
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(session::find(conn.c(), "one").await.unwrap().unwrap().expires_at, sample::machine(40));
        assert!(db.db().write(|tx| Box::pin(session::end(tx, "one"))).await.unwrap());
        assert!(!db.db().write(|tx| Box::pin(session::end(tx, "one"))).await.unwrap());
    }

    async fn what_is_over_is_forgotten_a_few_at_a_time(db: TestDb) {
        for (id, expires) in [("a", 20), ("b", 21), ("c", 22), ("d", 23)] {
            let one = &sample_of(id, expires);
            db.db().write(|tx| Box::pin(session::create(tx, one))).await.unwrap();
        }
        let forget = |limit| db.db().write(move |tx| Box::pin(async move { session::forget(tx, sample::machine(22), limit).await }));
        assert_eq!(forget(2).await.unwrap(), 2);
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(session::find(conn.c(), "b").await.unwrap(), None, "the oldest go first");
        assert!(session::find(conn.c(), "c").await.unwrap().is_some());
        assert_eq!(forget(2).await.unwrap(), 1, "over is over at that very moment");
        assert!(session::find(conn.c(), "d").await.unwrap().is_some());
        assert_eq!(forget(2).await.unwrap(), 0);
    }
}

//! What we owe, in order.

use tollkeeper_core::{effect::EffectKind, ids::OrganizationId};
use tollkeeper_store::{Db, Decision, Error, account, outbox, outbox::OutboxState};
use tollkeeper_testkit::both_engines;

use crate::sample;

const HOOKS: &str = "hooks";

/// Writes one decision with these effects; answers its seq.
async fn owe(db: &Db, organization: &str, effects: &[EffectKind]) -> i64 {
    let before = &account::load(db.read().await.unwrap().c(), &organization.into()).await.unwrap().unwrap();
    let transition = &sample::transition(before, None, effects);
    let cause = &sample::cause();
    db.write(|tx| {
        Box::pin(async move {
            account::save(tx, Decision { before, transition, cause }, &[HOOKS, "https"], sample::at(1)).await?;
            Ok::<_, Error>(before.organization.version + 1)
        })
    })
    .await
    .unwrap()
}

async fn head(db: &Db, now: i64) -> Vec<(String, i64, EffectKind)> {
    let owing = outbox::owing(db.read().await.unwrap().c(), HOOKS, "", sample::machine(now), 10).await.unwrap();
    let mut heads = Vec::new();
    for id in owing {
        let (seq, kind) = next(db, id.as_str(), now).await.unwrap();
        heads.push((id.into_string(), seq, kind));
    }
    heads
}

async fn next(db: &Db, organization: &str, now: i64) -> Option<(i64, EffectKind)> {
    let mut conn = db.read().await.unwrap();
    let row = outbox::due(conn.c(), HOOKS, &[organization], sample::machine(now), 1).await.unwrap().pop();
    row.map(|row| (row.seq, row.kind))
}

async fn delivered(db: &Db, organization: &str, seq: i64, kind: EffectKind) -> bool {
    let rows = outbox::list(db.read().await.unwrap().c(), &organization.into()).await.unwrap();
    let row = rows.iter().find(|row| (row.seq, row.kind, row.sink.as_str()) == (seq, kind, HOOKS)).unwrap();
    db.write(|tx| Box::pin(async move { outbox::delivered(tx, &[row]).await })).await.unwrap() == [true]
}

both_engines! {
    async fn what_is_not_told_is_counted_and_listed(db: TestDb) {
        use EffectKind::{CustomerCreated, EntitlementsChanged, TrialStarted};
        let look = async || {
            let mut connection = db.db().read().await.unwrap();
            let troubled = outbox::troubled(connection.c()).await.unwrap();
            let rows = outbox::not_told(connection.c(), 10).await.unwrap();
            let rows: Vec<_> = rows.into_iter().map(|row| (row.state, row.kind, row.last_error.unwrap())).collect();
            ((troubled.dead, troubled.waiting, troubled.failing), rows)
        };
        assert_eq!(look().await, ((0, 0, 0), vec![]));
        sample::add_organization(db.db(), "org_1").await;
        let seq = owe(db.db(), "org_1", &[CustomerCreated, EntitlementsChanged, TrialStarted]).await;
        let id = &OrganizationId::from("org_1");
        db.db()
            .write(|tx| {
                Box::pin(async move {
                    outbox::dead(tx, id, seq, CustomerCreated, HOOKS, "gone").await?;
                    outbox::retry(tx, id, seq, TrialStarted, HOOKS, sample::machine(60), "503").await
                })
            })
            .await
            .unwrap();
        let told = vec![
            (OutboxState::Dead, CustomerCreated, "gone".to_owned()),
            (OutboxState::Pending, TrialStarted, "503".to_owned()),
        ];
        // Each is owed to two sinks.
        assert_eq!(look().await, ((1, 5, 1), told));
    }

    async fn many_are_read_and_noted_at_once_each_up_to_what_is_not_due(db: TestDb) {
        use EffectKind::{CustomerCreated, EntitlementsChanged, TrialStarted};
        for id in ["org_1", "org_2", "org_3"] {
            sample::add_organization(db.db(), id).await;
        }
        let first = owe(db.db(), "org_1", &[EntitlementsChanged, TrialStarted]).await;
        owe(db.db(), "org_2", &[CustomerCreated]).await;
        let (id, until) = (&OrganizationId::from("org_1"), sample::machine(60));
        let postpone = async |kind| {
            db.db()
                .write(|tx| Box::pin(async move { outbox::retry(tx, id, first, kind, HOOKS, until, "503").await }))
                .await
                .unwrap()
        };
        let due = async |now| {
            let mut conn = db.db().read().await.unwrap();
            outbox::due(conn.c(), HOOKS, &["org_1", "org_2", "org_3"], sample::machine(now), 10).await.unwrap()
        };
        let kinds = |rows: &[outbox::OutboxRow]| rows.iter().map(|row| row.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&due(0).await), [TrialStarted, EntitlementsChanged, CustomerCreated]);
        assert!(postpone(EntitlementsChanged).await);
        assert_eq!(kinds(&due(0).await), [TrialStarted, CustomerCreated]);
        assert!(postpone(TrialStarted).await);
        assert_eq!(kinds(&due(0).await), [CustomerCreated], "what follows waits too");
        let rows = due(60).await;
        assert_eq!(kinds(&rows), [TrialStarted, EntitlementsChanged, CustomerCreated]);
        let rows: &Vec<&outbox::OutboxRow> = &rows.iter().collect();
        assert_eq!(db.db().write(|tx| Box::pin(async move { outbox::delivered(tx, &rows[..2]).await })).await.unwrap(), [true, true]);
        assert_eq!(db.db().write(|tx| Box::pin(async move { outbox::delivered(tx, rows).await })).await.unwrap(), [false, false, true]);
        assert_eq!(due(60).await, []);
    }

    async fn only_the_head_of_an_organization_is_handed_out(db: TestDb) {
        use EffectKind::{CustomerCreated, EntitlementsChanged, SubscriptionCompleted, TrialStarted};
        for id in ["org_1", "org_2"] {
            sample::add_organization(db.db(), id).await;
        }
        let first = owe(db.db(), "org_1", &[EntitlementsChanged, TrialStarted, SubscriptionCompleted]).await;
        let second = owe(db.db(), "org_1", &[CustomerCreated]).await;
        let other = owe(db.db(), "org_2", &[CustomerCreated]).await;
        assert_eq!(outbox::pending_count(db.db().read().await.unwrap().c()).await.unwrap(), 10);

        let theirs = ("org_2".to_owned(), other, CustomerCreated);
        let ours = |seq, kind| ("org_1".to_owned(), seq, kind);
        // In the order of the kinds within a seq, whatever order they were decided in.
        for (seq, kind) in [(first, SubscriptionCompleted), (first, TrialStarted), (first, EntitlementsChanged), (second, CustomerCreated)] {
            assert_eq!(head(db.db(), 0).await, [ours(seq, kind), theirs.clone()]);
            let next = next(db.db(), "org_1", 0).await;
            assert_eq!(next, Some((seq, kind)));
            assert!(delivered(db.db(), "org_1", seq, kind).await);
            assert!(!delivered(db.db(), "org_1", seq, kind).await);
        }
        assert_eq!(head(db.db(), 0).await, [theirs]);
        assert_eq!(next(db.db(), "org_1", 0).await, None);
        assert_eq!(outbox::pending_count(db.db().read().await.unwrap().c()).await.unwrap(), 6, "the other sink is owed all");
        let mut conn = db.db().read().await.unwrap();
        for (after, next) in [("", Some("org_1")), ("org_1", Some("org_2")), ("org_2", None)] {
            let limited = outbox::owing(conn.c(), "https", after, sample::machine(0), 1).await.unwrap();
            assert_eq!(limited.iter().map(|id| id.as_str()).collect::<Vec<_>>(), Vec::from_iter(next), "after {after}");
        }
    }

    async fn a_failing_head_holds_up_its_organization_until_it_is_given_up(db: TestDb) {
        use EffectKind::{CustomerCreated, PaymentFailed};
        for id in ["org_1", "org_2"] {
            sample::add_organization(db.db(), id).await;
        }
        let first = owe(db.db(), "org_1", &[CustomerCreated]).await;
        let second = owe(db.db(), "org_1", &[PaymentFailed]).await;
        let other = owe(db.db(), "org_2", &[CustomerCreated]).await;
        let id = &OrganizationId::from("org_1");
        let retry = |until| {
            let until = sample::machine(until);
            db.db().write(move |tx| {
                Box::pin(async move { outbox::retry(tx, id, first, CustomerCreated, HOOKS, until, "refused: 500").await })
            })
        };
        assert!(retry(60).await.unwrap());
        assert_eq!(head(db.db(), 59).await, [("org_2".to_owned(), other, CustomerCreated)], "the second one waits too");
        assert_eq!(next(db.db(), "org_1", 59).await, None, "also when it is asked for by name");
        let mut conn = db.db().read().await.unwrap();
        let due = outbox::due(conn.c(), HOOKS, &["org_1", "org_2"], sample::machine(60), 1).await.unwrap();
        drop(conn);
        assert_eq!((due[0].attempts, due[0].last_error.as_deref()), (1, Some("refused: 500")));
        assert_eq!(due[0].next_attempt_at, Some(sample::machine(60)));

        let dead = || db.db().write(|tx| Box::pin(async move { outbox::dead(tx, id, first, CustomerCreated, HOOKS, "gone").await }));
        assert!(dead().await.unwrap());
        assert!(!dead().await.unwrap());
        assert!(!retry(90).await.unwrap());
        assert!(head(db.db(), 60).await.contains(&("org_1".to_owned(), second, PaymentFailed)));
        let rows = outbox::list(db.db().read().await.unwrap().c(), id).await.unwrap();
        let states: Vec<_> = rows.iter().map(|row| (row.seq, row.sink.as_str(), row.state, row.attempts)).collect();
        assert_eq!(states, [
            (first, HOOKS, OutboxState::Dead, 2),
            (first, "https", OutboxState::Pending, 0),
            (second, HOOKS, OutboxState::Pending, 0),
            (second, "https", OutboxState::Pending, 0),
        ]);
    }
}

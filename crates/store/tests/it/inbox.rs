//! The inbox, and the writer in front of it.

use tollkeeper_core::{
    ids::{EventId, Source},
    time::MachineTime,
};
use tollkeeper_store::{
    Db, Error, inbox,
    inbox::{Delivery, Filter, InboxState, Put, Writer},
};
use tollkeeper_testkit::both_engines;

use crate::sample;

pub(crate) fn delivery(event: &str, subject: &str, received: i64) -> Delivery {
    Delivery {
        source: "chargebee".into(),
        event_id: event.into(),
        event_type: "subscription_changed".into(),
        subject: subject.into(),
        occurred_at: Some(sample::at(received - 1)),
        received_at: sample::machine(received),
        body: vec![0, 159, 146, 150, 255].into(),
    }
}

fn source() -> Source {
    "chargebee".into()
}

fn ids(ids: &[&str]) -> Vec<EventId> {
    ids.iter().map(|id| EventId::from(*id)).collect()
}

pub(crate) async fn put(db: &Db, deliveries: Vec<Delivery>) {
    let writer = Writer::start(db.clone());
    for delivery in deliveries {
        assert_eq!(writer.put(delivery).await.unwrap(), Put::New);
    }
    writer.stop().await;
}

async fn subjects(db: &Db, now: i64, limit: i64) -> Vec<String> {
    subjects_after(db, "", now, limit).await
}

async fn subjects_after(db: &Db, after: &str, now: i64, limit: i64) -> Vec<String> {
    let after = (source(), after.to_owned());
    let mut conn = db.read().await.unwrap();
    let rows = inbox::pending_subjects(conn.c(), &after, sample::machine(now), None, limit).await.unwrap();
    rows.into_iter().map(|(source, subject)| format!("{source} {subject}")).collect()
}

both_engines! {
    async fn a_delivery_comes_back_as_it_was_put(db: TestDb) {
        let writer = Writer::start(db.db().clone());
        let full = delivery("ev_1", "subscription:s1", 10);
        assert_eq!(writer.put(full.clone()).await.unwrap(), Put::New);
        let bare = Delivery { occurred_at: None, body: Default::default(), ..delivery("ev_2", "other", 11) };
        assert_eq!(writer.put(bare).await.unwrap(), Put::New);
        let elsewhere = Delivery { source: "stripe".into(), ..full.clone() };
        assert_eq!(writer.put(elsewhere).await.unwrap(), Put::New, "an id is unique within its source");
        let changed = Delivery { event_type: "other".into(), received_at: sample::machine(99), ..full.clone() };
        assert_eq!(writer.put(changed).await.unwrap(), Put::Duplicate);

        let mut conn = db.db().read().await.unwrap();
        let row = inbox::get(conn.c(), &source(), &"ev_1".into()).await.unwrap().unwrap();
        assert_eq!((row.source, row.event_id, row.event_type), (full.source, full.event_id, full.event_type));
        assert_eq!((row.subject, row.occurred_at, row.received_at), (full.subject, full.occurred_at, full.received_at));
        assert_eq!((row.seen, row.body, row.state), (2, full.body, InboxState::Pending));
        assert_eq!((row.why, row.attempts, row.next_attempt_at, row.last_error), (None, 0, None, None));
        let bare = inbox::get(conn.c(), &source(), &"ev_2".into()).await.unwrap().unwrap();
        assert_eq!((bare.subject.as_str(), bare.occurred_at, bare.body.len()), ("other:ev_2", None, 0));
        assert_eq!(inbox::get(conn.c(), &source(), &"ev_none".into()).await.unwrap(), None);
    }

    async fn of_a_thousand_at_once_each_id_is_new_exactly_once(db: TestDb) {
        let writer = Writer::start(db.db().clone());
        // 250 ids, four times each, so that repeats meet within a batch and across batches.
        let tasks: Vec<_> = (0..1000)
            .map(|number| {
                let writer = writer.clone();
                tokio::spawn(async move { writer.put(delivery(&format!("ev_{}", number % 250), "other", number)).await.unwrap() })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap() == Put::New);
        }
        assert_eq!(sample::tally(answers), [(false, 750), (true, 250)].into());
        let rows = inbox::list(db.db().read().await.unwrap().c(), &Filter::default(), 2000).await.unwrap();
        assert_eq!((rows.len(), rows.iter().all(|row| row.seen == 4)), (250, true));
    }

    async fn two_processes_put_the_same_deliveries(db: TestDb) {
        let other = Db::connect(db.url(), &tollkeeper_testkit::database::TestDb::options()).await.unwrap();
        let writers = [Writer::start(db.db().clone()), Writer::start(other)];
        let tasks: Vec<_> = (0..400)
            .map(|number| {
                // The second one in the opposite order.
                let event = if number % 2 == 0 { number / 2 } else { 199 - number / 2 };
                let writer = writers[number % 2].clone();
                tokio::spawn(async move { writer.put(delivery(&format!("ev_{event}"), "other", 1)).await.unwrap() })
            })
            .collect();
        let mut new = 0;
        for task in tasks {
            new += usize::from(task.await.unwrap() == Put::New);
        }
        assert_eq!(new, 200);
    }

    async fn a_delivery_that_cannot_be_stored_does_not_harm_the_others(db: TestDb) {
        let writer = Writer::start(db.db().clone());
        let puts: Vec<_> = ["ev_1", "ev_\0", "ev_2"].map(|event| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.put(delivery(event, "other", 1)).await })
        }).into();
        let mut results = Vec::new();
        for put in puts {
            results.push(put.await.unwrap());
        }
        assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
        // Postgres has no NUL in a text; SQLite has.
        assert_eq!(results[1].is_err(), db.db().is_postgres(), "{results:?}");
        assert!(results[1].as_ref().err().is_none_or(|error| !error.is_unavailable()));
    }

    async fn a_stopped_writer_has_stored_what_it_took_and_takes_no_more(db: TestDb) {
        let writer = Writer::start(db.db().clone());
        let puts: Vec<_> = (0..300).map(|number| writer.put(delivery(&format!("ev_{number}"), "other", 1))).collect();
        let puts: Vec<_> = puts.into_iter().map(Box::pin).collect();
        let (answers, ()) = tokio::join!(join(puts), async {
            tokio::task::yield_now().await;
            writer.stop().await;
        });
        let stored = answers.iter().filter(|answer| answer.is_ok()).count();
        let rows = inbox::list(db.db().read().await.unwrap().c(), &Filter::default(), 2000).await.unwrap();
        assert_eq!(rows.len(), stored);
        assert!(writer.put(delivery("ev_late", "other", 1)).await.unwrap_err().is_unavailable());
        writer.stop().await;
    }

    async fn a_writer_whose_database_is_away_says_so(db: TestDb) {
        let writer = Writer::start(db.db().clone());
        db.db().close().await;
        assert!(writer.put(delivery("ev_1", "other", 1)).await.unwrap_err().is_unavailable());
    }

    async fn subjects_are_handed_out_once_and_in_order(db: TestDb) {
        put(db.db(), vec![
            delivery("ev_1", "subscription:b", 10),
            delivery("ev_2", "subscription:a", 20),
            delivery("ev_3", "subscription:b", 30),
            delivery("ev_4", "other", 15),
            delivery("ev_5", "other", 16),
        ]).await;
        let all = ["chargebee other:ev_4", "chargebee other:ev_5", "chargebee subscription:a", "chargebee subscription:b"];
        assert_eq!(subjects(db.db(), 0, 10).await, all);
        assert_eq!(subjects(db.db(), 0, 2).await, all[..2]);
        assert_eq!(subjects_after(db.db(), "other:ev_5", 0, 10).await, all[2..]);
        assert_eq!(subjects_after(db.db(), "subscription:b", 0, 10).await, <[&str; 0]>::default());
        let mut conn = db.db().read().await.unwrap();
        let now = MachineTime::from_micros(0);
        let rows = inbox::pending(conn.c(), &[(&source(), "subscription:b")], now, 10).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.event_id).collect::<Vec<_>>(), ids(&["ev_1", "ev_3"]));
        assert_eq!(inbox::pending(conn.c(), &[(&source(), "subscription:b")], now, 1).await.unwrap().len(), 1);
        assert_eq!(inbox::pending(conn.c(), &[(&source(), "other:ev_5")], now, 10).await.unwrap().len(), 1);
        // Of each its own oldest.
        let (ours, theirs) = (source(), Source::from("scalekit"));
        let about = [(&ours, "subscription:b"), (&ours, "subscription:a"), (&theirs, "subscription:a"), (&ours, "no")];
        let rows = inbox::pending(conn.c(), &about, now, 1).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.event_id).collect::<Vec<_>>(), ids(&["ev_1", "ev_2"]));
        assert_eq!(inbox::pending(conn.c(), &about, now, 2).await.unwrap().len(), 3);
        assert_eq!(inbox::pending(conn.c(), &[], now, 1).await.unwrap(), []);
    }

    async fn a_delivery_ends_once_and_with_a_reason(db: TestDb) {
        put(db.db(), (1..=5).map(|number| delivery(&format!("ev_{number}"), &format!("subscription:{number}"), number)).collect()).await;
        let source = &source();
        let (done, ignored, late) = (&ids(&["ev_1", "ev_none"]), &ids(&["ev_2"]), &ids(&["ev_3", "ev_4"]));
        db.db()
            .write(|tx| {
                Box::pin(async move {
                    assert_eq!(inbox::settle(tx, source, done, "seats are 5 now").await?, 1);
                    assert_eq!(inbox::settle(tx, source, done, "again").await?, 0);
                    assert_eq!(inbox::ignore(tx, source, ignored, "unknown customer").await?, 1);
                    assert_eq!(inbox::retry(tx, source, late, "503", sample::machine(60), true).await?, 2);
                    assert_eq!(inbox::retry(tx, source, late, "429", sample::machine(90), false).await?, 2);
                    assert_eq!(inbox::dead(tx, source, &late[1..], "gave up").await?, 1);
                    assert_eq!(inbox::dead(tx, source, done, "too late").await?, 0);
                    assert_eq!(inbox::settle(tx, source, &[], "nothing").await?, 0);
                    Ok::<_, Error>(())
                })
            })
            .await
            .unwrap();
        let mut conn = db.db().read().await.unwrap();
        let mut rows = inbox::list(conn.c(), &Filter::default(), 10).await.unwrap();
        rows.reverse();
        let fates: Vec<_> = rows.iter().map(|row| (row.state, row.why.as_deref(), row.attempts, row.last_error.as_deref())).collect();
        assert_eq!(fates, [
            (InboxState::Done, Some("seats are 5 now"), 0, None),
            (InboxState::Ignored, Some("unknown customer"), 0, None),
            (InboxState::Pending, None, 1, Some("429")),
            (InboxState::Dead, None, 2, Some("gave up")),
            (InboxState::Pending, None, 0, None),
        ]);
        assert_eq!(rows[2].next_attempt_at, Some(sample::machine(90)));
        assert_eq!(subjects(db.db(), 89, 10).await, ["chargebee subscription:5"]);
        assert_eq!(subjects(db.db(), 90, 10).await, ["chargebee subscription:3", "chargebee subscription:5"]);
        let counts = inbox::counts(conn.c()).await.unwrap();
        let expected = [(InboxState::Dead, 1), (InboxState::Done, 1), (InboxState::Ignored, 1), (InboxState::Pending, 2)];
        assert_eq!(counts, expected.map(|(state, count)| (source.clone(), state, count)));

        let replay = |id: &'static str| db.db().write(move |tx| Box::pin(async move { inbox::replay(tx, source, &id.into()).await }));
        assert!(replay("ev_4").await.unwrap());
        assert!(!replay("ev_none").await.unwrap());
        // What waits for its next try is hurried; of what was settled, the old fate is told no more.
        assert!(replay("ev_3").await.unwrap());
        assert!(replay("ev_1").await.unwrap());
        for id in ["ev_1", "ev_3", "ev_4"] {
            let row = inbox::get(conn.c(), source, &id.into()).await.unwrap().unwrap();
            assert_eq!((row.state, row.attempts, row.next_attempt_at), (InboxState::Pending, 0, None), "{id}");
            assert_eq!((row.why, row.last_error), (None, None), "{id}");
        }
    }

    async fn the_list_is_filtered_and_paged(db: TestDb) {
        let mut deliveries: Vec<_> = (1..=4).map(|number| delivery(&format!("ev_{number}"), "subscription:a", number)).collect();
        deliveries[1].subject = "subscription:b".into();
        deliveries[2].source = "stripe".into();
        put(db.db(), deliveries).await;
        let list = async |filter: Filter| {
            let rows = inbox::list(db.db().read().await.unwrap().c(), &filter, 3).await.unwrap();
            rows.into_iter().map(|row| row.event_id.into_string()).collect::<Vec<_>>()
        };
        assert_eq!(list(Filter::default()).await, ["ev_4", "ev_3", "ev_2"]);
        assert_eq!(list(Filter { before: Some(sample::machine(2)), ..Filter::default() }).await, ["ev_1"]);
        assert_eq!(list(Filter { source: Some("stripe".into()), ..Filter::default() }).await, ["ev_3"]);
        assert_eq!(list(Filter { subject: Some("subscription:b".into()), ..Filter::default() }).await, ["ev_2"]);
        assert_eq!(list(Filter { state: Some(InboxState::Pending), ..Filter::default() }).await, ["ev_4", "ev_3", "ev_2"]);
        let arrived = async |from: i64, limit: i64| {
            let rows = inbox::arrived(db.db().read().await.unwrap().c(), sample::machine(from), limit).await.unwrap();
            rows.into_iter().map(|row| row.event_id.into_string()).collect::<Vec<_>>()
        };
        assert_eq!(arrived(2, 2).await, ["ev_2", "ev_3"]);
        assert_eq!(arrived(4, 9).await, ["ev_4"]);
        assert_eq!(arrived(5, 9).await, [""; 0]);
        let stripe = &"stripe".into();
        let gone = &ids(&["ev_3"]);
        db.db().write(|tx| Box::pin(async move { inbox::dead(tx, stripe, gone, "gave up").await })).await.unwrap();
        assert_eq!(list(Filter { state: Some(InboxState::Dead), ..Filter::default() }).await, ["ev_3"]);
        assert_eq!(list(Filter { state: Some(InboxState::Done), ..Filter::default() }).await, [""; 0]);
    }
}

/// Waits for all of them at once.
async fn join<F: Future<Output = Result<Put, Error>> + Unpin>(mut futures: Vec<F>) -> Vec<Result<Put, Error>> {
    let mut results: Vec<Option<Result<Put, Error>>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(answer) = std::pin::Pin::new(future).poll(context)
            {
                *result = Some(answer);
            }
        }
        if results.iter().all(Option::is_some) {
            std::task::Poll::Ready(std::mem::take(&mut results).into_iter().flatten().collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

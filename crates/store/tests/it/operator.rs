//! What a person does with the inbox.

use tollkeeper_core::ids::EventId;
use tollkeeper_store::{
    Db, Error, inbox,
    inbox::{Filter, InboxState, Replay},
};
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{inbox::delivery, sample};

/// Six deliveries, received at 1 to 6: dead, done, ignored, dead, pending after a failed try, dead of another sender.
async fn fill(db: &TestDb) {
    let mut deliveries: Vec<_> =
        (1..=6).map(|number| delivery(&format!("ev_{number}"), "subscription:a", number)).collect();
    deliveries[5].source = "stripe".into();
    crate::inbox::put(db.db(), deliveries).await;
    let [chargebee, stripe] = &["chargebee".into(), "stripe".into()];
    let id = |number: usize| [EventId::from(format!("ev_{number}"))];
    db.db()
        .write(|tx| {
            Box::pin(async move {
                inbox::dead(tx, chargebee, &id(1), "gave up").await?;
                inbox::settle(tx, chargebee, &id(2), "done").await?;
                inbox::ignore(tx, chargebee, &id(3), "nothing to do").await?;
                inbox::dead(tx, chargebee, &id(4), "gave up").await?;
                inbox::retry(tx, chargebee, &id(5), "503", sample::machine(99), true).await?;
                inbox::dead(tx, stripe, &id(6), "gave up").await?;
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
}

async fn replay(db: &Db, which: Replay) -> (u64, String) {
    let which = &which;
    let count = db.write(|tx| Box::pin(async move { inbox::replay_all(tx, which).await })).await.unwrap();
    let mut rows = inbox::list(db.read().await.unwrap().c(), &Filter::default(), 10).await.unwrap();
    rows.reverse();
    for row in rows.iter().filter(|row| row.state == InboxState::Pending && row.event_id.as_str() != "ev_5") {
        assert_eq!((row.attempts, row.next_attempt_at), (0, None));
        assert_eq!((&row.why, &row.last_error), (&None, &None));
    }
    (count, rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>().join(" "))
}

both_engines! {
    async fn everything_that_was_given_up_is_worked_on_again(db: TestDb) {
        fill(&db).await;
        assert_eq!(replay(db.db(), Replay::default()).await, (3, "pending done ignored pending pending pending".into()));
        assert_eq!(replay(db.db(), Replay::default()).await.0, 0);
        // What waits for its next try goes on waiting.
        let row = inbox::get(db.db().read().await.unwrap().c(), &"chargebee".into(), &"ev_5".into()).await.unwrap().unwrap();
        assert_eq!((row.attempts, row.next_attempt_at), (1, Some(sample::machine(99))));
    }

    async fn a_range_is_worked_on_again(db: TestDb) {
        fill(&db).await;
        let range = Replay { from: Some(sample::machine(2)), until: Some(sample::machine(6)), ..Replay::default() };
        assert_eq!(replay(db.db(), range.clone()).await, (1, "dead done ignored pending pending dead".into()));
        let closed = Replay { closed: true, ..range };
        assert_eq!(replay(db.db(), closed).await, (2, "dead pending pending pending pending dead".into()));
        let theirs = Replay { source: Some("stripe".into()), ..Replay::default() };
        assert_eq!(replay(db.db(), theirs).await, (1, "dead pending pending pending pending pending".into()));
    }

    async fn deliveries_about_some_subjects_are_read(db: TestDb) {
        fill(&db).await;
        crate::inbox::put(db.db(), vec![delivery("ev_7", "subscription:b", 7), delivery("ev_8", "customer:c", 8)]).await;
        let mut conn = db.db().read().await.unwrap();
        let [chargebee, stripe] = &["chargebee".into(), "stripe".into()];
        let mut about = async |subjects: &[(&tollkeeper_core::ids::Source, &str)], limit| {
            let rows = inbox::about(conn.c(), subjects, limit).await.unwrap();
            assert!(rows.iter().all(|row| row.body.is_empty()));
            rows.iter().map(|row| row.event_id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let (a, b, c) = ("subscription:a", "subscription:b", "customer:c");
        assert_eq!(about(&[(chargebee, a)], 10).await, ["ev_5", "ev_4", "ev_3", "ev_2", "ev_1"]);
        assert_eq!(about(&[(chargebee, a)], 2).await, ["ev_5", "ev_4"]);
        assert_eq!(about(&[(chargebee, a), (stripe, a), (chargebee, c)], 3).await, ["ev_8", "ev_6", "ev_5"]);
        assert_eq!(about(&[(stripe, b)], 10).await, Vec::<String>::new());
        assert_eq!(about(&[], 10).await, Vec::<String>::new());
        let many: Vec<_> = (0..200).map(|number| format!("subscription:{number}")).chain([b.to_owned()]).collect();
        let many: Vec<_> = many.iter().skip(1).map(|subject| (chargebee, subject.as_str())).collect();
        assert_eq!(about(&many, 10).await, ["ev_7"]);
    }

    async fn who_sent_a_delivery_is_found_by_its_id(db: TestDb) {
        fill(&db).await;
        let twice = tollkeeper_store::inbox::Delivery { source: "stripe".into(), ..delivery("ev_1", "customer:c", 9) };
        crate::inbox::put(db.db(), vec![twice]).await;
        let mut conn = db.db().read().await.unwrap();
        let found = inbox::senders(conn.c(), &["ev_6", "ev_1", "ev_9", "ev_1"]).await.unwrap();
        let found: Vec<_> = found.iter().map(|(event, source)| (event.as_str(), source.as_str())).collect();
        assert_eq!(found, [("ev_1", "chargebee"), ("ev_1", "stripe"), ("ev_6", "stripe")]);
        assert_eq!(inbox::senders(conn.c(), &[]).await.unwrap(), []);
    }

    async fn a_subject_is_listed_in_every_state(db: TestDb) {
        fill(&db).await;
        crate::inbox::put(db.db(), vec![delivery("ev_7", "subscription:b", 7)]).await;
        let mut conn = db.db().read().await.unwrap();
        let mut list = async |state, subject: &str, limit| {
            let filter = Filter { state, subject: Some(subject.into()), ..Filter::default() };
            let rows = inbox::list(conn.c(), &filter, limit).await.unwrap();
            rows.iter().map(|row| row.event_id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let a = "subscription:a";
        assert_eq!(list(None, a, 10).await, ["ev_6", "ev_5", "ev_4", "ev_3", "ev_2", "ev_1"]);
        assert_eq!(list(None, a, 2).await, ["ev_6", "ev_5"]);
        assert_eq!(list(None, "subscription:b", 10).await, ["ev_7"]);
        assert_eq!(list(Some(InboxState::Pending), a, 10).await, ["ev_5"]);
        assert_eq!(list(Some(InboxState::Dead), a, 10).await, ["ev_6", "ev_4", "ev_1"]);
        assert_eq!(list(Some(InboxState::Dead), "subscription:b", 10).await, Vec::<String>::new());
    }

    async fn what_needs_a_person_is_counted(db: TestDb) {
        assert_eq!(inbox::troubles(db.db().read().await.unwrap().c()).await.unwrap(), []);
        fill(&db).await;
        crate::inbox::put(db.db(), vec![delivery("ev_7", "subscription:b", 7)]).await;
        let troubles = inbox::troubles(db.db().read().await.unwrap().c()).await.unwrap();
        let troubles: Vec<_> =
            troubles.iter().map(|it| (it.source.as_str(), it.dead, it.waiting, it.failing, it.oldest)).collect();
        assert_eq!(troubles, [("chargebee", 2, 2, 1, Some(sample::machine(5))), ("stripe", 1, 0, 0, None)]);
    }

    async fn each_filter_finds_the_same_as_a_look_at_every_row(db: TestDb) {
        fill(&db).await;
        crate::inbox::put(db.db(), vec![delivery("ev_7", "subscription:b", 7)]).await;
        let all = inbox::list(db.db().read().await.unwrap().c(), &Filter::default(), 10).await.unwrap();
        assert_eq!(all.len(), 7);
        let states = [None].into_iter().chain(InboxState::ALL.map(Some));
        for (state, source, subject, before) in states.flat_map(|state| {
            [None, Some("chargebee"), Some("stripe")].into_iter().flat_map(move |source| {
                let subjects = [None, Some("subscription:a"), Some("subscription:b")];
                subjects.into_iter().flat_map(move |subject| [None, Some(5)].map(|at| (state, source, subject, at)))
            })
        }) {
            let before = before.map(sample::machine);
            let wanted: Vec<_> = all
                .iter()
                .filter(|row| state.is_none_or(|state| row.state == state))
                .filter(|row| source.is_none_or(|source| row.source.as_str() == source))
                .filter(|row| subject.is_none_or(|subject| row.subject == subject))
                .filter(|row| before.is_none_or(|before| row.received_at < before))
                .take(3)
                .cloned()
                .collect();
            let filter = Filter { state, source: source.map(Into::into), subject: subject.map(Into::into), before };
            let found = inbox::list(db.db().read().await.unwrap().c(), &filter, 3).await.unwrap();
            assert_eq!(found, wanted, "{filter:?}");
        }
    }

    async fn deliveries_are_counted_by_source_and_state(db: TestDb) {
        assert_eq!(inbox::counts(db.db().read().await.unwrap().c()).await.unwrap(), []);
        fill(&db).await;
        let counts = inbox::counts(db.db().read().await.unwrap().c()).await.unwrap();
        let counts: Vec<_> = counts.iter().map(|(source, state, count)| (source.as_str(), *state, *count)).collect();
        assert_eq!(counts, [
            ("chargebee", InboxState::Dead, 2),
            ("chargebee", InboxState::Done, 1),
            ("chargebee", InboxState::Ignored, 1),
            ("chargebee", InboxState::Pending, 1),
            ("stripe", InboxState::Dead, 1),
        ]);
    }
}

//! The one writer of decisions: all of it or nothing, once.

use tollkeeper_core::{
    account::Account,
    effect::{EffectKind, Transition},
    ids::OrganizationId,
    status::Status,
    subscription::Subscription,
};
use tollkeeper_store::{
    Constraint, Db, Decision, Error, Saved, account, customer, history, link, outbox, subscription,
};
use tollkeeper_testkit::both_engines;

use crate::sample;

async fn load(db: &Db, id: &str) -> Account {
    account::load(db.read().await.unwrap().c(), &id.into()).await.unwrap().unwrap()
}

async fn save(db: &Db, before: &Account, transition: &Transition) -> Result<Saved, Error> {
    let cause = &sample::cause();
    db.write(|tx| {
        Box::pin(async move {
            account::save(tx, Decision { before, transition, cause }, &["hooks", "https"], sample::at(99)).await
        })
    })
    .await
}

/// Everything that a decision may leave behind.
async fn traces(db: &Db, id: &str) -> (Account, Vec<history::HistoryRow>, usize) {
    let mut conn = db.read().await.unwrap();
    let id = &OrganizationId::from(id);
    let history = history::list(conn.c(), id, 0, 1000).await.unwrap();
    let owed = outbox::list(conn.c(), id).await.unwrap().len();
    (account::load(conn.c(), id).await.unwrap().unwrap(), history, owed)
}

both_engines! {
    async fn a_decision_is_written_with_its_history_and_its_effects(db: TestDb) {
        let organization = sample::add_organization(db.db(), "org_1").await;
        let before = load(db.db(), "org_1").await;
        assert_eq!(before, Account { organization, customers: vec![], subscriptions: vec![] });
        let row = Subscription { version: 0, ..sample::subscription("org_1", "tks_1") };
        let mut transition = sample::transition(
            &before,
            Some(row.clone()),
            &[EffectKind::EntitlementsChanged, EffectKind::SubscriptionCreated],
        );
        transition.after.organization.had_trial = false;
        transition.after.customers = vec![sample::customer("cus_1")];
        assert_eq!(save(db.db(), &before, &transition).await.unwrap(), Saved::Written { seq: 8 });

        let (after, history, _) = traces(db.db(), "org_1").await;
        assert_eq!((after.organization.version, after.organization.had_trial), (8, false));
        assert_eq!(after.customers, transition.after.customers);
        assert_eq!(after.subscriptions, std::slice::from_ref(&row));
        let [line] = &history[..] else { panic!("{history:?}") };
        assert_eq!((line.seq, line.at, &line.cause, line.why.as_str()), (8, sample::at(99), &sample::cause(), "because a test says so"));
        assert_eq!((line.subscription_id.as_ref(), &line.before), (Some(&row.id), &None));
        assert_eq!(line.after, Some(serde_json::to_value(&row).unwrap()));
        let owed = outbox::list(db.db().read().await.unwrap().c(), &"org_1".into()).await.unwrap();
        let owed: Vec<_> = owed.iter().map(|row| (row.seq, row.kind, row.sink.as_str(), &row.payload)).collect();
        let created = sample::effect(EffectKind::SubscriptionCreated);
        let changed = sample::effect(EffectKind::EntitlementsChanged);
        assert_eq!(owed, [
            (8, EffectKind::SubscriptionCreated, "hooks", &created),
            (8, EffectKind::SubscriptionCreated, "https", &created),
            (8, EffectKind::EntitlementsChanged, "hooks", &changed),
            (8, EffectKind::EntitlementsChanged, "https", &changed),
        ]);

        let next = Subscription { status: Status::Cancelled, items: row.items[..1].to_vec(), ..row.clone() };
        let transition = sample::transition(&after, Some(next.clone()), &[]);
        assert_eq!(save(db.db(), &after, &transition).await.unwrap(), Saved::Written { seq: 9 });
        let (after, history, _) = traces(db.db(), "org_1").await;
        assert_eq!(after.subscriptions, [Subscription { version: 1, ..next }]);
        assert_eq!(history[1].before, Some(serde_json::to_value(&row).unwrap()));
        assert_eq!(history::list(db.db().read().await.unwrap().c(), &"org_1".into(), 8, 1).await.unwrap(), history[1..]);

        let mut conn = db.db().read().await.unwrap();
        let mut newest = history.clone();
        newest.reverse();
        assert_eq!(history::newest(conn.c(), &"org_1".into(), i64::MAX, 10).await.unwrap(), newest);
        assert_eq!(history::newest(conn.c(), &"org_1".into(), 9, 10).await.unwrap(), history[..1]);
        assert_eq!(history::newest(conn.c(), &"org_1".into(), i64::MAX, 1).await.unwrap(), history[1..]);
        let owed = outbox::list(conn.c(), &"org_1".into()).await.unwrap();
        assert_eq!(outbox::between(conn.c(), &"org_1".into(), 8, 9).await.unwrap(), owed);
        assert_eq!(outbox::between(conn.c(), &"org_1".into(), 9, 9).await.unwrap(), []);
        assert_eq!(outbox::between(conn.c(), &"org_2".into(), 8, 9).await.unwrap(), []);
        drop(conn);

        let mut gone = sample::transition(&after, None, &[]);
        gone.after.customers.clear();
        assert_eq!(save(db.db(), &after, &gone).await.unwrap(), Saved::Written { seq: 10 });
        assert_eq!(load(db.db(), "org_1").await.customers, []);
    }

    async fn a_decision_on_an_old_account_is_lost_and_leaves_no_trace(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let old = load(db.db(), "org_1").await;
        let first = sample::transition(&old, Some(sample::open("org_1", "tks_1", "main")), &[EffectKind::SubscriptionCreated]);
        save(db.db(), &old, &first).await.unwrap();
        let written = traces(db.db(), "org_1").await;
        let second = sample::transition(&old, Some(sample::subscription("org_1", "tks_2")), &[EffectKind::SubscriptionCreated]);
        assert_eq!(save(db.db(), &old, &second).await.unwrap(), Saved::Lost);
        assert_eq!(traces(db.db(), "org_1").await, written);
    }

    async fn a_decision_on_an_old_row_is_lost_and_leaves_no_trace(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let row = sample::open("org_1", "tks_1", "main");
        sample::add_subscription(db.db(), &row).await.unwrap();
        let old = load(db.db(), "org_1").await;
        // The row alone is written, so the organization's version is still what it was.
        let newer = &Subscription { seats: Some(3), ..row.clone() };
        assert!(db.db().write(|tx| Box::pin(async move { subscription::save(tx, newer, 0).await })).await.unwrap());
        let before = traces(db.db(), "org_1").await;
        let next = Subscription { status: Status::Active, ..row };
        let mut decision = sample::transition(&old, Some(next), &[EffectKind::SubscriptionCompleted]);
        decision.after.organization.display_name = "must not stay".into();
        decision.after.customers = vec![sample::customer("cus_1")];
        assert_eq!(save(db.db(), &old, &decision).await.unwrap(), Saved::Lost);
        assert_eq!(traces(db.db(), "org_1").await, before);

        // Likewise for a row that two adopt at once.
        let adopt = sample::transition(&Account { subscriptions: vec![], ..old.clone() }, Some(newer.clone()), &[]);
        assert_eq!(save(db.db(), &old, &adopt).await.unwrap(), Saved::Lost);
        assert_eq!(traces(db.db(), "org_1").await, before);
    }

    async fn a_refused_decision_leaves_no_trace(db: TestDb) {
        for id in ["org_1", "org_2"] {
            sample::add_organization(db.db(), id).await;
        }
        sample::add_subscription(db.db(), &sample::open("org_1", "tks_1", "main")).await.unwrap();
        let foreign = sample::subscription("org_2", "tks_9");
        sample::add_subscription(db.db(), &foreign).await.unwrap();
        let (org_2, theirs) = (&OrganizationId::from("org_2"), &sample::customer("cus_theirs"));
        db.db().write(|tx| Box::pin(async move { customer::link(tx, org_2, theirs).await })).await.unwrap();

        let before = traces(db.db(), "org_1").await;
        let second = sample::transition(&before.0, Some(sample::open("org_1", "tks_2", "main")), &[]);
        let refused = save(db.db(), &before.0, &second).await;
        assert!(matches!(refused, Err(Error::Constraint(Constraint::OpenCheckout))), "{refused:?}");
        let taken = Subscription { provider_subscription_id: foreign.provider_subscription_id, ..sample::subscription("org_1", "tks_3") };
        let refused = save(db.db(), &before.0, &sample::transition(&before.0, Some(taken), &[])).await;
        assert!(matches!(refused, Err(Error::Constraint(Constraint::ExternalId))), "{refused:?}");
        let mut stolen = sample::transition(&before.0, None, &[EffectKind::CustomerCreated]);
        stolen.after.customers = vec![theirs.clone()];
        let refused = save(db.db(), &before.0, &stolen).await;
        assert!(matches!(refused, Err(Error::Constraint(Constraint::ExternalId))), "{refused:?}");
        assert_eq!(traces(db.db(), "org_1").await, before);
        let kept = link::find(db.db().read().await.unwrap().c(), &theirs.provider, link::LinkKind::Customer, "cus_theirs").await;
        assert_eq!(kept.unwrap(), Some(("org_2".into(), None)));
    }

    async fn whoever_loses_decides_again_and_history_has_no_gap(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        sample::add_subscription(db.db(), &sample::open("org_1", "tks_0", "group 0")).await.unwrap();
        let tasks: Vec<_> = (1..=8)
            .map(|number| {
                let db = db.db().clone();
                tokio::spawn(async move {
                    // Odd ones change the shared row, even ones add their own.
                    loop {
                        let before = load(&db, "org_1").await;
                        let next = if number % 2 == 1 {
                            let row = before.subscription(&"tks_0".into()).unwrap().clone();
                            Subscription { seats: Some(row.seats.unwrap_or(0) + 1), ..row }
                        } else {
                            sample::open("org_1", &format!("tks_{number}"), &format!("group {number}"))
                        };
                        let decision = sample::transition(&before, Some(next), &[EffectKind::SubscriptionUpdated]);
                        if let Saved::Written { seq } = save(&db, &before, &decision).await.unwrap() {
                            return seq;
                        }
                    }
                })
            })
            .collect();
        let mut seqs = Vec::new();
        for task in tasks {
            seqs.push(task.await.unwrap());
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (8..16).collect::<Vec<_>>());
        let (after, history, owed) = traces(db.db(), "org_1").await;
        assert_eq!(history.iter().map(|line| line.seq).collect::<Vec<_>>(), seqs);
        assert_eq!((after.organization.version, after.subscriptions.len(), owed), (15, 5, 16));
        let shared = after.subscription(&"tks_0".into()).unwrap();
        assert_eq!((shared.seats, shared.version), (Some(4), 4), "no change was lost");
    }

    async fn an_account_carries_what_lives_and_the_50_that_ended_last(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        for number in 0..55 {
            let mut row = Subscription::future(format!("tks_{number:02}").into(), "org_1".into(), "stripe".into(), "default");
            (row.status, row.ended_at, row.activated_at) = (Status::Cancelled, Some(sample::at(number)), Some(sample::at(number)));
            row.provider_subscription_id = Some(format!("sub_{number:02}").into());
            sample::add_subscription(db.db(), &row).await.unwrap();
        }
        let mut live = sample::subscription("org_1", "tks_live");
        live.trial_start = Some(sample::at(-5));
        sample::add_subscription(db.db(), &live).await.unwrap();
        let account = load(db.db(), "org_1").await;
        let ids: Vec<_> = account.subscriptions.iter().map(|row| row.id.as_str().to_owned()).collect();
        let expected: Vec<_> = std::iter::once("tks_live".to_owned()).chain((5..55).map(|number| format!("tks_{number:02}"))).collect();
        assert_eq!(ids, expected);
        assert_eq!(account.subscriptions[0].items, live.items);
        assert_eq!(account::load(db.db().read().await.unwrap().c(), &"org_none".into()).await.unwrap(), None);
        // And whichever is asked for by name, by our id or by the provider's.
        for wanted in ["tks_02", "sub_02"] {
            let mut conn = db.db().read().await.unwrap();
            let account = account::load_with(conn.c(), &"org_1".into(), Some(wanted)).await.unwrap().unwrap();
            assert_eq!(account.subscriptions.len(), 52, "{wanted}");
            assert!(account.subscription(&"tks_02".into()).is_some(), "{wanted}");
        }
    }
}

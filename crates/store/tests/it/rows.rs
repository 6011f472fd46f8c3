//! Each table's own functions.

use proptest::strategy::{Strategy, ValueTree};
use tollkeeper_core::{
    ids::OrganizationId,
    member::MemberChange,
    organization::{Customer, Organization},
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};
use tollkeeper_store::{
    Constraint, Db, Error, cursor, customer,
    customer::{Linked, Noted},
    lease, link,
    link::{Claim, LinkKind},
    maintenance, member,
    member::MemberApplied,
    organization, subscription,
};
use tollkeeper_testkit::both_engines;

use crate::sample;

async fn link(db: &Db, organization: &str, customer: &str) -> Linked {
    let (id, customer) = (&OrganizationId::from(organization), &sample::customer(customer));
    db.write(|tx| Box::pin(async move { customer::link(tx, id, customer).await })).await.unwrap()
}

async fn claim(db: &Db, organization: &str, external: &str) -> Claim {
    let id = &OrganizationId::from(organization);
    db.write(|tx| {
        Box::pin(async move { link::claim(tx, &"stripe".into(), LinkKind::Invoice, external, id, Some("ours")).await })
    })
    .await
    .unwrap()
}

async fn apply(db: &Db, change: &MemberChange) -> MemberApplied {
    db.write(|tx| Box::pin(async move { member::apply(tx, change).await })).await.unwrap()
}

fn news(user: &str, email: Option<&str>, active: bool, at: i64) -> MemberChange {
    MemberChange {
        organization_id: "org_1".into(),
        user_id: user.into(),
        email: email.map(Into::into),
        active,
        occurred_at: sample::at(at),
    }
}

both_engines! {
    async fn an_organization_comes_back_as_it_was_written(db: TestDb) {
        let full = sample::add_organization(db.db(), "org_full").await;
        let mut bare = sample::organization("org_bare");
        (bare.external_id, bare.email, bare.locale, bare.currency) = (None, None, None, None);
        (bare.identity_updated_at, bare.deletion_began_at, bare.deleted_at) = (None, None, None);
        bare.had_trial = false;
        let row = &bare;
        db.db().write(|tx| Box::pin(async move { organization::insert(tx, row).await })).await.unwrap();
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(organization::get(conn.c(), &full.id).await.unwrap(), Some(full));
        assert_eq!(organization::get(conn.c(), &bare.id).await.unwrap(), Some(bare));
        assert_eq!(organization::get(conn.c(), &"org_none".into()).await.unwrap(), None);
    }

    async fn a_customer_is_asked_for_under_the_newest_number_only_and_never_beside_another(db: TestDb) {
        let id = &sample::add_organization(db.db(), "org_1").await.id;
        let note = async |number: i64, now: i64| {
            let write = db.db().write(|tx| {
                Box::pin(async move { customer::note_try(tx, id, &"stripe".into(), number, sample::at(now)).await })
            });
            write.await.unwrap()
        };
        assert_eq!(note(1, 10).await, Noted::Try);
        assert_eq!(note(1, 11).await, Noted::Try, "another process goes on under the same number");
        assert_eq!(note(2, 12).await, Noted::Try);
        assert_eq!(note(1, 13).await, Noted::Overtaken);
        let tries = customer::tries(db.db().read().await.unwrap().c(), id, &"stripe".into()).await.unwrap();
        assert_eq!((tries.count, tries.since), (2, Some(sample::at(10))));
        let made = &Customer { provider: "stripe".into(), id: "cus_1".into() };
        db.db().write(|tx| Box::pin(async move { customer::link(tx, id, made).await })).await.unwrap();
        for number in [1, 2, 3] {
            assert_eq!(note(number, 14).await, Noted::Customer("cus_1".into()), "{number}");
        }
    }

    async fn an_organization_is_inserted_once(db: TestDb) {
        let first = sample::add_organization(db.db(), "org_1").await;
        let second = &Organization { display_name: "another".into(), ..first.clone() };
        assert!(!db.db().write(|tx| Box::pin(async move { organization::insert(tx, second).await })).await.unwrap());
        assert_eq!(organization::get(db.db().read().await.unwrap().c(), &first.id).await.unwrap(), Some(first));
    }

    async fn of_many_who_save_the_same_version_one_wins(db: TestDb) {
        let before = sample::add_organization(db.db(), "org_1").await;
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let (db, mut next) = (db.db().clone(), before.clone());
                next.display_name = format!("writer {number}");
                tokio::spawn(async move {
                    let next = &next;
                    db.write(|tx| Box::pin(async move { organization::save(tx, next, 7).await })).await.unwrap()
                })
            })
            .collect();
        let mut won = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            if task.await.unwrap() {
                won.push(format!("writer {number}"));
            }
        }
        let row = organization::get(db.db().read().await.unwrap().c(), &before.id).await.unwrap().unwrap();
        assert_eq!((vec![row.display_name], row.version), (won, 8));
    }

    async fn organizations_are_listed_by_id_and_versions_are_those_that_exist(db: TestDb) {
        // Byte order on both engines: the upper-case letter first, whatever the server's locale says.
        for id in ["org_b", "org_A", "org_a"] {
            sample::add_organization(db.db(), id).await;
        }
        let mut conn = db.db().read().await.unwrap();
        let ids = |rows: Vec<Organization>| rows.into_iter().map(|row| row.id.into_string()).collect::<Vec<_>>();
        assert_eq!(ids(organization::list(conn.c(), None, 2).await.unwrap()), ["org_A", "org_a"]);
        assert_eq!(ids(organization::list(conn.c(), Some(&"org_a".into()), 2).await.unwrap()), ["org_b"]);
        let asked = ["org_a".into(), "org_none".into(), "org_b".into()];
        let mut versions = organization::versions(conn.c(), &asked).await.unwrap();
        versions.sort();
        assert_eq!(versions, [("org_a".into(), 7), ("org_b".into(), 7)]);
        assert_eq!(organization::versions(conn.c(), &[]).await.unwrap(), []);
    }

    async fn a_customer_belongs_to_one_organization_and_is_its_only_one(db: TestDb) {
        for id in ["org_1", "org_2"] {
            sample::add_organization(db.db(), id).await;
        }
        assert_eq!(link(db.db(), "org_1", "cus_1").await, Linked::New);
        assert_eq!(link(db.db(), "org_1", "cus_1").await, Linked::Already);
        assert_eq!(link(db.db(), "org_1", "cus_2").await, Linked::OtherId("cus_1".into()));
        assert_eq!(link(db.db(), "org_2", "cus_1").await, Linked::Foreign("org_1".into()));
        let org_2 = &OrganizationId::from("org_2");
        assert_eq!(customer::list(db.db().read().await.unwrap().c(), org_2).await.unwrap(), [], "nothing was written");
        assert_eq!(link(db.db(), "org_2", "cus_2").await, Linked::New, "what was refused left no claim");

        let org_1 = &OrganizationId::from("org_1");
        let provider = &"chargebee".into();
        let unlink = || db.db().write(|tx| Box::pin(async move { customer::unlink(tx, org_1, provider).await }));
        assert!(unlink().await.unwrap());
        assert!(!unlink().await.unwrap());
        assert_eq!(link(db.db(), "org_1", "cus_1").await, Linked::New);
    }

    async fn of_many_first_customers_of_an_organization_one_is_linked(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let db = db.db().clone();
                tokio::spawn(async move { link(&db, "org_1", &format!("cus_{number}")).await == Linked::New })
            })
            .collect();
        let mut new = 0;
        for task in tasks {
            new += usize::from(task.await.unwrap());
        }
        assert_eq!(new, 1);
    }

    async fn a_claim_is_first_come_first_served(db: TestDb) {
        let mut conn = db.db().read().await.unwrap();
        let (provider, kind) = (&"stripe".into(), LinkKind::Invoice);
        assert_eq!(link::find(conn.c(), provider, kind, "in_1").await.unwrap(), None);
        assert_eq!(claim(db.db(), "org_1", "in_1").await, Claim::New);
        assert_eq!(claim(db.db(), "org_1", "in_1").await, Claim::Already);
        assert_eq!(claim(db.db(), "org_2", "in_1").await, Claim::Foreign("org_1".into()));
        let found = link::find(conn.c(), provider, kind, "in_1").await.unwrap();
        assert_eq!(found, Some(("org_1".into(), Some("ours".into()))));
        assert_eq!(link::find(conn.c(), provider, LinkKind::Customer, "in_1").await.unwrap(), None);
    }

    async fn of_many_who_claim_an_id_one_gets_it_and_all_others_learn_who(db: TestDb) {
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let db = db.db().clone();
                tokio::spawn(async move { (number, claim(&db, &format!("org_{number}"), "in_1").await) })
            })
            .collect();
        let mut claims = Vec::new();
        for task in tasks {
            claims.push(task.await.unwrap());
        }
        let winners: Vec<_> = claims.iter().filter(|(_, claim)| *claim == Claim::New).map(|(number, _)| *number).collect();
        let [winner] = winners[..] else { panic!("{claims:?}") };
        let owner = Claim::Foreign(format!("org_{winner}").into());
        assert!(claims.iter().all(|(number, claim)| *number == winner || *claim == owner), "{claims:?}");
    }

    async fn a_subscription_comes_back_as_it_was_written(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let full = sample::subscription("org_1", "tks_full");
        let bare = Subscription::future("tks_bare".into(), "org_1".into(), "stripe".into(), "default");
        for row in [&full, &bare] {
            sample::add_subscription(db.db(), row).await.unwrap();
            assert_eq!(&sample::read_subscription(db.db(), row).await, row);
        }
        let found = link::find(db.db().read().await.unwrap().c(), &full.provider, LinkKind::Subscription, "sub_of_tks_full").await;
        assert_eq!(found.unwrap(), Some(("org_1".into(), Some("tks_full".into()))));
        let again = sample::add_subscription(db.db(), &full).await;
        assert!(matches!(again, Err(Error::Constraint(Constraint::Other(ref name))) if name == "subscription_pkey"), "{again:?}");
    }

    async fn every_status_can_be_written(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        for status in Status::ALL {
            let mut row = Subscription::future(format!("tks_{status}").into(), "org_1".into(), "stripe".into(), "default");
            row.status = status;
            sample::add_subscription(db.db(), &row).await.unwrap();
            assert_eq!(sample::read_subscription(db.db(), &row).await.status, status);
        }
    }

    async fn saving_a_subscription_replaces_everything_or_nothing(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let first = Subscription::future("tks_1".into(), "org_1".into(), "stripe".into(), "default");
        sample::add_subscription(db.db(), &first).await.unwrap();
        let next = &sample::subscription("org_1", "tks_1");
        let save = |version| db.db().write(move |tx| Box::pin(async move { subscription::save(tx, next, version).await }));
        assert!(!save(3).await.unwrap());
        assert_eq!(sample::read_subscription(db.db(), &first).await, first);
        assert!(save(0).await.unwrap());
        let written = sample::read_subscription(db.db(), &first).await;
        assert_eq!(written, Subscription { version: 1, ..next.clone() });
        let fewer = &Subscription { items: next.items[1..].to_vec(), ..next.clone() };
        assert!(db.db().write(|tx| Box::pin(async move { subscription::save(tx, fewer, 1).await })).await.unwrap());
        assert_eq!(sample::read_subscription(db.db(), &first).await.items, fewer.items);
    }

    async fn a_provider_subscription_belongs_to_one_row(db: TestDb) {
        for id in ["org_1", "org_2"] {
            sample::add_organization(db.db(), id).await;
        }
        let first = sample::subscription("org_1", "tks_1");
        sample::add_subscription(db.db(), &first).await.unwrap();
        for (organization, id) in [("org_2", "tks_2"), ("org_1", "tks_3")] {
            let mut other = sample::subscription(organization, id);
            other.provider_subscription_id = first.provider_subscription_id.clone();
            let refused = sample::add_subscription(db.db(), &other).await;
            assert!(matches!(refused, Err(Error::Constraint(Constraint::ExternalId))), "{refused:?}");
            assert_eq!(subscription::locate(db.db().read().await.unwrap().c(), &other.id).await.unwrap(), None);
        }
        let refused = sample::add_subscription(db.db(), &sample::subscription("org_none", "tks_4")).await;
        assert!(matches!(refused, Err(Error::Constraint(Constraint::Other(_)))), "{refused:?}");
    }

    async fn what_is_due_is_found_in_order(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        for (id, due) in [("tks_late", Some(30)), ("tks_early", Some(10)), ("tks_mid", Some(20)), ("tks_never", None)] {
            let mut row = Subscription::future(id.into(), "org_1".into(), "stripe".into(), "default");
            row.due_at = due.map(sample::at);
            sample::add_subscription(db.db(), &row).await.unwrap();
        }
        let mut conn = db.db().read().await.unwrap();
        let due = subscription::due(conn.c(), sample::at(20), 10).await.unwrap();
        let expected = [("tks_early", 10), ("tks_mid", 20)].map(|(id, at)| ("org_1".into(), id.into(), sample::at(at)));
        assert_eq!(due, expected);
        assert_eq!(subscription::due(conn.c(), sample::at(20), 1).await.unwrap(), expected[..1]);
        assert_eq!(subscription::locate(conn.c(), &"tks_mid".into()).await.unwrap(), Some("org_1".into()));
        assert_eq!(subscription::locate(conn.c(), &"tks_none".into()).await.unwrap(), None);
    }

    async fn of_64_open_checkouts_in_one_group_one_is_written(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let db = db.db().clone();
                tokio::spawn(async move { sample::add_subscription(&db, &sample::open("org_1", &format!("tks_{number}"), "main")).await })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => won += 1,
                Err(Error::Constraint(Constraint::OpenCheckout)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
    }

    async fn an_expired_checkout_makes_room_for_the_next(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let first = sample::open("org_1", "tks_1", "main");
        sample::add_subscription(db.db(), &first).await.unwrap();
        sample::add_subscription(db.db(), &sample::open("org_1", "tks_2", "other group")).await.unwrap();
        let expired = &Subscription { status: Status::Expired, ..first };
        db.db().write(|tx| Box::pin(async move { subscription::save(tx, expired, 0).await })).await.unwrap();
        sample::add_subscription(db.db(), &sample::open("org_1", "tks_3", "main")).await.unwrap();
        let back = &Subscription { status: Status::Future, ..expired.clone() };
        let refused = db.db().write(|tx| Box::pin(async move { subscription::save(tx, back, 1).await })).await;
        assert!(matches!(refused, Err(Error::Constraint(Constraint::OpenCheckout))), "{refused:?}");
    }

    async fn a_person_who_changes_the_address_counts_once(db: TestDb) {
        let org = &OrganizationId::from("org_1");
        let news = |email: &str, second: i64| MemberChange {
            organization_id: org.clone(),
            user_id: "usr_1".into(),
            email: Some(email.into()),
            active: true,
            occurred_at: sample::at(second),
        };
        for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            db.db().write(|tx| Box::pin(maintenance::empty(tx))).await.unwrap();
            for second in order {
                apply(db.db(), &news(["old@acme.test", "new@acme.test", "old@acme.test"][second as usize - 1], second)).await;
            }
            let mut conn = db.db().read().await.unwrap();
            let all = member::list(conn.c(), org).await.unwrap();
            let active: Vec<_> = all.iter().filter(|member| member.active()).map(|member| member.holder.as_str()).collect();
            assert_eq!(active, ["old@acme.test"], "told in the order {order:?}");
            let email = member::email_of(conn.c(), org, &"usr_1".into()).await.unwrap();
            assert_eq!(email.as_deref(), Some("old@acme.test"));
            assert_eq!(member::email_of(conn.c(), org, &"usr_2".into()).await.unwrap(), None);
        }
    }

    async fn a_member_is_one_person_with_all_ids(db: TestDb) {
        let joined = apply(db.db(), &news("usr_1", Some(" Ann@Acme.test"), true, 20)).await;
        let MemberApplied::Changed(ann) = joined else { panic!("{joined:?}") };
        assert_eq!((ann.holder.as_str(), ann.since, ann.active()), ("ann@acme.test", sample::at(20), true));
        let again = apply(db.db(), &news("usr_1", Some("ann@acme.test"), true, 20)).await;
        assert_eq!(again, MemberApplied::Unchanged(ann));
        apply(db.db(), &news("diruser_1", Some("ANN@acme.test"), true, 10)).await;
        apply(db.db(), &news("usr_2", Some("bob@acme.test"), true, 30)).await;
        let left = apply(db.db(), &news("diruser_1", None, false, 40)).await;
        let MemberApplied::Changed(ann) = left else { panic!("{left:?}") };
        assert_eq!((ann.ids.len(), ann.since, ann.active()), (2, sample::at(10), true));
        assert_eq!(apply(db.db(), &news("usr_none", None, false, 50)).await, MemberApplied::Unknown);

        let mut conn = db.db().read().await.unwrap();
        let org = &OrganizationId::from("org_1");
        assert_eq!(member::get(conn.c(), org, "ann@acme.test").await.unwrap(), Some(ann.clone()));
        assert_eq!(member::get(conn.c(), org, "eve@acme.test").await.unwrap(), None);
        let holders: Vec<_> = member::list(conn.c(), org).await.unwrap().into_iter().map(|row| row.holder).collect();
        assert_eq!(holders, ["ann@acme.test", "bob@acme.test"]);
    }

    async fn news_about_one_person_at_once_is_all_taken_in(db: TestDb) {
        let tasks: Vec<_> = (0..16)
            .map(|number| {
                let db = db.db().clone();
                tokio::spawn(async move { apply(&db, &news(&format!("usr_{number}"), Some("a@b.c"), true, number)).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let member = member::get(db.db().read().await.unwrap().c(), &"org_1".into(), "a@b.c").await.unwrap().unwrap();
        assert_eq!((member.ids.len(), member.since), (16, sample::at(0)));
    }

    async fn a_lease_is_taken_over_only_after_it_expired(db: TestDb) {
        let acquire = |owner: &'static str, now, until| {
            let (now, until) = (sample::machine(now), sample::machine(until));
            db.db().write::<_, Error, _>(move |tx| Box::pin(async move { lease::acquire(tx, "subject", owner, now, until).await }))
        };
        assert!(acquire("a", 0, 10).await.unwrap());
        assert!(!acquire("b", 9, 19).await.unwrap());
        assert!(acquire("a", 9, 20).await.unwrap(), "the owner renews");
        assert!(!acquire("b", 10, 30).await.unwrap());
        assert!(acquire("b", 20, 30).await.unwrap(), "expired");
        let release = |owner| db.db().write(move |tx| Box::pin(async move { lease::release(tx, &["subject"], owner).await }));
        release("a").await.unwrap();
        assert!(!acquire("a", 21, 31).await.unwrap(), "a lease that was lost is not given back by its old owner");
        release("b").await.unwrap();
        assert!(acquire("a", 21, 31).await.unwrap());
    }

    async fn many_leases_are_taken_at_once(db: TestDb) {
        let db = db.db();
        let acquire = |owner: &'static str, keys: &'static [&'static str], now, until| {
            let (now, until) = (sample::machine(now), sample::machine(until));
            async move {
                let taken = db.write(|tx| Box::pin(async move { lease::acquire_many(tx, keys, owner, now, until).await })).await;
                let mut taken: Vec<String> = taken.unwrap().into_iter().collect();
                taken.sort();
                taken
            }
        };
        assert_eq!(acquire("a", &["2", "1", "2"], 0, 10).await, ["1", "2"], "a key that is named twice is taken once");
        assert_eq!(acquire("b", &["1", "3"], 9, 20).await, ["3"]);
        assert_eq!(acquire("b", &["1", "2", "3"], 10, 20).await, ["1", "2", "3"], "expired, or its own");
        assert_eq!(acquire("a", &[], 10, 20).await, [""; 0]);
        assert_eq!(acquire("a", &["4"], 10, 20).await, ["4"]);
        db.write(|tx| Box::pin(async move { lease::release_all(tx, "b").await })).await.unwrap();
        assert_eq!(acquire("c", &["1", "2", "3", "4"], 11, 20).await, ["1", "2", "3"], "all that somebody had, and no more");
    }

    async fn a_cursor_keeps_the_last_value(db: TestDb) {
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(cursor::get(conn.c(), "events").await.unwrap(), None);
        for value in ["evt_1", "evt_2"] {
            db.db().write(|tx| Box::pin(async move { cursor::set(tx, "events", value).await })).await.unwrap();
        }
        assert_eq!(cursor::get(conn.c(), "events").await.unwrap().as_deref(), Some("evt_2"));
    }

    async fn an_emptied_database_is_as_new(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        sample::add_subscription(db.db(), &sample::subscription("org_1", "tks_1")).await.unwrap();
        link(db.db(), "org_1", "cus_1").await;
        apply(db.db(), &news("usr_1", Some("ann@acme.test"), true, 20)).await;
        db.db().write(|tx| Box::pin(async move { maintenance::empty(tx).await })).await.unwrap();
        let mut conn = db.db().read().await.unwrap();
        assert_eq!(organization::list(conn.c(), None, 10).await.unwrap(), []);
        assert_eq!(member::list(conn.c(), &"org_1".into()).await.unwrap(), []);
        drop(conn);
        sample::add_organization(db.db(), "org_1").await;
        sample::add_subscription(db.db(), &sample::subscription("org_1", "tks_1")).await.unwrap();
        assert_eq!(link(db.db(), "org_1", "cus_1").await, Linked::New);
    }

    async fn any_instant_is_kept_and_compared_to_the_microsecond(db: TestDb) {
        sample::add_organization(db.db(), "org_1").await;
        let instants = proptest::collection::vec(-62_135_596_800_000_000_i64..253_402_300_799_999_999, 40);
        let mut micros = instants.new_tree(&mut proptest::test_runner::TestRunner::deterministic()).unwrap().current();
        micros.extend([-1, 0, 1, 499_999, 500_000, 1_000_000, i64::MAX]);
        for (number, micros) in micros.iter().enumerate() {
            let mut row = Subscription::future(format!("tks_{number}").into(), "org_1".into(), "stripe".into(), "default");
            row.due_at = Some(Timestamp::from_micros(*micros));
            sample::add_subscription(db.db(), &row).await.unwrap();
        }
        micros.sort_unstable();
        let mut conn = db.db().read().await.unwrap();
        let due = subscription::due(conn.c(), Timestamp::from_micros(i64::MAX), 1000).await.unwrap();
        assert_eq!(due.iter().map(|(_, _, at)| at.as_micros()).collect::<Vec<_>>(), micros);
        for limit in micros.iter().copied() {
            let due = subscription::due(conn.c(), Timestamp::from_micros(limit), 1000).await.unwrap();
            assert_eq!(due.len(), micros.partition_point(|at| *at <= limit), "{limit}");
        }
    }
}

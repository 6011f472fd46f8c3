//! Whatever no delivery told is found by comparing, repaired once, and written down.

use tollkeeper::{CancelRequest, Extent, Report};
use tollkeeper_core::{
    ids::{ProviderSubscriptionId, SubscriptionId},
    ports::OrganizationRecord,
    snapshot::{Dues, Phase, ScheduledItems},
    status::Status,
    time::{Clock as _, days},
};
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{
    play::item,
    world::{ORG, World, record},
};

/// A product whose organizations the identity provider knows too.
async fn known(db: &TestDb, organizations: &[&str]) -> World {
    let world = World::new(db).await;
    for organization in organizations {
        world.identity.name(organization, &format!("{organization} Inc."));
        // As the identity provider itself told of it.
        let told = OrganizationRecord {
            updated_at: Some(world.clock.now()),
            ..record(organization, &format!("{organization} Inc."))
        };
        world.engine().upsert_organization(&told, "a test").await.unwrap();
    }
    world
}

async fn run(world: &World, extent: Extent) -> Report {
    world.engine().reconcile(&extent).await.unwrap()
}

/// What differed, as `field of organization`, in any order.
fn fields(report: &Report) -> Vec<String> {
    let field = |it: &tollkeeper::Difference| format!("{} of {}", it.field, it.organization_id.as_ref().unwrap());
    let mut fields: Vec<_> = report.drift.iter().map(field).collect();
    fields.sort();
    fields
}

/// The next run finds everything as it is, and so does every kind of run.
async fn assert_right(world: &World) {
    world.rest().await;
    let told = world.hooks.taken().len();
    let written = world.engine().drift(None, 1_000).await.unwrap().len();
    for extent in [Extent::Full, Extent::Organization(ORG.into()), Extent::Recent] {
        let report = run(world, extent.clone()).await;
        assert_eq!((report.repaired, report.failed, fields(&report)), (0, 0, Vec::<String>::new()), "{extent:?}");
        if extent == Extent::Full {
            assert!(report.checked > 0);
        }
    }
    world.rest().await;
    assert_eq!(world.hooks.taken().len(), told, "nothing is told twice");
    assert_eq!(world.engine().drift(None, 1_000).await.unwrap().len(), written);
}

async fn row_of(world: &World, id: &ProviderSubscriptionId) -> tollkeeper_core::subscription::Subscription {
    world.row(ORG, &SubscriptionId::from(id.as_str())).await
}

both_engines! {
    async fn a_change_that_nobody_told_is_found(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        let (_, bought) = world.subscribe(ORG, "starter").await;
        assert_right(&world).await;
        world.billing.change(&bought, |it| it.items[0].quantity = 7);
        let report = run(&world, Extent::Full).await;
        assert_eq!((report.repaired, fields(&report)), (1, vec!["items of org_1".into(), "seats of org_1".into()]));
        let seats = report.drift.iter().find(|it| it.field == "seats").unwrap();
        assert_eq!((seats.expected.as_i64(), seats.found.as_i64(), seats.class), (Some(1), Some(7), "missed"));
        assert!(seats.repaired);
        assert_eq!(row_of(&world, &bought).await.seats, Some(7));
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 1);
        let written = world.engine().drift(Some(&ORG.into()), 10).await.unwrap();
        assert_eq!(written.len(), 2);
        assert_right(&world).await;
        assert!(world.history(ORG).await.iter().any(|it| it.cause.kind == tollkeeper_store::CauseKind::Reconcile));
    }

    async fn a_subscription_that_began_ended_or_waits_unheard_is_found(db: TestDb) {
        for extent in [Extent::Full, Extent::Organization(ORG.into()), Extent::Recent] {
            let fresh = TestDb::new(db.engine()).await;
            let world = known(&fresh, &[ORG]).await;
            let paid = world.create(ORG, "growth").await.unwrap().subscription_id;
            world.billing.pay(&paid);
            world.billing.put_subscription(world.billing.subscription_of("sub_hand", ORG, "care-monthly"));
            let report = run(&world, extent.clone()).await;
            assert_eq!(report.repaired, 2, "{extent:?}: {report:?}");
            assert_eq!(world.status(ORG, &paid).await, Status::InTrial);
            assert!(world.open(ORG, "phone").await, "made by hand: it became a row");
            world.rest().await;
            assert_eq!(world.hooks.count(ORG, "subscription.completed"), 2);
            assert_right(&world).await;
            let bought: ProviderSubscriptionId = paid.as_str().into();
            let at = world.clock.now().plus(days(20));
            let waits = ScheduledItems { price_id: Some("starter-monthly".into()), seats: Some(1), items: vec![item("starter-monthly")], at };
            world.billing.change(&bought, |it| it.scheduled = Some(waits));
            assert_eq!(fields(&run(&world, extent.clone()).await), ["scheduled of org_1"], "{extent:?}");
            assert_right(&world).await;
            world.billing.change(&bought, |it| it.scheduled = None);
            assert_eq!(fields(&run(&world, extent.clone()).await), ["scheduled of org_1"], "{extent:?}");
            world.billing.end(&"sub_hand".into());
            let report = run(&world, extent.clone()).await;
            assert!(fields(&report).contains(&"status of org_1".into()), "{report:?}");
            assert!(!world.open(ORG, "phone").await);
            world.rest().await;
            assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 1);
            assert_right(&world).await;
        }
    }

    async fn what_the_provider_does_not_have_any_more_is_over(db: TestDb) {
        for extent in [Extent::Full, Extent::Organization(ORG.into())] {
            let fresh = TestDb::new(db.engine()).await;
            let world = known(&fresh, &[ORG]).await;
            let (id, bought) = world.subscribe(ORG, "starter").await;
            world.billing.lose_subscription(&bought);
            assert_eq!(run(&world, extent).await.repaired, 1);
            assert_eq!(world.status(ORG, &id).await, Status::Cancelled);
            assert_right(&world).await;
        }
    }

    async fn an_unpaid_invoice_that_nobody_told_is_found(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        let since = world.clock.now();
        let dues = Dues { since, attempts: 1, next_attempt_at: None, invoice: Some("inv_1".into()), exhausted: false };
        world.billing.change(&bought, |it| it.dues = Some(dues));
        assert_eq!(fields(&run(&world, Extent::Full).await), ["dues of org_1", "status of org_1"]);
        assert_eq!(world.status(ORG, &id).await, Status::PastDue);
        assert_right(&world).await;
        // It is paid, which does not change the subscription itself.
        world.billing.change(&bought, |it| {
            it.dues = None;
            it.version = it.version.map(|version| version - 1);
        });
        assert_eq!(fields(&run(&world, Extent::Full).await), ["dues of org_1", "status of org_1"]);
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "payment.recovered"), 1);
        assert_right(&world).await;
    }

    async fn a_customer_that_was_deleted_is_let_go_and_gets_another(db: TestDb) {
        for extent in [Extent::Full, Extent::Organization(ORG.into())] {
            let fresh = TestDb::new(db.engine()).await;
            let world = known(&fresh, &[ORG]).await;
            let (id, _) = world.subscribe(ORG, "starter").await;
            world.billing.delete_customer(ORG);
            let report = run(&world, extent.clone()).await;
            assert_eq!(world.status(ORG, &id).await, Status::Cancelled, "{extent:?}");
            assert!(!world.open(ORG, "subscription").await);
            let customer = world.account(ORG).await.customers[0].id.clone();
            assert_eq!(customer.as_str(), "org_1-2");
            let made = report.drift.iter().rfind(|it| it.field == "customer").unwrap();
            assert_eq!(made.found.as_str(), Some("org_1-2"));
            assert_eq!(report.strangers, 0, "{report:?}");
            assert_right(&world).await;
            world.subscribe(ORG, "starter").await;
            assert!(world.open(ORG, "subscription").await);
            assert_right(&world).await;
        }
    }

    async fn a_customer_that_was_edited_is_set_right(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        world.subscribe(ORG, "starter").await;
        world.billing.change_customer(ORG, |it| {
            it.display_name = Some("Somebody else".into());
            it.email = Some("new@example.com".into());
        });
        let report = run(&world, Extent::Recent).await;
        assert_eq!(fields(&report), ["displayName of org_1", "email of org_1"]);
        assert_eq!(world.billing.customer_name(ORG).unwrap(), "org_1 Inc.", "our name counts");
        assert_eq!(world.account(ORG).await.organization.email.as_deref(), Some("new@example.com"), "their contact counts");
        assert_right(&world).await;
    }

    async fn organizations_that_came_changed_and_went_unheard_are_found(db: TestDb) {
        let world = known(&db, &[ORG, "org_2", "org_3", "org_4"]).await;
        let (ended, bought) = world.subscribe("org_2", "growth").await;
        world.subscribe(ORG, "starter").await;
        assert_right(&world).await;
        world.identity.name("org_3", "Another name");
        world.identity.name("org_5", "New");
        world.identity.delete("org_2");
        // What was bought for it before we heard of it, on a customer that somebody made by hand.
        world.billing.put_customer("org_5", Some("org_5"), false);
        world.billing.put_subscription(world.billing.subscription_of("sub_5", "org_5", "growth-monthly"));
        let report = run(&world, Extent::Full).await;
        let found = fields(&report);
        for wanted in ["organization of org_2", "displayName of org_3", "organization of org_5", "status of org_5"] {
            assert!(found.contains(&wanted.to_owned()), "{wanted}: {found:?}");
        }
        assert_eq!(world.billing.customer_name("org_3").unwrap(), "Another name");
        assert_eq!(world.account("org_5").await.customers[0].id.as_str(), "org_5");
        assert!(world.open("org_5", "sso").await);
        assert!(world.account("org_2").await.organization.deleted_at.is_some());
        assert_eq!(world.status("org_2", &ended).await, Status::Cancelled);
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        assert!(world.open(ORG, "subscription").await, "nobody else is touched");
        // Its customer has a name from now on.
        run(&world, Extent::Full).await;
        assert_right(&world).await;
    }

    async fn organizations_that_nobody_told_us_of_are_not_ended_and_never_many_at_once(db: TestDb) {
        let names: Vec<String> = (1..=8).map(|n| format!("org_{n}")).collect();
        let world = known(&db, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        world.upsert("org_fed", "Fed by hand").await.unwrap();
        world.subscribe("org_fed", "growth").await;
        run(&world, Extent::Full).await;
        assert!(world.open("org_fed", "sso").await, "the identity provider never knew it");
        // As if somebody had named another environment.
        for name in &names {
            world.identity.delete(name);
        }
        let report = run(&world, Extent::Full).await;
        assert_eq!(report.failed, 1, "{report:?}");
        for name in &names {
            assert!(world.account(name).await.organization.deleted_at.is_none(), "{name}");
        }
    }

    async fn members_that_came_and_went_unheard_are_found(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        for (user, email) in [("usr_1", "a@example.com"), ("usr_2", "B@Example.com"), ("usr_3", "c@example.com")] {
            world.identity.join(ORG, user, Some(email));
        }
        // Of a directory that the list does not show.
        world.engine().upsert_member(&ORG.into(), &"diruser_1".into(), Some("d@example.com".into())).await.unwrap();
        let report = run(&world, Extent::Full).await;
        assert_eq!(fields(&report), ["member usr_1 of org_1", "member usr_2 of org_1", "member usr_3 of org_1"]);
        assert_right(&world).await;
        let holders = async || {
            let list = tollkeeper_store::member::list(db.db().read().await.unwrap().c(), &ORG.into()).await.unwrap();
            list.into_iter().filter(tollkeeper_core::member::Member::active).map(|it| it.holder).collect::<Vec<_>>()
        };
        assert_eq!(holders().await, ["a@example.com", "b@example.com", "c@example.com", "d@example.com"]);
        world.clock.advance_business(days(1));
        world.identity.leave(ORG, "usr_1");
        // Another address, and one whose address the list does not tell.
        world.identity.join(ORG, "usr_2", Some("bo@example.com"));
        world.identity.join(ORG, "usr_3", None);
        let report = run(&world, Extent::Organization(ORG.into())).await;
        assert_eq!(fields(&report), ["member usr_1 of org_1", "member usr_2 of org_1"]);
        assert_eq!(holders().await, ["bo@example.com", "c@example.com", "d@example.com"]);
        assert_right(&world).await;
        // Newer news than the list is not undone by it.
        let body = serde_json::json!({
            "id": "m_1", "type": "member", "organization": ORG, "user": "usr_4", "email": "e@example.com",
            "at": world.clock.now().as_unix_seconds() + 60, "active": true,
        });
        world.receive("scalekit", body).await;
        world.settled("m_1").await;
        assert_right(&world).await;
        assert!(holders().await.contains(&"e@example.com".to_owned()));
    }

    async fn strangers_are_counted_and_never_become_ours(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        world.subscribe(ORG, "starter").await;
        world.billing.put_customer("cus_far", None, false);
        world.billing.put_customer("cus_gone", None, true);
        world.billing.put_subscription(world.billing.subscription_of("sub_far", "cus_far", "growth-monthly"));
        let mut lying = world.billing.subscription_of("sub_lie", "cus_far", "growth-monthly");
        lying.organization_id = Some(ORG.into());
        world.billing.put_subscription(lying);
        let mut foreign = world.billing.subscription_of("sub_foreign", ORG, "growth-monthly");
        foreign.organization_id = Some("org_2".into());
        world.billing.put_subscription(foreign);
        let report = run(&world, Extent::Full).await;
        assert_eq!((report.strangers, report.repaired), (4, 0), "{report:?}");
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1);
        assert!(!world.open(ORG, "sso").await);
        assert!(world.find("org_2").await.is_none());
        assert_right(&world).await;
    }

    async fn what_is_paid_for_a_deleted_organization_is_ended(db: TestDb) {
        let world = known(&db, &[ORG, "org_2"]).await;
        let (_, bought) = world.subscribe("org_2", "starter").await;
        world.identity.delete("org_2");
        world.engine().delete_organization(&"org_2".into(), "a test").await.unwrap();
        world.billing.change(&bought, |it| {
            (it.phase, it.ended_at) = (Phase::Active, None);
            it.provider_status = "active".into();
        });
        run(&world, Extent::Full).await;
        assert_eq!(world.billing.truth(&bought).phase, Phase::Ended);
        assert!(!world.open("org_2", "subscription").await);
        assert_right(&world).await;
    }

    async fn an_end_that_was_asked_for_here_and_taken_back_there_is_found(db: TestDb) {
        let world = known(&db, &[ORG]).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.engine().cancel(&world.actor(ORG).await, &CancelRequest::default()).await.unwrap();
        world.billing.change(&bought, |it| (it.cancel_at, it.cancelled_at) = (None, None));
        let report = run(&world, Extent::Recent).await;
        assert_eq!(fields(&report), ["cancelAt of org_1", "cancelledAt of org_1", "status of org_1"]);
        assert_eq!(world.status(ORG, &id).await, Status::Active);
        assert_right(&world).await;
    }
}

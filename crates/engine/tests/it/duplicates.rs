//! What was paid twice: two live subscriptions of one group.

use std::time::Duration;

use tollkeeper_core::{
    catalog::{Duplicates, Policy},
    ids::SubscriptionId,
    ports::ErrorKind,
    reduce::RECHECK,
    status::Status,
    time::days,
};
use tollkeeper_testkit::{both_engines, database::TestDb};

use crate::{
    play::Outcome,
    world::{ORG, World, until},
};

const MOMENT: Duration = Duration::from_secs(1);

/// Two pages are open in two tabs, and both are paid. Answers the first and the second row.
async fn paid_twice(world: &World) -> [SubscriptionId; 2] {
    let (first, _) = world.subscribe(ORG, "starter").await;
    let mut second = world.billing.subscription_of("sub_second", ORG, "growth-monthly");
    second.organization_id = Some(ORG.into());
    world.billing.put_subscription(second);
    world.tell("ev_second", "sub_second").await;
    world.settled("ev_second").await;
    [first, SubscriptionId::adopted(&"chargebee".into(), &"sub_second".into())]
}

async fn cancelling(db: &TestDb) -> World {
    let policy = Policy { duplicates: Duplicates::CancelLater, ..Policy::default() };
    World::under(db, true, policy, |_| {}).await
}

both_engines! {
    async fn both_are_kept_and_it_is_told_once(db: TestDb) {
        let world = World::new(&db).await;
        let [first, second] = paid_twice(&world).await;
        assert_eq!(world.row(ORG, &second).await.duplicate_of.as_ref(), Some(&first));
        assert_eq!(world.row(ORG, &first).await.duplicate_of, None);
        for n in 0..3 {
            let state = world.billing.change(&"sub_second".into(), |it| it.items[0].quantity += 1);
            world.tell_state(&format!("ev_{n}"), state).await;
            world.settled(&format!("ev_{n}")).await;
            world.pass(days(1));
        }
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.duplicated"), 1);
        let told = world.hooks.last(ORG, "subscription.duplicated");
        assert_eq!(told["subscription"]["duplicateOf"].as_str(), Some(first.as_str()));
        assert_eq!((world.status(ORG, &first).await, world.status(ORG, &second).await), (Status::Active, Status::Active));
        assert_eq!(world.billing.count("cancel"), 0);
    }

    async fn two_pages_that_are_both_paid_are_one_pair(db: TestDb) {
        let world = World::new(&db).await;
        let first = world.create(ORG, "starter").await.unwrap().subscription_id;
        let second = world.create(ORG, "growth").await.unwrap().subscription_id;
        // The first page was given up for the second one, and paid at the same moment.
        world.billing.change_page(&first, |page| page.state = tollkeeper::ports::CheckoutState::Open);
        let paid = [world.billing.pay(&first), world.billing.pay(&second)];
        for (n, id) in paid.iter().enumerate() {
            world.tell(&format!("ev_{n}"), id.as_str()).await;
        }
        world.settled("ev_0").await;
        world.settled("ev_1").await;
        let rows = world.account(ORG).await.subscriptions;
        let marked: Vec<_> = rows.iter().filter(|row| row.duplicate_of.is_some()).collect();
        assert_eq!((rows.len(), marked.len()), (2, 1), "{rows:?}");
        world.rest().await;
        assert_eq!(world.hooks.count(ORG, "subscription.duplicated"), 1);
    }

    async fn the_later_one_is_ended_and_credited(db: TestDb) {
        let world = cancelling(&db).await;
        let [first, second] = paid_twice(&world).await;
        world.pass(MOMENT);
        until("its end", async || world.status(ORG, &second).await == Status::Cancelled).await;
        assert_eq!(world.status(ORG, &first).await, Status::Active);
        assert_eq!(world.billing.credited(), ["sub_second".into()]);
        world.pass(days(1));
        world.rest().await;
        assert_eq!(world.billing.count("cancel"), 1);
        assert_eq!(world.hooks.count(ORG, "subscription.deleted"), 1);
        assert!(world.open(ORG, "subscription").await);
    }

    async fn a_provider_that_fails_is_asked_again_until_it_is_ended_once(db: TestDb) {
        let world = cancelling(&db).await;
        let other = world.another(true).await;
        for kind in [ErrorKind::Transient, ErrorKind::OutcomeUnknown] {
            world.billing.next("cancel", Outcome::Fail(kind));
        }
        world.billing.next("cancel", Outcome::Lost);
        let [first, second] = paid_twice(&world).await;
        // Each failure is looked at again a while later: time passes until that comes.
        until("its end", async || {
            world.pass(RECHECK);
            other.engine().clock_moved();
            world.status(ORG, &second).await == Status::Cancelled
        })
        .await;
        assert!(world.billing.count("cancel") >= 3);
        assert_eq!(world.billing.credited(), ["sub_second".into()], "given back once");
        assert_eq!(world.status(ORG, &first).await, Status::Active);
        other.stop().await;
    }

    async fn nothing_is_ended_when_the_first_one_is_over(db: TestDb) {
        let world = cancelling(&db).await;
        let [first, second] = paid_twice(&world).await;
        // It ended at the provider, and nobody told us.
        world.billing.end(&first.as_str().into());
        world.pass(MOMENT);
        until("its end", async || world.status(ORG, &first).await == Status::Cancelled).await;
        until("a look", async || world.row(ORG, &second).await.duplicate_of.is_none()).await;
        world.pass(days(1));
        world.rest().await;
        assert_eq!(world.status(ORG, &second).await, Status::Active);
        assert_eq!(world.billing.count("cancel"), 0);
        assert!(world.open(ORG, "sso").await);
    }

    async fn two_groups_are_no_duplicates(db: TestDb) {
        let world = cancelling(&db).await;
        world.subscribe(ORG, "starter").await;
        let (care, _) = world.subscribe(ORG, "care").await;
        world.pass(MOMENT);
        world.rest().await;
        assert_eq!(world.row(ORG, &care).await.duplicate_of, None);
        assert_eq!(world.billing.count("cancel"), 0);
    }
}

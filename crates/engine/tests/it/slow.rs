//! What takes long, and what goes on meanwhile.

use std::sync::Arc;

use tollkeeper_testkit::both_engines;

use crate::{
    play::{Deed, Outcome, Stop},
    world::{ORG, World, until},
};

both_engines! {
    async fn a_hook_that_hangs_holds_up_no_other_organization(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let (other, bought) = world.subscribe("org_2", "starter").await;
        let stop = Arc::new(Stop::default());
        world.hooks.next("ev_1", Deed::Hang(stop.clone()));
        world.tell("ev_1", "sub_1").await;
        stop.reached().await;
        let state = world.billing.change(&bought, |it| it.items[0].quantity = 3);
        world.tell_state("ev_2", state).await;
        until("the other delivery", async || world.row("org_2", &other).await.seats == Some(3)).await;
    }

    async fn a_provider_that_hangs_holds_up_no_other_subscription(db: TestDb) {
        let world = World::new(&db).await;
        let (_, slow) = world.subscribe(ORG, "starter").await;
        let (other, bought) = world.subscribe("org_2", "starter").await;
        let stop = Arc::new(Stop::default());
        world.billing.next("subscription", Outcome::Held(stop.clone()));
        world.tell("ev_1", slow.as_str()).await;
        stop.reached().await;
        let state = world.billing.change(&bought, |it| it.items[0].quantity = 3);
        world.tell_state("ev_2", state).await;
        until("the other delivery", async || world.row("org_2", &other).await.seats == Some(3)).await;
    }

    async fn a_notice_that_hangs_holds_up_no_other_organization(db: TestDb) {
        let world = World::new(&db).await;
        let stop = Arc::new(Stop::default());
        world.hooks.next("org_1:customer.created", Deed::Hang(stop.clone()));
        world.upsert(ORG, "Acme").await.unwrap();
        stop.reached().await;
        world.upsert("org_2", "Beta").await.unwrap();
        until("the other organization's notice", async || !world.hooks.kinds("org_2").is_empty()).await;
    }
}

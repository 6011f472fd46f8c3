//! Seats: each person once, and as many as were bought.

use tollkeeper::{CreateRequest, Landing, Seats};
use tollkeeper_testkit::both_engines;

use crate::world::{ORG, World, choice};

async fn seats(world: &World) -> Seats {
    world.engine().seats(&ORG.into()).await.unwrap()
}

async fn member(world: &World, user: &str, email: Option<&str>) {
    world.engine().upsert_member(&ORG.into(), &user.into(), email.map(ToOwned::to_owned)).await.unwrap();
}

/// Buys so many seats of a plan.
async fn buy(world: &World, plan: &str, seats: i64) {
    let wanted = CreateRequest { seats: Some(seats), ..choice(plan) };
    let started = world.engine().create(&world.actor(ORG).await, &wanted).await.unwrap();
    world.billing.pay(&started.subscription_id);
    let landed = world.engine().land(&started.subscription_id).await.unwrap();
    assert!(matches!(landed, Landing::Done(_)), "{landed:?}");
}

both_engines! {
    async fn seats_are_held_by_people_and_limited_by_what_was_bought(db: TestDb) {
        let world = World::new(&db).await;
        assert_eq!(seats(&world).await, Seats { used: 0, limit: Some(25), over: false, holders: vec![] });

        for (user, email) in [("usr_1", "Jane@acme.test"), ("diruser_1", "jane@acme.test"), ("usr_2", "al@acme.test")] {
            member(&world, user, Some(email)).await;
        }
        let held = seats(&world).await;
        let holders: Vec<_> = held.holders.iter().map(|it| (it.email.as_str(), it.user_id.as_str())).collect();
        assert_eq!(holders, [("al@acme.test", "usr_2"), ("jane@acme.test", "diruser_1")]);
        assert_eq!((held.used, held.over), (2, false));

        buy(&world, "starter", 1).await;
        let held = seats(&world).await;
        assert_eq!((held.used, held.limit, held.over), (2, Some(1), true));

        member(&world, "usr_2", None).await;
        assert_eq!(seats(&world).await.used, 1);
        member(&world, "diruser_1", None).await;
        let held = seats(&world).await;
        assert_eq!((held.used, held.over), (1, false), "who has left by one id is still there by the other");
        assert_eq!(held.holders[0].user_id.as_str(), "usr_1");

        buy(&world, "silver", 3).await;
        assert_eq!(seats(&world).await.limit, Some(3), "another product line has more");
        world.stop().await;
    }
}

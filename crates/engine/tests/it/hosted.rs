//! A change that is confirmed on a page of the provider.

use tollkeeper::{Error, Landing, UpdateRequest, Updated, ports::ChangeWhen};
use tollkeeper_core::{ports::ErrorKind, status::Status};
use tollkeeper_testkit::both_engines;

use crate::{
    asks::{refusal, seats, to},
    play::{Outcome, PAGE},
    world::{ORG, World},
};

fn hosted(request: UpdateRequest) -> UpdateRequest {
    UpdateRequest { hosted: true, success_url: Some("/thanks".into()), ..request }
}

async fn open(world: &World, request: UpdateRequest) -> Result<String, Error> {
    match world.engine().update(&world.actor(ORG).await, &hosted(request)).await? {
        Updated::Hosted(url) => Ok(url),
        Updated::Applied(view) => panic!("applied: {view:?}"),
    }
}

const THERE: &str = "https://app.example.com/thanks";

both_engines! {
    async fn what_is_confirmed_there_is_so_when_the_person_comes_back(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        let url = open(&world, to("growth")).await.unwrap();
        assert!(url.starts_with("https://pay.example.com/"), "{url}");
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.plan.unwrap().as_str()), (Status::Active, "starter"), "nothing has changed yet");
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Pending(THERE.into()));
        assert_eq!(row.checkout.unwrap().reference.as_deref(), Some("hc_1"));
        world.billing.confirm();
        for _ in 0..2 {
            assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Done(THERE.into()));
            assert!(world.open(ORG, "sso").await);
        }
        assert_eq!(world.billing.charges(), [3_000]);
        assert_eq!(world.account(ORG).await.subscriptions.len(), 1);
    }

    async fn a_page_that_is_somebody_elses_opens_nothing(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        open(&world, to("growth")).await.unwrap();
        world.billing.confirm();
        world.billing.change_hosted(|page| page.customer_id = Some("cus_far".into()));
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        world.billing.change_hosted(|page| {
            page.customer_id = Some(ORG.into());
            page.subscription_id = Some("tks_0".into());
        });
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        assert_eq!(world.row(ORG, &id).await.plan.unwrap().as_str(), "starter");
    }

    async fn a_page_that_nobody_confirms_leaves_everything_as_it_is(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        open(&world, to("growth")).await.unwrap();
        world.pass(PAGE);
        world.rest().await;
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Failed);
        let row = world.row(ORG, &id).await;
        assert_eq!((row.status, row.plan.unwrap().as_str()), (Status::Active, "starter"));
        assert_eq!(world.hooks.count(ORG, "subscription.updated"), 0, "a page is nobody's news");
        assert_eq!(world.update(to("growth")).await.unwrap().plan.unwrap().as_str(), "growth", "it goes on without it");
        assert_eq!(world.billing.charges().len(), 1);
    }

    async fn what_a_page_cannot_do_is_refused(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let later = UpdateRequest { when: Some(ChangeWhen::PeriodEnd), ..to("growth") };
        assert_eq!(refusal(&open(&world, later).await.unwrap_err()), (Some("when"), "hosted_is_now"));
        let elsewhere = UpdateRequest { success_url: Some("//evil.example".into()), hosted: true, ..to("growth") };
        let refused = world.engine().update(&world.actor(ORG).await, &elsewhere).await.unwrap_err();
        assert_eq!(refusal(&refused), (Some("successUrl"), "invalid_redirect"));
        let elsewhere = UpdateRequest { cancel_url: Some("https://evil.example/".into()), ..to("growth") };
        assert_eq!(refusal(&open(&world, elsewhere).await.unwrap_err()), (Some("cancelUrl"), "invalid_redirect"));
        // The page would drop what waits, and nobody could schedule it again in time.
        world.update(to("growth")).await.unwrap();
        world.update(to("starter")).await.unwrap();
        assert_eq!(refusal(&open(&world, seats(4)).await.unwrap_err()), (None, "scheduled_change_pending"));
        assert_eq!(world.billing.count("hosted_change"), 0);
    }

    async fn a_step_down_may_go_through_a_page_and_happens_at_once(db: TestDb) {
        let world = World::idle(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        world.update(to("growth")).await.unwrap();
        open(&world, to("starter")).await.unwrap();
        world.billing.confirm();
        assert_eq!(world.engine().land(&id).await.unwrap(), Landing::Done(THERE.into()));
        let row = world.row(ORG, &id).await;
        assert_eq!((row.plan.unwrap().as_str(), row.scheduled), ("starter", None));
    }

    async fn a_page_that_cannot_be_made_is_the_providers_failure(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        let before = world.row(ORG, &id).await;
        world.billing.next("hosted_change", Outcome::Fail(ErrorKind::Transient));
        assert!(matches!(open(&world, to("growth")).await, Err(Error::Provider(_))));
        world.billing.next("hosted_change", Outcome::Fail(ErrorKind::Conflict));
        assert_eq!(refusal(&open(&world, to("growth")).await.unwrap_err()), (None, "state_forbids"));
        assert_eq!(world.row(ORG, &id).await, before);
    }
}

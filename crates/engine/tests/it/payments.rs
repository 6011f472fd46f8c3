//! What is paid once: a page without a subscription, and news that lead nowhere.

use serde_json::json;
use tollkeeper::{Error, PayRequest};
use tollkeeper_core::{ports::ErrorKind, snapshot::ItemType};
use tollkeeper_store::inbox::InboxState;
use tollkeeper_testkit::both_engines;

use crate::{
    asks::refusal,
    play::Outcome,
    world::{APP, ORG, World, code},
};

fn once(items: &[(&str, i64)]) -> PayRequest {
    let items = items.iter().map(|(id, quantity)| ((*id).to_owned(), *quantity)).collect();
    PayRequest { items, ..PayRequest::default() }
}

async fn pay(world: &World, request: &PayRequest) -> Result<String, Error> {
    world.engine().pay(&world.actor(ORG).await, request).await
}

both_engines! {
    async fn a_page_is_made_for_a_customer_that_is_made_first(db: TestDb) {
        let world = World::new(&db).await;
        let request = PayRequest {
            success_url: Some("/thanks".into()),
            cancel_url: Some(format!("{APP}/back")),
            ..once(&[("setup-once", 1), ("training-once", 100_000)])
        };
        let url = pay(&world, &request).await.unwrap();
        assert_eq!(url, "https://pay.example.com/once_1");
        assert_eq!(world.billing.customers().len(), 1);
        assert!(world.account(ORG).await.organization.email.is_some(), "whoever began it is the contact");
        let [made] = &world.billing.payments()[..] else { panic!("one page") };
        assert_eq!((made.customer_id.as_str(), made.organization_id.as_str()), (ORG, ORG));
        assert_eq!((made.success_url.as_str(), made.cancel_url.as_str()), (&*format!("{APP}/thanks"), &*format!("{APP}/back")));
        assert_eq!((made.currency.to_string().as_str(), made.items.len()), ("USD", 2));
        assert!(made.items.iter().all(|item| item.item_type == ItemType::Charge));
        assert!(made.user_id.is_some());
        assert!(world.account(ORG).await.subscriptions.is_empty(), "nothing is subscribed to");

        // Somebody who has a subscription may pay once as well, as often as they like.
        world.subscribe(ORG, "starter").await;
        assert_eq!(pay(&world, &once(&[("setup-once", 1)])).await.unwrap(), "https://pay.example.com/once_2");
        let keys: Vec<_> = world.billing.payments().into_iter().map(|it| it.key).collect();
        assert_ne!(keys[0], keys[1]);
        assert_eq!(world.billing.payments()[1].success_url, format!("{APP}/billing?done=paid"));
    }

    async fn what_cannot_be_paid_once_is_named_and_nobody_is_asked(db: TestDb) {
        let world = World::new(&db).await;
        for (items, field, wanted) in [
            (&[][..], "items", "empty_list"),
            (&[("gold", 1)], "items[0].priceId", "unknown_price"),
            (&[("setup-once", 1), ("", 1)], "items[1].priceId", "unknown_price"),
            (&[("starter-monthly", 1)], "items[0].priceId", "not_one_time"),
            (&[("setup-once", 1), ("priority-yearly", 1)], "items[1].priceId", "not_one_time"),
            (&[("setup-once", 0)], "items[0].quantity", "bad_quantity"),
            (&[("setup-once", 1), ("training-once", -1)], "items[1].quantity", "bad_quantity"),
            (&[("setup-once", 100_001)], "items[0].quantity", "bad_quantity"),
            (&[("setup-once", 1), ("setup-once", 2)], "items[1].priceId", "named_twice"),
            (&[("training-once", 1), ("setup-once-eur", 1)], "items[1].priceId", "currency_mismatch"),
        ] {
            let refused = pay(&world, &once(items)).await.unwrap_err();
            assert_eq!(refusal(&refused), (Some(field), wanted), "{items:?}");
        }
        for (success_url, cancel_url, field) in
            [(Some("//evil.example"), None, "successUrl"), (None, Some("https://evil.example/"), "cancelUrl")]
        {
            let request = PayRequest {
                success_url: success_url.map(Into::into),
                cancel_url: cancel_url.map(Into::into),
                ..once(&[("setup-once", 1)])
            };
            assert_eq!(refusal(&pay(&world, &request).await.unwrap_err()), (Some(field), "invalid_redirect"));
        }
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        assert!(pay(&world, &once(&[("setup-once-eur", 1)])).await.is_ok(), "by itself it can be paid");
    }

    async fn whoever_pays_in_one_currency_pays_everything_in_it(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        assert!(world.account(ORG).await.organization.currency.is_some());
        let refused = pay(&world, &once(&[("setup-once-eur", 1)])).await.unwrap_err();
        assert_eq!(refusal(&refused), (Some("items[0].priceId"), "currency_mismatch"));
    }

    async fn a_page_that_cannot_be_made_leaves_nothing_behind(db: TestDb) {
        let world = World::new(&db).await;
        let request = once(&[("setup-once", 1)]);
        world.billing.next("start_payment", Outcome::Coded(ErrorKind::Rejected, "no_applicable_gateway"));
        assert_eq!(code(&pay(&world, &request).await.unwrap_err()), "no_applicable_gateway");
        world.billing.next("start_payment", Outcome::Fail(ErrorKind::Transient));
        assert!(matches!(pay(&world, &request).await, Err(Error::Provider(_))));
        // Nobody learned where the first page is, so that nobody can pay it.
        world.billing.next("start_payment", Outcome::Lost);
        assert!(matches!(pay(&world, &request).await, Err(Error::Provider(_))));
        assert!(pay(&world, &request).await.is_ok());
        assert_eq!((world.billing.customers().len(), world.billing.payments().len()), (1, 2));
    }

    async fn news_of_a_payment_without_a_subscription_end_well(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        pay(&world, &once(&[("setup-once", 1)])).await.unwrap();
        let before = world.row(ORG, &id).await;
        for (event, subject) in [("ev_paid", json!(ORG)), ("ev_somebody", json!("cus_far")), ("ev_nobody", json!(null))] {
            let body = json!({ "id": event, "type": "payment_succeeded", "customer": subject });
            world.receive("chargebee", body).await;
        }
        for (event, state) in
            [("ev_paid", InboxState::Done), ("ev_somebody", InboxState::Ignored), ("ev_nobody", InboxState::Ignored)]
        {
            assert_eq!(world.settled(event).await.state, state, "{event}");
        }
        assert_eq!(world.row(ORG, &id).await, before);
    }
}

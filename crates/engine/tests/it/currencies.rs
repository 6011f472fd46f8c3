//! One price in several currencies: everybody pays in one of them, and everything is weighed in that.

use tollkeeper::{
    CreateRequest, PayRequest, Started, UpdateRequest, Updated,
    ports::ChangeWhen::{Now, PeriodEnd},
};
use tollkeeper_core::{
    ports::{CheckoutState, ErrorKind},
    snapshot::ItemType,
    subscription::Subscription,
};
use tollkeeper_testkit::both_engines;

use crate::{
    asks::{refusal, to, with_addons},
    play::Outcome,
    world::{ORG, World, actor, choice},
};

fn in_currency(plan: &str, currency: &str) -> CreateRequest {
    CreateRequest { currency: Some(currency.into()), ..choice(plan) }
}

fn by_ids(ids: &[&str], currency: Option<&str>) -> CreateRequest {
    let price_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    CreateRequest { price_ids, currency: currency.map(Into::into), ..CreateRequest::default() }
}

async fn start(world: &World, request: &CreateRequest) -> Started {
    world.engine().create(&world.actor(ORG).await, request).await.unwrap()
}

/// What was wrong with a checkout: the field and the code.
async fn refused(world: &World, request: &CreateRequest) -> (Option<String>, String) {
    let error = world.engine().create(&world.actor(ORG).await, request).await.unwrap_err();
    let (field, code) = refusal(&error);
    (field.map(Into::into), code.to_owned())
}

fn mismatch() -> (Option<String>, String) {
    (Some("currency".into()), "currency_mismatch".into())
}

/// Buys what is asked for, and comes back from the page.
async fn buy(world: &World, request: &CreateRequest) -> Subscription {
    let started = start(world, request).await;
    world.billing.pay(&started.subscription_id);
    world.engine().land(&started.subscription_id).await.unwrap();
    world.row(ORG, &started.subscription_id).await
}

/// What a page was asked for in.
fn asked_in(world: &World, started: &Started) -> String {
    world.billing.page(&started.subscription_id).1.currency.to_string()
}

async fn pinned(world: &World) -> Option<String> {
    world.account(ORG).await.organization.currency.map(|currency| currency.to_string())
}

async fn pay_once(world: &World, ids: &[&str]) -> String {
    let items = ids.iter().map(|id| ((*id).to_owned(), 1)).collect();
    let request = PayRequest { items, ..PayRequest::default() };
    world.engine().pay(&world.actor(ORG).await, &request).await.unwrap();
    world.billing.payments().pop().unwrap().currency.to_string()
}

both_engines! {
    async fn a_checkout_is_made_in_the_currency_that_was_asked_for_and_pins_it(db: TestDb) {
        let world = World::new(&db).await;
        let row = buy(&world, &in_currency("bronze", "eur")).await;
        assert_eq!(row.price_id.as_ref().unwrap().as_str(), "bronze-monthly");
        assert_eq!((row.items[0].currency.unwrap().as_str(), row.items[0].unit_price), ("EUR", Some(4_000)));
        assert_eq!(row.checkout.unwrap().params.currency.as_str(), "EUR");
        assert_eq!(pinned(&world).await.as_deref(), Some("EUR"));
        // From now on nothing else is sold to them, whichever way it is named.
        assert_eq!(refused(&world, &in_currency("silver", "USD")).await, mismatch());
        assert_eq!(refused(&world, &by_ids(&["silver-monthly"], Some("USD"))).await, mismatch());
        assert_eq!(refused(&world, &by_ids(&["care-monthly"], None)).await, mismatch());
        assert_eq!(refused(&world, &choice("care")).await, (Some("plan".into()), "no_such_price".into()));
        assert_eq!(refused(&world, &by_ids(&["silver-monthly"], None)).await.1, "active_subscription_exists");
    }

    async fn a_price_that_is_named_by_its_id_is_sold_in_the_nearest_currency(db: TestDb) {
        let world = World::new(&db).await;
        for (default, id, named, wanted) in [
            ("USD", "bronze-monthly", None, "USD"),
            ("EUR", "bronze-monthly", None, "EUR"),
            ("GBP", "bronze-monthly", None, "USD"),
            ("USD", "bronze-monthly", Some("EUR"), "EUR"),
            ("USD", "growth-eur-monthly", None, "EUR"),
        ] {
            let running = world.another_with(false, |it| it.default_currency = default.parse().unwrap()).await;
            let actor = actor(running.engine(), &format!("org_{default}_{id}_{}", named.is_some())).await;
            let started = running.engine().create(&actor, &by_ids(&[id], named)).await.unwrap();
            assert_eq!(asked_in(&world, &started), wanted, "{id}, {default}, {named:?}");
            running.stop().await;
        }
        for (id, currency) in [("bronze-monthly", "GBP"), ("starter-monthly", "EUR"), ("growth-eur-monthly", "USD")] {
            assert_eq!(refused(&world, &by_ids(&[id], Some(currency))).await, mismatch(), "{id} in {currency}");
        }
    }

    async fn another_currency_is_another_choice(db: TestDb) {
        let world = World::new(&db).await;
        let dollars = start(&world, &choice("bronze")).await;
        let euros = start(&world, &in_currency("bronze", "EUR")).await;
        assert_ne!(dollars.subscription_id, euros.subscription_id);
        assert_eq!(world.billing.page(&dollars.subscription_id).0.state, CheckoutState::Dead);
        assert_eq!(start(&world, &in_currency("bronze", "EUR")).await, euros, "asked again, it is the same one");
        assert_eq!((asked_in(&world, &dollars), asked_in(&world, &euros)), ("USD".into(), "EUR".into()));
    }

    async fn a_page_in_another_currency_is_shut_whatever_its_group(db: TestDb) {
        let world = World::new(&db).await;
        let dollars = start(&world, &choice("care")).await;
        let euros = start(&world, &in_currency("bronze", "EUR")).await;
        assert_eq!(world.billing.page(&dollars.subscription_id).0.state, CheckoutState::Dead);
        assert_eq!(world.billing.page(&euros.subscription_id).0.state, CheckoutState::Open);
        // Groups in one currency do not disturb each other.
        let world = World::new(&db).await;
        let one = world.create("org_2", "care").await.unwrap();
        let other = world.create("org_2", "bronze").await.unwrap();
        for started in [one, other] {
            assert_eq!(world.billing.page(&started.subscription_id).0.state, CheckoutState::Open);
        }
    }

    async fn a_provider_that_refuses_a_currency_is_told_apart(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Coded(ErrorKind::Rejected, "currency_mismatch"));
        assert_eq!(refused(&world, &in_currency("bronze", "EUR")).await, (None, "currency_mismatch".into()));
        start(&world, &in_currency("bronze", "EUR")).await;
    }

    async fn a_checkout_that_is_asked_for_again_is_asked_for_in_the_same_currency(db: TestDb) {
        let world = World::new(&db).await;
        world.billing.next("start_checkout", Outcome::Fail(ErrorKind::OutcomeUnknown));
        let started = start(&world, &in_currency("bronze", "EUR")).await;
        assert_eq!((world.billing.count("start_checkout"), asked_in(&world, &started).as_str()), (2, "EUR"));
    }

    async fn a_step_is_up_or_down_in_the_subscriptions_own_currency(db: TestDb) {
        let world = World::new(&db).await;
        buy(&world, &in_currency("silver", "EUR")).await;
        let shown = world.preview(to("bronze")).await.unwrap();
        assert_eq!((shown.currency.as_str(), shown.amount_due, shown.when), ("EUR", 1_000, Now));
        let view = world.update(to("bronze")).await.unwrap();
        assert_eq!((view.plan.unwrap().as_str(), view.items[0].currency.unwrap().as_str()), ("bronze", "EUR"));
        let by_id = UpdateRequest { price_ids: vec!["silver-monthly".into()], ..UpdateRequest::default() };
        let shown = world.preview(by_id.clone()).await.unwrap();
        assert_eq!((shown.currency.as_str(), shown.when), ("EUR", PeriodEnd));
        assert!(world.update(by_id).await.unwrap().scheduled_change.is_some());
        let yearly = UpdateRequest { interval: Some("year".into()), ..UpdateRequest::default() };
        assert_eq!(world.preview(yearly).await.unwrap().currency.as_str(), "EUR");
        let dollars = UpdateRequest { currency: Some("USD".into()), ..to("silver") };
        assert_eq!(refusal(&world.update(dollars).await.unwrap_err()), (Some("currency"), "currency_mismatch"));
    }

    async fn the_same_step_goes_the_other_way_in_dollars(db: TestDb) {
        let world = World::new(&db).await;
        buy(&world, &choice("silver")).await;
        let shown = world.preview(to("bronze")).await.unwrap();
        assert_eq!((shown.currency.as_str(), shown.when), ("USD", PeriodEnd));
    }

    async fn add_ons_are_sold_in_the_plans_currency(db: TestDb) {
        let world = World::new(&db).await;
        let by_name = CreateRequest { addons: vec![("boost".into(), 2)], ..in_currency("bronze", "EUR") };
        for (request, quantity) in [(by_ids(&["bronze-monthly", "boost-monthly"], Some("EUR")), 1), (by_name, 2)] {
            let started = start(&world, &request).await;
            let (_, asked) = world.billing.page(&started.subscription_id);
            assert_eq!(asked.currency.as_str(), "EUR");
            let boost = &asked.items[1];
            assert_eq!((boost.price_id.as_str(), boost.quantity, boost.item_type), ("boost-monthly", quantity, ItemType::Addon));
        }
        // There is a price of it, but not in euros.
        let lacking = by_ids(&["bronze-monthly", "extra-projects-monthly"], Some("EUR"));
        assert_eq!(refused(&world, &lacking).await, (Some("itemPriceId".into()), "currency_mismatch".into()));

        buy(&world, &in_currency("bronze", "EUR")).await;
        let view = world.update(with_addons(&[("boost", 1)])).await.unwrap();
        assert_eq!(view.items[1].currency.unwrap().as_str(), "EUR");
        let fewer = world.preview(with_addons(&[])).await.unwrap();
        assert_eq!((fewer.currency.as_str(), fewer.when), ("EUR", PeriodEnd));
    }

    async fn what_is_paid_once_is_paid_in_the_organizations_currency(db: TestDb) {
        let world = World::new(&db).await;
        assert_eq!(pay_once(&world, &["visit-once"]).await, "USD", "the default, while nothing is pinned");
        assert_eq!(pay_once(&world, &["setup-once-eur", "visit-once"]).await, "EUR", "everything in that of the first");
        buy(&world, &in_currency("bronze", "EUR")).await;
        assert_eq!(pay_once(&world, &["visit-once"]).await, "EUR");
        assert_eq!(pay_once(&world, &["visit-once", "setup-once-eur"]).await, "EUR");
    }

    async fn a_change_on_the_providers_page_remembers_its_currency(db: TestDb) {
        let world = World::new(&db).await;
        let row = buy(&world, &in_currency("silver", "EUR")).await;
        let request = UpdateRequest { hosted: true, ..to("bronze") };
        let updated = world.engine().update(&world.actor(ORG).await, &request).await.unwrap();
        assert!(matches!(updated, Updated::Hosted(_)));
        let row = world.row(ORG, &row.id).await;
        assert_eq!(row.checkout.unwrap().params.currency.as_str(), "EUR");
        world.billing.confirm();
        world.engine().land(&row.id).await.unwrap();
        assert_eq!(world.row(ORG, &row.id).await.plan.unwrap().as_str(), "bronze");
    }
}

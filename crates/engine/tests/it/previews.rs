//! What a person saw is what is charged.

use std::time::Duration;

use tollkeeper::{
    Error, Preview, UpdateRequest,
    ports::ChangeWhen::{Now, PeriodEnd},
};
use tollkeeper_store::drift::DriftClass;
use tollkeeper_testkit::both_engines;

use crate::{
    asks::{as_shown, at, refusal, seats, to},
    play::Outcome,
    world::{ORG, World, actor},
};

const LIFE: Duration = Duration::from_secs(15 * 60);

fn outdated(error: Error) -> Preview {
    match error {
        Error::PreviewOutdated(fresh) => *fresh,
        other => panic!("not outdated: {other:?}"),
    }
}

both_engines! {
    async fn a_preview_tells_what_is_charged_and_its_token_pins_it(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let shown = world.preview(to("growth")).await.unwrap();
        assert_eq!((shown.amount_due, shown.credit, shown.when), (3_000, 0, Now));
        assert_eq!(shown.lines.iter().map(|line| line.amount).sum::<i64>(), 3_000);
        assert!(world.billing.calls().iter().all(|(call, _)| *call == "preview"), "{:?}", world.billing.calls());
        assert_eq!(shown.next_invoice.as_ref().unwrap().amount, 5_000);
        world.update(as_shown(&shown, to("growth"))).await.unwrap();
        assert_eq!(world.billing.charges(), [3_000]);
        let shown = world.preview(to("starter")).await.unwrap();
        assert_eq!((shown.amount_due, shown.when, shown.next_invoice.as_ref().unwrap().amount), (0, PeriodEnd, 2_000));
        // Without a time the token's own counts, also where another one is the default.
        let later = world.preview(at(PeriodEnd, seats(4))).await.unwrap();
        let view = world.update(as_shown(&later, seats(4))).await.unwrap();
        assert_eq!((view.seats, view.scheduled_change.unwrap().seats), (Some(1), Some(4)));
        assert!(world.engine().drift(None, 10).await.unwrap().is_empty());
    }

    async fn an_edited_price_is_shown_again_and_only_then_charged(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        for request in [at(PeriodEnd, to("growth")), to("growth")] {
            world.billing.set_price("growth-monthly", "USD", 5_000);
            let shown = world.preview(request.clone()).await.unwrap();
            world.billing.set_price("growth-monthly", "USD", 6_000);
            let before = world.billing.changes().len();
            let fresh = outdated(world.update(as_shown(&shown, request.clone())).await.unwrap_err());
            assert_eq!(world.billing.changes().len(), before, "nothing was changed");
            let next = |it: &Preview| it.next_invoice.as_ref().unwrap().amount;
            assert_eq!((next(&shown), next(&fresh)), (5_000, 6_000));
            world.update(as_shown(&fresh, request.clone())).await.unwrap();
            assert_eq!(world.billing.changes().len(), before + 1);
        }
        assert_eq!(world.billing.charges(), [4_000]);
    }

    async fn a_token_lives_for_a_quarter_of_an_hour_of_machine_time(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let shown = world.preview(to("growth")).await.unwrap();
        world.clock.advance_machine(LIFE);
        let fresh = outdated(world.update(as_shown(&shown, to("growth"))).await.unwrap_err());
        assert_eq!(fresh.amount_due, shown.amount_due);
        world.clock.advance_machine(LIFE - Duration::from_micros(1));
        world.update(as_shown(&fresh, to("growth"))).await.unwrap();
    }

    async fn a_token_is_good_for_one_change_of_one_subscription(db: TestDb) {
        let world = World::new(&db).await;
        let (mine, _) = world.subscribe(ORG, "starter").await;
        let (care, _) = world.subscribe(ORG, "care").await;
        world.subscribe("org_2", "starter").await;
        let this = |request: UpdateRequest| UpdateRequest { subscription_id: Some(mine.to_string()), ..request };
        let shown = world.preview(this(seats(3))).await.unwrap();
        world.billing.forget_calls();
        let mismatch = world.update(as_shown(&shown, this(seats(4)))).await.unwrap_err();
        assert_eq!(refusal(&mismatch), (Some("previewToken"), "preview_mismatch"));
        let mismatch = world.update(as_shown(&shown, at(PeriodEnd, this(seats(3))))).await.unwrap_err();
        assert_eq!(refusal(&mismatch), (Some("previewToken"), "preview_mismatch"), "at another time");
        let other_row = UpdateRequest { subscription_id: Some(care.to_string()), ..seats(3) };
        let bad = world.update(as_shown(&shown, other_row)).await.unwrap_err();
        assert_eq!(refusal(&bad), (Some("previewToken"), "bad_preview_token"));
        let stranger = actor(world.engine(), "org_2").await;
        let bad = world.engine().update(&stranger, &as_shown(&shown, seats(3))).await.unwrap_err();
        assert_eq!(refusal(&bad), (Some("previewToken"), "bad_preview_token"));
        let token = shown.preview_token.clone();
        let mut broken: Vec<String> = vec![String::new(), ".".into(), "growth".into(), token[..token.len() - 2].into()];
        broken.push(token.replacen(|digit: char| digit.is_ascii_digit(), "a", 1));
        for word in broken {
            let request = UpdateRequest { preview_token: Some(word.clone()), ..this(seats(3)) };
            let bad = world.update(request).await.unwrap_err();
            assert_eq!(refusal(&bad), (Some("previewToken"), "bad_preview_token"), "{word}");
        }
        let hosted = UpdateRequest { hosted: true, ..as_shown(&shown, this(seats(3))) };
        assert_eq!(refusal(&world.update(hosted).await.unwrap_err()), (Some("previewToken"), "token_with_hosted"));
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        world.update(as_shown(&shown, this(seats(3)))).await.unwrap();
    }

    async fn a_few_minutes_are_tolerated_and_a_difference_is_written_down(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "starter").await;
        // A day of growth costs 164 and a hundredth of it is 1: so many minutes are one minor unit.
        let shown = world.preview(to("growth")).await.unwrap();
        world.clock.advance_business(Duration::from_secs(14 * 60));
        world.update(as_shown(&shown, to("growth"))).await.unwrap();
        assert_eq!(world.billing.charges(), [2_999]);
        let found = world.engine().drift(Some(&ORG.into()), 10).await.unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.class, one.field.as_str(), one.repaired), (DriftClass::Amount, "amountDue", false));
        assert_eq!((one.expected.as_i64(), one.found.as_i64()), (Some(3_000), Some(2_999)));
        assert_eq!(one.subscription_id.as_ref(), Some(&id));
        // More than that is another amount.
        let shown = world.preview(seats(20)).await.unwrap();
        world.clock.advance_business(Duration::from_secs(60 * 60));
        outdated(world.update(as_shown(&shown, seats(20))).await.unwrap_err());
    }

    async fn the_tolerance_can_be_wider(db: TestDb) {
        let world = World::with(&db, true, |it| it.preview_tolerance = 10_000).await;
        world.subscribe(ORG, "starter").await;
        let shown = world.preview(to("growth")).await.unwrap();
        world.clock.advance_business(Duration::from_secs(12 * 60 * 60));
        world.update(as_shown(&shown, to("growth"))).await.unwrap();
        assert_eq!(world.billing.charges(), [2_950]);
        let found = world.engine().drift(None, 10).await.unwrap();
        assert_eq!(found.len(), 1);
    }

    async fn a_token_of_a_rotated_secret_still_opens(db: TestDb) {
        let world = World::with(&db, true, |it| it.secrets = vec!["old secret".into()]).await;
        world.subscribe(ORG, "starter").await;
        let shown = world.preview(to("growth")).await.unwrap();
        let request = as_shown(&shown, to("growth"));
        let stranger = world.another_with(false, |it| it.secrets = vec!["another".into()]).await;
        let bad = stranger.engine().update(&actor(stranger.engine(), ORG).await, &request).await.unwrap_err();
        assert_eq!(refusal(&bad), (Some("previewToken"), "bad_preview_token"));
        let rotated = world.another_with(false, |it| it.secrets = vec!["new".into(), "old secret".into()]).await;
        rotated.engine().update(&actor(rotated.engine(), ORG).await, &request).await.unwrap();
        assert_eq!(world.billing.charges(), [3_000]);
        stranger.stop().await;
        rotated.stop().await;
    }

    async fn a_preview_that_cannot_be_checked_changes_nothing(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let shown = world.preview(to("growth")).await.unwrap();
        world.billing.next("preview", Outcome::Fail(tollkeeper_core::ports::ErrorKind::Transient));
        assert!(matches!(world.update(as_shown(&shown, to("growth"))).await, Err(Error::Provider(_))));
        assert!(world.billing.changes().is_empty());
        // Once it is done, the same token changes nothing more.
        world.update(as_shown(&shown, to("growth"))).await.unwrap();
        let again = world.update(as_shown(&shown, to("growth"))).await.unwrap_err();
        assert_eq!(refusal(&again), (None, "nothing_changes"));
        assert_eq!(world.billing.charges(), [3_000]);
    }
}

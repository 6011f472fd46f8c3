//! Gates answer from memory, and notice when memory is old.

use std::time::Duration;

use futures_util::future::maybe_done;
use tollkeeper::{CancelRequest, Error, Heard};
use tollkeeper_testkit::{both_engines, database::Engine};

use crate::world::{ORG, World, actor, until};

const FRESH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

both_engines! {
    async fn a_fresh_answer_comes_from_memory(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        let before = world.engine().gate_stats();
        for _ in 0..100 {
            assert!(world.open(ORG, "sso").await);
            assert!(world.engine().gate_now(&ORG.into(), "sso").unwrap().allowed);
        }
        assert_eq!(world.engine().gate_stats(), before);
        assert_eq!(before.resident, 1);
    }

    async fn after_a_second_the_version_is_asked_for_and_nothing_more(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        let before = world.engine().gate_stats();
        world.clock.advance_machine(FRESH);
        assert_eq!(world.engine().gate_now(&ORG.into(), "sso"), None, "memory alone is not fresh");
        for _ in 0..10 {
            assert!(world.open(ORG, "sso").await);
        }
        let after = world.engine().gate_stats();
        assert_eq!((after.checks, after.loads), (before.checks + 1, before.loads));
        assert!(world.engine().gate_now(&ORG.into(), "sso").unwrap().allowed);
    }

    async fn whoever_asked_and_does_not_look_holds_up_nobody(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        world.subscribe("org_2", "growth").await;
        world.clock.advance_machine(FRESH);
        let (one, two) = (ORG.into(), "org_2".into());
        let checks = world.engine().gate_stats().checks;
        let mut asked = std::pin::pin!(maybe_done(world.engine().gate(&one, "sso")));
        let _ = futures_util::poll!(&mut asked);
        assert_eq!(world.engine().gate_stats().checks, checks + 1, "the database is asked");
        let other = tokio::time::timeout(PATIENCE, world.engine().gate(&two, "sso")).await;
        assert!(other.expect("the other one is answered").unwrap().allowed);
        asked.as_mut().await;
        assert!(asked.take_output().unwrap().unwrap().allowed);
    }

    async fn whoever_listens_hears_of_every_change_of_any_process_and_of_no_other_organization(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        world.subscribe("org_2", "growth").await;
        let other = world.another(false).await;
        let mut changes = other.engine().changes(&ORG.into(), None);
        let Heard::Changed(version) = changes.next(PATIENCE).await else { panic!("what there is comes first") };
        assert_eq!(changes.next(Duration::ZERO).await, Heard::Quiet);
        world.engine().cancel(&actor(world.engine(), "org_2").await, &CancelRequest::default()).await.unwrap();
        assert_eq!(changes.next(Duration::ZERO).await, Heard::Quiet);
        world.engine().cancel(&actor(world.engine(), ORG).await, &CancelRequest::default()).await.unwrap();
        // On SQLite nobody tells: it is found by looking.
        let patience = if db.engine() == Engine::Sqlite { Duration::from_millis(1) } else { PATIENCE };
        let mut heard = changes.next(patience).await;
        while heard == Heard::Quiet {
            heard = changes.next(patience).await;
        }
        assert!(matches!(heard, Heard::Changed(later) if later > version), "{heard:?}");
        let Heard::Changed(known) = heard else { unreachable!() };
        let mut own = world.engine().changes(&ORG.into(), Some(known));
        assert_eq!(own.next(PATIENCE).await, Heard::Quiet, "it is known already");
        world.engine().restore(&actor(world.engine(), ORG).await, None, None).await.unwrap();
        assert!(matches!(own.next(PATIENCE).await, Heard::Changed(later) if later > known));
        other.stop().await;
        assert_eq!(changes.next(PATIENCE).await, Heard::Over);
    }

    async fn whoever_listens_hears_also_that_a_row_was_confirmed(db: TestDb) {
        // Such news may be about an invoice, which no row holds.
        let world = World::new(&db).await;
        let (_, bought) = world.subscribe(ORG, "growth").await;
        world.billing.change(&bought, |it| it.version = None);
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        let known = world.account(ORG).await.organization.version;
        let mut changes = world.engine().changes(&ORG.into(), Some(known));
        assert_eq!(changes.next(PATIENCE).await, Heard::Quiet, "nothing was looked at yet");
        world.tell("ev_2", bought.as_str()).await;
        // Whoever only looked again after a while would be too late.
        let heard = tokio::time::timeout(PATIENCE, changes.next(PATIENCE * 1_000)).await;
        assert_eq!(heard, Ok(Heard::Changed(known + 1)));
    }

    async fn what_another_process_wrote_is_seen_once_memory_is_old(db: TestDb) {
        let world = World::new(&db).await;
        let (id, _) = world.subscribe(ORG, "growth").await;
        let other = world.another(false).await;
        assert!(other.engine().gate(&ORG.into(), "sso").await.unwrap().allowed);
        let person = actor(other.engine(), ORG).await;
        let request = CancelRequest { now: true, ..CancelRequest::default() };
        other.engine().cancel(&person, &request).await.unwrap();
        assert!(!other.engine().gate(&ORG.into(), "sso").await.unwrap().allowed, "the writer knows at once");
        // Where processes can tell each other, this one may know already.
        if db.engine() == Engine::Sqlite {
            assert!(world.open(ORG, "sso").await, "the other trusts its memory for a second");
        }
        world.clock.advance_machine(FRESH);
        assert!(!world.open(ORG, "sso").await);
        assert_eq!(world.status(ORG, &id).await, tollkeeper_core::status::Status::Cancelled);
        other.stop().await;
    }

    async fn a_notice_of_another_process_counts_before_memory_is_old(db: TestDb) {
        if db.engine() == Engine::Sqlite {
            // Nobody else is told anything there.
            return;
        }
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        let other = world.another(false).await;
        assert!(world.open(ORG, "sso").await);
        let request = CancelRequest { now: true, ..CancelRequest::default() };
        other.engine().cancel(&actor(other.engine(), ORG).await, &request).await.unwrap();
        until("the notice", async || !world.open(ORG, "sso").await).await;
        other.stop().await;
    }

    async fn while_the_database_is_away_memory_is_trusted_for_two_minutes(db: TestDb) {
        let world = World::idle(&db).await;
        world.subscribe(ORG, "growth").await;
        let lonely = world.another(false).await;
        let gate = async |organization: &str| lonely.engine().gate(&organization.into(), "sso").await;
        assert!(gate(ORG).await.unwrap().allowed);
        lonely.engine().database().close().await;
        for _ in 0..119 {
            world.clock.advance_machine(FRESH);
            assert!(gate(ORG).await.unwrap().allowed);
        }
        // Who is not in memory cannot be known.
        assert!(matches!(gate("org_2").await, Err(Error::Unavailable { code: "gate_unavailable", .. })));
        world.clock.advance_machine(FRESH);
        for _ in 0..2 {
            let closed = gate(ORG).await.unwrap_err();
            assert!(matches!(&closed, Error::Unavailable { code: "gate_unavailable", .. }), "{closed:?}");
        }
        assert!(matches!(lonely.engine().entitlements(&ORG.into()).await, Err(Error::Unavailable { .. })));
    }

    async fn nobody_behind_a_gate_waits_for_a_database_that_was_away_a_moment_ago(db: TestDb) {
        let world = World::idle(&db).await;
        world.subscribe(ORG, "growth").await;
        let lonely = world.another(false).await;
        lonely.engine().gate(&ORG.into(), "sso").await.unwrap();
        lonely.engine().database().close().await;
        world.clock.advance_machine(FRESH);
        for _ in 0..10 {
            assert!(lonely.engine().gate(&ORG.into(), "sso").await.unwrap().allowed);
        }
        let asked = lonely.engine().gate_stats();
        world.clock.advance_machine(FRESH / 2);
        lonely.engine().gate(&ORG.into(), "sso").await.unwrap();
        assert_eq!(lonely.engine().gate_stats(), asked);
    }

    async fn an_organization_that_nobody_heard_of_has_the_default_plan_and_takes_no_memory(db: TestDb) {
        let world = World::new(&db).await;
        for n in 0..20 {
            let id = format!("org_unknown_{n}").into();
            let decision = world.engine().gate(&id, "projects").await.unwrap();
            assert_eq!((decision.allowed, decision.reason.as_str()), (true, "default_plan"));
            assert!(!world.engine().gate(&id, "sso").await.unwrap().allowed);
            assert_eq!(world.engine().gate_now(&id, "projects"), None);
        }
        assert_eq!(world.engine().gate_stats().resident, 0);
        assert!(world.find("org_unknown_0").await.is_none());
    }

    async fn closed_gates_say_why(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        for (feature, allowed, reason) in [
            ("projects", true, "active"),
            ("subscription", true, "active"),
            ("plan:starter", true, "active"),
            ("price:starter-monthly", true, "active"),
            ("sso", false, "plan_lacks_feature"),
            ("plan:growth", false, "plan_lacks_feature"),
            ("plan:gold", false, "unknown_feature"),
            ("teleport", false, "unknown_feature"),
        ] {
            let decision = world.engine().gate(&ORG.into(), feature).await.unwrap();
            assert_eq!((decision.allowed, decision.reason.as_str()), (allowed, reason), "{feature}");
        }
        let all = world.engine().entitlements(&ORG.into()).await.unwrap();
        assert_eq!(all.plans, ["starter".into()]);
    }

    async fn a_clock_that_was_set_back_makes_nothing_fresh(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "growth").await;
        world.clock.set_machine_back(Duration::from_secs(60));
        let before = world.engine().gate_stats();
        assert_eq!(world.engine().gate_now(&ORG.into(), "sso"), None);
        assert!(world.open(ORG, "sso").await);
        assert_eq!(world.engine().gate_stats().checks, before.checks + 1);
        assert!(world.engine().gate_now(&ORG.into(), "sso").unwrap().allowed);
    }
}

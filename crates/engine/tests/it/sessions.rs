//! Sessions: tokens that are renewed without anybody noticing, whatever happens meanwhile, and the end of it.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::poll;
use tollkeeper::{Error, SignInWish, Tollkeeper};
use tollkeeper_core::{
    ports::{AuthError, ErrorKind},
    time::{DAY, days},
};
use tollkeeper_store::session;
use tollkeeper_testkit::{
    both_engines,
    database::{Engine, TestDb},
    proxy::{Cut, CutProxy},
};

use crate::{
    play::SignInFailure as Failure,
    world::{APP, ORG, World, code, until},
};

/// How long the tokens of the play live.
const LIFE: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn is_over(outcome: Result<tollkeeper::Authenticated, Error>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(Error::Unauthenticated(AuthError::Expired)) => true,
        Err(other) => panic!("{other:?}"),
    }
}

impl World {
    fn refreshes(&self) -> usize {
        self.identity.signing.asked("refresh")
    }
}

async fn ask(engine: &Tollkeeper, cookie: &str) -> Result<tollkeeper::Authenticated, Error> {
    engine.authenticate_cookie(cookie).await
}

both_engines! {
    async fn many_that_ask_at_once_refresh_once_in_all_processes(db: TestDb) {
        let world = World::with(&db, false, |it| it.secrets = vec!["a secret".into()]).await;
        let other = world.another(false).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let asking: Vec<_> = (0..12)
            .map(|turn| {
                let engine = if turn % 2 == 0 { world.engine() } else { other.engine() }.clone();
                let cookie = cookie.clone();
                tokio::spawn(async move { engine.authenticate_cookie(&cookie).await })
            })
            .collect();
        world.identity.signing.answer.reached().await;
        // Whoever comes now waits as well, and asks nobody.
        world.identity.signing.hold(false);
        let late = { let (engine, cookie) = (other.engine().clone(), cookie.clone()); tokio::spawn(async move { engine.authenticate_cookie(&cookie).await }) };
        world.identity.signing.answer.release();
        for one in asking.into_iter().chain([late]) {
            assert_eq!(one.await.unwrap().unwrap().session.user_id, "usr_ada".into());
        }
        assert_eq!(world.refreshes(), 1);
        other.stop().await;
    }

    async fn a_refresh_outlives_the_request_that_began_it(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let request = { let (engine, cookie) = (world.engine().clone(), cookie.clone()); tokio::spawn(async move { engine.authenticate_cookie(&cookie).await.map(drop) }) };
        world.identity.signing.answer.reached().await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        world.identity.signing.hold(false);
        world.identity.signing.answer.release();
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 1, "the tokens of the request that was given up were kept");
        world.clock.advance_machine(LIFE);
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 2);
    }

    async fn who_has_seen_new_tokens_is_not_content_with_the_refresh_that_gave_them(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let first = { let (engine, cookie) = (world.engine().clone(), cookie.clone()); tokio::spawn(async move { engine.authenticate_cookie(&cookie).await.map(drop) }) };
        world.identity.signing.answer.reached().await;
        let refreshed = world.identity.signing.hold_proof();
        world.identity.signing.hold(false);
        world.identity.signing.answer.release();
        refreshed.reached().await;
        first.abort();
        // The new tokens are written, end, and are seen, while the refresh that gave them is not over.
        world.clock.advance_machine(LIFE);
        let seen = world.identity.signing.hold_proof();
        let mut second = pin!(ask(world.engine(), &cookie));
        tokio::select! { biased; _ = &mut second => panic!("nobody proved its tokens"), () = seen.reached() => {} }
        seen.release();
        assert!(poll!(&mut second).is_pending(), "it waits for the refresh that is not over");
        refreshed.release();
        second.await.unwrap();
        assert_eq!(world.refreshes(), 2);
    }

    async fn an_engine_that_stops_writes_what_it_was_given(db: TestDb) {
        let world = World::with(&db, false, |it| it.secrets = vec!["a secret".into()]).await;
        let other = world.another(false).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let request = { let (engine, cookie) = (other.engine().clone(), cookie.clone()); tokio::spawn(async move { engine.authenticate_cookie(&cookie).await.map(drop) }) };
        world.identity.signing.answer.reached().await;
        request.abort();
        let stopping = tokio::spawn(other.stop());
        world.identity.signing.hold(false);
        world.identity.signing.answer.release();
        stopping.await.unwrap();
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 1);
    }

    async fn a_token_near_its_end_is_renewed_while_nobody_waits(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE - Duration::from_secs(61));
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 0);
        world.clock.advance_machine(Duration::from_secs(1));
        world.identity.signing.hold(true);
        for _ in 0..3 {
            ask(world.engine(), &cookie).await.unwrap();
        }
        world.identity.signing.answer.reached().await;
        assert_eq!(world.refreshes(), 1);
        world.identity.signing.hold(false);
        world.identity.signing.answer.release();
        world.clock.advance_machine(Duration::from_secs(60));
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 1, "the old one has ended, and the new one was there");
    }

    async fn a_refresh_that_fails_early_harms_nobody(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.identity.signing.fail(Some(Failure::Of(ErrorKind::Transient)));
        world.clock.advance_machine(LIFE - Duration::from_secs(1));
        ask(world.engine(), &cookie).await.unwrap();
        until("the refresh that nobody waits for", async || world.refreshes() == 1).await;
        ask(world.engine(), &cookie).await.unwrap();
    }

    async fn a_short_life_is_not_one_refresh(db: TestDb) {
        let world = World::idle(&db).await;
        world.identity.signing.set_lifetime(Duration::from_secs(30));
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(Duration::from_secs(20));
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 0);
    }

    async fn a_refusal_ends_the_session(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.fail(Some(Failure::Refused));
        assert!(is_over(ask(world.engine(), &cookie).await));
        world.identity.signing.fail(None);
        assert!(is_over(ask(world.engine(), &cookie).await));
        assert_eq!(world.refreshes(), 1);
    }

    async fn tokens_of_another_person_end_the_session(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.identity.signing.mix_up();
        world.clock.advance_machine(LIFE);
        assert!(is_over(ask(world.engine(), &cookie).await));
    }

    async fn a_provider_that_is_down_is_left_alone_and_ends_nothing(db: TestDb) {
        let world = World::idle(&db).await;
        let (ada, eve) = (world.sign_in("usr_ada").await, world.sign_in("usr_eve").await);
        world.identity.signing.fail(Some(Failure::Of(ErrorKind::Transient)));
        world.clock.advance_machine(LIFE);
        for (tries, rest) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            for cookie in [&ada, &eve, &ada] {
                assert_eq!(code(&ask(world.engine(), cookie).await.unwrap_err()), "sign_in_unavailable");
            }
            assert_eq!(world.refreshes(), tries + 1);
            world.clock.advance_machine(Duration::from_secs(rest) - Duration::from_micros(1));
            ask(world.engine(), &eve).await.unwrap_err();
            assert_eq!(world.refreshes(), tries + 1, "it has not rested for {rest} s");
            world.clock.advance_machine(Duration::from_micros(1));
        }
        world.identity.signing.fail(None);
        for cookie in [&ada, &eve] {
            ask(world.engine(), cookie).await.unwrap();
        }
    }

    async fn a_provider_that_asks_to_wait_is_obeyed_within_reason(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        for (asked, rest) in [(20, 20), (3_600, 30)] {
            world.clock.advance_machine(LIFE);
            let before = world.refreshes();
            world.identity.signing.fail(Some(Failure::Of(ErrorKind::Throttled(Duration::from_secs(asked)))));
            ask(world.engine(), &cookie).await.unwrap_err();
            world.identity.signing.fail(None);
            world.clock.advance_machine(Duration::from_secs(rest) - Duration::from_micros(1));
            ask(world.engine(), &cookie).await.unwrap_err();
            assert_eq!(world.refreshes(), before + 1);
            world.clock.advance_machine(Duration::from_micros(1));
            ask(world.engine(), &cookie).await.unwrap();
        }
    }

    async fn what_fails_for_one_session_keeps_nobody_else_waiting(db: TestDb) {
        let world = World::idle(&db).await;
        let (ada, eve) = (world.sign_in("usr_ada").await, world.sign_in("usr_eve").await);
        let refused_for = async |cookie: &str| {
            for _ in 0..2 {
                assert_eq!(code(&ask(world.engine(), cookie).await.unwrap_err()), "sign_in_unavailable");
            }
        };
        // A token that is not believed.
        world.clock.advance_machine(LIFE);
        world.identity.signing.set_lifetime(Duration::ZERO);
        refused_for(&ada).await;
        world.identity.signing.set_lifetime(LIFE);
        ask(world.engine(), &eve).await.unwrap();
        assert_eq!(world.refreshes(), 2);
        // A refresh that the provider rejects.
        world.clock.advance_machine(LIFE);
        world.identity.signing.fail(Some(Failure::Of(ErrorKind::Rejected)));
        refused_for(&ada).await;
        world.identity.signing.fail(None);
        ask(world.engine(), &eve).await.unwrap();
        assert_eq!(world.refreshes(), 4);
        world.clock.advance_machine(Duration::from_secs(1));
        ask(world.engine(), &ada).await.unwrap();
    }

    async fn new_tokens_that_are_of_no_use_are_not_asked_for_by_every_request(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.set_lifetime(Duration::ZERO);
        for _ in 0..3 {
            assert_eq!(code(&ask(world.engine(), &cookie).await.unwrap_err()), "sign_in_unavailable");
        }
        assert_eq!(world.refreshes(), 1);
        world.identity.signing.set_lifetime(LIFE);
        world.clock.advance_machine(Duration::from_secs(1));
        ask(world.engine(), &cookie).await.unwrap();
        assert_eq!(world.refreshes(), 2, "they were kept, also without being of use: the next ones came by them");
    }

    async fn signing_out_holds_at_once_and_everywhere(db: TestDb) {
        let world = World::with(&db, false, |it| it.secrets = vec!["a secret".into()]).await;
        let other = world.another(false).await;
        let cookie = world.sign_in("usr_ada").await;
        ask(other.engine(), &cookie).await.unwrap();
        let url = world.engine().sign_out(Some(&cookie)).await.unwrap();
        assert!(url.starts_with("https://id.example.com/logout?id|usr_ada|") && url.ends_with(&format!("&{APP}/")), "{url}");
        for engine in [world.engine(), other.engine()] {
            assert!(is_over(ask(engine, &cookie).await));
        }
        // Whose session is over may still have one at the provider.
        assert_eq!(world.engine().sign_out(Some(&cookie)).await.unwrap(), format!("https://id.example.com/logout?&{APP}/"));
        for nothing in [Some("nonsense"), Some("tk1.AAAA"), Some(""), None] {
            assert_eq!(world.engine().sign_out(nothing).await.unwrap(), format!("{APP}/"));
        }
        other.stop().await;
    }

    async fn a_refresh_does_not_bring_back_who_signed_out_meanwhile(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let request = { let (engine, cookie) = (world.engine().clone(), cookie.clone()); tokio::spawn(async move { engine.authenticate_cookie(&cookie).await }) };
        world.identity.signing.answer.reached().await;
        world.engine().sign_out(Some(&cookie)).await.unwrap();
        world.identity.signing.answer.release();
        assert!(is_over(request.await.unwrap()));
        assert!(is_over(ask(world.engine(), &cookie).await));
    }

    async fn a_session_ends_after_seven_days_without_use(db: TestDb) {
        let world = World::idle(&db).await;
        world.identity.signing.set_lifetime(days(60));
        let cookie = world.sign_in("usr_ada").await;
        // It is not written down every time.
        world.clock.advance_machine(HOUR - Duration::from_micros(1));
        assert_eq!(ask(world.engine(), &cookie).await.unwrap().renewed, None);
        world.clock.advance_machine(Duration::from_micros(1));
        let renewed = ask(world.engine(), &cookie).await.unwrap().renewed.unwrap();
        assert_eq!(renewed.lasts, days(7));
        ask(world.engine(), &renewed.value).await.unwrap();
        world.clock.advance_machine(days(7) - Duration::from_micros(1));
        ask(world.engine(), &cookie).await.unwrap();
        world.clock.advance_machine(days(7));
        assert!(is_over(ask(world.engine(), &cookie).await));
    }

    async fn a_session_ends_after_thirty_days_with_use(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        let mut last = None;
        for _ in 0..4 {
            world.clock.advance_machine(6 * DAY);
            last = ask(world.engine(), &cookie).await.unwrap().renewed;
        }
        assert_eq!(last.unwrap().lasts, 6 * DAY);
        world.clock.advance_machine(6 * DAY - Duration::from_micros(1));
        ask(world.engine(), &cookie).await.unwrap();
        world.clock.advance_machine(Duration::from_micros(1));
        assert!(is_over(ask(world.engine(), &cookie).await));
    }

    async fn what_is_over_is_forgotten(db: TestDb) {
        let world = World::idle(&db).await;
        let cookie = world.sign_in("usr_ada").await;
        let rows = async || {
            let far = world.clock_in(days(400));
            // Counted by forgetting all of them, and undoing it.
            let count = &AtomicU64::new(0);
            let undone = db.db().write(|tx| {
                Box::pin(async move {
                    count.store(session::forget(tx, far, 1_000).await?, Ordering::Relaxed);
                    Err::<(), _>(tollkeeper_store::Error::Overloaded)
                })
            });
            undone.await.unwrap_err();
            count.load(Ordering::Relaxed)
        };
        assert_eq!(rows().await, 1);
        world.clock.advance_machine(days(7));
        assert!(is_over(ask(world.engine(), &cookie).await));
        assert_eq!(rows().await, 1);
        let worker = world.another(true).await;
        until("it is forgotten", async || rows().await == 0).await;
        worker.stop().await;
    }

    async fn a_session_outlives_the_secret_that_sealed_it(db: TestDb) {
        let world = World::with(&db, false, |it| it.secrets = vec!["old secret".into()]).await;
        let cookie = world.sign_in("usr_ada").await;
        let rotated = world.another_with(false, |it| it.secrets = vec!["new".into(), "old secret".into()]).await;
        ask(rotated.engine(), &cookie).await.unwrap();
        world.clock.advance_machine(LIFE);
        ask(rotated.engine(), &cookie).await.unwrap();
        let stranger = world.another_with(false, |it| it.secrets = vec!["another".into()]).await;
        let refused = ask(stranger.engine(), &cookie).await.unwrap_err();
        assert!(matches!(refused, Error::Unauthenticated(AuthError::Invalid(_))), "{refused:?}");
        // Who does not know the new secret cannot read the new tokens, and destroys nothing.
        assert!(is_over(ask(world.engine(), &cookie).await));
        ask(rotated.engine(), &cookie).await.unwrap();
        for other in [rotated, stranger] {
            other.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_heard_the_end_of_loses_no_tokens() {
    for cut in [Cut::BeforeCommit, Cut::AfterCommit] {
        let db = TestDb::new(Engine::Postgres).await;
        let proxy = CutProxy::start(db.url()).await;
        let world = World::with(&db, false, |it| it.secrets = vec!["a secret".into()]).await;
        let cut_off = world.another_at(proxy.url(), false, |_| {}).await;

        let begun = cut_off.engine().begin_sign_in(&SignInWish::default()).unwrap();
        let (state, code) = world.identity.signing.choose(&begun.url, "usr_ada", ORG);
        let flow = cut_off.engine().sign_in_flow(&begun.flow, &state).unwrap();
        proxy.cut_next(cut);
        let cookie = cut_off.engine().finish_sign_in(&flow, &code, None).await.unwrap().cookie.value;
        assert_eq!(proxy.cuts(), 1);

        world.clock.advance_machine(LIFE);
        world.identity.signing.hold(true);
        let request = {
            let (engine, cookie) = (cut_off.engine().clone(), cookie.clone());
            tokio::spawn(async move { engine.authenticate_cookie(&cookie).await })
        };
        world.identity.signing.answer.reached().await;
        proxy.cut_next(cut);
        world.identity.signing.hold(false);
        world.identity.signing.answer.release();
        request.await.unwrap().unwrap();
        assert_eq!((proxy.cuts(), world.refreshes()), (2, 1), "{cut:?}");
        ask(world.engine(), &cookie).await.unwrap();
        cut_off.stop().await;
    }
}

//! Signing in: what leaves with a browser, what comes back, and what is believed of it.

use std::time::Duration;

use tollkeeper::{Error, SESSION_MARK, SignInWish};
use tollkeeper_core::ports::ErrorKind;
use tollkeeper_testkit::both_engines;

use crate::{
    asks::refusal,
    play::SignInFailure as Failure,
    world::{APP, ORG, World, code},
};

both_engines! {
    async fn a_code_becomes_a_session(db: TestDb) {
        let world = World::idle(&db).await;
        let begun = world.engine().begin_sign_in(&SignInWish { next: Some("/billing?plan=growth"), ..SignInWish::default() }).unwrap();
        assert_eq!(begun.lasts, Duration::from_secs(600));
        let (state, code) = world.identity.signing.choose(&begun.url, "usr_ada", ORG);
        assert!(begun.flow.starts_with(SESSION_MARK) && !begun.flow.contains(&state));
        let flow = world.engine().sign_in_flow(&begun.flow, &state).unwrap();
        let signed_in = world.engine().finish_sign_in(&flow, &code, None).await.unwrap();
        assert_eq!(signed_in.url, format!("{APP}/billing?plan=growth"));
        assert!(signed_in.cookie.value.len() < 128, "{}", signed_in.cookie.value.len());
        let proven = world.engine().authenticate_cookie(&signed_in.cookie.value).await.unwrap();
        assert_eq!(proven.session.user_id, "usr_ada".into());
        assert_eq!(proven.session.organization_id, Some(ORG.into()));
        assert_eq!(proven.session.email.as_deref(), Some("usr_ada@example.com"), "of the ID token");
        assert_eq!(proven.renewed, None);
    }

    async fn a_flow_is_of_one_browser_and_ten_minutes(db: TestDb) {
        let world = World::idle(&db).await;
        let begin = || world.engine().begin_sign_in(&SignInWish::default()).unwrap();
        let (one, two) = (begin(), begin());
        let (state, _) = world.identity.signing.choose(&one.url, "usr_ada", ORG);
        assert!(world.engine().sign_in_flow(&one.flow, &state).is_some());
        let cut = &state[..state.len() - 1];
        for (flow, state) in [(&*two.flow, &*state), (&one.flow, cut), (&one.flow, ""), ("", &state), (SESSION_MARK, &state), (&state, &state)] {
            assert!(world.engine().sign_in_flow(flow, state).is_none(), "{flow} {state}");
        }
        let broken = format!("{}A", &one.flow[..one.flow.len() - 1]);
        assert!(broken == one.flow || world.engine().sign_in_flow(&broken, &state).is_none());
        world.clock.advance_machine(Duration::from_secs(600) - Duration::from_micros(1));
        assert!(world.engine().sign_in_flow(&one.flow, &state).is_some());
        world.clock.advance_machine(Duration::from_micros(1));
        assert!(world.engine().sign_in_flow(&one.flow, &state).is_none());
    }

    async fn a_flow_makes_one_session_in_whatever_process(db: TestDb) {
        let world = World::with(&db, false, |it| it.secrets = vec!["a secret".into()]).await;
        let other = world.another(false).await;
        let begun = world.engine().begin_sign_in(&SignInWish::default()).unwrap();
        let choose = || world.identity.signing.choose(&begun.url, "usr_ada", ORG);
        let ((state, first), (_, second)) = (choose(), choose());
        let flow = other.engine().sign_in_flow(&begun.flow, &state).unwrap();
        let cookie = other.engine().finish_sign_in(&flow, &first, None).await.unwrap().cookie.value;
        for again in [&first, &second] {
            let refused = world.engine().finish_sign_in(&flow, again, None).await.unwrap_err();
            assert_eq!(code(&refused), "sign_in_refused");
        }
        world.engine().authenticate_cookie(&cookie).await.unwrap();
        other.stop().await;
    }

    async fn one_comes_back_to_a_path_of_ours(db: TestDb) {
        let world = World::idle(&db).await;
        for next in ["", "billing", "//evil.com", "/\\evil.com", "/%2fevil.com", "https://evil.com", "/\t/evil.com", APP] {
            let refused = world.engine().begin_sign_in(&SignInWish { next: Some(next), ..SignInWish::default() });
            assert_eq!(refusal(&refused.unwrap_err()), (Some("next"), "invalid_redirect"), "{next}");
        }
    }

    async fn a_token_is_not_older_than_the_call_that_gave_it(db: TestDb) {
        let world = World::idle(&db).await;
        world.identity.signing.take(Duration::from_secs(20));
        let cookie = world.sign_in("usr_ada").await;
        world.engine().authenticate_cookie(&cookie).await.unwrap();
        world.clock.advance_machine(Duration::from_secs(300));
        world.engine().authenticate_cookie(&cookie).await.unwrap();
        assert_eq!(world.identity.signing.asked("refresh"), 1);
    }

    async fn what_the_provider_says_is_not_believed_without_proof(db: TestDb) {
        let world = World::idle(&db).await;
        let swaps: [fn(&str) -> Option<String>; 4] = [
            |_| None,
            |_| Some("nonsense".into()),
            |id| Some(id.replace("usr_ada", "usr_eve")),
            |id| Some(format!("{id}another")),
        ];
        for swap in swaps {
            world.identity.signing.swap_id_token(swap);
            let refused = world.try_sign_in("usr_ada").await.unwrap_err();
            assert_eq!(code(&refused), "sign_in_failed");
        }
        world.identity.signing.swap_id_token(|id| Some(id.to_owned()));
        for (failure, wanted) in [
            (Failure::Refused, "sign_in_refused"),
            (Failure::Of(ErrorKind::Transient), "sign_in_unavailable"),
            (Failure::Of(ErrorKind::OutcomeUnknown), "sign_in_unavailable"),
            (Failure::Of(ErrorKind::Rejected), "sign_in_failed"),
        ] {
            world.identity.signing.fail(Some(failure));
            assert_eq!(code(&world.try_sign_in("usr_ada").await.unwrap_err()), wanted);
        }
        // A token that is over when it comes.
        world.identity.signing.fail(None);
        world.identity.signing.set_lifetime(Duration::ZERO);
        let refused: Error = world.try_sign_in("usr_ada").await.unwrap_err();
        assert_eq!(code(&refused), "sign_in_failed");
    }
}

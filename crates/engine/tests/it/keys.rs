//! Keys of a product's backend: what they open, for whom, and how soon they stop.

use std::time::Duration;

use tollkeeper::{Action, Error, KEY_PREFIX, Key, Scope};
use tollkeeper_core::ports::AuthError;
use tollkeeper_testkit::both_engines;

use crate::{
    asks::refusal,
    world::{ORG, World, choice, code},
};

/// How long a key is believed without asking.
const BELIEVED: Duration = Duration::from_secs(5);

async fn key(world: &World, scopes: &[Scope], only: Option<&str>) -> (Key, String) {
    world.engine().create_key("the backend", scopes, only.map(Into::into)).await.unwrap()
}

both_engines! {
    async fn a_key_is_known_by_its_secret_alone(db: TestDb) {
        let world = World::new(&db).await;
        let (made, secret) = key(&world, &[Scope::Billing, Scope::Read, Scope::Read], None).await;
        assert!(secret.starts_with(KEY_PREFIX) && secret.len() > 60, "{}", secret.len());
        assert_eq!(made.scopes, [Scope::Read, Scope::Billing]);
        let proven = world.engine().authenticate_key(&secret).await.unwrap();
        assert_eq!((&proven.id, &proven.name, &proven.scopes), (&made.id, &made.name, &made.scopes));
        let other = world.another(false).await;
        other.engine().authenticate_key(&secret).await.unwrap();
        for wrong in ["", "tk_", &secret[..secret.len() - 1], &made.id, &format!("{secret}0"), &secret.to_uppercase()] {
            let refused = world.engine().authenticate_key(wrong).await.unwrap_err();
            assert!(matches!(&refused, Error::Unauthenticated(AuthError::Invalid(_))), "{wrong}: {refused:?}");
        }
        let listed = world.engine().keys().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(listed[0].last_used_at.is_some());
        assert!(!format!("{listed:?}").contains(&secret), "nobody can read it again");
        other.stop().await;
    }

    async fn a_revoked_key_stops_here_at_once_and_elsewhere_within_seconds(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(false).await;
        let (made, secret) = key(&world, &[Scope::Read], None).await;
        for engine in [world.engine(), other.engine()] {
            engine.authenticate_key(&secret).await.unwrap();
        }
        assert!(world.engine().revoke_key(&made.id).await.unwrap());
        assert!(!world.engine().revoke_key(&made.id).await.unwrap(), "once");
        assert!(!world.engine().revoke_key("key_0").await.unwrap());
        world.engine().authenticate_key(&secret).await.unwrap_err();
        world.clock.advance_machine(BELIEVED - Duration::from_micros(1));
        other.engine().authenticate_key(&secret).await.unwrap();
        world.clock.advance_machine(Duration::from_micros(1));
        other.engine().authenticate_key(&secret).await.unwrap_err();
        assert!(world.engine().keys().await.unwrap()[0].revoked_at.is_some());
        other.stop().await;
    }

    async fn a_clock_that_was_set_back_believes_no_key_longer(db: TestDb) {
        let world = World::new(&db).await;
        let other = world.another(false).await;
        let (made, secret) = key(&world, &[Scope::Read], None).await;
        other.engine().authenticate_key(&secret).await.unwrap();
        world.engine().revoke_key(&made.id).await.unwrap();
        world.clock.set_machine_back(Duration::from_secs(3_600));
        other.engine().authenticate_key(&secret).await.unwrap_err();
        other.stop().await;
    }

    async fn a_key_does_what_its_scopes_say(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let actions =
            [Action::Create, Action::Update, Action::Preview, Action::Cancel, Action::Restore, Action::Pause, Action::Resume, Action::Portal];
        for (scopes, reads, changes) in [
            (vec![Scope::Read], true, false),
            (vec![Scope::Billing], false, true),
            (vec![Scope::Usage, Scope::Admin], false, false),
            (Scope::ALL.to_vec(), true, true),
        ] {
            let (key, _) = key(&world, &scopes, None).await;
            let allowed = async |action| match world.engine().authorize_key(&key, Some(ORG), action).await {
                Ok(actor) => {
                    assert_eq!(actor.organization_id().as_str(), ORG);
                    true
                }
                Err(refused) => {
                    assert_eq!(code(&refused), "scope_required");
                    false
                }
            };
            assert_eq!(allowed(Action::List).await, reads, "{scopes:?}");
            for action in actions {
                assert_eq!(allowed(action).await, changes, "{scopes:?} {action:?}");
            }
        }
        world.engine().authorize_key(&Key::operator(), Some(ORG), Action::Cancel).await.unwrap();
    }

    async fn a_key_names_whom_it_acts_for(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        world.billing.forget_calls();
        let (any, _) = key(&world, &[Scope::Billing], None).await;
        let (pinned, _) = key(&world, &[Scope::Billing], Some(ORG)).await;
        let engine = world.engine();
        for nothing in [None, Some("")] {
            let refused = engine.authorize_key(&any, nothing, Action::Cancel).await.unwrap_err();
            assert_eq!(refusal(&refused), (Some("referenceId"), "reference_required"));
            let actor = engine.authorize_key(&pinned, nothing, Action::Cancel).await.unwrap();
            assert_eq!(actor.organization_id().as_str(), ORG);
        }
        let refused = engine.authorize_key(&pinned, Some("org_2"), Action::Cancel).await.unwrap_err();
        assert_eq!(code(&refused), "reference_mismatch");
        assert_eq!(world.identity.asked(), 1, "only when the organization came");
        // What only the identity provider knows gets a row; what nobody knows does not.
        let asked = world.hooks.asked().len();
        let unknown = engine.authorize_key(&any, Some("org_9"), Action::Create).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownOrganization(_)));
        assert!(world.find("org_9").await.is_none());
        world.identity.name("org_9", "Nine");
        let actor = engine.authorize_key(&any, Some("org_9"), Action::Create).await.unwrap();
        assert_eq!(world.account("org_9").await.organization.display_name, "Nine");
        assert_eq!(world.hooks.asked()[asked..], [format!("key:{}", any.id), format!("key:{}", any.id)]);
        assert!(world.billing.calls().is_empty(), "{:?}", world.billing.calls());
        engine.create(&actor, &choice("starter")).await.unwrap();
    }

    async fn the_products_own_hook_has_the_last_word(db: TestDb) {
        let world = World::new(&db).await;
        world.subscribe(ORG, "starter").await;
        let (any, _) = key(&world, &[Scope::Read, Scope::Billing], None).await;
        let asked = world.identity.asked();
        world.hooks.deny();
        for reference in [ORG, "org_9"] {
            let refused = world.engine().authorize_key(&any, Some(reference), Action::Update).await.unwrap_err();
            assert_eq!(code(&refused), "denied");
        }
        assert_eq!(world.identity.asked(), asked, "nobody is asked for whom it is denied");
    }

    async fn a_key_needs_a_name_and_a_scope(db: TestDb) {
        let world = World::new(&db).await;
        let make = async |name: &str, scopes: &[Scope]| world.engine().create_key(name, scopes, None).await;
        for name in ["", "  ", &"x".repeat(101)] {
            assert_eq!(refusal(&make(name, &[Scope::Read]).await.unwrap_err()), (Some("name"), "bad_name"));
        }
        assert_eq!(refusal(&make("x", &[]).await.unwrap_err()), (Some("scopes"), "bad_scopes"));
        assert_eq!(make(&"é".repeat(100), &[Scope::Read]).await.unwrap().0.name.chars().count(), 100);
        assert_eq!(Scope::parse("billing"), Some(Scope::Billing));
        assert_eq!(Scope::parse("everything"), None);
    }
}

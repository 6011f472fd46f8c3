//! What the console asks: who may look, which organization is meant, and its story.

use std::time::Duration;

use secrecy::SecretString;
use tollkeeper::{Error, Key, Scope};
use tollkeeper_core::ports::AuthError;
use tollkeeper_testkit::both_engines;

use crate::world::{ORG, World};

const DAY_OF_WORK: Duration = Duration::from_secs(8 * 60 * 60);

async fn found(world: &World, text: &str) -> Vec<String> {
    let found = world.engine().find_organizations(text, tollkeeper::NameMatch::Beginning, 10).await.unwrap();
    found.into_iter().map(|organization| organization.id.into_string()).collect()
}

both_engines! {
    async fn a_cookie_is_good_for_a_day_of_work_and_as_long_as_its_key(db: TestDb) {
        let world = World::with(&db, true, |settings| settings.secrets = vec!["s".repeat(32).into()]).await;
        let other = world.another(false).await;
        let (key, secret) = world.engine().create_key("ops", &[Scope::Admin], None).await.unwrap();
        let cookie = world.engine().console_cookie(&key, &secret);
        assert_eq!(cookie.lasts, DAY_OF_WORK);
        assert!(!cookie.value.contains(&secret[3..]), "not the secret itself");
        let proven = other.engine().console_key(&cookie.value, None).await.unwrap();
        assert_eq!((&proven.id, &proven.scopes), (&key.id, &key.scopes));

        world.clock.advance_machine(DAY_OF_WORK - Duration::from_secs(1));
        other.engine().console_key(&cookie.value, None).await.unwrap();
        world.clock.advance_machine(Duration::from_secs(1));
        let over = other.engine().console_key(&cookie.value, None).await.unwrap_err();
        assert!(matches!(over, Error::Unauthenticated(AuthError::Expired)), "{over:?}");

        let cookie = world.engine().console_cookie(&key, &secret);
        world.engine().revoke_key(&key.id).await.unwrap();
        let over = other.engine().console_key(&cookie.value, None).await.unwrap_err();
        assert!(matches!(over, Error::Unauthenticated(AuthError::Expired)), "at once, in every process: {over:?}");
        other.stop().await;
    }

    async fn the_operators_cookie_ends_with_the_operators_key(db: TestDb) {
        let world = World::idle(&db).await;
        let (old, new) = (SecretString::from("the old one"), SecretString::from("the new one"));
        let cookie = world.engine().console_cookie(&Key::operator(), "the old one").value;
        assert_eq!(*world.engine().console_key(&cookie, Some(&old)).await.unwrap(), Key::operator());
        for (cookie, key) in [(&cookie, Some(&new)), (&cookie, None)] {
            let refused = world.engine().console_key(cookie, key).await.unwrap_err();
            assert!(matches!(refused, Error::Unauthenticated(AuthError::Invalid(_))), "{refused:?}");
        }
        // Another engine without a common secret has other seals.
        let other = world.another(false).await;
        other.engine().console_key(&cookie, Some(&old)).await.unwrap_err();
        other.stop().await;
    }

    async fn nobody_makes_a_cookie_of_their_own(db: TestDb) {
        let world = World::idle(&db).await;
        let operator = SecretString::from("secret");
        let (key, secret) = world.engine().create_key("ops", &[Scope::Admin], None).await.unwrap();
        let cookie = world.engine().console_cookie(&key, &secret).value;
        let sealed = cookie.rsplit_once('.').unwrap().1;
        for forged in [
            String::new(),
            ".".into(),
            "operator.".into(),
            format!("operator.{sealed}"),
            format!("key_0.{sealed}"),
            format!("{}.", key.id),
            format!("{}.{}", key.id, &sealed[1..]),
            format!("{cookie}A"),
            format!("{}.{}", key.id, "A".repeat(600)),
            secret,
        ] {
            let refused = world.engine().console_key(&forged, Some(&operator)).await.unwrap_err();
            assert!(matches!(refused, Error::Unauthenticated(_)), "{forged}: {refused:?}");
        }
    }

    async fn an_organization_is_found_by_whatever_belongs_to_it(db: TestDb) {
        let world = World::new(&db).await;
        let (row, bought) = world.subscribe(ORG, "starter").await;
        world.upsert("org_2", "Second").await.unwrap();
        world.engine().upsert_member(&"org_2".into(), &"usr_9".into(), Some("Eve@Second.test".into())).await.unwrap();
        let customer = world.account(ORG).await.customers[0].id.to_string();
        for (text, wanted) in [
            (row.as_str(), &[ORG][..]),
            (bought.as_str(), &[ORG]),
            (&customer, &[ORG]),
            ("org_", &[ORG, "org_2"]),
            ("eve@second.test", &["org_2"]),
            ("SECO", &["org_2"]),
            ("nobody", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(&world, text).await, wanted, "{text}");
        }
        let newest = world.engine().newest_organizations(1).await.unwrap();
        assert_eq!(newest.len(), 1);
    }

    async fn a_story_says_what_was_decided_and_why(db: TestDb) {
        let world = World::new(&db).await;
        let (id, bought) = world.subscribe(ORG, "starter").await;
        world.tell("ev_1", bought.as_str()).await;
        world.settled("ev_1").await;
        world.tell_organization("ev_2", "organization.updated", ORG, 1).await;
        world.settled("ev_2").await;
        world.subscribe("org_2", "starter").await;
        world.rest().await;
        world.engine().upsert_member(&ORG.into(), &"usr_9".into(), Some("eve@example.com".into())).await.unwrap();

        let story = world.engine().story(&ORG.into(), None).await.unwrap();
        assert_eq!(story.account.subscriptions[0].id, id);
        assert_eq!(story.members.iter().map(|member| member.holder.as_str()).collect::<Vec<_>>(), ["eve@example.com"]);
        assert!(!story.more_members);
        let mut all = world.history(ORG).await;
        all.reverse();
        assert_eq!(story.history, all);
        assert!(all.len() > 1);
        assert_eq!(story.older, None);
        let caused = story.history.iter().filter(|row| row.cause.kind.as_str() == "inbox").map(|row| row.cause.id.as_str());
        let mut caused: Vec<_> = caused.collect();
        caused.sort_unstable();
        caused.dedup();
        assert!(!caused.is_empty());
        let senders = story.senders.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>();
        assert_eq!(senders, caused);
        assert_eq!(story.owed.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), world.told(ORG).await);
        let mut events: Vec<_> = story.deliveries.iter().map(|row| row.event_id.as_str()).collect();
        events.sort_unstable();
        assert_eq!(events, ["ev_1", "ev_2"]);
        assert_eq!(story.drift, []);

        let older = world.engine().story(&ORG.into(), Some(all[0].seq)).await.unwrap();
        assert_eq!(older.history, all[1..]);
        let unknown = world.engine().story(&"org_none".into(), None).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownOrganization(_)));
    }

    async fn a_long_history_is_told_piece_by_piece(db: TestDb) {
        let world = World::idle(&db).await;
        for number in 0..30 {
            world.upsert(ORG, &format!("Name {number}")).await.unwrap();
        }
        let all = world.history(ORG).await.len();
        assert!(all >= 30, "{all}");
        let (mut before, mut seen) = (None, 0);
        loop {
            let story = world.engine().story(&ORG.into(), before).await.unwrap();
            assert!(story.history.len() <= 25);
            seen += story.history.len();
            before = story.older;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }
}

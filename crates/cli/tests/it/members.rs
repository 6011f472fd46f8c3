//! Members, whatever order their news comes in.

use serde_json::{Value, json};
use tollkeeper_store::member;

use crate::support::{World, inbox_rows, worked_off};

async fn add(world: &World, organization: &str, email: &str) -> String {
    let path = format!("/sandbox/organizations/{organization}/users");
    let user = world.post(&path, json!({ "email": email, "roles": ["member"] })).await;
    user["userId"].as_str().unwrap().to_owned()
}

async fn remove(world: &World, organization: &str, user: &str) {
    let path = format!("/sandbox/organizations/{organization}/users/{user}");
    world.control(reqwest::Method::DELETE, &path, Value::Null).await.ok();
}

tollkeeper_testkit::both_engines! {
    async fn members_end_as_the_provider_has_them_in_any_order(db: TestDb) {
        let world = World::start().await;
        // Nobody listens yet: what happens now comes later, in the order in which it is sent again.
        let organization = world.organization("Acme Inc").await;
        add(&world, &organization, "Jane@Acme.test").await;
        let bob = add(&world, &organization, "bob@acme.test").await;
        let carol = add(&world, &organization, "carol@acme.test").await;
        remove(&world, &organization, &bob).await;
        remove(&world, &organization, &carol).await;
        assert_eq!(add(&world, &organization, "CAROL@acme.test").await, carol);

        let server = world.serve(db.url(), &[]).await;
        let news = world.deliveries(&organization).await;
        assert_eq!(news.len(), 7, "{news:?}");
        for delivery in news.iter().rev().chain(&news) {
            world.redeliver(delivery).await;
        }
        worked_off(db.db()).await;
        let mut rows = inbox_rows(db.db()).await;
        rows.retain(|row| row.source.as_str() == "scalekit");
        assert_eq!(rows.len(), news.len());
        assert!(rows.iter().all(|row| row.seen >= 2), "each came at least twice: {rows:?}");

        let id = organization.as_str().into();
        let members = member::list(db.db().read().await.unwrap().c(), &id).await.unwrap();
        let members: Vec<_> = members.iter().map(|row| (row.holder.as_str(), row.active())).collect();
        assert_eq!(members, [("bob@acme.test", false), ("carol@acme.test", true), ("jane@acme.test", true)]);
        drop(server);
    }
}

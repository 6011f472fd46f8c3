//! Nobody reaches a provider for an organization that is not theirs: checked from the provider's side.

use reqwest::Method;
use serde_json::{Value, json};

use crate::provider::{Provider, both_providers};
use crate::support::{Answer, Person, Server, World};

const WRITES: [&str; 4] =
    ["/api/subscription/create", "/api/subscription/cancel", "/api/subscription/restore", "/api/subscription/portal"];
const READS: [&str; 5] =
    ["/api/session", "/api/subscription/list", "/api/entitlements", "/api/entitlements/sso", "/gate/sso"];

/// A world in which nobody tells the server of organizations.
async fn silent_world(provider: Provider) -> (World, Server) {
    let world = World::of(provider).await;
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let server = world.serve_at("127.0.0.1:0".parse().unwrap(), &database, &[]).await;
    (world, server)
}

async fn everything_is_refused(person: &Person, expected: u16, whose: &str) {
    for path in WRITES {
        // With a body that is wrong as well: who asks is judged first.
        for body in [json!({ "plan": "growth" }), json!({ "plan": 7, "when": [] }), Value::Null] {
            let answer = person.post(path, body).await;
            assert_eq!(answer.status, expected, "{whose}: POST {path}: {}", answer.body);
            is_a_problem(&answer);
        }
    }
    for path in READS {
        let answer = person.get(path).await;
        assert_eq!(answer.status, expected, "{whose}: GET {path}: {}", answer.body);
        is_a_problem(&answer);
    }
}

fn is_a_problem(answer: &Answer) {
    assert_eq!(answer.body["status"], answer.status, "{}", answer.body);
    assert!(answer.body["error"].is_string() && answer.body["code"].is_string(), "{}", answer.body);
}

async fn no_provider_heard_of(world: &World, organizations: &[&str]) {
    for id in organizations {
        let heard = world.requests_that_name(id).await;
        assert!(heard.is_empty(), "a provider was asked about {id}: {heard:?}");
        assert!(world.truth("customers", id).await.is_empty());
    }
}

both_providers! {
    async fn tokens_that_prove_nothing_open_nothing(provider: Provider) {
        let (world, server) = silent_world(provider).await;
        let organization = world.organization("Acme Inc").await;
        let wish = |more: Value| {
            let mut wish = json!({ "email": "a@acme.test", "organizationId": organization, "roles": ["admin"] });
            wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            wish
        };
        let machine = json!({ "claims": { "sub": "m2morg_7", "client_id": "m2morg_7", "sid": null } });
        let wishes = [
            ("an expired token", 401, wish(json!({ "ttlSeconds": -3600 }))),
            ("a token signed by somebody else", 401, wish(json!({ "signWith": "foreign" }))),
            ("a token signed by nobody", 401, wish(json!({ "signWith": "none" }))),
            ("the token of a machine", 401, wish(machine)),
            ("a token for somebody else", 401, wish(json!({ "claims": { "aud": ["skc_other"] } }))),
            ("a token for nobody", 401, wish(json!({ "claims": { "aud": null } }))),
            ("a token of another issuer", 401, wish(json!({ "claims": { "iss": "https://evil.example.com" } }))),
            ("a token without an end", 401, wish(json!({ "claims": { "exp": null } }))),
            ("a token of no organization", 403, wish(json!({ "claims": { "oid": null } }))),
        ];
        let person = |token: String| Person { client: world.client.clone(), app: server.url.clone(), token };
        for (whose, expected, wish) in wishes {
            everything_is_refused(&person(world.token(wish).await), expected, whose).await;
        }
        let id_token = world.post("/sandbox/tokens", wish(json!({}))).await["idToken"].as_str().unwrap().to_owned();
        everything_is_refused(&person(id_token), 401, "an ID token").await;
        everything_is_refused(&person("not.a.token".to_owned()), 401, "a text").await;
        no_provider_heard_of(&world, &[&organization]).await;
    }
}

both_providers! {
    async fn another_organization_cannot_be_named(provider: Provider) {
        let (world, server) = silent_world(provider).await;
        let (own, other) = (world.organization("Own").await, world.organization("Other").await);
        let admin = world.admin(&server, &own).await;
        for path in WRITES {
            let in_query = format!("{path}?referenceId={other}");
            let tries = [
                (path, json!({ "plan": "growth", "referenceId": other })),
                (path, json!({ "plan": 7, "referenceId": other })),
                (&in_query, json!({ "plan": "growth" })),
                // Naming one's own organization beside it does not help.
                (&in_query, json!({ "plan": "growth", "referenceId": own })),
            ];
            for (path, body) in tries {
                let answer = admin.post(path, body).await;
                assert_eq!((answer.status, answer.code()), (403, "reference_mismatch"), "{path}: {}", answer.body);
            }
        }
        for path in READS {
            let answer = admin.get(&format!("{path}?referenceId={other}")).await;
            assert_eq!((answer.status, answer.code()), (403, "reference_mismatch"), "{path}: {}", answer.body);
        }
        no_provider_heard_of(&world, &[&own, &other]).await;
    }
}

both_providers! {
    async fn a_member_without_a_billing_role_changes_nothing_and_may_read(provider: Provider) {
        let (world, server) = silent_world(provider).await;
        let organization = world.organization("Acme Inc").await;
        let wish = json!({ "email": "m@acme.test", "organizationId": organization, "roles": ["member"] });
        let member = Person { client: world.client.clone(), app: server.url.clone(), token: world.token(wish).await };
        for path in WRITES {
            let answer = member.post(path, json!({ "plan": "growth" })).await;
            assert_eq!((answer.status, answer.code()), (403, "role_required"), "{path}: {}", answer.body);
        }
        no_provider_heard_of(&world, &[&organization]).await;
        for path in ["/api/session", "/api/subscription/list", "/api/entitlements"] {
            assert_eq!(member.get(path).await.status, 200, "{path}");
        }
        assert_eq!(member.gate("sso").await, 402);
    }
}

both_providers! {
    async fn the_log_that_shows_nothing_of_strangers_shows_what_is_allowed(provider: Provider) {
        let (world, server) = silent_world(provider).await;
        let organization = world.organization("Acme Inc").await;
        let admin = world.admin(&server, &organization).await;
        let nobody = Answer::of(world.client.request(Method::GET, format!("{}/gate/sso", server.url))).await;
        assert_eq!(nobody.status, 401);
        no_provider_heard_of(&world, &[&organization]).await;
        let answer = admin.create(json!({ "plan": "growth", "referenceId": organization })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!world.requests_that_name(&organization).await.is_empty());
    }
}

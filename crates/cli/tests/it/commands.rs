//! What operators type: keys, deliveries, comparing, and a running sandbox's events.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_store::inbox;
use tollkeeper_testkit::process::{Process, until};

use crate::{
    provider::everywhere,
    support::{Answer, Person, Server, World, run, tollkeeper},
};

/// A command that ends by itself, with everything the server knows.
fn command(world: &World, database: &str, args: &[&str]) -> Command {
    let mut command = tollkeeper(args);
    command.envs(&world.env).env("DATABASE_URL", database);
    command
}

/// What a command with `--json` answers.
fn told(world: &World, database: &str, args: &[&str]) -> Value {
    let output = command(world, database, &[args, &["--json"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?} answers no JSON: {error}"))
}

/// What a command says that must succeed.
fn said(world: &World, database: &str, args: &[&str]) -> String {
    let (good, said) = run(&mut command(world, database, args));
    assert!(good, "{args:?}: {said}");
    said
}

/// An organization that pays for growth, with five seats; everything told about it has arrived.
async fn subscriber(world: &World, server: &Server) -> (String, Person) {
    let organization = world.organization("Acme Inc").await;
    let admin = world.admin(server, &organization).await;
    let started = admin.create(json!({ "plan": "growth", "seats": 5, "trial": false })).await.ok();
    world.pay(&started["url"]).await;
    admin.subscription_is("active").await;
    world.delivered(&organization).await;
    (organization, admin)
}

/// Sends something that is about nobody, as Chargebee would.
async fn deliver(world: &World, server: &Server, id: &str) {
    let event = json!({ "id": id, "event_type": "add_usages_reminder", "occurred_at": 1_767_225_600, "content": {} });
    let name = &world.env["CHARGEBEE_WEBHOOK_USERNAME"];
    let post = world.client.post(format!("{}/api/webhooks/chargebee", server.url));
    let post = post.basic_auth(name, Some(&world.env["CHARGEBEE_WEBHOOK_PASSWORD"])).json(&event);
    assert_eq!(Answer::of(post).await.status, 200);
}

/// Turns the schedule off: only the command compares.
fn without_schedule(world: &World) {
    let path = &world.env["TOLLKEEPER_CONFIG"];
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("interval = \"60s\""));
    fs::write(path, text.replace("interval = \"60s\"", "interval = 0")).unwrap();
}

tollkeeper_testkit::both_engines! {
    async fn a_key_opens_what_its_scopes_say_until_it_is_revoked(db: TestDb) {
        let world = World::start().await;
        let organization = world.organization("Acme Inc").await;
        let args = ["keys", "create", "--name", "backend", "--scope", "read", "--organization", &organization];
        let made = told(&world, db.url(), &args);
        let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        assert!(secret.starts_with("tk_"), "{made}");
        assert_eq!((&made["scopes"], &made["organizationId"]), (&json!(["read"]), &json!(organization)));
        let other = ["keys", "create", "--name", "jobs", "--scope", "usage", "--scope", "billing"];
        let other = said(&world, db.url(), &other);
        assert!(other.contains("tk_") && other.contains("usage, billing") && other.contains("any organization"), "{other}");

        let listed = said(&world, db.url(), &["keys", "list"]);
        assert!(listed.contains(id) && listed.contains("jobs") && listed.contains("never used"), "{listed}");
        assert!(!listed.contains("tk_"), "a secret is shown again: {listed}");

        let server = world.serve(db.url(), &[]).await;
        let get = async |path: &str| {
            Answer::of(world.client.get(format!("{}{path}", server.url)).bearer_auth(secret)).await
        };
        let list = get(&format!("/api/subscription/list?referenceId={organization}")).await;
        assert_eq!((list.status, &list.body["subscriptions"]), (200, &json!([])));
        let body = json!({ "plan": "growth", "referenceId": organization });
        let create = world.client.post(format!("{}/api/subscription/create", server.url)).bearer_auth(secret).json(&body);
        let create = Answer::of(create).await;
        assert_eq!((create.status, create.code()), (403, "scope_required"), "{}", create.body);

        let keys = told(&world, db.url(), &["keys", "list"]);
        let seen = keys["keys"].as_array().unwrap().iter().find(|key| key["id"] == id).unwrap();
        assert!(seen["lastUsedAt"].is_string() && seen["revokedAt"].is_null(), "{seen}");

        said(&world, db.url(), &["keys", "revoke", id]);
        until("the key opens nothing", async || {
            (get(&format!("/api/subscription/list?referenceId={organization}")).await.status == 401).then_some(())
        })
        .await;
        let (good, again) = run(&mut command(&world, db.url(), &["keys", "revoke", id]));
        assert!(!good && again.contains(id) && again.contains("keys list"), "{again}");
        let listed = said(&world, db.url(), &["keys", "list"]);
        assert!(listed.lines().any(|line| line.contains(id) && line.contains("revoked")), "{listed}");
    }

    async fn deliveries_are_shown_as_they_arrive(db: TestDb) {
        let world = World::start().await;
        let server = world.serve(db.url(), &[]).await;
        deliver(&world, &server, "ev_before").await;
        until("the first one has its fate", async || {
            let listed = told(&world, db.url(), &["events", "list"]);
            (listed["events"][0]["state"] == "ignored").then_some(())
        })
        .await;
        let mut tail = Process::spawn(&mut command(&world, db.url(), &["events", "tail", "--json"]));
        let mut people = Process::spawn(&mut command(&world, db.url(), &["events", "tail", "--source", "chargebee"]));
        let mut others = Process::spawn(&mut command(&world, db.url(), &["events", "tail", "--source", "stripe"]));
        for tail in [&mut tail, &mut people, &mut others] {
            tail.line("that it waits", |line| line.starts_with("Waiting").then_some(())).await;
        }
        for id in ["ev_1", "ev_2"] {
            deliver(&world, &server, id).await;
        }
        for id in ["ev_1", "ev_2"] {
            let fate = |line: &str| serde_json::from_str::<Value>(line).ok().filter(|row| row["eventId"] == id && row["state"] == "ignored");
            let row = tail.line("what became of a delivery", fate).await;
            assert_eq!((&row["source"], &row["eventType"]), (&json!("chargebee"), &json!("add_usages_reminder")));
            people.line("the same for people", |line| (line.contains(id) && line.contains("ignored")).then_some(())).await;
        }
        for mut tail in [tail, people, others] {
            tail.terminate();
            assert!(tail.end().await.success(), "to end is what was wanted");
            let lines = tail.stdout();
            assert!(!lines.iter().any(|line| line.contains("ev_before")), "{lines:?}");
            let about = |id: &str, state: &str| lines.iter().filter(|line| line.contains(id) && line.contains(state)).count();
            assert!(["ev_1", "ev_2"].iter().all(|id| about(id, "ignored") <= 1 && about(id, "pending") <= 1), "{lines:?}");
            // The one for another sender has nothing to show.
            assert!(lines.len() >= 2 || lines.is_empty());
        }
    }

    async fn whoever_reads_no_further_ends_the_tail(db: TestDb) {
        let world = World::start().await;
        let _server = world.serve(db.url(), &[]).await;
        let mut tail = command(&world, db.url(), &["events", "tail"]);
        let mut tail = tail.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut waits = String::new();
        BufReader::new(tail.stderr.take().unwrap()).read_line(&mut waits).unwrap();
        assert!(waits.starts_with("Waiting"), "{waits}");
        // Nothing was written and nothing will be.
        drop(tail.stdout.take());
        until("it has ended", async || tail.try_wait().unwrap()).await;
        assert!(tail.wait().unwrap().success());
    }

    async fn what_was_given_up_is_listed_and_worked_on_again(db: TestDb) {
        let world = World::start().await;
        let server = world.serve(db.url(), &["--no-workers"]).await;
        for id in ["ev_1", "ev_2"] {
            deliver(&world, &server, id).await;
        }
        let bury = ["ev_1".into(), "ev_2".into()];
        let bury = &bury;
        db.db()
            .write(|tx| Box::pin(async move { inbox::dead(tx, &"chargebee".into(), bury, "nobody answered").await }))
            .await
            .unwrap();
        let events = |state: &str| {
            let told = told(&world, db.url(), &["events", "list", "--source", "chargebee", "--state", state]);
            let ids = told["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned());
            let mut ids: Vec<_> = ids.collect();
            ids.sort();
            ids
        };
        assert_eq!(events("dead"), ["ev_1", "ev_2"]);
        let shown = said(&world, db.url(), &["events", "list", "--state", "dead"]);
        assert!(shown.contains("add_usages_reminder") && shown.contains("nobody answered"), "{shown}");
        assert_eq!(said(&world, db.url(), &["events", "list", "--state", "done"]), "There are none.\n");

        let one = ["replay", "--source", "chargebee", "--event", "ev_1"];
        assert_eq!(told(&world, db.url(), &one), json!({ "replayed": 1 }));
        assert_eq!(events("pending"), ["ev_1"]);
        assert_eq!(told(&world, db.url(), &one), json!({ "replayed": 1 }), "what waits is hurried");
        let (good, unknown) = run(&mut command(&world, db.url(), &["replay", "--source", "chargebee", "--event", "ev_9"]));
        assert!(!good && unknown.contains("ev_9"), "{unknown}");

        let past = ["replay", "--from", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z"];
        assert_eq!(told(&world, db.url(), &past), json!({ "replayed": 0 }));
        assert_eq!(told(&world, db.url(), &["replay", "--dead", "--source", "scalekit"]), json!({ "replayed": 0 }));
        assert_eq!(told(&world, db.url(), &["replay", "--dead"]), json!({ "replayed": 1 }));
        assert_eq!(events("pending"), ["ev_1", "ev_2"]);
        server.stop().await;

        let server = world.serve(db.url(), &[]).await;
        until("both were worked on", async || events("pending").is_empty().then_some(())).await;
        assert!(events("dead").is_empty());
        // What is done is worked on again only when that is said.
        let since = ["replay", "--from", "2020-01-01T00:00:00Z", "--source", "chargebee"];
        assert_eq!(told(&world, db.url(), &since), json!({ "replayed": 0 }));
        assert_eq!(told(&world, db.url(), &[&since[..], &["--closed"]].concat()), json!({ "replayed": 2 }));
        until("both were worked on again", async || events("pending").is_empty().then_some(())).await;
        server.stop().await;
    }

    async fn comparing_beside_the_server_repairs_what_no_webhook_told(db: TestDb) {
        let world = World::start().await;
        without_schedule(&world);
        let server = world.serve(db.url(), &[]).await;
        let (organization, admin) = subscriber(&world, &server).await;
        let nothing = told(&world, db.url(), &["reconcile", "--full"]);
        assert_eq!((&nothing["repaired"], &nothing["drift"]), (&json!(0), &json!([])), "{nothing}");
        assert!(nothing["checked"].as_u64().unwrap() >= 3, "{nothing}");

        // Somebody works in the provider's dashboard, and no delivery arrives.
        world.control(Method::PUT, "/sandbox/chaos", json!({ "dropRate": 1.0 })).await.ok();
        let dashboard = format!("/sandbox/subscriptions/{}", world.bought(&organization).await);
        let seats = async || admin.subscriptions(false).await[0]["seats"].clone();
        for (wanted, args) in [
            (7, &["reconcile"][..]),
            (8, &["reconcile", "--full"]),
            (9, &["reconcile", "--organization", &organization]),
        ] {
            world.post(&dashboard, json!({ "seats": wanted })).await;
            assert_ne!(seats().await, wanted);
            let report = told(&world, db.url(), args);
            assert_eq!(report["repaired"], 1, "{args:?}: {report}");
            let field = |name: &str| {
                let drift = report["drift"].as_array().unwrap();
                drift.iter().find(|found| found["field"] == name).cloned().unwrap_or_else(|| panic!("{report}"))
            };
            assert_eq!((&field("seats")["found"], &field("seats")["repaired"]), (&json!(wanted), &json!(true)));
            assert_eq!(seats().await, wanted, "{args:?}");
        }
        world.post(&dashboard, json!({ "seats": 11 })).await;
        let shown = said(&world, db.url(), &["reconcile"]);
        assert!(shown.contains("1 repaired") && shown.contains("seats was 9, is 11"), "{shown}");
        assert!(shown.contains("comparing what changed"), "it does not say how far it is: {shown}");

        let (good, unknown) = run(&mut command(&world, db.url(), &["reconcile", "--organization", "org_unknown"]));
        assert!(!good && unknown.contains("org_unknown"), "{unknown}");
        server.stop().await;
    }
}

everywhere! {
    async fn a_provider_that_cannot_be_reached_holds_up_no_other(db: TestDb, provider: Provider) {
        let world = World::of(provider).await;
        without_schedule(&world);
        let server = world.serve(db.url(), &[]).await;
        let (organization, admin) = subscriber(&world, &server).await;
        world.control(Method::PUT, "/sandbox/chaos", json!({ "dropRate": 1.0 })).await.ok();
        let dashboard = format!("/sandbox/subscriptions/{}", world.bought(&organization).await);
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (wanted, args) in [(7, &["reconcile"][..]), (8, &["reconcile", "--full"])] {
            world.post(&dashboard, json!({ "seats": wanted })).await;
            let mut command = command(&world, db.url(), args);
            let (good, said) = run(command.env(provider.other().address(), format!("http://{nobody}")));
            assert!(!good && said.contains(provider.other().name()), "{args:?}: {said}");
            assert_eq!(admin.subscriptions(false).await[0]["seats"], wanted, "{args:?}: {said}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_running_sandbox_sends_what_it_is_asked_for() {
    let world = World::start().await;
    let organization = world.organization("Acme Inc").await;
    let trigger = |args: &[&str]| {
        let args = [&["sandbox", "trigger", "--sandbox", &world.url], args].concat();
        run(&mut tollkeeper(&args))
    };
    let (good, said) = trigger(&["organization.updated", "--organization", &organization]);
    assert!(good && said.starts_with("scalekit sends organization.updated as evt_"), "{said}");
    let (good, json) = trigger(&["customer_changed", "--json"]);
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert!(good && answer["provider"] == "chargebee" && answer["event"] == "customer_changed", "{json}");
    let sent = world.get("/sandbox/deliveries").await;
    assert!(sent["deliveries"].as_array().unwrap().iter().any(|row| row["eventId"] == answer["eventId"]), "{sent}");

    let (good, said) = trigger(&["made_up"]);
    assert!(!good && said.contains("`made_up`"), "{said}");
    let (good, said) =
        run(&mut tollkeeper(&["sandbox", "trigger", "customer_changed", "--sandbox", "http://127.0.0.1:1"]));
    assert!(!good && said.contains("http://127.0.0.1:1"), "{said}");
}

#[test]
fn what_a_command_cannot_do_is_said_before_anything_is_touched() {
    for (args, wanted) in [
        (&["keys", "create", "--name", "a"][..], "--scope"),
        (&["keys", "create", "--name", "a", "--scope", "write"], "read, usage, billing, admin"),
        (&["keys", "create", "--scope", "read"], "--name"),
        (&["keys", "create", "--name", "a", "--scope", "read", "--organization", ""], "1 to 255"),
        (&["replay"], "--event"),
        (&["replay", "--source", "chargebee"], "--dead"),
        (&["replay", "--event", "ev_1"], "--source"),
        (&["replay", "--source", "abacus", "--dead"], "chargebee, stripe, scalekit"),
        (&["replay", "--from", "yesterday"], "2026-01-31T12:00:00Z"),
        (&["replay", "--dead", "--closed"], "cannot be used with"),
        (&["replay", "--dead", "--from", "2026-01-01T00:00:00Z"], "cannot be used with"),
        (&["replay", "--from", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"], "--until"),
        (&["reconcile", "--full", "--organization", "org_1"], "cannot be used with"),
        (&["events", "list", "--state", "lost"], "pending, done, ignored, dead"),
        (&["events", "list", "--limit", "0"], "1..=1000"),
        (&["sandbox", "--listen", "127.0.0.1:0", "trigger", "customer_changed"], "cannot be used with"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (good, said) = run(tollkeeper(args).current_dir(folder.path()));
        assert!(!good && said.contains(wanted), "{args:?}: {said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?}");
    }
}

#[tokio::test]
async fn commands_leave_the_schema_to_the_server() {
    let world = World::start().await;
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let (good, said) = run(&mut command(&world, &database, &["keys", "list"]));
    assert!(!good && said.contains("tollkeeper migrate"), "{said}");
    let (good, said) = run(&mut command(&world, &database, &["migrate"]));
    assert!(good, "{said}");
    let said = self::said(&world, &database, &["keys", "list"]);
    assert!(said.contains("keys create"), "{said}");
    // A command takes no deliveries in, and so needs no credentials for them.
    let mut command = command(&world, &database, &["keys", "list"]);
    command.env_remove("CHARGEBEE_WEBHOOK_USERNAME").env_remove("CHARGEBEE_WEBHOOK_PASSWORD");
    let (good, said) = run(&mut command);
    assert!(good, "{said}");
}

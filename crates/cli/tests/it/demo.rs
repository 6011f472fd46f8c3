//! The first minutes: the demo says where to look, and what it prints works as it is printed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tollkeeper_core::organization::Organization;
use tollkeeper_store::organization;
use tollkeeper_testkit::{
    database::TestDb,
    process::{Process, free_address, until},
};

use crate::provider::{Provider, everywhere};
use crate::support::{Answer, client, run, tollkeeper};

const ANYWHERE: [&str; 4] = ["--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"];

/// A demo that was started with these flags beside its addresses.
fn demo(args: &[&str]) -> Command {
    tollkeeper(&[&["demo"], &ANYWHERE[..], args].concat())
}

/// A demo that has said everything it says at its start.
async fn ready(args: &[&str]) -> Process {
    let mut process = Process::spawn(&mut demo(args));
    process.line("how to end it", |line| line.contains("Ctrl-C ends the demo").then_some(())).await;
    process
}

async fn ended_cleanly(mut process: Process) {
    process.terminate();
    let status = process.end().await;
    assert!(status.success(), "{status}: {:?}", process.stderr());
}

fn told(data: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(data.join("demo.json")).unwrap()).unwrap()
}

/// Runs a printed line as a person would: in a shell, as it is.
fn shell(line: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(line).env("no_proxy", "*").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_three_printed_commands_work_as_they_are_printed() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("demo");
    let process = ready(&["--data", data.to_str().unwrap()]).await;
    let said = process.stdout();
    let told = told(&data);
    for address in [&told["appUrl"], &told["sandboxUrl"]] {
        let address = address.as_str().unwrap();
        assert!(said.iter().any(|line| line.contains(address)), "it does not say where {address} is: {said:?}");
    }
    let lines: Vec<_> = said.iter().map(|line| line.trim()).filter(|line| line.starts_with("curl ")).collect();
    let [session, create, gate] = lines[..] else { panic!("three commands are promised: {said:?}") };

    let session: Value = serde_json::from_str(&shell(session)).unwrap();
    assert!(session["organizationId"].as_str().unwrap().starts_with("org_"), "{session}");
    let create: Value = serde_json::from_str(&shell(create)).unwrap();
    assert_eq!(create["mode"], "hosted", "{create}");
    assert!(create["url"].as_str().unwrap().starts_with(told["sandboxUrl"].as_str().unwrap()), "{create}");
    assert!(create["subscriptionId"].is_string(), "{create}");
    let gate = shell(gate);
    assert!(gate.starts_with("HTTP/1.1 402 "), "{gate}");
    ended_cleanly(process).await;
}

#[tokio::test]
async fn the_demos_file_tells_everything_and_only_to_its_owner() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let process = ready(&["--data", folder.path().to_str().unwrap()]).await;
    let mode = fs::metadata(folder.path().join("demo.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let told = told(folder.path());
    for key in ["appUrl", "sandboxUrl", "provider", "databaseUrl", "operatorKey"] {
        assert!(told[key].is_string(), "{key} is missing: {told}");
    }
    let env = told["env"].as_object().unwrap();
    for name in [
        "APP_URL",
        "SCALEKIT_ENV_URL",
        "CHARGEBEE_API_KEY",
        "STRIPE_SECRET_KEY",
        "TOLLKEEPER_SECRET",
        "TOLLKEEPER_OPERATOR_KEY",
    ] {
        assert!(env.get(name).is_some_and(Value::is_string), "{name} is missing");
    }
    ended_cleanly(process).await;
    assert_eq!(fs::read_to_string(folder.path().join("mine.txt")).unwrap(), "mine");
}

#[tokio::test]
async fn whoever_gets_an_answer_finds_the_demos_file() {
    let folder = TempDir::new().unwrap();
    let app = free_address();
    let data = folder.path().to_str().unwrap();
    let listen = app.to_string();
    let args = ["demo", "--listen", &listen, "--sandbox-listen", "127.0.0.1:0", "--data", data];
    let process = Process::spawn(&mut tollkeeper(&args));
    let client = client();
    until("the demo answers", async || client.get(format!("http://{app}/readyz")).send().await.ok()).await;
    assert!(folder.path().join("demo.json").exists(), "it answers before its file is there");
    drop(process);
}

#[tokio::test]
async fn a_private_demo_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let mut command = demo(&[]);
    let mut process = Process::spawn(command.env("TMPDIR", folder.path()));
    process.line("how to end it", |line| line.contains("Ctrl-C ends the demo").then_some(())).await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    ended_cleanly(process).await;
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

tollkeeper_testkit::both_engines! {
    async fn a_second_demo_asks_before_it_empties_what_the_first_made(db: TestDb) {
        let folder = TempDir::new().unwrap();
        let args = ["--data", folder.path().to_str().unwrap(), "--database", db.url()];
        let organizations = async || {
            let mut conn = db.db().read().await.unwrap();
            organization::list(conn.c(), None, 10).await.unwrap()
        };
        let first = ready(&args).await;
        let made = until("the first demo has an organization", async || organizations().await.pop()).await;
        ended_cleanly(first).await;

        let (good, said) = run(&mut demo(&args));
        assert!(!good && said.contains("--reset"), "{said}");
        assert!(organizations().await.iter().any(|row| row.id == made.id));

        let again = ready(&[&args[..], &["--reset"]].concat()).await;
        until("the second demo has an organization of its own", async || organizations().await.pop()).await;
        assert!(organizations().await.iter().all(|row| row.id != made.id), "something of the first demo is left");
        ended_cleanly(again).await;
    }

    async fn another_server_can_join_the_demos_world(db: TestDb) {
        let folder = TempDir::new().unwrap();
        let process = ready(&["--data", folder.path().to_str().unwrap(), "--database", db.url()]).await;
        let told = told(folder.path());
        let mut command = tollkeeper(&["serve", "--listen", "127.0.0.1:0", "--no-workers"]);
        command.env("DATABASE_URL", told["databaseUrl"].as_str().unwrap());
        for (name, value) in told["env"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        let mut joined = Process::spawn(&mut command);
        let find = |line: &str| Some(line.split_once("listening on ")?.1.split(['"', ' ']).next()?.to_owned());
        let url = joined.line("where it listens", find).await;
        // Whoever signed in at the demo is known at the other server, with the same catalog and the same gate.
        let header = fs::read_to_string(folder.path().join("authorization")).unwrap();
        let token = header.trim().strip_prefix("Authorization: Bearer ").unwrap();
        let client = client();
        for (path, status) in [("/api/session", 200), ("/gate/sso", 402), ("/gate/projects", 200)] {
            let answer = Answer::of(client.get(format!("{url}{path}")).bearer_auth(token)).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.body);
        }
        ended_cleanly(joined).await;
        ended_cleanly(process).await;
    }

    async fn a_demo_never_touches_a_database_of_somebody_else(db: TestDb) {
        let theirs = Organization {
            id: "org_theirs".into(),
            display_name: "Theirs".into(),
            external_id: None,
            email: None,
            locale: None,
            currency: None,
            billing_provider: "chargebee".into(),
            had_trial: false,
            version: 0,
            identity_updated_at: None,
            deletion_began_at: None,
            deleted_at: None,
            created_at: tollkeeper_core::time::Timestamp::from_micros(0),
            updated_at: tollkeeper_core::time::Timestamp::from_micros(0),
        };
        db.db().write(|tx| Box::pin(organization::insert(tx, &theirs))).await.unwrap();
        for flags in [&[][..], &["--reset"]] {
            let (good, said) = run(&mut demo(&[&["--database", db.url()], flags].concat()));
            assert!(!good && said.contains("no demo made"), "{flags:?}: {said}");
        }
        let mut conn = db.db().read().await.unwrap();
        assert!(organization::get(conn.c(), &theirs.id).await.unwrap().is_some());
    }

}

everywhere! {
    async fn the_walkthrough_holds(db: TestDb, provider: Provider) {
        walk(&db, provider, None);
    }

    async fn the_walkthrough_holds_where_every_user_is_an_organization(db: TestDb, provider: Provider) {
        walk(&db, provider, Some("[identity]\norganization_claim = \"sub\"\n"));
    }

    async fn the_walkthrough_holds_without_organization_webhooks(db: TestDb, provider: Provider) {
        walk(&db, provider, Some("[identity]\nwebhooks = false\n"));
    }
}

fn walk(db: &TestDb, provider: Provider, config: Option<&str>) {
    let folder = TempDir::new().unwrap();
    let mut command = demo(&["--walkthrough", "--provider", provider.name(), "--database", db.url()]);
    if let Some(text) = config {
        let path = folder.path().join("tollkeeper.toml");
        fs::write(&path, text).unwrap();
        command.env("TOLLKEEPER_CONFIG", path);
    }
    let (good, said) = run(&mut command);
    assert!(good && said.contains("All 22 steps hold."), "{said}");
}

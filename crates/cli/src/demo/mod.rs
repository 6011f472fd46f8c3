//! `tollkeeper demo`: server, sandbox and a catalog in one process, ready to use without any account.

mod walkthrough;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tollkeeper::{Db, Schema, Tollkeeper};
use tollkeeper_store::{Options, cursor, maintenance, organization};
use toml::Table;

use crate::{
    clock::Clocks,
    compose,
    config::{Config, Flags, Problems, Vars, file},
    sandbox::{Provider, Secrets, random_hex, webhooks, write_private},
    serve::http_config,
};

/// What the demo sells.
pub(crate) const CATALOG: &str = include_str!("catalog.toml");

/// Marks a database that a demo made.
const MARK: &str = "demo";

/// How long the printed token lives, in seconds.
const TOKEN_SECONDS: u32 = 24 * 60 * 60;

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// The address of the server
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The address of the sandbox
    #[arg(long, default_value = "127.0.0.1:4010")]
    sandbox_listen: SocketAddr,
    /// The billing provider to play with
    #[arg(long, value_enum, default_value_t = Provider::Chargebee)]
    provider: Provider,
    /// The database; a file in the demo's folder unless given
    #[arg(long)]
    database: Option<String>,
    /// The demo's folder; a private one that goes with the demo unless given
    #[arg(long)]
    data: Option<PathBuf>,
    /// Empty a database that an earlier demo made
    #[arg(long)]
    reset: bool,
    /// Play the main job from organization to cancellation, say what was checked, and end
    #[arg(long)]
    walkthrough: bool,
}

/// What the walkthrough and the printed commands need to know.
pub(crate) struct Scene {
    pub(crate) app: String,
    pub(crate) sandbox: String,
    pub(crate) operator_key: String,
    pub(crate) provider: Provider,
    /// The secret key of the billing provider.
    pub(crate) billing_key: String,
    pub(crate) users_are_organizations: bool,
    pub(crate) organization_webhooks: bool,
    pub(crate) engine: String,
}

/// Runs the demo until the process is asked to end, or through the walkthrough.
pub(crate) async fn run(args: Demo) -> anyhow::Result<()> {
    let folder = Folder::open(args.data.as_deref())?;
    let database_url = match &args.database {
        Some(url) => url.clone(),
        None => format!("sqlite:{}", folder.path.join("tollkeeper.db").display()),
    };
    let listener = compose::listen(args.listen).await?;
    let app = format!("http://{}", listener.local_addr()?);

    let clocks = Clocks::default();
    let engine_slot: Arc<OnceLock<Tollkeeper>> = Arc::default();
    let secrets = Secrets::random();
    let (moved, slot) = (clocks.clone(), engine_slot.clone());
    let sandbox = secrets
        .start(args.sandbox_listen, move |offset| {
            moved.set_offset(offset);
            slot.get().inspect(|engine| engine.clock_moved());
        })
        .await?;

    let settings_file = folder.path.join("demo.toml");
    let env = secrets.env(sandbox.url(), &app, args.provider, Some(&settings_file));
    let table = settings()?;
    write_private(&settings_file, &table.to_string())?;
    let config = Config::of(&table, &Vars::default().with(env.clone()), &Flags::default(), Problems::default())?;
    let db = new_world(&database_url, args.reset).await?;
    let scene = Scene {
        app: app.clone(),
        sandbox: sandbox.url().to_owned(),
        operator_key: secrets.operator_key.clone(),
        provider: args.provider,
        billing_key: match args.provider {
            Provider::Chargebee => env["CHARGEBEE_API_KEY"].clone(),
            Provider::Stripe => env["STRIPE_SECRET_KEY"].clone(),
        },
        users_are_organizations: config.settings.users_are_organizations,
        organization_webhooks: config.organization_webhooks,
        engine: if db.is_postgres() { "Postgres" } else { "SQLite" }.to_owned(),
    };
    sandbox.set_webhooks(webhooks(&app, config.organization_webhooks));
    let http = tollkeeper_http::Config { sandbox: Some(sandbox.url().to_owned()), ..http_config(&config) };
    let running = compose::engine(config, db.clone(), &clocks, true)?;
    let _ = engine_slot.set(running.engine().clone());
    // Written before anything answers: whoever finds the server ready finds this too.
    let told = json!({
        "appUrl": app,
        "sandboxUrl": sandbox.url(),
        "provider": args.provider.name(),
        "databaseUrl": database_url,
        "operatorKey": secrets.operator_key,
        "env": env,
    });
    write_private(&folder.path.join("demo.json"), &format!("{told:#}\n"))?;
    let limits = http.limits.clone();
    let router = tollkeeper_http::router(running.engine().clone(), http);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(compose::answer(listener, router, limits, async move {
        let _ = stopped.await;
    }));

    let outcome = if args.walkthrough {
        walkthrough::play(&scene).await
    } else {
        let greeted = greet(&scene, &folder.path).await;
        if greeted.is_ok() {
            compose::asked_to_end().await;
        }
        greeted
    };
    let _ = stop.send(());
    server.await?;
    running.stop().await;
    sandbox.stop().await;
    db.close().await;
    outcome
}

/// The demo's own settings, with the file that `TOLLKEEPER_CONFIG` names over them. The process's other variables may
/// belong to a real account and are left alone.
fn settings() -> anyhow::Result<Table> {
    let mut table: Table = CATALOG.parse().context("the demo's catalog")?;
    if std::env::var_os("TOLLKEEPER_CONFIG").is_some() {
        let problems = Problems::default();
        let over = file(&Vars::of_process(), &problems);
        merge(&mut table, problems.finish(|| over)?);
    }
    Ok(table)
}

fn merge(table: &mut Table, over: Table) {
    for (key, value) in over {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(value)) => merge(known, value),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Connects to the database of a new world. Refuses one that is somebody's, before anything of it is touched; empties one
/// that an earlier demo made, when asked to.
async fn new_world(url: &str, reset: bool) -> anyhow::Result<Db> {
    let db = Db::connect(url, &Options::default()).await.context("connecting to the database")?;
    if db.schema().await? != Schema::Empty {
        let mut connection = db.read().await?;
        let ours = cursor::get(connection.c(), MARK).await?.is_some();
        let used = !organization::list(connection.c(), None, 1).await?.is_empty();
        match (used, ours, reset) {
            (true, false, _) => {
                bail!("the database holds organizations that no demo made: name another one with --database")
            }
            (true, true, false) => {
                bail!("the database holds the organizations of an earlier demo: empty it with --reset")
            }
            _ => {}
        }
    }
    db.migrate().await.context("migrating the database")?;
    db.write(|tx| {
        Box::pin(async move {
            if reset {
                maintenance::empty(tx).await?;
            }
            cursor::set(tx, MARK, "1").await
        })
    })
    .await?;
    Ok(db)
}

/// Says where to look, and three commands that work as they are printed.
async fn greet(scene: &Scene, folder: &Path) -> anyhow::Result<()> {
    let client = compose::client()?;
    let post = async |path: &str, body: Value| -> anyhow::Result<Value> {
        let answer = client.post(format!("{}{path}", scene.sandbox)).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    let organization = match scene.users_are_organizations {
        true => None,
        false => Some(post("/sandbox/organizations", json!({ "displayName": "Acme Inc" })).await?["id"].clone()),
    };
    let asked = json!({ "email": "jane@acme.test", "organizationId": organization, "roles": ["admin"], "ttlSeconds": TOKEN_SECONDS });
    let token = post("/sandbox/tokens", asked).await?;
    let token = token["accessToken"].as_str().context("the sandbox gives access tokens")?;
    let header = folder.join("authorization");
    write_private(&header, &format!("Authorization: Bearer {token}\n"))?;
    let (app, sandbox, header) = (&scene.app, &scene.sandbox, header.display());
    println!(
        "\
Tollkeeper {version} is ready, with a sandbox in place of the providers.

  server     {app}
  sandbox    {sandbox}   organizations, subscriptions, deliveries, the clock
  console    {app}/console   for operators; `operatorKey` in the settings opens it
  settings   {folder}/demo.json

In a browser, sign in as anybody, choose a plan and pay with {card}: {app}/pricing

With curl, you are jane@acme.test, administrator of Acme Inc. Who am I, and what can I buy?

  curl -s -H @{header} {app}/api/session

Start a checkout, open its `url` in a browser, and pay; on the way back continue as jane@acme.test:

  curl -s -H @{header} -d '{{\"plan\":\"growth\",\"seats\":5}}' -H 'Content-Type: application/json' {app}/api/subscription/create

May Acme use single sign-on? 402 before the checkout, 200 after it:

  curl -si -H @{header} {app}/gate/sso

Ctrl-C ends the demo.",
        version = env!("CARGO_PKG_VERSION"),
        card = scene.provider.card(),
        folder = folder.display(),
    );
    Ok(())
}

/// The demo's folder; a private one goes with the demo.
struct Folder {
    path: PathBuf,
    private: bool,
}

impl Folder {
    fn open(named: Option<&Path>) -> anyhow::Result<Self> {
        let (path, private) = match named {
            Some(path) => (std::path::absolute(path)?, false),
            None => (std::env::temp_dir().join(format!("tollkeeper-demo-{}", random_hex::<6>())), true),
        };
        let made = fs::DirBuilder::new().recursive(!private).mode(0o700).create(&path);
        made.with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self { path, private })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.private {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

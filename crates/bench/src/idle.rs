//! The program itself, as people run it: how soon it is ready, and what it holds when nothing happens.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tollkeeper_testkit::{database::Engine, process::free_address};

use crate::{
    events,
    figures::{median, micros},
    machine::resident_kib,
    report::{Bar, Line, Report, Unit},
    world::{self, Database, Plan},
};

const PATIENCE: Duration = Duration::from_secs(30);

const CATALOG: &str = r#"
[plans.growth]
features = { sso = true }
prices = [{ provider = "chargebee", id = "growth-plan-monthly", interval = "month", currency = "USD", amount = 4900 }]
"#;

/// A process that ends when it is dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn run(plan: &Plan, binary: Option<PathBuf>, report: &mut Report) -> anyhow::Result<()> {
    let binary = match binary {
        Some(binary) => binary,
        None => std::env::current_exe()?.with_file_name("tollkeeper"),
    };
    ensure!(
        binary.exists(),
        "{} is not there: build the program beside this one (`cargo build --release`), or name it with --binary",
        binary.display()
    );
    for engine in &plan.engines {
        measure(plan, *engine, &binary, report).await?;
    }
    Ok(())
}

async fn measure(plan: &Plan, engine: Engine, binary: &Path, report: &mut Report) -> anyhow::Result<()> {
    let database = Database::new(engine, &plan.folder).await?;
    let settings = tempfile::NamedTempFile::with_suffix(".toml")?;
    std::fs::write(settings.path(), CATALOG)?;
    let (starts, idle) = (plan.size(5, 1), Duration::from_secs(plan.size(10, 1) as u64));
    let (mut ready, mut held) = (Vec::new(), 0);
    for start in 0..starts {
        let address = free_address();
        let begun = Instant::now();
        let mut serving = serve(binary, settings.path(), &database.url, address)?;
        until_ready(&mut serving, address, begun).await?;
        ready.push(micros(begun.elapsed()));
        if start + 1 == starts {
            tokio::time::sleep(idle).await;
            held = resident_kib(&serving.0.id().to_string());
        }
    }
    let line = |what: &str, value, unit, bar, note: String| Line {
        work: "idle",
        what: what.into(),
        engine: database.name,
        value,
        unit,
        bar: Some(bar),
        note,
    };
    let note = format!("the middle of {starts} starts, to the first 200 of /readyz; schema in place");
    report.add(line("start to ready", median(&ready), Unit::Microseconds, Bar::AtMost(300_000), note));
    let note = format!("resident after {} s without a request, workers on", idle.as_secs());
    report.add(line("memory of serve", held, Unit::Kibibytes, Bar::AtMost(40 * 1024), note));
    database.db.close().await;
    Ok(())
}

fn serve(binary: &Path, settings: &Path, database: &str, address: SocketAddr) -> anyhow::Result<Serving> {
    let child = Command::new(binary)
        .args(["serve", "--listen", &address.to_string()])
        .env_clear()
        .env("DATABASE_URL", database)
        .env("TOLLKEEPER_CONFIG", settings)
        .env("APP_URL", format!("http://{address}"))
        .env("BILLING_PROVIDER", "chargebee")
        .env("SCALEKIT_ENV_URL", "http://127.0.0.1:1")
        .env("SCALEKIT_CLIENT_ID", world::CLIENT_ID)
        .env("SCALEKIT_CLIENT_SECRET", world::CLIENT_SECRET)
        .env("SCALEKIT_REDIRECT_URI", format!("http://{address}/auth/callback"))
        .env("SCALEKIT_WEBHOOK_SECRET", events::WEBHOOK_SECRET)
        .env("CHARGEBEE_SITE", "bench-test")
        .env("CHARGEBEE_API_KEY", world::API_KEY)
        .env("CHARGEBEE_API_URL", "http://127.0.0.1:1")
        .env("CHARGEBEE_WEBHOOK_USERNAME", events::USERNAME)
        .env("CHARGEBEE_WEBHOOK_PASSWORD", events::PASSWORD)
        .env("TOLLKEEPER_SECRET", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("starting {}", binary.display()))?;
    Ok(Serving(child))
}

async fn until_ready(serving: &mut Serving, address: SocketAddr, begun: Instant) -> anyhow::Result<()> {
    while begun.elapsed() < PATIENCE {
        if let Some(status) = serving.0.try_wait()? {
            bail!("the program ended before it was ready: {status}");
        }
        if asked(address).await.unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("the program was not ready within {PATIENCE:?}")
}

async fn asked(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench.test\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

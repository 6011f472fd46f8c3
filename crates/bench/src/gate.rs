//! A gate answered from memory, against the cost of asking for the time and looking the organization up.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tollkeeper::{Catalog, Clock, Db, Settings, Tollkeeper};
use tollkeeper_core::{
    catalog::{Grant, Interval, Plan, Policy, Price},
    ids::{OrganizationId, SubscriptionId},
    organization::Organization,
    status::Status,
    subscription::Subscription,
    time::{MachineTime, Timestamp},
};
use tollkeeper_store::{Options, organization, subscription};

/// How many decisions one round makes, and how many rounds there are; the best one counts, for others share the
/// machine.
const DECISIONS: usize = 200_000;
const ROUNDS: usize = 7;

/// Both times as the product has them: read from the machine at every question.
struct Machine;

impl Machine {
    #[expect(clippy::disallowed_methods, reason = "what is measured includes asking the machine for the time")]
    fn micros() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(Self::micros())
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_micros(Self::micros())
    }
}

/// Measures with each number of resident organizations.
pub(crate) async fn run(counts: &[usize], as_json: bool) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    for &count in counts {
        let nanos = measure(count).await?;
        figures.push(json!({ "organizations": count, "nanosecondsPerDecision": nanos }));
        if !as_json {
            println!("{count:>9} organizations resident: {nanos:>5} ns a decision");
        }
    }
    if as_json {
        println!("{:#}", json!({ "gate": figures }));
    }
    Ok(())
}

async fn measure(count: usize) -> anyhow::Result<u128> {
    let db = Db::connect("sqlite::memory:", &Options::default()).await?;
    db.migrate().await?;
    let ids: Vec<OrganizationId> = (0..count).map(|n| OrganizationId::new(format!("org_{n:018}"))).collect();
    fill(&db, &ids).await?;
    let clock: Arc<dyn Clock> = Arc::new(Machine);
    let mut settings = Settings::new("chargebee".into(), "http://127.0.0.1");
    // The run is longer than a view counts as fresh, and what is measured is memory.
    settings.gate_fresh = Duration::from_secs(3600);
    let running = Tollkeeper::builder(settings)
        .database(db)
        .clock(clock.clone())
        .catalog(catalog()?)
        .identity(Arc::new(identity(clock)?))
        .billing(Arc::new(billing()?))
        .workers(false)
        .start()?;
    let engine = running.engine();
    for id in &ids {
        anyhow::ensure!(engine.gate(id, "sso").await?.allowed, "the gate of {id} is open");
    }
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for n in 0..DECISIONS {
            // A stride that no cache line or hash order follows.
            let id = &ids[n.wrapping_mul(7919) % count];
            black_box(engine.gate_now(black_box(id), black_box("sso")));
        }
        best = best.min(begun.elapsed());
    }
    running.stop().await;
    Ok(best.as_nanos() / DECISIONS as u128)
}

async fn fill(db: &Db, ids: &[OrganizationId]) -> anyhow::Result<()> {
    for chunk in ids.chunks(1000) {
        db.write(|tx| {
            Box::pin(async move {
                for id in chunk {
                    organization::insert(tx, &row(id)).await?;
                    subscription::insert(tx, &active(id)).await?;
                }
                Ok::<_, tollkeeper_store::Error>(())
            })
        })
        .await?;
    }
    Ok(())
}

fn row(id: &OrganizationId) -> Organization {
    let now = Machine.now();
    Organization {
        id: id.clone(),
        display_name: id.to_string(),
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
        created_at: now,
        updated_at: now,
    }
}

fn active(id: &OrganizationId) -> Subscription {
    let ours = SubscriptionId::adopted(&"chargebee".into(), &id.as_str().into());
    let mut row = Subscription::future(ours, id.clone(), "chargebee".into(), "default");
    row.status = Status::Active;
    row.provider_subscription_id = Some(id.as_str().into());
    row.plan = Some("growth".into());
    row.price_id = Some("growth".into());
    row
}

fn catalog() -> anyhow::Result<Catalog> {
    let price = Price {
        id: "growth".into(),
        provider: "chargebee".into(),
        interval: Interval::Month,
        currency: "USD".parse()?,
        amount: 4900,
    };
    let plan = Plan {
        name: "growth".into(),
        title: "Growth".into(),
        group: "default".into(),
        version: 1,
        features: [("sso".into(), Grant::Switch), ("projects".into(), Grant::Limit(None))].into(),
        seats: None,
        trial_days: 0,
        credits: None,
        prices: vec![price],
        past_due_grace: None,
    };
    Catalog::new(vec![plan], vec![], None, Policy::default()).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

fn identity(clock: Arc<dyn Clock>) -> anyhow::Result<tollkeeper_scalekit::scalekit::Scalekit> {
    let config = tollkeeper_scalekit::scalekit::Config::new("http://127.0.0.1:1", "skc_1", "unused".into());
    Ok(tollkeeper_scalekit::scalekit::Scalekit::new(config, clock)?)
}

fn billing() -> anyhow::Result<tollkeeper_chargebee::Chargebee> {
    Ok(tollkeeper_chargebee::Chargebee::new(tollkeeper_chargebee::Config {
        site: "bench-test".into(),
        api_key: "unused".into(),
        insecure_webhooks: true,
        ..tollkeeper_chargebee::Config::default()
    })?)
}

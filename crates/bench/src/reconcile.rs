//! Comparing everything with the providers, when nothing differs: how fast, and whether memory stays what it was.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tollkeeper::{Db, Extent, ids::OrganizationId, ports::Billing as _};
use tollkeeper_core::{
    account::Account,
    organization::{Customer, Organization},
    reduce::reduce,
    subscription::Subscription,
    time::Clock as _,
};
use tollkeeper_store::{customer, organization, subscription};
use tollkeeper_testkit::database::Engine;

use crate::{
    figures::{micros, rate},
    machine::{Machine, resident_kib},
    report::{Bar, Line, Report, Unit},
    rows,
    stand_in::Apart,
    world::{Database, Plan, Providers, Wish, billing, engine},
};

/// How much more memory may be held at any moment than before the run, in KiB: pages, and eight bytes for each id.
const MEMORY: u64 = 64 * 1024;

pub(crate) async fn run(plan: &Plan, subscriptions: Option<usize>, report: &mut Report) -> anyhow::Result<()> {
    let count = subscriptions.unwrap_or(plan.size(100_000, 300));
    let sandbox = Apart::start(count).await?;
    for engine in &plan.engines {
        measure(plan, *engine, &sandbox, count, report).await?;
    }
    Ok(())
}

async fn measure(
    plan: &Plan,
    engine_kind: Engine,
    sandbox: &Apart,
    count: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let database = Database::new(engine_kind, &plan.folder).await?;
    let providers = Providers { url: sandbox.url.clone(), ..Providers::default() };
    import(&database.db, &providers, count).await?;
    for (extent, name) in [(Extent::Recent, "customers and subscriptions"), (Extent::Full, "everything")] {
        let running = engine(&database.db, &Wish { providers: providers.clone(), ..Wish::default() })?;
        let checked = Arc::new(AtomicU64::new(0));
        let (compare, watched) = (running.engine().clone(), checked.clone());
        let before = resident_kib("self");
        let begun = Instant::now();
        let mut run = tokio::spawn(async move { compare.reconcile_watched(&extent, &watched).await });
        let (mut highest, mut tick) = (before, tokio::time::interval(Duration::from_millis(50)));
        let mut halfway = before;
        let found = loop {
            tokio::select! {
                joined = &mut run => break joined??,
                _ = tick.tick() => {
                    highest = highest.max(resident_kib("self"));
                    if checked.load(Ordering::Relaxed) < count as u64 {
                        halfway = highest;
                    }
                }
            }
        };
        let took = begun.elapsed();
        ensure!(
            found.repaired == 0 && found.strangers == 0 && found.failed == 0,
            "nothing differs, and yet it was found: {found:?}"
        );
        ensure!(written(&database.db).await? == 0, "nothing differs, and yet it was written");
        let line = |what: String, value, unit, bar, note| Line {
            work: "reconcile",
            what,
            engine: database.name,
            value,
            unit,
            bar,
            note,
        };
        let compared = usize::try_from(found.checked)?;
        let note = format!("{compared} rows in {} ms", micros(took) / 1000);
        let what = format!("{name} of {count} organizations");
        report.add(line(what, rate(compared, took), Unit::PerSecond, Some(Bar::AtLeast(5000)), note));
        let note =
            format!("{} MiB before; {} MiB more when {count} were compared", before / 1024, (halfway - before) / 1024);
        let what = format!("{name}: most memory above the start");
        report.add(line(what, highest - before, Unit::Kibibytes, Some(Bar::AtMost(MEMORY)), note));
        running.stop().await;
    }
    database.db.close().await;
    Ok(())
}

/// How many of the first organizations have been written since they were made.
async fn written(db: &Db) -> anyhow::Result<usize> {
    let some = organization::list(db.read().await?.c(), None, 500).await?;
    Ok(some.iter().filter(|organization| organization.version > 0).count())
}

/// Writes the rows that the sandbox's own lists lead to, so that nothing differs.
async fn import(db: &Db, providers: &Providers, count: usize) -> anyhow::Result<()> {
    let provider = billing(providers)?;
    let catalog = rows::catalog()?;
    let mut names: HashMap<String, String> = HashMap::new();
    let mut page = None;
    loop {
        let listed = provider.customers(None, page.as_deref()).await?;
        names.extend(listed.rows.into_iter().map(|record| {
            let id = record.id.into_string();
            (id.clone(), record.display_name.unwrap_or(id))
        }));
        page = listed.next;
        if page.is_none() {
            break;
        }
    }
    ensure!(names.len() == count, "the sandbox lists {} customers", names.len());
    loop {
        let listed = provider.subscriptions(None, page.as_deref()).await?;
        let mut made: Vec<(Organization, Customer, Subscription)> = Vec::new();
        for row in listed.rows {
            let id = row.snapshot.customer_id.as_str();
            let name = names.get(id).context("a subscription has a customer")?;
            let account = account(id, name);
            let transition = reduce(&account, Some(&row.snapshot), &catalog, Machine.now())?;
            let next = transition.next.context("a subscription makes a row")?;
            let owner = transition.after.organization;
            made.extend(account.customers.first().cloned().map(|customer| (owner, customer, next)));
        }
        let made = &made;
        db.write(|tx| {
            Box::pin(async move {
                for (owner, account, row) in made {
                    organization::insert(tx, owner).await?;
                    customer::link(tx, &owner.id, account).await?;
                    subscription::insert(tx, row).await?;
                }
                Ok::<_, tollkeeper_store::Error>(())
            })
        })
        .await?;
        page = listed.next;
        if page.is_none() {
            return Ok(());
        }
    }
}

/// An organization before its first subscription.
fn account(id: &str, name: &str) -> Account {
    let now = Machine.now();
    Account {
        organization: Organization {
            id: OrganizationId::from(id),
            display_name: name.to_owned(),
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
        },
        customers: vec![Customer { provider: "chargebee".into(), id: id.into() }],
        subscriptions: vec![],
    }
}

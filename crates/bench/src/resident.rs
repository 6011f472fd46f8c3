//! A gate answered from memory in process, with few and with many organizations resident.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::ensure;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tollkeeper::{Tollkeeper, ids::OrganizationId};

use crate::{
    machine::resident_kib,
    report::{Bar, Line, Report, Unit},
    rows::{self, GROWTH},
    world::{Database, Wish, engine},
};

/// Decisions of one round; the best round counts, for others share the machine.
const DECISIONS: usize = 262_144;
const ROUNDS: usize = 7;
/// Ids that are made before the clock runs, so that they are as near as those of a request that was just read.
const AT_ONCE: usize = 64;

pub(crate) async fn run(counts: &[usize], report: &mut Report) -> anyhow::Result<()> {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let largest = counts.last().copied().unwrap_or(0);
    let database = Database::in_memory().await?;
    rows::seed(&database.db, 0..largest, rows::own, GROWTH).await?;
    let running = engine(&database.db, &Wish { gates_from_memory: true, ..Wish::default() })?;
    let before = resident_kib("self");
    let (mut loaded, mut fewest) = (0, None);
    for count in counts {
        load(running.engine(), loaded, count).await?;
        loaded = count;
        let nanos = measure(running.engine(), count);
        // The bar for many is three times the figure for the fewest.
        let bar = fewest.map_or(200, |nanos: u64| nanos * 3);
        fewest.get_or_insert(nanos);
        let grown = resident_kib("self").saturating_sub(before);
        report.add(Line {
            work: "gate",
            what: format!("in process, {count} resident"),
            engine: "-",
            value: nanos,
            unit: Unit::Nanoseconds,
            bar: Some(Bar::AtMost(bar)),
            note: format!("the best of {ROUNDS} rounds; {} MiB grown since none", grown / 1024),
        });
    }
    running.stop().await;
    database.db.close().await;
    Ok(())
}

/// Makes them resident as the product does: by asking once.
async fn load(engine: &Tollkeeper, from: usize, to: usize) -> anyhow::Result<()> {
    stream::iter(from..to)
        .map(|number| async move {
            let id: OrganizationId = rows::own(number).organization.into();
            ensure!(engine.gate(&id, "sso").await?.allowed, "the gate of {id} is open");
            Ok(())
        })
        .buffer_unordered(64)
        .try_collect()
        .await
}

fn measure(engine: &Tollkeeper, count: usize) -> u64 {
    let mut best = Duration::MAX;
    let mut dice: usize = 1;
    for _ in 0..ROUNDS {
        let mut took = Duration::ZERO;
        for _ in 0..DECISIONS / AT_ONCE {
            let ids: Vec<OrganizationId> = (0..AT_ONCE)
                .map(|_| {
                    // Steps that no cache line, page or prefetcher follows.
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    rows::own((dice >> 33) % count).organization.into()
                })
                .collect();
            let begun = Instant::now();
            for id in &ids {
                black_box(engine.gate_now(black_box(id), black_box("sso")));
            }
            took += begun.elapsed();
        }
        best = best.min(took);
    }
    u64::try_from(best.as_nanos() / DECISIONS as u128).unwrap_or(u64::MAX)
}

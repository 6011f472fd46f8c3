//! The clocks of a process: the machine's, and business time, which a sandbox may move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tollkeeper::{Clock, Tollkeeper};
use tollkeeper_core::time::{MachineTime, Timestamp};

/// How often a sandbox in another process is asked for its clock.
const POLL: Duration = Duration::from_millis(250);

/// How long a sandbox may take to answer, also while its clock moves.
const PATIENCE: Duration = Duration::from_secs(600);

/// Machine time, and business time as machine time plus an offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    offset_micros: Arc<AtomicI64>,
}

/// The one place where a process asks the machine what time it is.
#[expect(clippy::disallowed_methods, reason = "every other clock is made of this one")]
pub(crate) fn machine_micros() -> i64 {
    MachineTime::from(std::time::SystemTime::now()).as_micros()
}

impl Clocks {
    /// Moves business time; says whether it moved.
    pub(crate) fn set_offset(&self, micros: i64) -> bool {
        self.offset_micros.swap(micros, Ordering::SeqCst) != micros
    }
}

impl Clock for Clocks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(machine_micros().saturating_add(self.offset_micros.load(Ordering::SeqCst)))
    }

    fn machine_now(&self) -> MachineTime {
        MachineTime::from_micros(machine_micros())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SandboxClock {
    offset_seconds: i64,
}

/// Sets business time to that of a sandbox in another process; says whether it moved.
pub(crate) async fn read(url: &str, clocks: &Clocks, client: &reqwest::Client) -> reqwest::Result<bool> {
    let answer = client.get(url).timeout(PATIENCE).send().await?.error_for_status()?;
    let clock: SandboxClock = answer.json().await?;
    Ok(clocks.set_offset(clock.offset_seconds.saturating_mul(1_000_000)))
}

/// Follows the clock of a sandbox in another process, for as long as the process lives.
pub(crate) async fn follow(url: String, clocks: Clocks, engine: Tollkeeper, client: reqwest::Client) {
    let mut told = false;
    loop {
        match read(&url, &clocks, &client).await {
            Ok(moved) => {
                told = false;
                if moved {
                    engine.clock_moved();
                }
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!(%error, "the sandbox's clock cannot be read: business time stays where it is");
            }
            Err(_) => {}
        }
        tokio::time::sleep(POLL).await;
    }
}

//! Figures that are counted when somebody reads them.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tollkeeper::DeliveryState;

use crate::router::App;

/// For how long a count of the inbox is good.
const GOOD_FOR: Duration = Duration::from_secs(5);
/// How much longer than counting took it is good at least, so that a large inbox is not counted all the time.
const REST: u32 = 20;
/// How long whoever reads the figures waits for a count.
const PATIENCE: Duration = Duration::from_secs(3);

/// When the inbox has to be counted again.
#[derive(Default)]
pub(crate) struct InboxFigures(Mutex<Option<Instant>>);

impl InboxFigures {
    /// Sets the gauges of the inbox, unless that was done a moment ago. Without the database they stay as they are.
    pub(crate) async fn refresh(&self, app: &App) {
        let mut due = self.0.lock().await;
        let begun = Instant::now();
        if due.is_some_and(|due| begun < due) {
            return;
        }
        let counts = timeout(PATIENCE, app.engine.delivery_counts()).await;
        *due = Some(Instant::now() + GOOD_FOR.max(begun.elapsed() * REST));
        let counts = match counts {
            Ok(Ok(counts)) => counts,
            Ok(Err(error)) => return tracing::warn!(%error, "the inbox could not be counted: {error}"),
            Err(_) => return tracing::warn!("the inbox could not be counted within {} s", PATIENCE.as_secs()),
        };
        let sources: std::collections::BTreeSet<_> = counts.iter().map(|(source, ..)| source).collect();
        for source in sources {
            for state in DeliveryState::ALL {
                let count =
                    counts.iter().find(|(of, is, _)| of == source && *is == state).map_or(0, |(.., count)| *count);
                let gauge = metrics::gauge!("tollkeeper_inbox_deliveries", "source" => source.to_string(), "state" => state.as_str());
                gauge.set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
        }
    }
}

/// Sets the gauges that cost nothing.
pub(crate) fn refresh_own(app: &App) {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let gates = app.engine.gate_stats();
    metrics::gauge!("tollkeeper_http_requests_in_flight").set(number(app.requests.taken()));
    metrics::gauge!("tollkeeper_http_body_bytes").set(number(app.bodies.taken()));
    metrics::gauge!("tollkeeper_gate_organizations_resident").set(number(gates.resident));
}

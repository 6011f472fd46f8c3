//! Differences between our rows and a provider's truth, written down as they are found.

use serde_json::{Value, json};
use tollkeeper_core::subscription::Subscription;
use tollkeeper_store::drift::{self, Drift, DriftClass};

use crate::{Error, Tollkeeper};

impl Tollkeeper {
    /// A difference that concerns one row.
    pub(crate) fn difference(
        &self,
        row: &Subscription,
        class: DriftClass,
        field: &str,
        (expected, found): (Value, Value),
        why: impl Into<String>,
    ) -> Drift {
        Drift {
            organization_id: Some(row.organization_id.clone()),
            id: self.new_drift_id(),
            at: self.now(),
            provider: row.provider.clone(),
            subscription_id: Some(row.id.clone()),
            class,
            field: field.to_owned(),
            expected,
            found,
            repaired: true,
            why: why.into(),
        }
    }

    /// Differences are read in the order in which they were found.
    pub(crate) fn new_drift_id(&self) -> String {
        let mut random = [0_u8; 8];
        (self.inner.random)(&mut random);
        format!("{:016x}{}", self.machine_now().as_micros(), hex::encode(random))
    }

    pub(crate) async fn note_drift(&self, found: &[Drift]) -> Result<(), Error> {
        for one in found {
            metrics::counter!("tollkeeper_drift_total", "class" => one.class.as_str()).increment(1);
        }
        Ok(self.inner.db.write(|tx| Box::pin(drift::record(tx, found))).await?)
    }

    /// Books another amount than was shown. What was charged stays as it is: a person must look.
    pub(crate) async fn compare_charge(&self, row: &Subscription, shown: i64, charged: i64) -> Result<(), Error> {
        if shown == charged {
            return Ok(());
        }
        let why = format!("a change was previewed at {shown} and charged at {charged}");
        tracing::info!(subscription.id = %row.id, organization.id = %row.organization_id, shown, charged, "{why}");
        let mut one = self.difference(row, DriftClass::Amount, "amountDue", (json!(shown), json!(charged)), why);
        one.repaired = false;
        self.note_drift(&[one]).await
    }
}

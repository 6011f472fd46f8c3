//! What is wrong with usage and found out only after it was taken in: error reports, which are thin events.
//!
//! Signatures: `usage_error(meter, customer) -> Option<UsageError>`,
//! `report_usage_error(meter, customer, identifier, error, act)`, `refuse_archived(event_name) -> Outcome<()>`.
//!
//! Stripe's published samples gather the errors of ten seconds; here each event that cannot be used has its report at
//! once, about the ten seconds before it.
//!
//! What is found out later, and what is refused at once:
//!
//! - A customer that is not there: later, in v1 and in v2. Stripe's OpenAPI document lists the errors of
//!   `POST /v2/billing/meter_events`, and none is about the customer.
//! - A meter that was archived: at once in v2, which lists `archived_meter`; later in v1, an assumption: the code is one
//!   of a report's, and what v1 refuses at once is not published.
//! - An `event_name` without a meter: at once, in both. `v1.billing.meter.no_meter_found` is about what was sent to the
//!   stream, which is validated later as a whole and is not served here: Stripe's own CLI triggers it there.
//!
//! Source: Stripe docs, "Record usage for billing with the API", section "Handle meter event errors"; the official
//! client 23.1, `V2/Core/Events.d.ts`.

use serde_json::{Value, json};

use super::model::Meter;
use super::refusal::Refusal;
use super::{Account, Act, Outcome};
use crate::moment::Moment;

/// The type of an error report.
pub(crate) const ERROR_REPORT: &str = "v1.billing.meter.error_report_triggered";
/// How much time a report is about, in seconds.
const WINDOW: i64 = 10;

/// Why an event that was taken in cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsageError {
    ArchivedMeter,
    CustomerNotFound,
}

impl UsageError {
    /// `error_types[].code`
    fn code(self) -> &'static str {
        match self {
            UsageError::ArchivedMeter => "archived_meter",
            UsageError::CustomerNotFound => "meter_event_customer_not_found",
        }
    }

    /// For people. Stripe's own texts for these two are not published.
    fn message(self, meter: &Meter, customer: &str) -> String {
        match self {
            UsageError::ArchivedMeter => format!("The meter matching event_name {} is archived.", meter.event_name),
            UsageError::CustomerNotFound => {
                format!("No customer was found matching {} {customer}.", meter.customer_key)
            }
        }
    }
}

impl Account {
    /// What will be found wrong with an event that nothing else is wrong with.
    pub(super) fn usage_error(&self, meter: usize, customer: &str) -> Option<UsageError> {
        if !self.meters[meter].active {
            Some(UsageError::ArchivedMeter)
        } else if self.live_customer(customer).is_err() {
            Some(UsageError::CustomerNotFound)
        } else {
            None
        }
    }

    /// Tells that an event could not be used.
    pub(super) fn report_usage_error(
        &mut self,
        meter: usize,
        customer: &str,
        identifier: &str,
        error: UsageError,
        act: Act,
    ) {
        let message = error.message(&self.meters[meter], customer);
        let organization_id = self.organization_of_customer(customer);
        self.emit_thin(ERROR_REPORT, meter, report(error.code(), &message, identifier, act.now), organization_id, act);
    }

    /// Refuses usage of a meter that was archived, for the API that looks before it answers.
    pub(crate) fn refuse_archived(&self, event_name: &str) -> Outcome<()> {
        if self.meter_of(event_name).is_some_and(|meter| !self.meters[meter].active) {
            return Err(Refusal::coded("archived_meter", "The meter is not active.").about("event_name"));
        }
        Ok(())
    }
}

/// `data` of a report about one event.
fn report(code: &str, message: &str, identifier: &str, now: Moment) -> Value {
    json!({
        "developer_message_summary": "There is 1 invalid event",
        "reason": {
            "error_count": 1,
            "error_types": [{
                "code": code,
                "error_count": 1,
                "sample_errors": [{ "error_message": message, "request": { "identifier": identifier } }],
            }],
        },
        "validation_end": now.rfc3339_millis(),
        "validation_start": now.plus_secs(-WINDOW).rfc3339_millis(),
    })
}

//! `/v1/billing/meters` and what they count. Source: Stripe API reference, "Meters".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::list::Window;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::meters::MeterInput;
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.meter(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Meter(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("POST", [id, "deactivate"]) => switch(call, id, false),
        ("POST", [id, "reactivate"]) => switch(call, id, true),
        ("GET", [id, "event_summaries"]) => summaries(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    fn meter(&self, id: &str) -> Result<usize, Refusal> {
        self.account.meters.position(id).ok_or_else(|| Refusal::no_such("meter", id))
    }
}

fn create(call: &mut Call<'_>) -> Reply {
    let params = &mut call.params;
    let mut aggregation =
        params.branch("default_aggregation")?.ok_or_else(|| problem::missing("default_aggregation"))?;
    let formula = aggregation.word("formula", &["sum", "count", "last"])?;
    let formula = formula.ok_or_else(|| problem::missing("default_aggregation[formula]"))?.to_owned();
    aggregation.done()?;
    let mut customer_key = None;
    if let Some(mut mapping) = params.branch("customer_mapping")? {
        mapping.ignore(&["type"]);
        customer_key = mapping.text("event_payload_key")?;
        mapping.done()?;
    }
    let mut value_key = None;
    if let Some(mut settings) = params.branch("value_settings")? {
        value_key = settings.text("event_payload_key")?;
        settings.done()?;
    }
    params.ignore(&["event_time_window"]);
    let input = MeterInput {
        display_name: params.required("display_name")?,
        event_name: params.required("event_name")?,
        formula,
        customer_key,
        value_key,
    };
    call.read_all()?;
    let position = call.account.create_meter(input, call.act)?;
    Ok(call.show(Object::Meter(position)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.meter(id)?;
    let name = call.params.text("display_name")?;
    call.read_all()?;
    if let Some(name) = name {
        let row = &mut call.account.meters[position];
        (row.display_name, row.updated) = (name, call.act.secs());
    }
    Ok(call.show(Object::Meter(position)))
}

fn switch(call: &mut Call<'_>, id: &str, active: bool) -> Reply {
    let position = call.meter(id)?;
    call.read_all()?;
    call.account.set_meter_active(position, active, call.act);
    Ok(call.show(Object::Meter(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let status = call.params.word("status", &["active", "inactive"])?;
    call.read_all()?;
    let table = &call.account.meters;
    let keeps = |position: usize| status.is_none_or(|status| table[position].active == (status == "active"));
    window.page("/v1/billing/meters", table, keeps, |position| call.show(Object::Meter(position)))
}

/// One summary for the whole time; grouping is not served.
fn summaries(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.meter(id)?;
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let customer = params.required("customer")?;
    let start = params.integer("start_time")?.ok_or_else(|| problem::missing("start_time"))?;
    let end = params.integer("end_time")?.ok_or_else(|| problem::missing("end_time"))?;
    call.read_all()?;
    for (name, at) in [("start_time", start), ("end_time", end)] {
        if at % 60 != 0 {
            return Err(problem::invalid(name, "The time must be aligned with the boundary of a minute."));
        }
    }
    let used = call.account.usage(position, &customer, start, end);
    let rows = if used == 0 {
        Vec::new()
    } else {
        vec![json!({
            "id": format!("mtrusg_{start}_{end}"),
            "object": "billing.meter_event_summary",
            "aggregated_value": used,
            "end_time": end,
            "livemode": false,
            "meter": id,
            "start_time": start,
        })]
    };
    window.page_of(&format!("/v1/billing/meters/{id}/event_summaries"), rows)
}

pub(super) fn record(call: &mut Call<'_>) -> Reply {
    let event_name = call.params.required("event_name")?;
    let payload = call.params.branch("payload")?.ok_or_else(|| problem::missing("payload"))?.rest()?;
    let (identifier, timestamp) = (call.params.text("identifier")?, call.params.integer("timestamp")?);
    call.read_all()?;
    let position = call.account.record_usage(&event_name, payload, identifier, timestamp, call.act)?;
    Ok(render::meter_event(&call.account.meter_events[position]))
}

pub(super) fn adjust(call: &mut Call<'_>) -> Reply {
    let event_name = call.params.required("event_name")?;
    call.params.word("type", &["cancel"])?;
    let mut cancel = call.params.branch("cancel")?.ok_or_else(|| problem::missing("cancel"))?;
    let identifier = cancel.required("identifier")?;
    cancel.done()?;
    call.read_all()?;
    call.account.cancel_usage(&event_name, &identifier, call.act)?;
    Ok(json!({
        "object": "billing.meter_event_adjustment",
        "cancel": { "identifier": identifier },
        "event_name": event_name,
        "livemode": false,
        "status": "pending",
        "type": "cancel",
    }))
}

/// `POST /v2/billing/meter_events`: JSON, and instants as texts.
pub(super) fn record_v2(call: &mut Call<'_>, body: &[u8]) -> Reply {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::invalid("The request body is not valid JSON."))?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let event_name = text("event_name").ok_or_else(|| problem::missing("event_name"))?;
    let payload = body["payload"].as_object().ok_or_else(|| problem::missing("payload"))?;
    let mut pairs = BTreeMap::new();
    for (name, value) in payload {
        let value = value.as_str().ok_or_else(|| problem::invalid(&format!("payload.{name}"), "Invalid string"))?;
        pairs.insert(name.clone(), value.to_owned());
    }
    let timestamp = match text("timestamp") {
        None => None,
        Some(text) => {
            let parsed = text.parse::<jiff::Timestamp>();
            Some(parsed.map_err(|_| problem::invalid("timestamp", "Invalid timestamp"))?.as_second())
        }
    };
    call.account.refuse_archived(&event_name)?;
    let position = call.account.record_usage(&event_name, pairs, text("identifier"), timestamp, call.act)?;
    Ok(render::meter_event_v2(&call.account.meter_events[position]))
}

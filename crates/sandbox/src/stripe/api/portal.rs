//! `/v1/billing_portal`. Source: Stripe API reference, "Portal sessions", "Portal configurations".

use serde_json::Value;

use super::list::Window;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::model::PortalFlow;
use crate::stripe::account::portal::{ConfigurationInput, NewPortalSession};
use crate::stripe::account::refusal::Refusal;

pub(super) fn configurations(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create_configuration(call),
        ("GET", []) => list(call),
        ("GET", [id]) => find(call, id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::PortalConfiguration(position)))
        }),
        ("POST", [id]) => update_configuration(call, id),
        _ => return None,
    })
}

fn find(call: &Call<'_>, id: &str) -> Result<usize, Refusal> {
    let position = call.account.portal_configurations.position(id);
    position.ok_or_else(|| Refusal::no_such("configuration", id))
}

/// The kinds of flows, each with an object of its own name.
const FLOWS: [&str; 6] = [
    "customer_update",
    "payment_method_update",
    "subscription_cancel",
    "subscription_pause",
    "subscription_update",
    "subscription_update_confirm",
];

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let customer = call.required_customer()?;
    let params = &mut call.params;
    params.ignore(&["locale", "on_behalf_of", "after_expiration"]);
    let (configuration, return_url) = (params.text("configuration")?, params.text("return_url")?);
    let flow = match params.given("flow_data").flatten() {
        None => None,
        Some(data) => {
            let kind = data["type"].as_str().ok_or_else(|| problem::missing("flow_data[type]"))?;
            if !FLOWS.contains(&kind) {
                return Err(problem::not_among("flow_data[type]", &FLOWS));
            }
            Some(PortalFlow { kind: kind.to_owned(), data })
        }
    };
    call.read_all()?;
    let new = NewPortalSession { customer, configuration, return_url, flow };
    let position = call.account.create_portal_session(new, call.act)?;
    Ok(call.show(Object::PortalSession(position)))
}

/// What is kept as it was given, with its switches as booleans.
fn typed(value: Value) -> Value {
    match value {
        Value::String(text) if text == "true" => true.into(),
        Value::String(text) if text == "false" => false.into(),
        Value::Array(values) => values.into_iter().map(typed).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, typed(value))).collect(),
        other => other,
    }
}

fn input(call: &mut Call<'_>) -> Result<ConfigurationInput, Refusal> {
    let params = &mut call.params;
    params.ignore(&["login_page", "name"]);
    let mut profile = None;
    if let Some(mut given) = params.branch("business_profile")? {
        let mut text = |name: &str| given.text(name);
        let (headline, privacy) = (text("headline")?, text("privacy_policy_url")?);
        let terms = text("terms_of_service_url")?;
        given.done()?;
        let members = [("headline", headline), ("privacy_policy_url", privacy), ("terms_of_service_url", terms)];
        profile = Some(members.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect());
    }
    Ok(ConfigurationInput {
        active: params.boolean("active")?,
        default_return_url: params.patch("default_return_url")?,
        business_profile: profile,
        features: params.given("features").flatten().map(typed),
        metadata: params.metadata()?,
    })
}

fn create_configuration(call: &mut Call<'_>) -> Reply {
    if !call.params.has("features") {
        return Err(problem::missing("features"));
    }
    let input = input(call)?;
    call.read_all()?;
    let position = call.account.create_portal_configuration(input, call.act);
    Ok(call.show(Object::PortalConfiguration(position)))
}

fn update_configuration(call: &mut Call<'_>, id: &str) -> Reply {
    let position = find(call, id)?;
    let input = input(call)?;
    call.read_all()?;
    call.account.update_portal_configuration(position, input, call.act);
    Ok(call.show(Object::PortalConfiguration(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let (active, default) = (call.params.boolean("active")?, call.params.boolean("is_default")?);
    call.read_all()?;
    let table = &call.account.portal_configurations;
    let keeps = |position: usize| {
        let row = &table[position];
        active.is_none_or(|active| row.active == active) && default.is_none_or(|default| row.is_default == default)
    };
    let render = |position: usize| call.show(Object::PortalConfiguration(position));
    window.page("/v1/billing_portal/configurations", table, keeps, render)
}

//! What the forms of the home page do: the same as the control API.

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::Section;
use crate::chaos::{Chaos, Setting};
use crate::chargebee::api::Form;
use crate::clock::{self, LONGEST_ADVANCE_SECONDS};
use crate::control::{Failure, SubscriptionBody, change_row};
use crate::moment::Moment;
use crate::scalekit::directory::OrganizationInput;
use crate::server::Shared;
use crate::world::World;

/// Does what a form asks, and tells in which section it was.
pub(super) async fn perform(shared: &Arc<Shared>, form: &Form) -> (Section, Result<(), String>) {
    let action = form.get("action").unwrap_or_default();
    match action {
        "advance" | "" => (Section::Clock, advance(shared, form).await),
        "faults" | "calm" => (Section::Faults, set_faults(shared, form, action == "calm")),
        "reset" => (Section::Reset, reset(shared, form).await),
        "resend" => {
            let id = form.get("id").unwrap_or_default();
            let sent = shared.with(|world, now| world.outbox.resend(id, now).is_some());
            (Section::Deliveries, sent.then_some(()).ok_or_else(|| "there is no such delivery".into()))
        }
        "create" | "rename" | "delete" | "add" | "remove" => {
            let done = shared.with(|world, now| organization(world, action, form, now));
            (Section::Organizations, done.map_err(|failure| failure.to_string()))
        }
        _ => {
            let done = shared.with(|world, now| subscription(world, action, form, now));
            (Section::Subscriptions, done.map_err(|failure| failure.to_string()))
        }
    }
}

async fn advance(shared: &Shared, form: &Form) -> Result<(), String> {
    let number = |name: &str| form.get(name).and_then(|text| text.trim().parse::<i64>().ok());
    let amount = || Some(number("amount")?.saturating_mul(number("unit")?));
    let seconds = number("seconds").or_else(amount);
    let seconds = seconds.filter(|seconds| (0..=LONGEST_ADVANCE_SECONDS).contains(seconds));
    let seconds = seconds.ok_or("time moves on by ten years at most, and never back")?;
    clock::advance(shared, seconds).await;
    Ok(())
}

fn set_faults(shared: &Shared, form: &Form, off: bool) -> Result<(), String> {
    let mut members = Map::new();
    for (name, text) in form.pairs().iter().filter(|(name, text)| name != "action" && !text.trim().is_empty() && !off) {
        let text = text.trim();
        let whole = text.parse::<u64>().ok().map(Number::from);
        let number = whole.or_else(|| text.parse().ok().and_then(Number::from_f64));
        members.insert(name.clone(), Value::Number(number.ok_or_else(|| format!("{name} must be a number"))?));
    }
    let setting = Setting::read(&members)?;
    shared.with(|world, _| world.set_chaos(Chaos::new(setting)));
    Ok(())
}

async fn reset(shared: &Shared, form: &Form) -> Result<(), String> {
    if form.get("sure") != Some("yes") {
        return Err("say that you are sure".into());
    }
    let _turn = shared.clock_turn.lock().await;
    shared.with(|world, now| world.reset(&shared.config, now));
    Ok(())
}

fn organization(world: &mut World, action: &str, form: &Form, now: Moment) -> Result<(), Failure> {
    let directory = &mut world.directory;
    let id = form.get("id").unwrap_or_default();
    let named = || OrganizationInput {
        display_name: Some(form.get("name").unwrap_or_default().trim().to_owned()),
        ..OrganizationInput::default()
    };
    match action {
        "create" => drop(directory.create_organization(None, named(), now)?),
        "rename" => directory.update_organization(id, named(), now)?,
        "delete" => directory.delete_organization(id, now)?,
        "remove" => directory.remove_member(id, form.get("user").unwrap_or_default(), now)?,
        _ => {
            if directory.organization(id).is_none() {
                return Err(Failure::not_found(format!("there is no organization {id}")));
            }
            let user = directory.ensure_user(form.get("email").unwrap_or_default(), now)?;
            let role = form.get("role").filter(|role| !role.is_empty());
            directory.ensure_member(id, &user, role.map(|role| vec![role.to_owned()]), now)?;
        }
    }
    Ok(())
}

fn subscription(world: &mut World, action: &str, form: &Form, now: Moment) -> Result<(), Failure> {
    let mut body = SubscriptionBody::default();
    match action {
        "cancel" => body.cancel = Some(true),
        "cancel_at_end" => body.cancel_at_period_end = Some(true),
        "keep" => body.cancel_at_period_end = Some(false),
        "pause" => body.pause = Some(true),
        "resume" => body.resume = Some(true),
        "fail_next" => body.fail_next_payment = Some(true),
        "fail_not" => body.fail_next_payment = Some(false),
        "pay_dues" => body.pay_dues = Some(true),
        "seats" => {
            let seats = form.get("seats").and_then(|text| text.trim().parse().ok());
            body.seats = Some(seats.ok_or_else(|| Failure::invalid("seats must be a positive number"))?);
        }
        _ => return Err(Failure::invalid("please use one of the buttons")),
    }
    change_row(world, form.get("id").unwrap_or_default(), body, now).map(drop)
}

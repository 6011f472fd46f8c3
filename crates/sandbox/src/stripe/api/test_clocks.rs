//! `/v1/test_helpers/test_clocks`. Source: Stripe API reference, "Test clocks".

use super::list::Window;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.account.live_clock(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::TestClock(position)))
        }),
        ("DELETE", [id]) => call.account.live_clock(id).and_then(|position| {
            call.read_all()?;
            call.account.delete_clock(position, call.act);
            Ok(call.show(Object::TestClock(position)))
        }),
        ("POST", [id, "advance"]) => advance(call, id),
        _ => return None,
    })
}

fn create(call: &mut Call<'_>) -> Reply {
    let frozen_time = call.params.integer("frozen_time")?.ok_or_else(|| problem::missing("frozen_time"))?;
    let name = call.params.text("name")?;
    call.read_all()?;
    let position = call.account.create_clock(frozen_time, name, call.act)?;
    Ok(call.show(Object::TestClock(position)))
}

fn advance(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_clock(id)?;
    let frozen_time = call.params.integer("frozen_time")?.ok_or_else(|| problem::missing("frozen_time"))?;
    call.read_all()?;
    call.account.advance_clock(position, frozen_time, call.act)?;
    Ok(call.show(Object::TestClock(position)))
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    call.read_all()?;
    let table = &call.account.test_clocks;
    let render = |position: usize| call.show(Object::TestClock(position));
    window.page("/v1/test_helpers/test_clocks", table, |position| !table[position].deleted, render)
}

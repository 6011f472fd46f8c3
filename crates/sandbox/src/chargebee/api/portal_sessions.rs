//! `/portal_sessions`. Source: Chargebee API docs, "Portal sessions".

use super::{Answer, Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn create(site: &mut Site, form: &Form, act: Act) -> Answered {
    let customer_id = read::required(form, "customer[id]", 50)?;
    let redirect_url = read::web_address(form, "redirect_url")?;
    let position = site.create_portal_session(&customer_id, redirect_url, act)?;
    Ok(Answer::resource("portal_session", render::portal_session(site, position)))
}

fn find(site: &Site, id: &str) -> Result<usize, Refusal> {
    site.portal_sessions.position(id).ok_or_else(|| Refusal::not_found("portal_session_id", id))
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let position = find(site, id)?;
    Ok(Answer::resource("portal_session", render::portal_session(site, position)))
}

pub(super) fn logout(site: &mut Site, id: &str, act: Act) -> Answered {
    let position = find(site, id)?;
    site.leave_portal(position, act);
    Ok(Answer::resource("portal_session", render::portal_session(site, position)))
}

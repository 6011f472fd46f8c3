//! Finishing the sign-in page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, read};
use crate::chargebee::api::Form;
use crate::router::json_response;
use crate::scalekit::authorize::Refused;
use crate::scalekit::signin::{self, Place};
use crate::server::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompleteBody {
    #[serde(default)]
    url: String,
    #[serde(default)]
    email: String,
    /// Without it the one that the page asks for, else the first that the person belongs to, else none.
    organization_id: Option<String>,
    /// Makes an organization of this name.
    organization_name: Option<String>,
    /// Presses the page's other button.
    #[serde(default)]
    cancel: bool,
}

/// Does what a browser would on the page at `url`, and answers where it would be sent.
pub(super) async fn complete(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let body: CompleteBody = read(&body)?;
    let url = url::Url::parse(&body.url).ok().filter(|url| url.path() == "/oauth/authorize");
    let url = url.ok_or_else(|| Failure::invalid("the url is not that of a sign-in page"))?;
    let query = Form::parse(url.query().unwrap_or_default().as_bytes());
    let machine_now = shared.machine_now();
    let redirect_url = shared.with(|world, now| -> Result<String, Failure> {
        let origins = world.product_origins();
        let client_id = &shared.config.scalekit.client_id;
        let asked = match signin::read(&world.directory, query.pairs(), client_id, &origins) {
            Ok(asked) => asked,
            Err(Refused::Here(text)) => return Err(Failure::invalid(text)),
            Err(Refused::Back(url)) => return Ok(url),
        };
        if body.cancel {
            return Ok(asked.cancelled_url());
        }
        let directory = &mut world.directory;
        let usual = || {
            let user = directory.user_by_email(&body.email)?;
            directory.memberships(user).next().map(|(organization, _)| organization.id.clone())
        };
        if let (Some(wanted), Some(fixed)) = (&body.organization_id, &asked.organization_id)
            && wanted != fixed
        {
            return Err(Failure::invalid(format!("the page at this url is for the organization {fixed}")));
        }
        let place = match (body.organization_id.clone().or(asked.organization_id.clone()), &body.organization_name) {
            (Some(_), Some(_)) => {
                return Err(Failure::invalid("organizationName is for a new organization, and one is named already"));
            }
            (Some(id), None) => Place::Organization(id),
            (None, Some(name)) => Place::NewOrganization(name.clone()),
            (None, None) => usual().map_or(Place::Nowhere, Place::Organization),
        };
        Ok(signin::sign_in(directory, &mut world.sessions, &asked, &body.email, place, (now, machine_now))?)
    })?;
    Ok(json_response(200, json!({ "redirectUrl": redirect_url }).to_string()))
}

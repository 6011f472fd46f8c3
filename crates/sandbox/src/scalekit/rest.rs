//! `/api/v1`: the part of the management API that the sandbox serves, over JSON.
//!
//! Source: Scalekit's OpenAPI document. The text of error messages is ours.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::directory::{Directory, OrganizationInput, Refused};
use super::render;
use crate::moment::Moment;

/// A request, its bearer already checked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The path below `/api/v1`, decoded, in segments.
    pub(crate) path: Vec<String>,
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// A status and a body.
pub(crate) type Answer = (u16, Value);

/// The body of an error: a gRPC code, a message, and the name of the error.
pub(crate) fn error(status: u16, message: &str) -> Answer {
    let (code, name) = match status {
        400 => (3, "INVALID_ARGUMENT"),
        401 => (16, "UNAUTHENTICATED"),
        404 => (5, "NOT_FOUND"),
        409 => (6, "ALREADY_EXISTS"),
        _ => (12, "UNIMPLEMENTED"),
    };
    let detail = json!({ "@type": "type.googleapis.com/scalekit.v1.errdetails.ErrorInfo", "error_code": name });
    (status, json!({ "code": code, "message": message, "details": [detail] }))
}

fn refused(refused: &Refused) -> Answer {
    match refused {
        Refused::Invalid(message) => error(400, message),
        Refused::NotFound(message) => error(404, message),
        Refused::Taken(message) => error(409, message),
    }
}

/// Answers a request.
pub(crate) fn answer(directory: &mut Directory, request: &Request<'_>, now: Moment) -> Answer {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method, path.as_slice()) {
        ("GET", ["organizations"]) => list_organizations(directory, request),
        ("POST", ["organizations"]) => create_organization(directory, request, now),
        ("GET", ["organizations", id]) => one_organization(directory, id, 200),
        ("PATCH", ["organizations", id]) => match organization_input(request.body) {
            Ok(input) => match directory.update_organization(id, input, now) {
                Ok(()) => one_organization(directory, id, 200),
                Err(reason) => refused(&reason),
            },
            Err(answer) => answer,
        },
        ("DELETE", ["organizations", id]) => match directory.delete_organization(id, now) {
            Ok(()) => (200, json!({})),
            Err(reason) => refused(&reason),
        },
        ("GET", ["organizations:external", external_id]) => match directory.organization_by_external_id(external_id) {
            Some(row) => (200, json!({ "organization": render::organization(row) })),
            None => error(404, &format!("there is no organization with the external id {external_id}")),
        },
        ("GET", ["organizations", id, "users"]) => list_members(directory, id, request),
        ("GET", ["users"]) => list_users(directory, request),
        ("GET", ["users", id]) => match directory.user(id) {
            Some(row) => (200, json!({ "user": render::user(directory, row, None) })),
            None => error(404, &format!("there is no user {id}")),
        },
        (method, _) => error(404, &format!("{method} /api/v1/{} is not served here", path.join("/"))),
    }
}

fn one_organization(directory: &Directory, id: &str, status: u16) -> Answer {
    match directory.organization(id) {
        Some(row) => (status, json!({ "organization": render::organization(row) })),
        None => error(404, &format!("there is no organization {id}")),
    }
}

fn create_organization(directory: &mut Directory, request: &Request<'_>, now: Moment) -> Answer {
    let input = match organization_input(request.body) {
        Ok(input) => input,
        Err(answer) => return answer,
    };
    match directory.create_organization(None, input, now) {
        Ok(id) => one_organization(directory, &id, 201),
        Err(reason) => refused(&reason),
    }
}

fn organization_input(body: &[u8]) -> Result<OrganizationInput, Answer> {
    #[derive(serde::Deserialize)]
    struct Body {
        display_name: Option<String>,
        external_id: Option<String>,
        metadata: Option<BTreeMap<String, String>>,
    }
    let body: Body =
        serde_json::from_slice(body).map_err(|reason| error(400, &format!("the body is not valid: {reason}")))?;
    Ok(OrganizationInput { display_name: body.display_name, external_id: body.external_id, metadata: body.metadata })
}

fn list_organizations(directory: &Directory, request: &Request<'_>) -> Answer {
    if let Some(external_id) = get(request, "external_id") {
        let rows: Vec<_> = directory.organization_by_external_id(external_id).into_iter().collect();
        let listing = Listing { name: "organizations", rows: &rows, total: rows.len(), smallest: 10 };
        return listing.page(request, |row| Some(render::organization(row)));
    }
    let (rows, total) = (directory.organizations(), directory.live_organizations());
    let listing = Listing { name: "organizations", rows, total, smallest: 10 };
    listing.page(request, |row| row.deleted_at.is_none().then(|| render::organization(row)))
}

fn list_members(directory: &Directory, id: &str, request: &Request<'_>) -> Answer {
    let Some(organization) = directory.organization(id) else {
        return error(404, &format!("there is no organization {id}"));
    };
    let rows = organization.members.as_slice();
    let total = rows.iter().filter(|member| member.active).count();
    let listing = Listing { name: "users", rows, total, smallest: 1 };
    listing.page(request, |member| {
        let user = directory.user(&member.user_id).filter(|_| member.active)?;
        Some(render::user(directory, user, Some(id)))
    })
}

fn list_users(directory: &Directory, request: &Request<'_>) -> Answer {
    let rows = directory.users();
    let listing = Listing { name: "users", rows, total: rows.len(), smallest: 1 };
    listing.page(request, |row| Some(render::user(directory, row, None)))
}

fn get<'a>(request: &Request<'a>, name: &str) -> Option<&'a str> {
    request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// A list in the order of creation. Rows keep their places when others go, so that no page shifts under a caller.
struct Listing<'a, T> {
    name: &'static str,
    /// Rows of the past included; they are not shown.
    rows: &'a [T],
    /// How many are shown over all pages.
    total: usize,
    /// The smallest size of a page.
    smallest: usize,
}

impl<T> Listing<'_, T> {
    /// One page, which looks at no more rows than it needs. `show` is `None` for rows of the past.
    fn page(&self, request: &Request<'_>, show: impl Fn(&T) -> Option<Value>) -> Answer {
        let size = match get(request, "page_size").map(str::parse::<usize>) {
            None => 10,
            Some(Ok(size)) if (self.smallest..=100).contains(&size) => size,
            Some(_) => return error(400, &format!("page_size must be between {} and 100", self.smallest)),
        };
        let start = match get(request, "page_token").map(read_token) {
            None => 0,
            Some(Some(start)) if start <= self.rows.len() => start,
            Some(_) => return error(400, "page_token is not valid"),
        };
        let (before, rows) = self.rows.split_at(start);
        let mut later = rows.iter().zip(start..).filter_map(|(row, position)| Some((position, show(row)?)));
        let page: Vec<Value> = later.by_ref().take(size).map(|(_, row)| row).collect();
        let next = later.next().map_or_else(String::new, |(position, _)| token(position));
        let earlier = before.iter().enumerate().rev().filter(|(_, row)| show(row).is_some()).take(size).last();
        let previous = earlier.map_or_else(String::new, |(position, _)| token(position));
        (
            200,
            json!({ self.name: page, "next_page_token": next, "prev_page_token": previous, "total_size": self.total }),
        )
    }
}

fn token(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("start:{start}"))
}

fn read_token(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("start:")?.parse().ok()
}

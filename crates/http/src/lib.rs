//! The HTTP face of Tollkeeper: request in, engine call, response out.
//!
//! Knows: routes, who asks ([`Config::session_cookie`] or a bearer token), how much is taken on at once ([`Limits`]), and
//! how every failure becomes a problem document (RFC 9457).
//!
//! Must never know: a concrete adapter, SQL, the environment, a rule about subscriptions. An action is written once, in
//! the engine; here it is only asked for.
//!
//! The usual next thing is a route: a handler in the file of its subject, its operation in the file of that subject
//! under `description/operations`, one line in `router.rs`, and rows in the tables of `tests/it`.
//!
//! # Quickstart
//!
//! A product in Rust merges our routes into its own, and puts gates around what not everybody may use:
//!
//! ```
//! use axum::{Router, routing::get};
//! use tollkeeper_http::{Config, Entitled, Face};
//!
//! async fn reports(entitled: Entitled) -> String {
//!     format!("the reports of {}", entitled.organization_id)
//! }
//!
//! fn product(engine: tollkeeper::Tollkeeper) -> Router {
//!     let face = Face::new(engine, Config::default());
//!     let gates = face.gates();
//!     Router::new()
//!         .route("/reports", get(reports))
//!         .route_layer(gates.require("sso"))
//!         .merge(face.router())
//! }
//! ```
//!
//! A gate knows access tokens, our sessions and API keys. Where the product has sessions of its own, it says itself whose
//! request it is, from what its own layers have proven:
//!
//! ```
//! # use tollkeeper_http::{Face, Gates};
//! #[derive(Clone)]
//! struct Tenant {
//!     organization: String,
//! }
//!
//! fn gates(face: &Face) -> Gates {
//!     face.gates()
//!         .organization_from(|parts| parts.extensions.get::<Tenant>().map(|tenant| tenant.organization.as_str().into()))
//!         .login_page("/signin")
//! }
//! ```

mod address;
mod admin;
mod asked;
mod body;
mod buckets;
mod cookies;
mod cors;
mod description;
mod docs;
mod events;
mod face;
mod figures;
mod gate;
mod health;
mod invoices;
mod jobs;
mod landing;
mod layer;
mod limits;
mod observe;
mod organization;
mod pages;
mod payment;
mod plans;
mod problem;
mod query;
mod router;
mod routes;
mod seats;
mod selection;
mod serve;
mod session;
mod sign_in;
mod subscription;
mod wanted;
mod webhook;

pub use cookies::is_cookie_name;
pub use face::Face;
pub use layer::{Entitled, Gate, Gated, Gates, NotGated};
pub use limits::{API_BODY_BYTES, Limits, Rate, WEBHOOK_BODY_BYTES};
pub use router::{Config, errors, openapi, router};
pub use serve::serve;

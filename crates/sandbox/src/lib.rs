//! Local stand-ins for an identity provider (Scalekit) and two billing providers (Chargebee, Stripe), with state, a
//! clock that can be moved, hosted pages and signed webhooks.
//!
//! It knows the providers' documentation and nothing of the product: it depends on no other crate of the workspace,
//! also in its tests. An emulator that shared types with the client would agree with its bugs.
//!
//! - `scalekit`: the directory, tokens and keys, the REST API.
//! - `chargebee`: `site` holds records and rules as pure functions of time, `api` decodes and answers, `render` writes.
//! - `stripe`: `account` holds records and rules, `api` decodes and answers, `render` writes, `version` writes older.
//! - `deliveries`: what is owed to webhook endpoints, signing, retrying.
//! - `chaos`: faults of deliveries and of the billing APIs, drawn from a seed.
//! - `control`: `/sandbox/…`, for tests and people. `pages`: what a browser sees.
//! - `seed`: many paying organizations at once, for load.
//! - `clock`, `world`, `server`: moving time, the one lock, and the running thing.
//!
//! Objects and events carry business time (machine time plus an offset); signatures and tokens carry machine time.
//!
//! To add an endpoint of a provider: a line in its `route` or `answer` function, a rule beside the others, and a test
//! through HTTP. To add a provider: a folder beside `chargebee`, a `Provider` variant with its retry schedule, and its
//! state in `World`.

// Stripe's objects have many members, and `json!` takes a step for each.
#![recursion_limit = "256"]

mod challenge;
mod chaos;
mod chargebee;
mod clock;
mod config;
mod control;
mod deliveries;
mod ids;
mod moment;
mod pages;
mod requests;
mod router;
mod scalekit;
mod seed;
mod server;
mod stripe;
mod world;

pub use config::{ChargebeeAccount, Config, Error, ScalekitAccount, StripeAccount, Unpaid, Webhooks};
pub use seed::{Seed, SeedError};
pub use server::Sandbox;

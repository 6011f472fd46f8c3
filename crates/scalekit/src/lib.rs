//! Identity: who is asking, for which organization, and what changed among organizations and members.
//!
//! Knows three things, each in its place: [`oidc`] proves access tokens of any OpenID Connect provider by
//! configuration, [`standard_webhooks`] signs and verifies deliveries, and [`scalekit`] is the adapter for Scalekit
//! that puts both behind the ports of the core.
//!
//! Must never know: the database, the engine, HTTP routes, a billing provider, the wall clock. Inside, `oidc` must not
//! know Scalekit.
//!
//! The usual next thing is another identity provider with webhooks: configure [`oidc::Config`] for its tokens, write a
//! module beside `scalekit/` for its events, and implement `Inbound` and `Identity` there. A provider without webhooks
//! needs only configuration by whoever embeds the library: [`oidc::Oidc`].

mod error;
mod http_client;
pub mod oidc;
pub mod scalekit;
pub mod standard_webhooks;

pub use error::ConfigError;
pub use scalekit::{Config, Scalekit};

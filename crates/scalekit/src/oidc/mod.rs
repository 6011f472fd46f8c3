//! Access tokens of any OpenID Connect provider, proven by configuration.
//!
//! [`Validator`] holds every rule. [`Oidc`] puts it behind the core's ports for providers that send no deliveries.
//! Nothing here knows a provider by name.

mod claims;
mod config;
mod jwk;
mod keys;
mod provider;
mod remembered;
mod validator;

pub use claims::Claims;
pub use config::{Algorithm, Config, SessionShape};
pub use jwk::REFUSED_MODULI;
pub use provider::Oidc;
pub use validator::Validator;

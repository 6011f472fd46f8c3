//! The rules of Tollkeeper, without any machinery.
//!
//! Knows: ids, time, money, the model, what a provider's snapshot means ([`reduce`]), what an organization may use
//! ([`gate`]), and what it needs from the outside ([`ports`]).
//!
//! Must never know: a runtime, a database, an HTTP client or server, a provider's JSON, the wall clock.
//!
//! The usual next thing is a new effect: add a variant to [`effect::EffectKind`], derive it in `reduce/effects.rs` from
//! (before, after), and name it in the engine's `Hooks`.

pub mod account;
pub mod catalog;
pub mod effect;
pub mod gate;
pub mod ids;
pub mod invariants;
pub mod member;
pub mod money;
pub mod organization;
pub mod ports;
pub mod reduce;
pub mod snapshot;
pub mod status;
pub mod subscription;
pub mod time;

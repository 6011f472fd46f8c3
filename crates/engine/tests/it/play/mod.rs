//! What stands around the engine, played: providers, hooks, and the two clocks.

mod billing;
mod clocks;
mod hooks;
mod identity;
mod sign_in;
mod stop;

pub(crate) use billing::{Outcome, PAGE, PERIOD, PlayedBilling, item};
pub(crate) use clocks::Clocks;
pub(crate) use hooks::{Deed, Recorder};
pub(crate) use identity::PlayedIdentity;
pub(crate) use sign_in::{Failure as SignInFailure, PlayedSignIn};
pub(crate) use stop::Stop;

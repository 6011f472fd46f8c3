//! The adapter against the contract's fixtures, and against a server that plays what it is told.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test, helpers included")]

mod calls;
mod contracts;
mod deliveries;
mod failures;
mod fake;
mod forms;
mod requests;
mod verification;

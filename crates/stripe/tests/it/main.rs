//! The adapter against the contract's shapes and vectors, and against a server that plays what it is told.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test, helpers included")]

mod calls;
mod changes;
mod checkouts;
mod contracts;
mod deliveries;
mod endpoints;
mod failures;
mod fake;
mod forms;
mod invoices;
mod lists;
mod pace;
mod pauses;
mod prices;
mod requests;
mod verification;

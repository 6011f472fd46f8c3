//! The adapter against a provider that runs in the test: tokens, keys, deliveries, management API.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod contracts;
mod deliveries;
mod keys;
mod lists;
mod management;
mod provider;
mod sign_in;
mod tokens;

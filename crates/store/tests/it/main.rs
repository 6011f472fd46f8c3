//! The store on both engines: every test here runs twice, from one body.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod database;
mod inbox;
mod outbox;
mod rows;
mod sample;
mod schema;

//! The store on both engines: every test here runs twice, from one body.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod account;
mod api_key;
mod database;
mod drift;
mod group;
mod inbox;
mod notice;
mod operator;
mod outbox;
mod pages;
mod reruns;
mod rows;
mod sample;
mod schema;
mod search;
mod session;

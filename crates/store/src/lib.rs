//! All SQL of Tollkeeper, on SQLite and on Postgres.
//!
//! Knows: the tables, how our types look in their columns, and how a decision is written so that it is written once.
//!
//! Must never know: a rule about subscriptions, a provider, the wall clock. Every instant is a parameter.
//!
//! Reads take a [`C`], which both a [`Conn`] and a [`Tx`] lend (`conn.c()`, `tx.c()`); writes take a `&mut Tx`, and
//! [`Db::write`] is the only way to one.
//!
//! The usual next thing is a column: a new migration in both folders (a released one is never edited), a field in the
//! row type and in the statements beside it, and the round-trip test grows by one value.

#[macro_use]
mod macros;

mod db;
mod dialect;
mod error;
mod group;
mod schema;
mod value;

pub mod account;
pub mod api_key;
pub mod cursor;
pub mod customer;
pub mod drift;
pub mod history;
pub mod inbox;
pub mod lease;
pub mod link;
pub mod maintenance;
pub mod member;
pub mod notice;
pub mod organization;
pub mod outbox;
pub mod search;
pub mod session;
pub mod subscription;

pub use account::{Cause, CauseKind, Decision, Saved};
pub use db::{C, Conn, Db, Options, Scope, Tx, Work};
pub use error::{Constraint, Error, StoreError};
pub use schema::{Schema, fingerprint};

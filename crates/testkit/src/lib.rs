//! What the tests of several crates share; never published.
//!
//! [`database`]: a fresh, migrated database for every test, on both engines from one body ([`both_engines!`]).

pub mod database;

//! What the tests of several crates share; never published.
//!
//! [`database`]: a fresh, migrated database for every test, on both engines from one body ([`both_engines!`]).
//! [`proxy`]: cuts connections to Postgres around a COMMIT.
//! [`process`]: programs under test as processes of their own, killed when dropped, and waiting without sleeping.

pub mod database;
pub mod process;
pub mod proxy;

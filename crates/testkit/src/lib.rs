//! What the tests of several crates share; never published.
//!
//! [`database`]: a fresh, migrated database for every test, on both engines from one body ([`both_engines!`]).
//! [`process`]: programs under test as processes of their own, killed when dropped, and waiting without sleeping.

pub mod database;
pub mod process;

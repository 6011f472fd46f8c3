//! What the tests of several crates share; never published.
//!
//! [`process`]: programs under test as processes of their own, killed when dropped, and waiting without sleeping.
//! [`proxy`]: cuts connections to Postgres around a COMMIT.
//!
//! With the feature `database`, `database`: a fresh, migrated database for every test, on both engines from one body
//! (`both_engines!`).
//!
//! With the feature `api`, what the tests of an adapter need: `fake_api`, a provider's server that plays a script, and
//! `hostile`, JSON that no provider would send.

#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "api")]
pub mod fake_api;
#[cfg(feature = "api")]
pub mod hostile;
pub mod process;
pub mod proxy;

//! The sandbox through its HTTP surface, as a product and its tests see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod billing_api;
mod checkout;
mod clock;
mod contracts;
mod control;
mod deliveries;
mod identity;
mod support;
mod terms;

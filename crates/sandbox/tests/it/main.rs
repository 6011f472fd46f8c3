//! The sandbox through its HTTP surface, as a product and its tests see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod billing_api;
mod changes;
mod chaos;
mod checkout;
mod clock;
mod contracts;
mod control;
mod deliveries;
mod dues;
mod estimates;
mod faults;
mod identity;
mod listing;
mod new_prices;
mod pages;
mod payments;
mod reconciling;
mod samples;
mod schema;
mod seed;
mod signin;
mod stripe_api;
mod stripe_contracts;
mod stripe_currencies;
mod stripe_life;
mod stripe_support;
mod stripe_thin_events;
mod stripe_versions;
mod stripe_webhooks;
mod support;
mod terms;
mod trigger;

//! The engine on both databases, between providers that are played.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changes;
mod checkouts;
mod customers;
mod deletion;
mod deliveries;
mod gates;
mod landing;
mod main_job;
mod notices;
mod pages;
mod play;
mod poison;
mod provisioning;
mod races;
mod sales;
mod slow;
mod time;
mod world;

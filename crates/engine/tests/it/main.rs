//! The engine on both databases, between providers that are played.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod asks;
mod catalog;
mod changes;
mod checkouts;
mod console;
mod currencies;
mod customers;
mod deletion;
mod deliveries;
mod dunning;
mod duplicates;
mod gates;
mod halves;
mod hosted;
mod invoices;
mod keys;
mod landing;
mod main_job;
mod notices;
mod pacing;
mod pages;
mod pauses;
mod payments;
mod play;
mod poison;
mod previews;
mod provisioning;
mod races;
mod reconciling;
mod repairs;
mod sales;
mod seats;
mod sessions;
mod sign_in;
mod slow;
mod sweeps;
mod time;
mod updates;
mod world;

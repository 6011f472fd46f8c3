//! The HTTP face in front of a real engine on SQLite, with providers that are played.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod changes;
mod console;
mod described;
mod description;
mod edge;
mod events;
mod fakes;
mod forms;
mod gate;
mod invoices;
mod keys;
mod layer;
mod limits;
mod operator;
mod organization;
mod pages;
mod payments;
mod refusals;
mod seats;
mod session;
mod sign_in;
mod sockets;
mod subscription;
mod webhook;
mod world;

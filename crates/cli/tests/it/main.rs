//! The program as people run it: real processes, the sandbox beside them, and nothing known that its users don't know.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod authorization;
mod checkouts;
mod commands;
mod currencies;
mod deliveries;
mod demo;
mod embedded;
mod endings;
mod failpoints;
mod free_and_pro;
mod interop;
mod kills;
mod lifecycle;
mod logs;
mod members;
mod payments;
mod plans;
mod proof;
mod provider;
mod recipes;
mod settings;
mod sign_in;
mod structure;
mod support;
mod wire;

//! What each route takes and answers: a file for each subject.

pub(crate) mod admin;
pub(crate) mod events;
pub(crate) mod gate;
pub(crate) mod health;
pub(crate) mod invoices;
pub(crate) mod organization;
pub(crate) mod payment;
pub(crate) mod seats;
pub(crate) mod session;
pub(crate) mod subscription;
pub(crate) mod webhook;

//! Stripe's billing: `account` holds records and rules as pure functions of time, `api` decodes and answers, `render`
//! writes the current version of the API, `version` turns that into older ones.

pub(crate) mod account;
pub(crate) mod api;
pub(crate) mod render;
pub(crate) mod version;

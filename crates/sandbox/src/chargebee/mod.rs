//! A Chargebee test site: what it holds and does (`site`), and how it speaks (`api`).
//!
//! Source: Chargebee API docs, version 2, Product Catalog 2.0. Where a rule is not documented, the place says so.

pub(crate) mod api;
pub(crate) mod refusal;
pub(crate) mod render;
pub(crate) mod site;

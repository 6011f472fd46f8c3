//! A Scalekit environment: its directory of organizations and people, its sign-in and tokens, its REST API.
//!
//! Source: Scalekit developer docs and its published OpenAPI document.

pub(crate) mod authorize;
pub(crate) mod directory;
pub(crate) mod keys;
pub(crate) mod oauth;
pub(crate) mod render;
pub(crate) mod rest;
pub(crate) mod sessions;
pub(crate) mod signin;
pub(crate) mod tokens;

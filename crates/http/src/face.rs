//! The HTTP face as one thing: our routes to merge, and gates for the routes of others.

use axum::Router;
use tollkeeper::Tollkeeper;

use crate::{
    Config, Gates,
    router::{self, Shared},
};

/// What a product in Rust merges into its own router.
///
/// Cheap to clone; routes and gates of one face share their limits and know the same sessions.
#[derive(Clone)]
pub struct Face {
    app: Shared,
}

impl Face {
    /// Puts the face before an engine.
    pub fn new(engine: Tollkeeper, config: Config) -> Self {
        Self { app: router::app(engine, config) }
    }

    /// Every route of ours. It has no fallback of its own, so that it can be merged into another.
    pub fn router(&self) -> Router {
        router::router_of(&self.app)
    }

    /// Gates for routes of the product: `.route_layer(face.gates().require("sso"))`.
    pub fn gates(&self) -> Gates {
        Gates::new(self.app.clone())
    }
}

//! `customer`.

use serde::Deserialize;

use super::{Identified, Metadata};

/// A customer, or what is left of a deleted one: its id. Source: API reference, "Customers".
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) created: Option<i64>,
    #[serde(default)]
    pub(crate) deleted: bool,
    #[serde(default)]
    pub(crate) metadata: Metadata,
}

impl Identified for Customer {
    fn id(&self) -> &str {
        &self.id
    }
}

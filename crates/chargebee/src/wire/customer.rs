//! `customer`.

use serde::Deserialize;

use super::Metadata;

/// `GET`/`POST /customers/{id}`, and one row of `GET /customers`.
#[derive(Debug, Deserialize)]
pub(crate) struct CustomerAnswer {
    pub(crate) customer: Customer,
}

/// A customer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: String,
    /// The organization's name.
    pub(crate) company: Option<String>,
    pub(crate) email: Option<String>,
    #[serde(default)]
    pub(crate) deleted: bool,
    #[serde(default)]
    pub(crate) meta_data: Metadata,
}

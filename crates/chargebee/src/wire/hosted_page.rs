//! `hosted_page`.

use serde::Deserialize;

use super::lenient;

/// `GET`/`POST /hosted_pages/…`, and one row of `GET /hosted_pages`.
#[derive(Debug, Deserialize)]
pub(crate) struct HostedPageAnswer {
    pub(crate) hosted_page: HostedPage,
}

/// A page that Chargebee hosts for one person. Source: API docs, "Hosted pages".
#[derive(Debug, Deserialize)]
pub(crate) struct HostedPage {
    pub(crate) id: String,
    pub(crate) url: Option<String>,
    /// `created`, `requested`, `succeeded`, `cancelled`, `acknowledged`.
    pub(crate) state: Option<String>,
    pub(crate) created_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    /// What we gave it, as text.
    pub(crate) pass_thru_content: Option<String>,
    /// What came out of it, once it succeeded.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) content: Option<HostedPageContent>,
}

/// What came out of a page.
#[derive(Debug, Deserialize)]
pub(crate) struct HostedPageContent {
    pub(crate) subscription: Option<Named>,
    pub(crate) customer: Option<Named>,
}

/// A resource of which only the id matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) id: String,
}

/// What we give a page to carry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PassThru {
    pub(crate) subscription_id: String,
}

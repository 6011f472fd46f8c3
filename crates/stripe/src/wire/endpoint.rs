use serde::Deserialize;

use super::Identified;

/// A webhook endpoint. Source: API reference, "The Webhook Endpoint object".
#[derive(Debug, Deserialize)]
pub(crate) struct WebhookEndpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    /// `enabled` or `disabled`.
    pub(crate) status: Option<String>,
    #[serde(default)]
    pub(crate) enabled_events: Vec<String>,
    pub(crate) api_version: Option<String>,
}

impl Identified for WebhookEndpoint {
    fn id(&self) -> &str {
        &self.id
    }
}

//! How fast a provider may be asked.

use std::time::Duration;

use async_trait::async_trait;

/// Lets requests to one provider through, one by one. An adapter asks before every request it sends, and says when the
/// provider itself asked for a pause.
#[async_trait]
pub trait Pace: Send + Sync + std::fmt::Debug {
    /// Waits until one more request may be sent.
    ///
    /// # Errors
    /// How long it would have to wait, when that is longer than whoever asks can wait.
    async fn permit(&self) -> Result<(), Duration>;

    /// The provider answered "too many": nothing is sent for so long.
    fn throttled(&self, after: Duration);
}

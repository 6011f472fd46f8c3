//! An adapter and the server it talks to.

use std::{ops::Deref, time::Duration};

use tollkeeper_chargebee::{Chargebee, Config, Timeouts};
use tollkeeper_testkit::fake_api::{self, FakeApi};
pub(crate) use tollkeeper_testkit::fake_api::{Play, Recorded, answer, decode};

/// The server and an adapter that talks to it.
pub(crate) struct Fake {
    api: FakeApi,
    pub(crate) chargebee: Chargebee,
}

impl Deref for Fake {
    type Target = FakeApi;

    fn deref(&self) -> &FakeApi {
        &self.api
    }
}

impl Fake {
    /// Starts it with what it shall answer, in order.
    pub(crate) async fn playing(script: impl IntoIterator<Item = Play>) -> Self {
        Self::with(script, |config| config).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(script: impl IntoIterator<Item = Play>, settings: impl FnOnce(Config) -> Config) -> Self {
        let (api, url) = FakeApi::playing(script).await;
        Self { api, chargebee: adapter(settings(config(&url))) }
    }
}

/// An adapter whose server reads one whole request, writes these bytes and hangs up.
pub(crate) async fn hanging_up(written: &'static str) -> Chargebee {
    adapter(config(&fake_api::hanging_up(written).await))
}

/// An adapter whose server is not there.
pub(crate) async fn nobody() -> Chargebee {
    adapter(config(&fake_api::nobody().await))
}

/// An adapter that is never asked to call anybody.
pub(crate) fn offline() -> Chargebee {
    adapter(config("http://127.0.0.1:9"))
}

pub(crate) fn config(url: &str) -> Config {
    Config {
        site: "acme-test".into(),
        api_key: "test_key".into(),
        webhook_username: Some("hook".into()),
        webhook_password: Some("s3cret:with colon".into()),
        api_url: Some(url.into()),
        timeouts: Timeouts { connect: Duration::from_secs(3), total: Duration::from_secs(10) },
        ..Config::default()
    }
}

pub(crate) fn adapter(config: Config) -> Chargebee {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Chargebee::new(config).unwrap()
}

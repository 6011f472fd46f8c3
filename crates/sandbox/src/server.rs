//! The running sandbox: one port, one lock, and the task that sends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::config::{Config, Error, Webhooks};
use crate::deliveries::outbox::Delivery;
use crate::deliveries::sender;
use crate::deliveries::signing::SigningKey;
use crate::moment::Moment;
use crate::router;
use crate::scalekit::keys::Keys;
use crate::scalekit::tokens::Issuer;
use crate::world::World;

/// How long open connections may take to end once the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// What handlers and tasks share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) url: String,
    pub(crate) keys: Keys,
    pub(crate) signing_key: SigningKey,
    pub(crate) client: reqwest::Client,
    world: Mutex<World>,
    /// Something may be due.
    pub(crate) wake: Notify,
    /// A delivery was answered or set aside.
    pub(crate) settled: Notify,
    /// Held by whoever moves the clock.
    pub(crate) clock_turn: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(crate) fn machine_now(&self) -> Moment {
        Moment::from_micros((self.config.machine_now)())
    }

    /// Who signs tokens here, and for whom.
    pub(crate) fn issuer(&self) -> Issuer<'_> {
        Issuer { url: &self.url, client_id: &self.config.scalekit.client_id, keys: &self.keys }
    }

    /// Looks into the world at this moment of business time, after everything due has happened.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World, Moment) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::business(self.machine_now(), world.offset);
        world.site.act_due(now);
        world.stripe.act_due(now);
        let result = work(&mut world, now);
        world.enqueue_fresh(now);
        let owes = world.outbox.owes(now);
        drop(world);
        if owes {
            self.wake.notify_one();
        }
        result
    }

    /// Moves the clock to an offset, tells it, and then does what became due.
    pub(crate) fn set_offset(&self, offset: i64) {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).offset = offset;
        (self.config.on_offset)(offset);
        self.with(|_, _| ());
    }

    /// Takes what is to be sent next, with its endpoint and its body.
    pub(crate) fn claim_delivery(&self, since: Instant) -> Option<Claim> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::business(self.machine_now(), world.offset);
        let delay = world.chaos.setting().delay;
        let delivery = world.outbox.claim(now, since, delay)?;
        let url = world.endpoint(&delivery);
        let secret = world.secret(&delivery);
        let body = world.body(&delivery);
        Some(Claim { delivery, url, secret, body })
    }

    /// When the next held-back delivery may go.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).outbox.next_release()
    }

    pub(crate) fn record_delivery(&self, id: &str, status: Option<u16>) {
        self.with(|world, now| world.record_delivery(id, status, now, Instant::now()));
        self.settled.notify_waiters();
    }
}

/// A delivery that is to be sent.
pub(crate) struct Claim {
    pub(crate) delivery: Delivery,
    /// `None` where the endpoint is no longer registered.
    pub(crate) url: Option<String>,
    /// What it is signed with, where each endpoint has a secret of its own.
    pub(crate) secret: Option<String>,
    pub(crate) body: Option<Arc<str>>,
}

/// A running sandbox. Dropping it ends its tasks too, without waiting for them.
pub struct Sandbox {
    shared: Arc<Shared>,
    tracker: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Sandbox {
    /// Binds the address and serves until [`Sandbox::stop`].
    ///
    /// Nothing is sent before [`Sandbox::set_webhooks`] names the endpoints.
    ///
    /// # Errors
    /// [`Error::Listen`] when the address cannot be bound, [`Error::WebhookSecret`] when the signing secret is
    /// malformed, [`Error::Client`] when the machine's TLS setup is unusable.
    pub async fn start(config: Config) -> Result<Sandbox, Error> {
        let signing_key = SigningKey::parse(&config.scalekit.webhook_secret).ok_or(Error::WebhookSecret)?;
        // Somebody else in the process may have chosen a provider already, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(sender::TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::Client)?;
        let address = config.listen;
        let listen_error = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let mut bound = listener.local_addr().map_err(listen_error)?;
        if bound.ip().is_unspecified() {
            bound.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let url = format!("http://{bound}");
        let now = Moment::from_micros((config.machine_now)());
        let world = World::new(&config, &url, now);
        let shared = Arc::new(Shared {
            config,
            url,
            keys: Keys::load(),
            signing_key,
            client,
            world: Mutex::new(world),
            wake: Notify::new(),
            settled: Notify::new(),
            clock_turn: tokio::sync::Mutex::new(()),
        });
        let tracker = TaskTracker::new();
        let stop = CancellationToken::new();
        let app = router::router(Arc::clone(&shared));
        let stopped = stop.clone();
        tracker.spawn(async move {
            let signal = stopped.clone();
            let serve = axum::serve(listener, app).with_graceful_shutdown(async move { signal.cancelled().await });
            let cut = async {
                stopped.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            tokio::select! {
                result = serve.into_future() => {
                    if let Err(reason) = result {
                        tracing::error!(%reason, "the sandbox stopped serving");
                    }
                }
                () = cut => {}
            }
        });
        tracker.spawn(sender::run(Arc::clone(&shared), stop.clone()));
        let stop_on_drop = stop.clone().drop_guard();
        Ok(Sandbox { shared, tracker, stop, _stop_on_drop: stop_on_drop })
    }

    /// `http://127.0.0.1:PORT`, without a trailing slash: the base of every API, and the issuer of tokens.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Registers the endpoints of webhooks. What happened before is not sent afterwards.
    pub fn set_webhooks(&self, webhooks: Webhooks) {
        self.shared.with(|world, now| {
            world.enqueue_fresh(now);
            let secret = &self.shared.config.stripe.webhook_secret;
            world.stripe_endpoints.configure(webhooks.stripe.as_deref(), secret, now.secs());
            world.webhooks = webhooks;
        });
    }

    /// Stops serving and sending, and waits until all tasks have ended.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.shared.url).finish_non_exhaustive()
    }
}

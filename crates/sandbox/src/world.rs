//! Everything the sandbox holds, behind one lock. Nothing here waits, sends or asks the time.

use std::sync::Arc;

use tokio::time::Instant;

use crate::chaos::Chaos;
use crate::chargebee::api::Idempotency;
use crate::chargebee::render;
use crate::chargebee::site::Site;
use crate::config::{Config, Webhooks};
use crate::deliveries::outbox::{Delivery, Outbox, Parcel, Provider, State};
use crate::deliveries::sender::webhook_status;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::requests::Log;
use crate::scalekit::directory::Directory;
use crate::scalekit::oauth::Bearers;

#[derive(Debug)]
pub(crate) struct World {
    /// Business time minus machine time, in microseconds.
    pub(crate) offset: i64,
    pub(crate) webhooks: Webhooks,
    pub(crate) directory: Directory,
    pub(crate) bearers: Bearers,
    pub(crate) site: Site,
    pub(crate) idempotency: Idempotency,
    pub(crate) outbox: Outbox,
    pub(crate) requests: Log,
    pub(crate) chaos: Chaos,
    /// How many organizations were seeded.
    pub(crate) seeded: usize,
}

impl World {
    pub(crate) fn new(config: &Config, url: &str, now: Moment) -> Self {
        // Each part has its own stream, so that one provider's calls do not move another one's ids.
        let stream = |salt: u64| Ids::new(config.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(salt));
        Self {
            offset: 0,
            webhooks: Webhooks::default(),
            directory: Directory::new(&config.scalekit.environment_id, stream(1)),
            bearers: Bearers::default(),
            site: Site::for_account(url, &config.chargebee, stream(2), now),
            idempotency: Idempotency::default(),
            outbox: Outbox::new(stream(3)),
            requests: Log::default(),
            chaos: Chaos::default(),
            seeded: 0,
        }
    }

    /// Empties the world, back to the default catalog and without faults.
    ///
    /// Time, endpoints and management tokens stay, and so do the generators: an id is never given out twice.
    pub(crate) fn reset(&mut self, config: &Config, now: Moment) {
        self.directory = Directory::new(&config.scalekit.environment_id, self.directory.ids.clone());
        let url = self.site.base_url.clone();
        self.site = Site::for_account(&url, &config.chargebee, self.site.ids.clone(), now);
        self.idempotency = Idempotency::default();
        self.outbox = Outbox::new(self.outbox.ids());
        self.requests = Log::default();
        self.chaos = Chaos::default();
        self.seeded = 0;
    }

    /// Replaces the faults. Where nothing is to be held back, what was is sent at once.
    pub(crate) fn set_chaos(&mut self, chaos: Chaos) {
        if chaos.setting().holds_nothing_back() {
            self.outbox.let_go();
        }
        self.chaos = chaos;
    }

    /// Turns what has happened into deliveries, where an endpoint is registered.
    pub(crate) fn enqueue_fresh(&mut self, now: Moment) {
        for notice in self.directory.take_fresh() {
            if self.webhooks.scalekit.is_some() {
                let parcel = Parcel {
                    provider: Provider::Scalekit,
                    event_id: notice.event_id,
                    event_type: notice.event_type,
                    organization_id: notice.organization_id,
                    body: Some(notice.body),
                };
                let fate = self.chaos.fate(Provider::Scalekit);
                self.outbox.enqueue(parcel, fate, now);
            }
        }
        for position in self.site.take_fresh_events() {
            if self.webhooks.chargebee.is_some() {
                let event = &mut self.site.events[position];
                let parcel = Parcel {
                    provider: Provider::Chargebee,
                    event_id: event.id.clone(),
                    event_type: event.event_type,
                    organization_id: event.organization_id.clone(),
                    body: None,
                };
                let fate = self.chaos.fate(Provider::Chargebee);
                event.webhook_status = match self.outbox.enqueue(parcel, fate, now) {
                    State::Dropped => webhook_status(State::Dropped),
                    State::Pending | State::Delivered | State::Failed => "scheduled",
                };
            }
        }
    }

    /// Notes how an attempt went, at the delivery and at the event it carried.
    pub(crate) fn record_delivery(&mut self, id: &str, status: Option<u16>, now: Moment, at: Instant) {
        let Some(delivery) = self.outbox.record(id, status, now, at) else { return };
        if delivery.provider == Provider::Chargebee
            && let Some(position) = self.site.events.position(&delivery.event_id)
        {
            self.site.events[position].webhook_status = webhook_status(delivery.state);
        }
    }

    /// The body of a delivery: the same for every attempt.
    pub(crate) fn body(&self, delivery: &Delivery) -> Option<Arc<str>> {
        delivery.body.clone().or_else(|| {
            let event = self.site.events.get(&delivery.event_id)?;
            Some(render::event_as(event, "scheduled").into())
        })
    }

    /// The endpoint of a provider's webhooks.
    pub(crate) fn endpoint(&self, provider: Provider) -> Option<String> {
        match provider {
            Provider::Chargebee => self.webhooks.chargebee.clone(),
            Provider::Scalekit => self.webhooks.scalekit.clone(),
        }
    }

    /// The next instant at which something happens by itself, in business time.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        [self.site.next_due().map(Moment::from_secs), self.outbox.next_due()].into_iter().flatten().min()
    }
}

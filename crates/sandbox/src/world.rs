//! Everything the sandbox holds, behind one lock. Nothing here waits, sends or asks the time.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;
use url::Url;

use crate::chaos::Chaos;
use crate::chargebee::api::Idempotency;
use crate::chargebee::render;
use crate::chargebee::site::Site;
use crate::config::{Config, Unpaid, Webhooks};
use crate::deliveries::outbox::{Delivery, Outbox, Parcel, Provider, State};
use crate::deliveries::sender::webhook_status;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::requests::Log;
use crate::scalekit::directory::Directory;
use crate::scalekit::oauth::Bearers;
use crate::scalekit::sessions::Sessions;
use crate::stripe::account::{Account, AfterDunning, Settings};
use crate::stripe::{api as stripe_api, render as stripe_render};

#[derive(Debug)]
pub(crate) struct World {
    /// Business time minus machine time, in microseconds.
    pub(crate) offset: i64,
    pub(crate) webhooks: Webhooks,
    pub(crate) directory: Directory,
    pub(crate) bearers: Bearers,
    pub(crate) sessions: Sessions,
    pub(crate) site: Site,
    pub(crate) idempotency: Idempotency,
    pub(crate) stripe: Account,
    pub(crate) stripe_endpoints: stripe_api::Endpoints,
    pub(crate) stripe_keys: stripe_api::Idempotency,
    /// Where the ids of Stripe's requests come from.
    pub(crate) stripe_requests: Ids,
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
            sessions: Sessions::default(),
            site: Site::for_account(url, &config.chargebee, stream(2), now),
            idempotency: Idempotency::default(),
            stripe: Account::new(url, stripe_settings(config), stream(4), now),
            stripe_endpoints: stripe_api::Endpoints::new(stream(5)),
            stripe_keys: stripe_api::Idempotency::default(),
            stripe_requests: stream(6),
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
        self.sessions = Sessions::default();
        let url = self.site.base_url.clone();
        self.site = Site::for_account(&url, &config.chargebee, self.site.ids.clone(), now);
        self.idempotency = Idempotency::default();
        self.stripe = Account::new(&url, stripe_settings(config), self.stripe.ids.clone(), now);
        self.stripe_endpoints.forget_deliveries();
        self.stripe_keys = stripe_api::Idempotency::default();
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

    /// The origins that the product is known by: those of its webhooks.
    pub(crate) fn product_origins(&self) -> HashSet<String> {
        let endpoints = [&self.webhooks.scalekit, &self.webhooks.chargebee, &self.webhooks.stripe];
        let urls = endpoints.into_iter().flatten().filter_map(|url| Url::parse(url).ok());
        urls.map(|url| url.origin().ascii_serialization()).collect()
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
                    endpoint_id: None,
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
                    endpoint_id: None,
                    body: None,
                };
                let fate = self.chaos.fate(Provider::Chargebee);
                event.webhook_status = match self.outbox.enqueue(parcel, fate, now) {
                    State::Dropped => webhook_status(State::Dropped),
                    State::Pending | State::Delivered | State::Failed => "scheduled",
                };
            }
        }
        self.enqueue_stripe(now);
    }

    /// Turns Stripe's events into deliveries, one for each endpoint that wants them.
    fn enqueue_stripe(&mut self, now: Moment) {
        for position in self.stripe.take_fresh_events() {
            self.enqueue_stripe_event(position, now);
        }
        for position in self.stripe.take_fresh_thin_events() {
            let event = &self.stripe.thin_events[position];
            let (id, event_type, organization_id) = (event.id.clone(), event.event_type, event.organization_id.clone());
            self.owe_stripe(&id, event_type, organization_id.as_ref(), now);
        }
    }

    /// Owes an event to each of Stripe's endpoints that wants it.
    pub(crate) fn enqueue_stripe_event(&mut self, position: usize, now: Moment) {
        let event = &self.stripe.events[position];
        let (id, event_type, organization_id) = (event.id.clone(), event.event_type, event.organization_id.clone());
        if self.owe_stripe(&id, event_type, organization_id.as_ref(), now) {
            self.stripe.events[position].webhook_status = "scheduled";
        }
    }

    /// Makes a delivery for each of Stripe's endpoints that wants a type; whether there is one.
    fn owe_stripe(
        &mut self,
        id: &str,
        event_type: &'static str,
        organization_id: Option<&String>,
        now: Moment,
    ) -> bool {
        let wanting = self.stripe_endpoints.wanting(event_type);
        let is_wanted = !wanting.is_empty();
        self.stripe_endpoints.owe(id, wanting.len());
        for endpoint_id in wanting {
            let parcel = Parcel {
                provider: Provider::Stripe,
                event_id: id.to_owned(),
                event_type,
                organization_id: organization_id.cloned(),
                endpoint_id: Some(endpoint_id),
                body: None,
            };
            let fate = self.chaos.fate(Provider::Stripe);
            self.outbox.enqueue(parcel, fate, now);
        }
        is_wanted
    }

    /// Notes how an attempt went, at the delivery and at the event it carried.
    pub(crate) fn record_delivery(&mut self, id: &str, status: Option<u16>, now: Moment, at: Instant) {
        let Some(delivery) = self.outbox.record(id, status, now, at) else { return };
        if delivery.provider == Provider::Chargebee
            && let Some(position) = self.site.events.position(&delivery.event_id)
        {
            self.site.events[position].webhook_status = webhook_status(delivery.state);
        }
        if delivery.provider == Provider::Stripe && delivery.state == State::Delivered {
            self.stripe_endpoints.delivered(&delivery.event_id);
            if let Some(position) = self.stripe.events.position(&delivery.event_id) {
                self.stripe.events[position].webhook_status = webhook_status(delivery.state);
            }
        }
    }

    /// The body of a delivery: the same for every attempt.
    pub(crate) fn body(&self, delivery: &Delivery) -> Option<Arc<str>> {
        if delivery.provider == Provider::Stripe {
            let endpoint = self.stripe_endpoint(delivery)?;
            let body = match self.stripe.events.get(&delivery.event_id) {
                // The count is as it was when the event happened, so that every attempt carries the same text.
                Some(event) => stripe_render::event(event, endpoint.version, 1),
                None => stripe_render::notification(self.stripe.thin_events.get(&delivery.event_id)?),
            };
            return Some(body.to_string().into());
        }
        delivery.body.clone().or_else(|| {
            let event = self.site.events.get(&delivery.event_id)?;
            Some(render::event_as(event, "scheduled").into())
        })
    }

    /// Where a delivery goes; `None` where its endpoint is no longer there.
    pub(crate) fn endpoint(&self, delivery: &Delivery) -> Option<String> {
        match delivery.provider {
            Provider::Stripe => self.stripe_endpoint(delivery).map(|endpoint| endpoint.url.clone()),
            Provider::Chargebee => self.webhooks.chargebee.clone(),
            Provider::Scalekit => self.webhooks.scalekit.clone(),
        }
    }

    /// What a delivery is signed with, where each endpoint has a secret of its own.
    pub(crate) fn secret(&self, delivery: &Delivery) -> Option<String> {
        self.stripe_endpoint(delivery).map(|endpoint| endpoint.secret.clone())
    }

    fn stripe_endpoint(&self, delivery: &Delivery) -> Option<&stripe_api::Endpoint> {
        self.stripe_endpoints.open(delivery.endpoint_id.as_deref()?)
    }

    /// The next instant at which something happens by itself, in business time.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        let billing = [self.site.next_due(), self.stripe.next_due()].map(|due| due.map(Moment::from_secs));
        billing.into_iter().chain([self.outbox.next_due()]).flatten().min()
    }
}

fn stripe_settings(config: &Config) -> Settings {
    let after_dunning = match config.stripe.unpaid {
        Unpaid::Cancel => AfterDunning::Cancel,
        Unpaid::MarkUnpaid => AfterDunning::MarkUnpaid,
        Unpaid::LeavePastDue => AfterDunning::LeavePastDue,
    };
    Settings { account_id: "acct_sandbox".into(), after_dunning }
}

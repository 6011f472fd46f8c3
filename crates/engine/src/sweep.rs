//! Many subscriptions that wait at once are read from the provider's list, where its pages are fewer than they are.
//!
//! On the day on which most of them renew, one question for each would take a provider's patience for many minutes.
//! A list answers a hundred of them with one question.
//!
//! What a list says is as good as any other answer: before its first page is asked for, it is noted which deliveries wait
//! about which subscription, and which version the organization has. The listed state settles these deliveries alone, and
//! only while the organization still has that version. Everything else is asked for one by one, as ever: what came later,
//! what the list does not tell wholly, and what somebody has written meanwhile.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tollkeeper_core::{
    ids::{EventId, ProviderSubscriptionId, Source},
    ports::{Billing, Page, Subject},
    snapshot::Snapshot,
};
use tollkeeper_store::{
    inbox,
    link::{self, LinkKind},
    organization,
};

use crate::{Error, Tollkeeper};

/// With fewer that wait, they are asked for one by one.
const LEAST: usize = 200;
/// The most deliveries that are noted at once: each takes some hundred bytes.
const MOST: i64 = 100_000;
/// So many are looked up in the database at once.
const AT_ONCE: usize = 500;
/// How many times a provider may ask to wait before the rest is left to be asked for one by one.
const PATIENCE: usize = 30;
/// How long this process keeps away while another one reads the list.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// What is known of the lists that were read.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    /// Whether there was more to do than one look finds.
    crowded: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The source whose list is being read, and until when at the latest nobody else asks about it.
    listing: Option<(Source, Instant)>,
    known: HashMap<(Source, String), Noted>,
}

/// What was noted of a subscription before the list was read, and what the list says.
#[derive(Debug)]
pub(crate) struct Noted {
    /// The version of its organization.
    pub(crate) version: i64,
    /// The deliveries that waited.
    pub(crate) deliveries: HashSet<EventId>,
    pub(crate) snapshot: Snapshot,
}

impl Sweeps {
    /// Says that more waits than one look finds.
    pub(crate) fn crowd(&self) {
        self.crowded.store(true, Relaxed);
    }

    /// The source that is to be left alone, because its list is being read.
    pub(crate) fn listing(&self) -> Option<Source> {
        let state = self.state.lock().expect("nobody panics while holding it");
        state.listing.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(source, _)| source.clone())
    }

    /// What the list said about a subscription, once.
    pub(crate) fn take(&self, source: &Source, subject: &str) -> Option<Noted> {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        if state.known.is_empty() {
            return None;
        }
        state.known.remove(&(source.clone(), subject.to_owned()))
    }

    fn leave_alone(&self, source: &Source, span: Duration) {
        let until = Instant::now() + span;
        self.state.lock().expect("nobody panics while holding it").listing = Some((source.clone(), until));
    }

    fn keep(&self, source: &Source, known: HashMap<String, Noted>) {
        let mut state = self.state.lock().expect("nobody panics while holding it");
        // What nobody has asked for since the last list is too old to be of use.
        state.known.retain(|(of, _), _| of != source);
        state.known.extend(known.into_iter().map(|(subject, noted)| ((source.clone(), subject), noted)));
        state.listing = None;
    }
}

/// What waits about one subscription.
struct Waits {
    version: i64,
    deliveries: HashSet<EventId>,
}

impl Tollkeeper {
    /// Reads the lists of those providers about whose subscriptions more waits than their pages are.
    ///
    /// # Errors
    /// The database's own. A provider that fails leaves the rest to be asked for one by one.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        if !self.inner.sweeps.crowded.swap(false, Relaxed) {
            return Ok(());
        }
        for billing in self.inner.billing.values() {
            let Some(rows) = billing.rows_of_a_page() else { continue };
            let source = billing.source();
            let waiting = self.waiting_subscriptions(&source).await?;
            let known =
                link::count(self.inner.db.read().await?.c(), &billing.provider(), LinkKind::Subscription).await?;
            let pages = usize::try_from(known).unwrap_or(usize::MAX) / rows.max(1) + 1;
            // Twice, because a page is more work than one answer, and the list may hold what we do not know.
            if waiting.len() < LEAST.max(pages.saturating_mul(2)) {
                continue;
            }
            let key = format!("sweep/{source}");
            let read = self.read_list(billing.as_ref(), waiting);
            if self.with_lease(&key, &self.inner.owner, read).await?.is_none() {
                self.inner.sweeps.leave_alone(&source, ELSEWHERE);
            }
        }
        Ok(())
    }

    /// The subscriptions of a source that deliveries wait about, with the ids of these.
    async fn waiting_subscriptions(&self, source: &Source) -> Result<HashMap<String, HashSet<EventId>>, Error> {
        let rows = inbox::pending_ids(self.inner.db.read().await?.c(), source, MOST).await?;
        let mut waiting: HashMap<String, HashSet<EventId>> = HashMap::new();
        for (subject, id) in rows {
            if let Subject::Subscription(_) = Subject::parse(&subject) {
                waiting.entry(subject).or_default().insert(id);
            }
        }
        Ok(waiting)
    }

    async fn read_list(&self, billing: &dyn Billing, waiting: HashMap<String, HashSet<EventId>>) -> Result<(), Error> {
        let source = billing.source();
        let begun = Instant::now();
        let mut known = HashMap::new();
        let mut waits = self.note_waiting(billing, waiting).await?;
        let (wanted, mut asked) = (waits.len(), 0_usize);
        let mut page = None;
        let mut patience = PATIENCE;
        while !waits.is_empty() && !self.inner.stopping.is_cancelled() {
            self.inner.sweeps.leave_alone(&source, ELSEWHERE);
            let Page { rows, next } = match billing.subscriptions(None, page.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = Error::Provider(error);
                    let Some(after) = error.throttled().filter(|after| *after < ELSEWHERE && patience > 0) else {
                        tracing::warn!(%error, %source, "the list could not be read to its end");
                        break;
                    };
                    patience -= 1;
                    sleep(after).await;
                    continue;
                }
            };
            asked += 1;
            for row in rows.into_iter().filter(|row| row.is_complete) {
                let subject = Subject::Subscription(row.snapshot.id.clone()).to_string();
                if let Some(Waits { version, deliveries }) = waits.remove(&subject) {
                    known.insert(subject, Noted { version, deliveries, snapshot: row.snapshot });
                }
            }
            let Some(next) = next else { break };
            page = Some(next);
        }
        let took = begun.elapsed();
        tracing::info!(%source, wanted, found = known.len(), pages = asked, ?took, "read what waits from the list");
        self.inner.sweeps.keep(&source, known);
        self.inner.wake_inbox.notify_one();
        Ok(())
    }

    /// Notes whose the subscriptions are that something waits about, and at which version. Those of nobody are left out.
    async fn note_waiting(
        &self,
        billing: &dyn Billing,
        waiting: HashMap<String, HashSet<EventId>>,
    ) -> Result<HashMap<String, Waits>, Error> {
        let provider = billing.provider();
        let mut noted = HashMap::with_capacity(waiting.len());
        let mut waiting = waiting.into_iter();
        loop {
            let some: Vec<_> = waiting.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(noted);
            }
            let ids: Vec<ProviderSubscriptionId> = some.iter().filter_map(|(subject, _)| id_of(subject)).collect();
            let links: Vec<_> = ids.iter().map(|id| (&provider, LinkKind::Subscription, id.as_str())).collect();
            let mut connection = self.inner.db.read().await?;
            let owners = link::owners(connection.c(), &links).await?;
            let versions = organization::versions(connection.c(), owners.iter().flatten()).await?;
            drop(connection);
            let versions: HashMap<_, _> = versions.into_iter().collect();
            for ((subject, deliveries), owner) in some.into_iter().zip(owners) {
                if let Some(version) = owner.and_then(|owner| versions.get(&owner).copied()) {
                    noted.insert(subject, Waits { version, deliveries });
                }
            }
        }
    }
}

fn id_of(subject: &str) -> Option<ProviderSubscriptionId> {
    match Subject::parse(subject) {
        Subject::Subscription(id) => Some(id),
        Subject::Organization(_) | Subject::Customer(_) | Subject::Other => None,
    }
}

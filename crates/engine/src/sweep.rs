//! Many subscriptions that wait at once are read from the provider's list, where that is faster than asking
//! for each.
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
    sync::{Mutex, MutexGuard},
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
/// How long each takes that is asked for by itself, with the usual budget of a provider that has lists: 15 a second.
const ONE_BY_ONE: Duration = Duration::from_millis(67);
/// A list must be so many times as fast.
const GAIN: u32 = 2;
/// How long a page takes, before one was read.
const PAGE_TIME: Duration = Duration::from_millis(500);
/// The most deliveries that are noted at once: each takes some hundred bytes.
const MOST: i64 = 100_000;
/// So many are looked up in the database at once.
const AT_ONCE: usize = 500;
/// How many times in a row a page may have to wait, by the provider's word or by our own count, before the rest is left to
/// be asked for one by one; and how long each time.
const PATIENCE: usize = 30;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long no work is begun about a source while one page of its list is read, and while another process reads it.
const A_PAGE: Duration = Duration::from_secs(30);
const ELSEWHERE: Duration = Duration::from_secs(3);
/// How long a source counts as crowded that was.
const CROWDED: Duration = Duration::from_secs(2);
/// How long an answer is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(60);
/// How long what a list did not tell wholly is asked for one by one.
const UNTOLD: Duration = Duration::from_secs(10 * 60);

/// What is known of the lists that were read.
#[derive(Debug, Default)]
pub(crate) struct Sweeps(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Sources about which more waited than one look finds, and when it was seen last.
    crowded: HashMap<Source, Instant>,
    /// The source whose list is being read, and until when at the latest nobody else asks about it.
    listing: Option<(Source, Instant)>,
    known: HashMap<(Source, ProviderSubscriptionId), Listed>,
    past: HashMap<Source, Past>,
}

/// The last list of a source.
#[derive(Debug)]
struct Past {
    ended: Instant,
    took: Duration,
    page: Duration,
    /// What it did not tell wholly, or not at all.
    untold: HashSet<ProviderSubscriptionId>,
}

/// What waits about a subscription, noted before the list is read.
#[derive(Debug)]
pub(crate) struct Noted {
    /// The version of its organization.
    pub(crate) version: i64,
    pub(crate) deliveries: HashSet<EventId>,
}

/// The same, and what the list says.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) noted: Noted,
    pub(crate) snapshot: Snapshot,
}

/// What waits about the subscriptions of a source.
type Waiting = HashMap<ProviderSubscriptionId, HashSet<EventId>>;

impl Sweeps {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Says that more waits about these than one look finds.
    pub(crate) fn crowd<'a>(&self, sources: impl Iterator<Item = &'a Source>) {
        let (mut state, now) = (self.state(), Instant::now());
        for source in sources {
            match state.crowded.get_mut(source) {
                Some(at) => *at = now,
                None => {
                    state.crowded.insert(source.clone(), now);
                }
            }
        }
    }

    /// Whether so much waits about a source that its list is read or may soon be: who only wants to look does so later.
    pub(crate) fn is_busy(&self, source: &Source) -> bool {
        let (state, now) = (self.state(), Instant::now());
        let listing = state.listing.as_ref().is_some_and(|(of, until)| of == source && now < *until);
        let crowded = state.crowded.get(source).is_some_and(|at| now < *at + CROWDED);
        listing || crowded || state.known.keys().any(|(of, _)| of == source)
    }

    /// The source that is to be left alone, because its list is being read.
    pub(crate) fn listing(&self) -> Option<Source> {
        let state = self.state();
        state.listing.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(source, _)| source.clone())
    }

    /// What the list said about a subscription, once.
    pub(crate) fn take(&self, source: &Source, id: &ProviderSubscriptionId) -> Option<Listed> {
        let mut state = self.state();
        if state.known.is_empty() {
            return None;
        }
        state.known.remove(&(source.clone(), id.clone()))
    }

    /// Forgets what nobody asked for.
    fn forget(&self) {
        let (mut state, now) = (self.state(), Instant::now());
        let State { known, past, .. } = &mut *state;
        past.retain(|_, past| now < past.ended + UNTOLD);
        known.retain(|(source, _), _| past.get(source).is_some_and(|past| now < past.ended + KEPT));
    }

    /// Whether a list may be read now, and then how long a page of it takes: something is crowded, the answers of the last
    /// list are used up, and work had as much time as the last list took.
    fn may_list(&self, source: &Source) -> Option<Duration> {
        let state = self.state();
        let crowded = state.crowded.get(source).is_some_and(|at| Instant::now() < *at + CROWDED);
        let rested = state.past.get(source).is_none_or(|past| past.ended + past.took < Instant::now());
        let used_up = !state.known.keys().any(|(of, _)| of == source);
        let page = state.past.get(source).map_or(PAGE_TIME, |past| past.page);
        (crowded && rested && used_up).then_some(page)
    }

    /// Leaves out what the last list did not tell.
    fn leave_out_untold(&self, source: &Source, waiting: &mut Waiting) {
        if let Some(past) = self.state().past.get(source) {
            waiting.retain(|id, _| !past.untold.contains(id));
        }
    }

    fn leave_alone(&self, source: &Source, span: Duration) {
        self.state().listing = Some((source.clone(), Instant::now() + span));
    }

    fn keep(&self, source: &Source, known: HashMap<ProviderSubscriptionId, Listed>, past: Past) {
        let mut state = self.state();
        state.known.extend(known.into_iter().map(|(id, listed)| ((source.clone(), id), listed)));
        let untold = state.past.remove(source).map(|past| past.untold).unwrap_or_default();
        let untold = past.untold.into_iter().chain(untold).collect();
        state.past.insert(source.clone(), Past { untold, ..past });
        state.listing = None;
    }
}

impl Tollkeeper {
    /// Reads the lists of those providers about many of whose subscriptions something waits.
    ///
    /// # Errors
    /// The database's own. A provider that fails leaves the rest to be asked for one by one.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        let sweeps = &self.inner.sweeps;
        sweeps.forget();
        for billing in self.inner.billing.values() {
            let (Some(rows), source) = (billing.rows_of_a_page(), billing.source()) else { continue };
            let Some(page_time) = sweeps.may_list(&source) else { continue };
            let mut waiting = self.waiting_subscriptions(&source).await?;
            sweeps.leave_out_untold(&source, &mut waiting);
            if waiting.len() < LEAST {
                continue;
            }
            let all = link::count(self.inner.db.read().await?.c(), &billing.provider(), LinkKind::Subscription).await?;
            let pages = usize::try_from(all).unwrap_or(usize::MAX) / rows.max(1) + 1;
            if !pays(waiting.len(), pages, page_time) {
                continue;
            }
            let key = format!("sweep/{source}");
            let read = self.read_list(billing.as_ref(), waiting, page_time);
            if self.with_lease(&key, &self.inner.owner, read).await?.is_none() {
                sweeps.leave_alone(&source, ELSEWHERE);
            }
        }
        Ok(())
    }

    /// The subscriptions of a source that deliveries wait about, with the ids of these.
    async fn waiting_subscriptions(&self, source: &Source) -> Result<Waiting, Error> {
        let rows = inbox::pending_ids(self.inner.db.read().await?.c(), source, MOST).await?;
        let mut waiting = Waiting::new();
        for (subject, event) in rows {
            if let Subject::Subscription(id) = Subject::parse(&subject) {
                waiting.entry(id).or_default().insert(event);
            }
        }
        Ok(waiting)
    }

    async fn read_list(&self, billing: &dyn Billing, waiting: Waiting, page_time: Duration) -> Result<(), Error> {
        let (source, sweeps) = (billing.source(), &self.inner.sweeps);
        let begun = Instant::now();
        // Before it is noted what waits, so that little of it is begun with meanwhile.
        sweeps.leave_alone(&source, A_PAGE);
        let noted = self.note_waiting(billing, waiting).await;
        let mut noted = noted.inspect_err(|_| sweeps.leave_alone(&source, Duration::ZERO))?;
        let (wanted, mut asked) = (noted.len(), 0_usize);
        let mut known = HashMap::new();
        let mut page = None;
        let mut patience = PATIENCE;
        // The list may hold much that is not ours: it is left where it does not pay any more.
        while !noted.is_empty() && pays(wanted, asked + 1, page_time) && !self.inner.stopping.is_cancelled() {
            sweeps.leave_alone(&source, A_PAGE);
            let Page { rows, next } = match billing.subscriptions(None, page.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    let error = Error::Provider(error);
                    let Some(after) = error.throttled().filter(|after| *after < LONGEST_WAIT && patience > 0) else {
                        tracing::warn!(%error, %source, "the list could not be read to its end");
                        break;
                    };
                    patience -= 1;
                    sleep(after).await;
                    continue;
                }
            };
            (asked, patience) = (asked + 1, PATIENCE);
            for row in rows.into_iter().filter(|row| row.is_complete) {
                if let Some((id, noted)) = noted.remove_entry(&row.snapshot.id) {
                    known.insert(id, Listed { noted, snapshot: row.snapshot });
                }
            }
            let Some(next) = next else { break };
            page = Some(next);
        }
        let (ended, took) = (Instant::now(), begun.elapsed());
        tracing::info!(%source, wanted, found = known.len(), pages = asked, ?took, "read what waits from the list");
        let page = u32::try_from(asked).ok().and_then(|asked| took.checked_div(asked)).unwrap_or(page_time);
        sweeps.keep(&source, known, Past { ended, took, page, untold: noted.into_keys().collect() });
        self.inner.wake_inbox.notify_one();
        Ok(())
    }

    /// Notes whose the subscriptions are that something waits about, and at which version. Those of nobody are left out.
    async fn note_waiting(
        &self,
        billing: &dyn Billing,
        waiting: Waiting,
    ) -> Result<HashMap<ProviderSubscriptionId, Noted>, Error> {
        let provider = billing.provider();
        let mut noted = HashMap::with_capacity(waiting.len());
        let mut waiting = waiting.into_iter();
        loop {
            let some: Vec<_> = waiting.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(noted);
            }
            let links: Vec<_> = some.iter().map(|(id, _)| (&provider, LinkKind::Subscription, id.as_str())).collect();
            let mut connection = self.inner.db.read().await?;
            let owners = link::owners(connection.c(), &links).await?;
            let versions = organization::versions(connection.c(), owners.iter().flatten()).await?;
            drop(connection);
            let versions: HashMap<_, _> = versions.into_iter().collect();
            for ((id, deliveries), owner) in some.into_iter().zip(owners) {
                if let Some(version) = owner.and_then(|owner| versions.get(&owner).copied()) {
                    noted.insert(id, Noted { version, deliveries });
                }
            }
        }
    }
}

/// Whether so many pages are faster than asking for so many subscriptions one by one.
fn pays(wanted: usize, pages: usize, page_time: Duration) -> bool {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    page_time.saturating_mul(count(pages).saturating_mul(GAIN)) <= ONE_BY_ONE.saturating_mul(count(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_where_its_pages_are_the_faster_way() {
        let page = Duration::from_millis(500);
        assert!(pays(10_000, 101, page));
        assert!(!pays(1_000, 101, page));
        assert!(pays(1_000, 101, Duration::from_millis(70)), "where pages come quickly");
        assert!(!pays(10_000, 3_000, page), "where the list holds mostly what has no news");
    }
}

//! Gates answered from memory: one view per organization, replaced on every change.

use std::{
    collections::HashMap,
    sync::{
        Arc, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tollkeeper_core::{
    gate::{self, Decision, Entitlements, View},
    ids::OrganizationId,
    time::MachineTime,
};
use tollkeeper_store::{account, organization};

use crate::{Error, Tollkeeper};

/// What gates have in memory.
#[derive(Default)]
pub(crate) struct Gates {
    resident: RwLock<HashMap<OrganizationId, Arc<Entry>>>,
    loads: AtomicU64,
    checks: AtomicU64,
    /// Machine time in microseconds until which the database is not asked, because it was away a moment ago.
    away_until: AtomicI64,
}

/// How long the database is left alone after it was away: nobody behind a gate waits for it meanwhile.
const AWAY: Duration = Duration::from_secs(1);

/// Organizations in memory at most; beyond it, those that were asked for longest ago are dropped.
const MOST_RESIDENT: usize = 2_000_000;

struct Entry {
    view: View,
    /// Machine time in microseconds at which the database last said that this is the newest version.
    confirmed_at: AtomicI64,
}

/// Figures about gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateStats {
    /// Organizations in memory.
    pub resident: usize,
    /// Views loaded from the database so far.
    pub loads: u64,
    /// Versions asked for so far.
    pub checks: u64,
}

impl Gates {
    /// Takes a view that was just written or read; an older one never replaces a newer one.
    pub(crate) fn put(&self, view: View, now: MachineTime) {
        let mut resident = self.resident.write().expect("nobody panics while holding it");
        if resident.get(&view.organization_id).is_none_or(|known| known.view.version <= view.version) {
            if resident.len() >= MOST_RESIDENT {
                drop_the_oldest(&mut resident);
            }
            let entry = Entry { confirmed_at: AtomicI64::new(now.as_micros()), view };
            resident.insert(entry.view.organization_id.clone(), Arc::new(entry));
        }
    }

    /// Another process changed the organization: memory is asked about before it is believed.
    pub(crate) fn stale(&self, id: &OrganizationId) {
        if let Some(entry) = self.get(id) {
            entry.confirmed_at.store(0, Ordering::Relaxed);
        }
    }

    /// News may have been missed: nothing in memory is believed without asking.
    pub(crate) fn all_stale(&self) {
        for entry in self.resident.read().expect("nobody panics while holding it").values() {
            entry.confirmed_at.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the organization has a row, as far as memory tells.
    pub(crate) fn knows(&self, id: &OrganizationId) -> bool {
        self.get(id).is_some()
    }

    fn get(&self, id: &OrganizationId) -> Option<Arc<Entry>> {
        self.resident.read().expect("nobody panics while holding it").get(id).cloned()
    }
}

impl Entry {
    /// How long ago this was known to be the newest. A machine clock that was set back makes nothing fresh.
    fn age(&self, now: MachineTime) -> Duration {
        let confirmed_at = MachineTime::from_micros(self.confirmed_at.load(Ordering::Relaxed));
        if confirmed_at > now { Duration::MAX } else { now.since(confirmed_at) }
    }
}

/// Drops the half that was confirmed longest ago, so that it happens rarely.
fn drop_the_oldest(resident: &mut HashMap<OrganizationId, Arc<Entry>>) {
    let mut ages: Vec<_> = resident.values().map(|entry| entry.confirmed_at.load(Ordering::Relaxed)).collect();
    let middle = ages.len() / 2;
    let (_, median, _) = ages.select_nth_unstable(middle);
    let median = *median;
    resident.retain(|_, entry| entry.confirmed_at.load(Ordering::Relaxed) > median);
}

impl Tollkeeper {
    /// Decides a gate: from memory where that is fresh, else after asking the database whether anything has changed.
    ///
    /// An organization that nobody has heard of has no subscription: its gates are those of the default plan.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with code `gate_unavailable`: the database is away for longer than memory may be trusted.
    /// Closed, then; answer 503.
    pub async fn gate(&self, organization: &OrganizationId, feature: &str) -> Result<Decision, Error> {
        let entry = self.view(organization).await?;
        Ok(gate::decide(&entry.view, &self.inner.catalog.load(), feature, self.now()))
    }

    /// Decides a gate from memory alone; `None` when memory is not fresh. For hot paths that may not wait.
    pub fn gate_now(&self, organization: &OrganizationId, feature: &str) -> Option<Decision> {
        let entry = self.inner.gates.get(organization)?;
        let fresh = entry.age(self.machine_now()) < self.inner.settings.gate_fresh;
        fresh.then(|| gate::decide(&entry.view, &self.inner.catalog.load(), feature, self.now()))
    }

    /// Everything the organization may use now.
    ///
    /// # Errors
    /// As [`Tollkeeper::gate`].
    pub async fn entitlements(&self, organization: &OrganizationId) -> Result<Entitlements, Error> {
        let entry = self.view(organization).await?;
        Ok(gate::entitlements(&entry.view, &self.inner.catalog.load(), self.now()))
    }

    /// Figures about gates.
    pub fn gate_stats(&self) -> GateStats {
        let gates = &self.inner.gates;
        GateStats {
            resident: gates.resident.read().expect("nobody panics while holding it").len(),
            loads: gates.loads.load(Ordering::Relaxed),
            checks: gates.checks.load(Ordering::Relaxed),
        }
    }

    async fn view(&self, id: &OrganizationId) -> Result<Arc<Entry>, Error> {
        let now = self.machine_now();
        let known = self.inner.gates.get(id);
        if let Some(entry) = &known
            && entry.age(now) < self.inner.settings.gate_fresh
        {
            return Ok(known.expect("it was just looked at"));
        }
        let away = now.as_micros() < self.inner.gates.away_until.load(Ordering::Relaxed);
        if let Some(entry) = known.as_ref().filter(|entry| away && entry.age(now) < self.inner.settings.gate_max_stale)
        {
            return Ok(entry.clone());
        }
        let confirmed = self.confirm(id, known.as_deref(), now).await;
        if matches!(&confirmed, Err(Error::Store(error)) if error.is_unavailable()) {
            self.inner.gates.away_until.store(self.machine_now().plus(AWAY).as_micros(), Ordering::Relaxed);
        }
        match (confirmed, known) {
            (Ok(Some(entry)), _) | (Ok(None), Some(entry)) => Ok(entry),
            (Ok(None), None) => unreachable!("without a known view one is always loaded"),
            (Err(error), Some(entry)) if entry.age(now) < self.inner.settings.gate_max_stale => {
                tracing::warn!(%error, organization.id = %id, "a gate answers from memory: the database is away");
                Ok(entry)
            }
            (Err(error), _) => {
                tracing::error!(%error, organization.id = %id, "a gate stays closed: the database is away");
                Err(Error::Unavailable {
                    code: "gate_unavailable",
                    message: "whether this may be used cannot be known right now".into(),
                })
            }
        }
    }

    /// Asks the database for the version; loads the view when it is another. `None`: what is known is the newest.
    async fn confirm(
        &self,
        id: &OrganizationId,
        known: Option<&Entry>,
        now: MachineTime,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let gates = &self.inner.gates;
        let mut connection = self.inner.db.read().await?;
        if let Some(entry) = known {
            gates.checks.fetch_add(1, Ordering::Relaxed);
            let versions = organization::versions(connection.c(), std::slice::from_ref(id)).await?;
            if versions.first().is_some_and(|(_, version)| *version == entry.view.version) {
                entry.confirmed_at.store(now.as_micros(), Ordering::Relaxed);
                return Ok(None);
            }
        }
        gates.loads.fetch_add(1, Ordering::Relaxed);
        let view = match account::load(connection.c(), id).await? {
            Some(account) => View::of(&account),
            // Not kept: anybody could fill the memory with names that nobody has.
            None => {
                let view = View { organization_id: id.clone(), version: 0, deleted: false, subscriptions: Vec::new() };
                return Ok(Some(Arc::new(Entry { view, confirmed_at: AtomicI64::new(now.as_micros()) })));
            }
        };
        gates.put(view.clone(), now);
        Ok(Some(
            gates.get(id).unwrap_or_else(|| Arc::new(Entry { view, confirmed_at: AtomicI64::new(now.as_micros()) })),
        ))
    }
}

//! Gates answered from memory: one view per organization, replaced on every change.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use tollkeeper_core::{
    gate::{self, Decision, Entitlements, View},
    ids::OrganizationId,
    time::MachineTime,
};

use crate::{
    Error, Tollkeeper,
    asks::{AccountOf, VersionOf},
    resident::{Entry, Resident},
};

/// What gates have in memory.
#[derive(Default)]
pub(crate) struct Gates {
    resident: Resident,
    loads: AtomicU64,
    checks: AtomicU64,
    /// Machine time in microseconds until which the database is not asked, because it was away a moment ago.
    away_until: AtomicI64,
}

/// How long the database is left alone after it was away: nobody behind a gate waits for it meanwhile.
const AWAY: Duration = Duration::from_secs(1);

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
    pub(crate) fn put(&self, id: &OrganizationId, view: View, now: MachineTime) {
        self.resident.put(id, view, now);
    }

    /// Another process changed the organization: memory is asked about before it is believed.
    pub(crate) fn stale(&self, id: &OrganizationId) {
        self.resident.with(id, Entry::doubt);
    }

    /// News may have been missed: nothing in memory is believed without asking.
    pub(crate) fn all_stale(&self) {
        self.resident.doubt_all();
    }

    /// Whether the organization has a row, as far as memory tells.
    pub(crate) fn knows(&self, id: &OrganizationId) -> bool {
        self.resident.with(id, |_| ()).is_some()
    }
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
        if let Some(decision) = self.gate_now(organization, feature) {
            return Ok(decision);
        }
        let view = Box::pin(self.confirmed(organization)).await?;
        Ok(gate::decide(&view, &self.inner.catalog.load(), feature, self.now()))
    }

    /// Decides a gate from memory alone; `None` when memory is not fresh. For hot paths that may not wait.
    pub fn gate_now(&self, organization: &OrganizationId, feature: &str) -> Option<Decision> {
        self.remembered(organization, |view| gate::decide(view, &self.inner.catalog.load(), feature, self.now()))
    }

    /// Everything the organization may use now.
    ///
    /// # Errors
    /// As [`Tollkeeper::gate`].
    pub async fn entitlements(&self, organization: &OrganizationId) -> Result<Entitlements, Error> {
        let all = |view: &View| gate::entitlements(view, &self.inner.catalog.load(), self.now());
        if let Some(entitlements) = self.remembered(organization, all) {
            return Ok(entitlements);
        }
        Ok(all(&Box::pin(self.confirmed(organization)).await?))
    }

    /// Figures about gates.
    pub fn gate_stats(&self) -> GateStats {
        let gates = &self.inner.gates;
        GateStats {
            resident: gates.resident.len(),
            loads: gates.loads.load(Ordering::Relaxed),
            checks: gates.checks.load(Ordering::Relaxed),
        }
    }

    /// Looks at an organization where memory is fresh.
    fn remembered<T>(&self, id: &OrganizationId, look: impl FnOnce(&View) -> T) -> Option<T> {
        let now = self.machine_now();
        let fresh = |entry: &Entry| entry.is_fresh(now, self.inner.settings.gate_fresh).then(|| look(&entry.view));
        self.inner.gates.resident.with(id, fresh)?
    }

    /// The organization as it is where memory is not fresh. Rare and large: whoever waits for it keeps it in a box, so
    /// that the way past it stays small.
    async fn confirmed(&self, id: &OrganizationId) -> Result<View, Error> {
        let (gates, now) = (&self.inner.gates, self.machine_now());
        let known = gates.resident.with(id, |entry| (entry.view.clone(), entry.age(now)));
        let usable = known.as_ref().filter(|(_, age)| *age < self.inner.settings.gate_max_stale).map(|(view, _)| view);
        if let Some(view) = usable
            && now.as_micros() < gates.away_until.load(Ordering::Relaxed)
        {
            return Ok(view.clone());
        }
        let error = match self.ask(id, known.as_ref().map(|(view, _)| view), now).await {
            Ok(view) => return Ok(view),
            Err(error) => error,
        };
        if matches!(&error, Error::Store(error) if error.is_unavailable()) {
            gates.away_until.store(self.machine_now().plus(AWAY).as_micros(), Ordering::Relaxed);
        }
        match usable {
            Some(view) => {
                tracing::warn!(%error, organization.id = %id, "a gate answers from memory: the database is away");
                Ok(view.clone())
            }
            None => {
                tracing::error!(%error, organization.id = %id, "a gate stays closed: the database is away");
                Err(Error::unavailable("gate_unavailable", "whether this may be used cannot be known right now"))
            }
        }
    }

    /// Asks the database for the version, and for everything when it is another than the known one.
    async fn ask(&self, id: &OrganizationId, known: Option<&View>, now: MachineTime) -> Result<View, Error> {
        let gates = &self.inner.gates;
        if let Some(view) = known {
            gates.checks.fetch_add(1, Ordering::Relaxed);
            if self.together(VersionOf(id.clone())).await? == Some(view.version) {
                gates.resident.with(id, |entry| {
                    if entry.view.version == view.version {
                        entry.confirm(now);
                    }
                });
                return Ok(view.clone());
            }
        }
        gates.loads.fetch_add(1, Ordering::Relaxed);
        let Some(account) = self.together(AccountOf(id.clone())).await? else {
            // Not kept: anybody could fill the memory with names that nobody has.
            return Ok(View::unknown());
        };
        let view = View::of(&account);
        gates.put(id, view.clone(), now);
        // Somebody may have put a newer one meanwhile.
        Ok(gates.resident.with(id, |entry| entry.view.clone()).unwrap_or(view))
    }
}

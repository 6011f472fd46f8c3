//! The organizations that are in memory for gates.
//!
//! A million of them fit no cache, and each piece of memory that a gate must visit is a wait. So an organization is one
//! piece, which its place in the table is too, with its name in it; and what was bought is kept once for all who bought
//! the same.

use std::{
    collections::HashSet,
    hash::BuildHasher as _,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hashbrown::{DefaultHashBuilder, HashTable};
use tollkeeper_core::{
    gate::{Bought, View},
    ids::OrganizationId,
    time::MachineTime,
};

/// Parts of the table: who writes holds up the readers of one part, also while that part grows.
const PARTS: usize = 64;
/// Organizations in a part at most, two million in all; beyond it, those that were asked for longest ago are dropped.
const MOST_IN_A_PART: usize = 2_000_000 / PARTS;

/// What is resident.
pub(crate) struct Resident {
    // Random for every process, so that nobody can choose names that meet.
    hasher: DefaultHashBuilder,
    parts: [Part; PARTS],
    bought: Mutex<Shared>,
}

/// A cache line of its own: readers of one part do not slow down those of the next.
#[derive(Default)]
#[repr(align(64))]
struct Part(RwLock<HashTable<Entry>>);

/// What some organization has bought; tidied whenever it has doubled.
#[derive(Default)]
struct Shared {
    all: HashSet<Arc<Bought>>,
    tidy_at: usize,
}

/// One organization.
pub(crate) struct Entry {
    name: Name,
    /// Machine time in microseconds at which the database last said that this is the newest version; negative once somebody
    /// said that it is not any more.
    confirmed_at: AtomicI64,
    pub(crate) view: View,
}

/// A name that lies in place where it is as short as names are.
enum Name {
    Short { length: u8, bytes: [u8; Name::ROOM] },
    Long(Box<str>),
}

impl Name {
    const ROOM: usize = 38;

    fn of(text: &str) -> Self {
        let mut bytes = [0; Self::ROOM];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl Entry {
    /// How long ago this was known to be the newest. A machine clock that was set back makes nothing fresh.
    pub(crate) fn age(&self, now: MachineTime) -> Duration {
        let confirmed_at = MachineTime::from_micros(self.confirmed_at.load(Ordering::Relaxed).saturating_abs());
        if confirmed_at > now { Duration::MAX } else { now.since(confirmed_at) }
    }

    /// Whether it may be believed without asking.
    pub(crate) fn is_fresh(&self, now: MachineTime, span: Duration) -> bool {
        self.confirmed_at.load(Ordering::Relaxed) >= 0 && self.age(now) < span
    }

    /// Says that it was the newest at `now`.
    pub(crate) fn confirm(&self, now: MachineTime) {
        self.confirmed_at.store(now.as_micros(), Ordering::Relaxed);
    }

    /// Says that it may be old: it is asked about before it is believed. While nobody can be asked it is as good as it was.
    pub(crate) fn doubt(&self) {
        let known = self.confirmed_at.load(Ordering::Relaxed);
        let doubted = -known.saturating_abs();
        // Whoever confirmed it meanwhile knows better.
        let _ = self.confirmed_at.compare_exchange(known, doubted, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Default for Resident {
    fn default() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            parts: std::array::from_fn(|_| Part::default()),
            bought: Mutex::default(),
        }
    }
}

impl Resident {
    /// Looks at one organization, if it is here. `look` is short: who writes waits for it.
    pub(crate) fn with<T>(&self, id: &OrganizationId, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        let (hash, part) = self.place(id);
        let entries = part.0.read().expect("nobody panics while holding it");
        entries.find(hash, |entry| entry.name.as_bytes() == id.as_str().as_bytes()).map(look)
    }

    /// Takes a view that was just written or read; an older one never replaces a newer one.
    pub(crate) fn put(&self, id: &OrganizationId, mut view: View, now: MachineTime) {
        // What is dropped here is dropped without the lock.
        let mut old = None;
        view.share(|bought| self.shared().of(bought));
        let (hash, part) = self.place(id);
        let mut entries = part.0.write().expect("nobody panics while holding it");
        if let Some(known) = entries.find_mut(hash, |entry| entry.name.as_bytes() == id.as_str().as_bytes()) {
            if known.view.version <= view.version {
                old = Some(mem::replace(&mut known.view, view));
                known.confirm(now);
            }
        } else {
            if entries.len() >= MOST_IN_A_PART {
                drop_the_oldest(&mut entries);
            }
            let entry = Entry { name: Name::of(id.as_str()), confirmed_at: AtomicI64::new(now.as_micros()), view };
            entries.insert_unique(hash, entry, |entry| self.hash(entry.name.as_bytes()));
        }
        drop(entries);
        drop(old);
    }

    /// Says that everything may be old.
    pub(crate) fn doubt_all(&self) {
        for part in &self.parts {
            part.0.read().expect("nobody panics while holding it").iter().for_each(Entry::doubt);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.0.read().expect("nobody panics while holding it").len()).sum()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.bought.lock().expect("nobody panics while holding it")
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }

    /// The table itself looks at the highest and the lowest bits, so that the part is chosen by others.
    fn place(&self, id: &OrganizationId) -> (u64, &Part) {
        let hash = self.hash(id.as_str().as_bytes());
        (hash, &self.parts[(hash >> 40) as usize % PARTS])
    }
}

impl Shared {
    fn of(&mut self, bought: &Arc<Bought>) -> Arc<Bought> {
        if let Some(known) = self.all.get(bought) {
            return known.clone();
        }
        if self.all.len() >= self.tidy_at {
            self.all.retain(|known| Arc::strong_count(known) > 1);
            self.tidy_at = (self.all.len() * 2).max(64);
        }
        self.all.insert(bought.clone());
        bought.clone()
    }
}

/// Drops the half that was confirmed longest ago, so that it happens rarely.
fn drop_the_oldest(entries: &mut HashTable<Entry>) {
    let mut ages: Vec<_> =
        entries.iter().map(|entry| entry.confirmed_at.load(Ordering::Relaxed).saturating_abs()).collect();
    let middle = ages.len() / 2;
    let (_, median, _) = ages.select_nth_unstable(middle);
    let median = *median;
    entries.retain(|entry| entry.confirmed_at.load(Ordering::Relaxed).saturating_abs() > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubt_takes_freshness_and_not_what_an_outage_may_use() {
        let at = MachineTime::from_micros;
        let entry = Entry { name: Name::of("org_1"), confirmed_at: AtomicI64::new(5_000_000), view: View::unknown() };
        let second = Duration::from_secs(1);
        assert!(entry.is_fresh(at(5_500_000), second));
        entry.doubt();
        entry.doubt();
        assert!(!entry.is_fresh(at(5_500_000), second));
        assert_eq!(entry.age(at(5_500_000)), second / 2, "an outage may use it");
        entry.confirm(at(6_000_000));
        assert!(entry.is_fresh(at(6_000_001), second));
    }

    const NOW: MachineTime = MachineTime::from_micros(1);

    fn version(resident: &Resident, id: &str) -> Option<i64> {
        resident.with(&id.into(), |entry| entry.view.version)
    }

    fn view(version: i64) -> View {
        View { version, ..View::unknown() }
    }

    #[test]
    fn a_name_of_any_length_is_found_again_and_no_other() {
        let resident = Resident::default();
        let names: Vec<String> = (0..100).map(|length| "ü".repeat(length)).collect();
        for (version, name) in names.iter().enumerate() {
            resident.put(&name.as_str().into(), view(i64::try_from(version).unwrap()), NOW);
        }
        for (number, name) in names.iter().enumerate() {
            assert_eq!(version(&resident, name), i64::try_from(number).ok(), "{name}");
            assert_eq!(version(&resident, &format!("{name}\0")), None);
        }
        assert_eq!(resident.len(), names.len());
    }

    #[test]
    fn an_older_view_never_replaces_a_newer_one() {
        let resident = Resident::default();
        let id = OrganizationId::from("org_1");
        resident.put(&id, view(3), NOW);
        resident.put(&id, view(2), NOW);
        assert_eq!(version(&resident, "org_1"), Some(3));
        resident.put(&id, view(4), NOW);
        assert_eq!(version(&resident, "org_1"), Some(4));
    }

    #[test]
    fn what_nobody_has_bought_any_more_goes() {
        let mut shared = Shared::default();
        let bought = |n: i64| {
            Arc::new(Bought { provider: "a".into(), plan: None, price_id: None, addons: vec![("x".into(), n)] })
        };
        let kept = shared.of(&bought(0));
        assert!(Arc::ptr_eq(&kept, &shared.of(&bought(0))));
        for n in 1..10_000 {
            shared.of(&bought(n));
        }
        assert!(shared.all.len() <= 200, "{}", shared.all.len());
        assert!(Arc::ptr_eq(&kept, &shared.of(&bought(0))));
    }

    #[test]
    fn the_ones_asked_for_longest_ago_are_dropped() {
        let mut entries = HashTable::new();
        for age in 0..100_u8 {
            let entry = Entry {
                name: Name::of(&age.to_string()),
                confirmed_at: AtomicI64::new(age.into()),
                view: View::unknown(),
            };
            entries.insert_unique(age.into(), entry, |_| 0);
        }
        drop_the_oldest(&mut entries);
        assert_eq!(entries.len(), 49);
        assert!(entries.iter().all(|entry| entry.confirmed_at.load(Ordering::Relaxed) > 50));
    }
}

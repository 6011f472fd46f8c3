//! Rows in the order of their creation, found by id, by what they belong to, and by when they changed.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Index, IndexMut};

use super::model::Stamp;
use crate::moment::Moment;

/// Something with an id that is unique in its table, also after its deletion.
pub(crate) trait Row {
    fn id(&self) -> &str;

    /// Its version, where it has one.
    fn stamp(&self) -> Option<Stamp> {
        None
    }

    fn set_stamp(&mut self, _stamp: Stamp) {}

    /// What it belongs to for good: the member that says so, and the id in it.
    fn links(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// An append-only table. A position never changes, so that it orders and addresses rows.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    rows: Vec<T>,
    positions: HashMap<String, usize>,
    links: HashMap<(&'static str, String), Vec<usize>>,
    /// `updated_at` and the position.
    changes: BTreeSet<(i64, usize)>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), positions: HashMap::new(), links: HashMap::new(), changes: BTreeSet::new() }
    }
}

impl<T: Row> Table<T> {
    /// Appends a row and returns its position. A taken id is replaced in the index, so callers look first.
    pub(crate) fn insert(&mut self, row: T) -> usize {
        let position = self.rows.len();
        self.positions.insert(row.id().to_owned(), position);
        for (member, id) in row.links() {
            self.links.entry((member, id.to_owned())).or_default().push(position);
        }
        if let Some(stamp) = row.stamp() {
            self.changes.insert((stamp.updated_at, position));
        }
        self.rows.push(row);
        position
    }

    /// Gives the row its next version.
    pub(crate) fn touch(&mut self, position: usize, now: Moment) {
        let Some(before) = self.rows[position].stamp() else { return };
        let stamp = before.next(now);
        self.changes.remove(&(before.updated_at, position));
        self.changes.insert((stamp.updated_at, position));
        self.rows[position].set_stamp(stamp);
    }

    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.position(id).map(|position| &self.rows[position])
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.positions.contains_key(id)
    }

    /// The rows that belong to `id` by that member, in the order of their creation.
    pub(crate) fn linked(&self, member: &'static str, id: &str) -> &[usize] {
        self.links.get(&(member, id.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// When each row changed last, and its position.
    pub(crate) fn changes(&self) -> &BTreeSet<(i64, usize)> {
        &self.changes
    }

    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.rows.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl<T> Index<usize> for Table<T> {
    type Output = T;

    fn index(&self, position: usize) -> &T {
        &self.rows[position]
    }
}

impl<T> IndexMut<usize> for Table<T> {
    fn index_mut(&mut self, position: usize) -> &mut T {
        &mut self.rows[position]
    }
}

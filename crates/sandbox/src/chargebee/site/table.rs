//! Rows in the order of their creation, found by id.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

/// Something with an id that is unique in its table, also after its deletion.
pub(crate) trait Row {
    fn id(&self) -> &str;
}

/// An append-only table. A position never changes, so that it orders and addresses rows.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: Vec<T>,
    positions: HashMap<String, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), positions: HashMap::new() }
    }
}

impl<T: Row> Table<T> {
    /// Appends a row and returns its position. A taken id is replaced in the index, so callers look first.
    pub(crate) fn insert(&mut self, row: T) -> usize {
        let position = self.rows.len();
        self.positions.insert(row.id().to_owned(), position);
        self.rows.push(row);
        position
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

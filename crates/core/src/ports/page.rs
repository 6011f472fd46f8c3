//! Part of a long list.

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub rows: Vec<T>,
    /// Names the next page; `None` on the last one.
    pub next: Option<String>,
}

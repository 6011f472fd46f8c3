//! Links to documents.
//!
//! Source: Chargebee API docs, "Retrieve invoice as PDF": a link works for 60 minutes.

use super::{Act, Site};

const SECONDS: i64 = 3_600;

/// A link that was given out.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    /// The part of the address that nobody can guess.
    pub(crate) key: String,
    /// The invoice, by position.
    invoice: usize,
    pub(crate) valid_till: i64,
}

impl Site {
    /// Gives out a fresh link to an invoice.
    pub(crate) fn download(&mut self, invoice: usize, act: Act) -> &Download {
        let now = act.secs();
        self.downloads.retain(|download| download.valid_till > now);
        let key = self.ids.alphanumeric("", 32);
        self.downloads.push(Download { key, invoice, valid_till: now.saturating_add(SECONDS) });
        self.downloads.last().expect("it was put there a moment ago")
    }

    /// The invoice that a link leads to, while it works.
    pub(crate) fn downloaded(&self, key: &str, now_secs: i64) -> Option<usize> {
        let link = self.downloads.iter().find(|link| link.key == key && link.valid_till > now_secs)?;
        Some(link.invoice)
    }
}

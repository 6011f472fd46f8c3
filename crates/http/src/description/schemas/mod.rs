//! The components: everything that answers and bodies are made of, by name.

mod entitlements;
mod invoices;
mod operators;
mod problem;
mod subscriptions;

use super::schema::Schema;

/// Every component, in the order in which people read them.
pub(crate) fn all() -> Vec<(&'static str, Schema)> {
    let parts = [subscriptions::all(), entitlements::all(), invoices::all(), operators::all(), problem::all()];
    parts.into_iter().flatten().collect()
}

//! Everything of one organization that a decision needs.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Provider, ProviderCustomerId, SubscriptionId},
    organization::{Customer, Organization},
    subscription::Subscription,
};

/// An organization with its customers and its subscriptions: the live ones, the open checkouts, and what ended lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The organization.
    pub organization: Organization,
    /// Its records at billing providers.
    pub customers: Vec<Customer>,
    /// Its subscriptions, oldest first.
    pub subscriptions: Vec<Subscription>,
}

impl Account {
    /// The organization's customer at `provider`.
    pub fn customer(&self, provider: &Provider) -> Option<&ProviderCustomerId> {
        self.customers.iter().find(|customer| &customer.provider == provider).map(|customer| &customer.id)
    }

    /// The subscription with our `id`.
    pub fn subscription(&self, id: &SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| &subscription.id == id)
    }

    /// The same account with one row replaced or added.
    #[must_use]
    pub fn with(&self, next: &Subscription) -> Self {
        let mut account = self.clone();
        match account.subscriptions.iter_mut().find(|row| row.id == next.id) {
            Some(row) => *row = next.clone(),
            None => account.subscriptions.push(next.clone()),
        }
        account
    }

    /// Subscriptions that run: all of them, or the one that is named.
    pub fn running(&self, named: Option<&str>) -> impl Iterator<Item = &Subscription> {
        self.subscriptions.iter().filter(move |row| row.status.runs() && named.is_none_or(|id| row.id.as_str() == id))
    }

    /// Live subscriptions of one plan group.
    pub fn live<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Subscription> + 'a {
        self.subscriptions.iter().filter(move |row| row.plan_group == group && row.status.is_live())
    }
}

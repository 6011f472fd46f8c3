//! Customers and subscriptions, compared with a billing provider page by page.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, Provider, ProviderSubscriptionId, SubscriptionId},
    organization::Customer,
    ports::{CustomerRecord, Listed},
    reduce,
    snapshot::Phase,
    time::Timestamp,
};
use tollkeeper_store::{
    account,
    drift::{Drift, DriftClass},
    link::{self, LinkKind},
    subscription,
};

use super::{
    cause,
    report::{Findings, differences},
};
use crate::{Error, Tollkeeper};

/// How many are read again at once.
const WIDTH: usize = 8;
/// Our own rows on a page.
const ROWS: i64 = 500;

/// Remembers which subscriptions a provider has, eight bytes each.
struct Seen {
    hasher: RandomState,
    prints: HashSet<u64>,
}

impl Seen {
    fn print(&self, id: &ProviderSubscriptionId) -> u64 {
        self.hasher.hash_one(id.as_str())
    }
}

impl Tollkeeper {
    pub(super) async fn compare_subscriptions(
        &self,
        provider: &Provider,
        since: Option<Timestamp>,
        findings: &Findings,
    ) -> Result<(), Error> {
        let billing = self.billing(provider)?;
        let mut seen = Seen { hasher: RandomState::new(), prints: HashSet::new() };
        let list = |page: Option<String>| {
            async move { Ok(Some(billing.subscriptions(since, page.as_deref()).await?)) }.boxed()
        };
        let look = |rows: Vec<Listed>| {
            findings.checked(rows.len());
            if since.is_none() {
                let prints: Vec<_> = rows.iter().map(|row| seen.print(&row.snapshot.id)).collect();
                seen.prints.extend(prints);
            }
            async move {
                let doubtful = self.doubtful(provider, &rows, findings).await?;
                self.look_at_each(provider, doubtful, findings).await
            }
            .boxed()
        };
        self.each_page(list, look).await?;
        // Only a whole list tells what is not there any more.
        if since.is_none() { self.look_for_missing(provider, &seen, findings).await } else { Ok(()) }
    }

    /// Which of a page are not as our rows say, with their owners.
    async fn doubtful(
        &self,
        provider: &Provider,
        listed: &[Listed],
        findings: &Findings,
    ) -> Result<Vec<(OrganizationId, ProviderSubscriptionId)>, Error> {
        let mut connection = self.inner.db.read().await?;
        let mut links = Vec::with_capacity(listed.len() * 2);
        for Listed { snapshot, .. } in listed {
            links.push((provider, LinkKind::Subscription, snapshot.id.as_str()));
            links.push((provider, LinkKind::Customer, snapshot.customer_id.as_str()));
        }
        let owners = link::owners(connection.c(), &links).await?;
        // By its own link, or else by its customer's.
        let owners: Vec<_> = owners.chunks(2).map(|pair| pair.iter().flatten().next()).collect();
        let mut wanted: Vec<OrganizationId> = owners.iter().copied().flatten().cloned().collect();
        wanted.sort();
        wanted.dedup();
        let accounts: HashMap<OrganizationId, Account> = account::load_many(connection.c(), &wanted)
            .await?
            .into_iter()
            .map(|account| (account.organization.id.clone(), account))
            .collect();
        drop(connection);
        let (catalog, now) = (self.catalog(), self.now());
        let mut doubtful = Vec::new();
        for (row, owner) in listed.iter().zip(owners) {
            let Some(account) = owner.and_then(|owner| accounts.get(owner)) else {
                findings.stranger();
                continue;
            };
            let live = !matches!(row.snapshot.phase, Phase::Ended | Phase::NeverStarted);
            let ghost = live && account.organization.deleted_at.is_some();
            let same = match reduce::reduce(account, Some(&row.snapshot), &catalog, now) {
                // What ended before we knew of it is nobody's news.
                Ok(transition) if !live && transition.changed && transition.before.is_none() => continue,
                // The dates of what is beside it are not in the list: they are asked for where there are any.
                Ok(transition) => row.is_complete && !transition.changed && !has_more(account, &row.snapshot.id),
                // What is over may belong to a customer that is gone.
                Err(_) if !live => continue,
                Err(_) => {
                    findings.stranger();
                    continue;
                }
            };
            if ghost || !same {
                doubtful.push((account.organization.id.clone(), row.snapshot.id.clone()));
            }
        }
        Ok(doubtful)
    }

    async fn look_at_each(
        &self,
        provider: &Provider,
        doubtful: Vec<(OrganizationId, ProviderSubscriptionId)>,
        findings: &Findings,
    ) -> Result<(), Error> {
        let looks: Vec<_> =
            doubtful.iter().map(|(owner, id)| self.look_at_one(owner, provider, id, findings).boxed()).collect();
        stream::iter(looks).buffer_unordered(WIDTH).try_collect::<()>().await
    }

    async fn look_at_one(
        &self,
        owner: &OrganizationId,
        provider: &Provider,
        id: &ProviderSubscriptionId,
        findings: &Findings,
    ) -> Result<(), Error> {
        self.one_thing(id.as_str(), findings, || self.look_closer(owner, provider, id, findings).boxed()).await
    }

    /// Reads one subscription again and writes down what differed.
    async fn look_closer(
        &self,
        owner: &OrganizationId,
        provider: &Provider,
        id: &ProviderSubscriptionId,
        findings: &Findings,
    ) -> Result<(), Error> {
        let transition = match self.refresh(owner, provider, id, &cause()).await {
            Ok(transition) => transition,
            Err(Error::Reduce(_)) => {
                findings.stranger();
                return Ok(());
            }
            Err(Error::NotThere(..)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(next) = transition.next.as_ref().filter(|_| transition.changed) else { return Ok(()) };
        let found: Vec<Drift> = differences(transition.before.as_ref(), next)
            .into_iter()
            .map(|(field, old, new)| {
                self.difference(next, DriftClass::Missed, field, (old, new), transition.why.clone())
            })
            .collect();
        if !found.is_empty() {
            findings.repaired();
            findings.add(&found);
            self.note_drift(&found).await?;
        }
        Ok(())
    }

    /// Our live rows that the provider's list does not have.
    async fn look_for_missing(&self, provider: &Provider, seen: &Seen, findings: &Findings) -> Result<(), Error> {
        let mut after: Option<(OrganizationId, SubscriptionId)> = None;
        loop {
            self.go_on()?;
            let place = after.as_ref().map(|(organization, id)| (organization, id));
            let rows = subscription::live_page(self.inner.db.read().await?.c(), provider, place, ROWS).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some((last.organization_id.clone(), last.id.clone()));
            let missing = rows
                .into_iter()
                .filter(|row| !seen.prints.contains(&seen.print(&row.provider_subscription_id)))
                .map(|row| (row.organization_id, row.provider_subscription_id))
                .collect();
            self.look_at_each(provider, missing, findings).await?;
        }
    }

    pub(super) async fn compare_customers(
        &self,
        provider: &Provider,
        since: Option<Timestamp>,
        findings: &Findings,
    ) -> Result<(), Error> {
        let billing = self.billing(provider)?;
        let list =
            |page: Option<String>| async move { Ok(Some(billing.customers(since, page.as_deref()).await?)) }.boxed();
        let look = |rows: Vec<CustomerRecord>| {
            findings.checked(rows.len());
            async move { self.compare_records(provider, &rows, findings).await }.boxed()
        };
        self.each_page(list, look).await?;
        Ok(())
    }

    async fn compare_records(
        &self,
        provider: &Provider,
        listed: &[CustomerRecord],
        findings: &Findings,
    ) -> Result<(), Error> {
        let links: Vec<_> = listed.iter().map(|row| (provider, LinkKind::Customer, row.id.as_str())).collect();
        let mut connection = self.inner.db.read().await?;
        let owners = link::owners(connection.c(), &links).await?;
        let accounts = account::load_many(connection.c(), owners.iter().flatten()).await?;
        drop(connection);
        let accounts: HashMap<_, _> =
            accounts.into_iter().map(|account| (account.organization.id.clone(), account)).collect();
        for (record, owner) in listed.iter().zip(owners) {
            match owner.and_then(|owner| accounts.get(&owner)) {
                Some(account) => {
                    let compare = || self.compare_record(account, provider, Some(record), findings).boxed();
                    self.one_thing(record.id.as_str(), findings, compare).await?;
                }
                None if record.deleted => {}
                None => findings.stranger(),
            }
        }
        Ok(())
    }

    /// One customer of an organization.
    pub(super) async fn compare_customer(
        &self,
        account: &Account,
        customer: &Customer,
        findings: &Findings,
    ) -> Result<(), Error> {
        let record = self.billing(&customer.provider)?.customer(&customer.id).await?;
        findings.checked(1);
        self.compare_record(account, &customer.provider, record.as_ref(), findings).await
    }

    /// Everything that one customer pays for.
    pub(super) async fn compare_paid(
        &self,
        account: &Account,
        customer: &Customer,
        findings: &Findings,
    ) -> Result<(), Error> {
        let listed = self.billing(&customer.provider)?.subscriptions_of(&customer.id).await?;
        findings.checked(listed.len());
        let mut ids: Vec<_> = listed.into_iter().map(|snapshot| snapshot.id).collect();
        for row in &account.subscriptions {
            let bought = row.provider_subscription_id.as_ref().filter(|_| row.provider == customer.provider);
            if let Some(bought) = bought.filter(|bought| row.status.is_live() && !ids.contains(bought)) {
                ids.push(bought.clone());
            }
        }
        let owner = &account.organization.id;
        self.look_at_each(&customer.provider, ids.into_iter().map(|id| (owner.clone(), id)).collect(), findings).await
    }

    /// A customer's record against the organization: gone, renamed, or with another billing contact.
    async fn compare_record(
        &self,
        account: &Account,
        provider: &Provider,
        record: Option<&CustomerRecord>,
        findings: &Findings,
    ) -> Result<(), Error> {
        let organization = &account.organization;
        let id = &organization.id;
        let linked = account.customer(provider);
        let gone = record.is_none_or(|record| record.deleted);
        if gone {
            let Some(customer) = linked.filter(|linked| record.is_none_or(|record| record.id == **linked)) else {
                return Ok(());
            };
            for row in account.subscriptions.iter().filter(|row| row.status.is_live() && row.provider == *provider) {
                if let Some(bought) = &row.provider_subscription_id {
                    self.look_closer(id, provider, bought, findings).await?;
                }
            }
            self.close_checkouts(id, &cause(), "its customer was deleted at the provider").await?;
            let customer = Customer { provider: provider.clone(), id: customer.clone() };
            self.decide(id, &cause(), |account, _, _| Ok(reduce::customer_gone(account, &customer))).await?;
            let pair = (json!(customer.id), Value::Null);
            return self.organization_differs(id, provider, "customer", pair, findings).await;
        }
        let Some(record) = record.filter(|_| !organization.is_leaving()) else { return Ok(()) };
        if linked != Some(&record.id) {
            // A second one for the same organization: it pays for nothing that we know.
            findings.stranger();
            return Ok(());
        }
        let billing = self.billing(provider)?;
        let called = billing.name_as_kept(&organization.display_name);
        let differs = |record: &CustomerRecord| {
            let name = record.display_name.as_ref().is_some_and(|name| *name != called);
            let email = record.email.as_ref().is_some_and(|email| organization.email.as_ref() != Some(email));
            (name, email)
        };
        if differs(record) == (false, false) {
            return Ok(());
        }
        // What the list said may be old by now.
        let Some(record) = billing.customer(&record.id).await? else { return Ok(()) };
        let (name_differs, email_differs) = differs(&record);
        if let Some(name) = record.display_name.as_ref().filter(|_| name_differs) {
            self.push_name(id).await?;
            let pair = (json!(organization.display_name), json!(name));
            self.organization_differs(id, provider, "displayName", pair, findings).await?;
        }
        if let Some(email) = record.email.as_ref().filter(|_| email_differs) {
            self.decide(id, &cause(), |account, _, _| Ok(reduce::contact(account, Some(email), None))).await?;
            let pair = (json!(organization.email), json!(email));
            self.organization_differs(id, provider, "email", pair, findings).await?;
        }
        Ok(())
    }

    /// Writes down a repaired difference that is about no subscription.
    pub(super) async fn organization_differs(
        &self,
        id: &OrganizationId,
        provider: &Provider,
        field: &str,
        (expected, found): (Value, Value),
        findings: &Findings,
    ) -> Result<(), Error> {
        let one = [Drift {
            organization_id: Some(id.clone()),
            id: self.new_drift_id(),
            at: self.now(),
            provider: provider.clone(),
            subscription_id: None,
            class: DriftClass::Missed,
            field: field.to_owned(),
            expected,
            found,
            repaired: true,
            why: format!("{field} of {id} differed"),
        }];
        findings.repaired();
        findings.add(&one);
        self.note_drift(&one).await
    }
}

/// Whether our row has something that a list does not tell in full.
fn has_more(account: &Account, id: &ProviderSubscriptionId) -> bool {
    let row = account.subscriptions.iter().find(|row| row.provider_subscription_id.as_ref() == Some(id));
    row.is_some_and(|row| row.dues.is_some() || row.scheduled.is_some())
}

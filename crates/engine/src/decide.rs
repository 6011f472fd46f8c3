//! Reading an account, deciding, and writing the decision only if the account is still the one that was read.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tollkeeper_core::{
    account::Account,
    catalog::Catalog,
    effect::Transition,
    gate::View,
    ids::{EventId, OrganizationId, Source, SubscriptionId},
    reduce,
    subscription::Subscription,
    time::Timestamp,
};
use tollkeeper_store::{Cause, Decision, Tx, account, inbox, organization};

use crate::{
    Error, Tollkeeper,
    asks::AccountOf,
    together::{Line, Shared},
};

/// How often a decision starts again because another writer was faster.
const RACES: usize = 50;

/// The one sink of effects so far: the product's hooks in this process.
pub(crate) const SINKS: [&str; 1] = ["hooks"];

/// The deliveries that a decision answers: settled in the transaction that writes it.
#[derive(Clone, Debug)]
pub(crate) struct Deliveries {
    pub(crate) source: Source,
    pub(crate) ids: Vec<EventId>,
}

/// A decision with all that is needed to write it together with what others decide meanwhile, as [`Tollkeeper::save`] does
/// alone; the deliveries that it answers are settled with it.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) before: Arc<Account>,
    pub(crate) transition: Transition,
    pub(crate) cause: Cause,
    pub(crate) deliveries: Option<Deliveries>,
    /// What was fetched has no version of the provider's. Where it is what the row says already and deliveries are settled
    /// by it, the organization gets its next version all the same: somebody may have asked before us and be slow, with an
    /// older answer in hand.
    pub(crate) unordered: bool,
}

impl Decided {
    fn to_write(&self) -> ToWrite<'_> {
        let Self { before, transition, cause, deliveries, unordered } = self;
        let decision = Decision { before, transition, cause };
        ToWrite { decision, deliveries: deliveries.as_ref(), confirms: *unordered && deliveries.is_some() }
    }
}

/// A decision on its way into the database.
#[derive(Clone, Copy, Debug)]
struct ToWrite<'a> {
    decision: Decision<'a>,
    deliveries: Option<&'a Deliveries>,
    /// Whether the organization gets its next version also where nothing changes.
    confirms: bool,
}

impl Shared for Arc<Decided> {
    type Outcome = bool;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.decided
    }

    fn work<'a>(
        engine: &'a Tollkeeper,
        all: &'a [&'a Self],
    ) -> BoxFuture<'a, Result<Vec<bool>, tollkeeper_store::Error>> {
        Box::pin(async move {
            // Of each organization the first: what else is in line about it was decided too early. By id, so that
            // processes do not wait for each other in turns.
            let mut first = BTreeMap::new();
            for (place, decided) in all.iter().enumerate() {
                first.entry(&decided.before.organization.id).or_insert(place);
            }
            let decisions: Vec<_> = first.values().map(|place| all[*place].to_write()).collect();
            let mut outcomes = vec![false; all.len()];
            for (place, written) in first.values().zip(engine.write_decisions(&decisions).await?) {
                outcomes[*place] = written;
            }
            Ok(outcomes)
        })
    }
}

impl Tollkeeper {
    pub(crate) async fn find_account(&self, id: &OrganizationId) -> Result<Option<Account>, Error> {
        Ok(account::load(self.inner.db.read().await?.c(), id).await?)
    }

    pub(crate) async fn account(&self, id: &OrganizationId) -> Result<Account, Error> {
        self.find_account(id).await?.ok_or_else(|| Error::UnknownOrganization(id.clone()))
    }

    /// As [`Tollkeeper::account`], and in any case with the subscription that `wanted` names.
    pub(crate) async fn account_with(&self, id: &OrganizationId, wanted: &str) -> Result<Arc<Account>, Error> {
        let known = self.together(AccountOf(id.clone())).await?;
        let known = known.ok_or_else(|| Error::UnknownOrganization(id.clone()))?;
        let is_wanted = |row: &Subscription| {
            row.id.as_str() == wanted || row.provider_subscription_id.as_ref().is_some_and(|id| id.as_str() == wanted)
        };
        if known.subscriptions.iter().any(is_wanted) {
            return Ok(known);
        }
        // New, or over since long.
        let found = account::load_with(self.inner.db.read().await?.c(), id, Some(wanted)).await?;
        found.map(Arc::new).ok_or_else(|| Error::UnknownOrganization(id.clone()))
    }

    /// Decides about an account and writes the decision; starts again when another writer was faster.
    ///
    /// `f` only reads the account it is given, because it may run again on a newer one.
    pub(crate) async fn decide(
        &self,
        id: &OrganizationId,
        cause: &Cause,
        mut f: impl FnMut(&Account, &Catalog, Timestamp) -> Result<Transition, Error>,
    ) -> Result<Transition, Error> {
        for _ in 0..RACES {
            let account = self.account(id).await?;
            let transition = f(&account, &self.catalog(), self.now())?;
            if self.save(&account, &transition, cause).await? {
                return Ok(transition);
            }
        }
        Err(Error::Contended(id.to_string()))
    }

    /// Changes the bookkeeping of one row, as `how` says in its history.
    pub(crate) async fn rewrite_row(
        &self,
        id: &OrganizationId,
        row: &SubscriptionId,
        cause: &Cause,
        how: &str,
        change: impl Fn(&mut Subscription, Timestamp),
    ) -> Result<Transition, Error> {
        self.decide(id, cause, |account, catalog, now| {
            let mut next = account.subscription(row).cloned().expect("rows stay");
            change(&mut next, now);
            Ok(reduce::rewrite(account, next, catalog, now, how))
        })
        .await
    }

    /// Writes a decision about `before`, in a transaction of its own.
    ///
    /// `false`: another writer was faster, nothing was written. A decision that changes nothing loses too: it was
    /// taken about rows that are no longer there.
    pub(crate) async fn save(&self, before: &Account, transition: &Transition, cause: &Cause) -> Result<bool, Error> {
        let decision = Decision { before, transition, cause };
        let saved = self.write_decisions(&[ToWrite { decision, deliveries: None, confirms: false }]).await?;
        Ok(saved.first() == Some(&true))
    }

    /// Writes decisions about different organizations in one transaction, and settles the deliveries that they answer.
    /// Answers for each whether it was written, as [`Tollkeeper::save`] does.
    async fn write_decisions(&self, all: &[ToWrite<'_>]) -> Result<Vec<bool>, tollkeeper_store::Error> {
        let now = self.now();
        let saved = self.inner.db.write(|tx| Box::pin(write(tx, all, now))).await?;
        let mut effects = false;
        for (one, version) in all.iter().zip(&saved) {
            let (Some(version), Decision { before, transition, .. }) = (*version, one.decision) else { continue };
            let id = &before.organization.id;
            let view = View { version, ..View::of(&transition.after) };
            self.inner.gates.put(id, view, self.machine_now());
            if transition.changed {
                self.inner.notices.changed(id);
            }
            if version != before.organization.version {
                // Also where our row is as it was: its invoices may not be.
                self.inner.listeners.tell(id);
            }
            effects |= !transition.effects.is_empty();
            tracing::debug!(organization.id = %id, version, why = %transition.why, "decided");
        }
        if effects {
            self.inner.wake_outbox.notify_one();
        }
        Ok(saved.into_iter().map(|version| version.is_some()).collect())
    }
}

/// The version of each organization when its decision is written; `None` when another writer was faster.
async fn write(tx: &mut Tx, all: &[ToWrite<'_>], now: Timestamp) -> Result<Vec<Option<i64>>, tollkeeper_store::Error> {
    let (mut changes, mut confirmed, mut same) = (Vec::new(), Vec::new(), Vec::new());
    for ToWrite { decision, confirms, .. } in all {
        match decision.transition.changed {
            true => changes.push(*decision),
            false if *confirms => confirmed.push(*decision),
            false => same.push(*decision),
        }
    }
    let id = |decision: &Decision<'_>| decision.before.organization.id.clone();
    let mut versions = HashMap::new();
    if !changes.is_empty() {
        let saved = account::save_all(tx, &changes, &SINKS, now).await?;
        versions.extend(changes.iter().zip(saved).filter_map(|(decision, saved)| match saved {
            account::Saved::Written { seq } => Some((id(decision), seq)),
            account::Saved::Lost => None,
        }));
    }
    if !confirmed.is_empty() {
        let organizations: Vec<_> = confirmed.iter().map(|it| &it.before.organization).collect();
        let still = organization::confirm(tx, &organizations).await?;
        let still = confirmed.iter().filter(|it| still.contains(&it.before.organization.id));
        versions.extend(still.map(|it| (id(it), it.before.organization.version + 1)));
    }
    if !same.is_empty() {
        let known = organization::versions(tx.c(), same.iter().map(|it| &it.before.organization.id)).await?;
        let known: HashMap<_, _> = known.into_iter().collect();
        let still = |it: &Decision<'_>| known.get(&it.before.organization.id) == Some(&it.before.organization.version);
        versions.extend(same.iter().filter(|it| still(it)).map(|it| (id(it), it.before.organization.version)));
    }
    let mut settled = Vec::new();
    for ToWrite { decision, deliveries, .. } in all {
        let written = versions.contains_key(&decision.before.organization.id);
        for deliveries in deliveries.iter().filter(|_| written) {
            let why = decision.transition.why.as_str();
            settled.extend(deliveries.ids.iter().map(|id| (&deliveries.source, id, why)));
        }
    }
    // In the order in which they are stored when they come again.
    settled.sort_unstable();
    inbox::settle_all(tx, &settled).await?;
    Ok(all.iter().map(|ToWrite { decision, .. }| versions.get(&decision.before.organization.id).copied()).collect())
}

/// Causes of decisions, as the history shows them.
pub(crate) mod cause {
    use tollkeeper_store::{Cause, CauseKind};

    pub(crate) fn api(what: impl Into<String>) -> Cause {
        Cause { kind: CauseKind::Api, id: what.into() }
    }

    pub(crate) fn inbox(event: impl Into<String>) -> Cause {
        Cause { kind: CauseKind::Inbox, id: event.into() }
    }

    pub(crate) fn operator(who: impl Into<String>) -> Cause {
        Cause { kind: CauseKind::Operator, id: who.into() }
    }

    pub(crate) fn time() -> Cause {
        Cause { kind: CauseKind::Time, id: String::new() }
    }
}

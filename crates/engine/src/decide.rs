//! Reading an account, deciding, and writing the decision only if the account is still the one that was read.

use tollkeeper_core::{
    account::Account,
    catalog::Catalog,
    effect::Transition,
    gate::View,
    ids::{EventId, OrganizationId, Source},
    time::Timestamp,
};
use tollkeeper_store::{Cause, account, inbox, organization};

use crate::{Error, Tollkeeper};

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

impl Tollkeeper {
    pub(crate) async fn find_account(&self, id: &OrganizationId) -> Result<Option<Account>, Error> {
        Ok(account::load(self.inner.db.read().await?.c(), id).await?)
    }

    pub(crate) async fn account(&self, id: &OrganizationId) -> Result<Account, Error> {
        self.find_account(id).await?.ok_or_else(|| Error::UnknownOrganization(id.clone()))
    }

    /// As [`Tollkeeper::account`], and in any case with the subscription that `wanted` names.
    pub(crate) async fn account_with(&self, id: &OrganizationId, wanted: &str) -> Result<Account, Error> {
        let found = account::load_with(self.inner.db.read().await?.c(), id, Some(wanted)).await?;
        found.ok_or_else(|| Error::UnknownOrganization(id.clone()))
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
            if self.save(&account, &transition, cause, None).await? {
                return Ok(transition);
            }
        }
        Err(Error::Contended(id.to_string()))
    }

    /// Writes a decision about `before`, and settles the deliveries that it answers, in one transaction.
    ///
    /// `false`: another writer was faster, nothing was written. A decision that changes nothing loses too: it was
    /// taken about rows that are no longer there.
    pub(crate) async fn save(
        &self,
        before: &Account,
        transition: &Transition,
        cause: &Cause,
        deliveries: Option<&Deliveries>,
    ) -> Result<bool, Error> {
        let id = &before.organization.id;
        let now = self.now();
        let written = self
            .inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    let seq = if transition.changed {
                        match account::save(tx, before, transition, cause, &SINKS, now).await? {
                            account::Saved::Written { seq } => seq,
                            account::Saved::Lost => return Err(Lost::Race),
                        }
                    } else {
                        let versions = organization::versions(tx.c(), std::slice::from_ref(id)).await?;
                        match versions.first() {
                            Some((_, version)) if *version == before.organization.version => *version,
                            Some(_) | None => return Err(Lost::Race),
                        }
                    };
                    if let Some(deliveries) = deliveries {
                        inbox::settle(tx, &deliveries.source, &deliveries.ids, &transition.why).await?;
                    }
                    Ok(seq)
                })
            })
            .await;
        match written {
            Ok(version) => {
                let view = View { version, ..View::of(&transition.after) };
                self.inner.gates.put(id, view, self.machine_now());
                if transition.changed {
                    self.inner.notices.changed(id);
                }
                if !transition.effects.is_empty() {
                    self.inner.wake_outbox.notify_one();
                }
                tracing::debug!(organization.id = %id, version, why = %transition.why, "decided");
                Ok(true)
            }
            Err(Lost::Race) => Ok(false),
            Err(Lost::Store(error)) => Err(error.into()),
        }
    }
}

/// Why a decision was not written.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("another writer was faster")]
    Race,
    #[error(transparent)]
    Store(#[from] tollkeeper_store::Error),
}

impl tollkeeper_store::StoreError for Lost {
    fn store_error(&self) -> Option<&tollkeeper_store::Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::Race => None,
        }
    }
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

//! Reconciliation: comparing everything with what the providers hold, and repairing what differs.
//!
//! A list only tells where to look: whatever seems to differ is read again one by one, through the same door as every
//! other change, so that an old page never overwrites a newer row.

mod billing;
mod identity;
mod report;

pub use report::{Difference, Report};

use std::sync::{Arc, atomic::AtomicU64};

use std::time::Duration;

use futures_util::{
    future::{BoxFuture, try_join_all},
    try_join,
};
use tokio::time::sleep;
use tollkeeper_core::{
    ids::{OrganizationId, Provider},
    ports::Page,
    time::Timestamp,
};
use tollkeeper_store::{Cause, CauseKind, cursor};

use crate::{Error, Tollkeeper};
use report::Findings;

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// One organization: itself, its members, its customer, its subscriptions.
    Organization(OrganizationId),
    /// Everything.
    Full,
    /// What changed at the billing providers since the last time.
    Recent,
}

/// How far a run over what changed looks back behind the one before: clocks and lists are not exact.
const OVERLAP: Duration = Duration::from_secs(120);
/// How long a provider that says "later" is believed at a time.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// How often in a row it may say so before the run gives up.
const WAITS: usize = 20;
/// How often it is asked again after it failed.
const FAILURES: usize = 3;

impl Tollkeeper {
    /// Compares and repairs; answers what was found.
    ///
    /// # Errors
    /// [`Error::Conflict`] with `reconcile_running`; [`Error::UnknownOrganization`]; the database's own, and
    /// [`Error::Unavailable`] when the engine is stopped: what was repaired until then stays so. The report tells which
    /// providers failed.
    pub async fn reconcile(&self, extent: &Extent) -> Result<Report, Error> {
        self.reconcile_watched(extent, &Arc::default()).await
    }

    /// As [`Tollkeeper::reconcile`]; `checked` counts what was compared so far, for whoever watches.
    ///
    /// # Errors
    /// As [`Tollkeeper::reconcile`].
    pub async fn reconcile_watched(&self, extent: &Extent, checked: &Arc<AtomicU64>) -> Result<Report, Error> {
        let findings = Findings::watched_by(checked.clone());
        match extent {
            Extent::Organization(id) => self.reconcile_organization(id, &findings).await?,
            Extent::Full => self.alone("reconcile", self.reconcile_everything(&findings)).await?,
            Extent::Recent => self.alone("reconcile", self.reconcile_recent(&findings)).await?,
        }
        Ok(findings.report())
    }

    async fn alone(&self, key: &str, work: impl Future<Output = Result<(), Error>> + Send) -> Result<(), Error> {
        let owner = self.one_time_owner();
        match self.with_lease(key, &owner, work).await? {
            Some(()) => Ok(()),
            None => Err(Error::conflict("reconcile_running", "A reconciliation is running already")),
        }
    }

    async fn reconcile_everything(&self, findings: &Findings) -> Result<(), Error> {
        let begun = self.now();
        let providers = || self.inner.billing.keys();
        // An organization whose customer is gone gets another one, and what a customer pays for is looked at last, when
        // every organization has its customer.
        let customers =
            providers().map(|it| self.one_provider(it.as_str(), findings, self.compare_customers(it, None, findings)));
        let readable = try_join_all(customers).await?;
        self.one_provider("identity", findings, self.compare_organizations(findings)).await?;
        let subscriptions = providers().zip(readable).filter(|(_, readable)| *readable).map(|(provider, _)| {
            self.one_provider(provider.as_str(), findings, async move {
                self.compare_subscriptions(provider, None, findings).await?;
                self.remember(provider, begun).await
            })
        });
        try_join_all(subscriptions).await.map(drop)
    }

    async fn reconcile_recent(&self, findings: &Findings) -> Result<(), Error> {
        let each = self.inner.billing.keys().map(|provider| {
            self.one_provider(provider.as_str(), findings, async move {
                let begun = self.now();
                let stored = cursor::get(self.inner.db.read().await?.c(), &name(provider)).await?;
                let since = stored.and_then(|text| text.parse().ok()).map(Timestamp::from_micros);
                // A clock that was set back must not make everything older than the last time invisible.
                let since = since.map(|since: Timestamp| since.min(begun).minus(OVERLAP));
                self.compare_customers(provider, since, findings).await?;
                self.compare_subscriptions(provider, since, findings).await?;
                self.remember(provider, begun).await
            })
        });
        try_join_all(each).await.map(drop)
    }

    async fn remember(&self, provider: &Provider, begun: Timestamp) -> Result<(), Error> {
        let (name, value) = (name(provider), begun.as_micros().to_string());
        let (name, value) = (name.as_str(), value.as_str());
        Ok(self.inner.db.write(|tx| Box::pin(cursor::set(tx, name, value))).await?)
    }

    async fn reconcile_organization(&self, id: &OrganizationId, findings: &Findings) -> Result<(), Error> {
        let account = self.account(id).await?;
        for customer in &account.customers {
            let compare = self.compare_customer(&account, customer, findings);
            self.one_provider(customer.provider.as_str(), findings, compare).await?;
        }
        self.one_provider("identity", findings, self.compare_organization(id, findings)).await?;
        let account = self.account(id).await?;
        for customer in &account.customers {
            let compare = self.compare_paid(&account, customer, findings);
            self.one_provider(customer.provider.as_str(), findings, compare).await?;
        }
        Ok(())
    }

    /// Compares with one provider, and tells whether that was possible. One that fails holds up no other, unless nothing
    /// can be compared at this moment.
    async fn one_provider(
        &self,
        provider: &str,
        findings: &Findings,
        compare: impl Future<Output = Result<(), Error>>,
    ) -> Result<bool, Error> {
        match compare.await {
            Ok(()) => Ok(true),
            Err(error) if is_about_us(&error) => Err(error),
            Err(error) => {
                tracing::warn!(%error, provider, "this provider could not be compared to the end");
                findings.not_compared(provider);
                Ok(false)
            }
        }
    }

    /// Looks at a provider's list page by page; while one page is looked at, the next is on its way. Answers whether there
    /// is a list at all.
    async fn each_page<'a, T: Send + 'a>(
        &'a self,
        list: impl Fn(Option<String>) -> BoxFuture<'a, Result<Option<Page<T>>, Error>> + Send + Sync,
        mut look: impl FnMut(Vec<T>) -> BoxFuture<'a, Result<(), Error>> + Send,
    ) -> Result<bool, Error> {
        let Some(mut page) = self.patiently(|| list(None)).await? else { return Ok(false) };
        loop {
            self.go_on()?;
            let Some(next) = page.next else {
                look(page.rows).await?;
                return Ok(true);
            };
            let ((), following) = try_join!(look(page.rows), self.patiently(|| list(Some(next.clone()))))?;
            let Some(following) = following else { return Ok(true) };
            page = following;
        }
    }

    /// Asks again for as long as the provider says "later": nobody waits for a reconciliation.
    async fn patiently<'a, T>(&self, ask: impl Fn() -> BoxFuture<'a, Result<T, Error>>) -> Result<T, Error> {
        for round in 0..WAITS {
            let answer = ask().await;
            if round >= FAILURES && answer.as_ref().is_err_and(|error| error.throttled().is_none()) {
                return answer;
            }
            let Some(after) = answer.as_ref().err().and_then(Error::try_again_after) else { return answer };
            tokio::select! {
                () = sleep(after.min(LONGEST_WAIT)) => {}
                () = self.inner.stopping.cancelled() => {}
            }
            self.go_on()?;
        }
        ask().await
    }

    /// Compares one thing. That it cannot be compared holds up nothing else, unless nothing can be at this moment.
    async fn one_thing<'a>(
        &self,
        what: &str,
        findings: &Findings,
        compare: impl Fn() -> BoxFuture<'a, Result<(), Error>>,
    ) -> Result<(), Error> {
        match self.patiently(compare).await {
            Err(error) if error.throttled().is_none() && !is_about_us(&error) => {
                tracing::warn!(%error, what, "this could not be compared");
                findings.failed();
                Ok(())
            }
            done => done,
        }
    }

    /// What takes long ends between two pieces when the engine is asked to stop.
    pub(crate) fn go_on(&self) -> Result<(), Error> {
        match self.inner.stopping.is_cancelled() {
            true => Err(Error::unavailable("stopping", "This server is stopping")),
            false => Ok(()),
        }
    }
}

/// Whether nothing can be compared at this moment, with whichever provider.
const fn is_about_us(error: &Error) -> bool {
    matches!(error, Error::Store(_) | Error::Unavailable { .. })
}

fn name(provider: &Provider) -> String {
    format!("reconcile/{provider}")
}

pub(crate) fn cause() -> Cause {
    Cause { kind: CauseKind::Reconcile, id: String::new() }
}

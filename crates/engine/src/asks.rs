//! What many ask of the database at about the same time is asked together.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::BoxFuture;
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, Provider, Source},
};
use tollkeeper_store::{
    Error, account,
    inbox::{self, InboxRow},
    link::{self, LinkKind},
    organization,
};

use crate::{
    Tollkeeper,
    inbox::Waiting,
    together::{Line, Shared},
};

/// How many deliveries about one subject are answered by one refresh.
const PER_SUBJECT: i64 = 500;

/// Whose is this id at a provider?
#[derive(Debug)]
pub(crate) struct OwnerOf {
    pub(crate) provider: Provider,
    pub(crate) kind: LinkKind,
    pub(crate) id: String,
}

impl Shared for OwnerOf {
    type Outcome = Option<OrganizationId>;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.owners
    }

    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>> {
        Box::pin(async move {
            let ids: Vec<_> = all.iter().map(|it| (&it.provider, it.kind, it.id.as_str())).collect();
            link::owners(engine.inner.db.read().await?.c(), &ids).await
        })
    }
}

/// What is there of an organization, as [`account::load`] reads it?
#[derive(Debug)]
pub(crate) struct AccountOf(pub(crate) OrganizationId);

impl Shared for AccountOf {
    type Outcome = Option<Arc<Account>>;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.accounts
    }

    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>> {
        Box::pin(async move {
            let accounts = account::load_many(engine.inner.db.read().await?.c(), all.iter().map(|Self(id)| id)).await?;
            let found: HashMap<_, _> =
                accounts.into_iter().map(|it| (it.organization.id.clone(), Arc::new(it))).collect();
            Ok(all.iter().map(|Self(id)| found.get(id).cloned()).collect())
        })
    }
}

/// Which version of an organization is the newest?
#[derive(Debug)]
pub(crate) struct VersionOf(pub(crate) OrganizationId);

impl Shared for VersionOf {
    type Outcome = Option<i64>;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.versions
    }

    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>> {
        Box::pin(async move {
            let mut conn = engine.inner.db.read().await?;
            let found = organization::versions(conn.c(), all.iter().map(|Self(id)| id)).await?;
            let found: HashMap<_, _> = found.into_iter().collect();
            Ok(all.iter().map(|Self(id)| found.get(id).copied()).collect())
        })
    }
}

// The deliveries that wait about a subject, oldest first.
impl Shared for Waiting {
    type Outcome = Vec<InboxRow>;

    fn line(engine: &Tollkeeper) -> &Line<Self> {
        &engine.inner.pending
    }

    fn work<'a>(engine: &'a Tollkeeper, all: &'a [&'a Self]) -> BoxFuture<'a, Result<Vec<Self::Outcome>, Error>> {
        Box::pin(async move {
            let about: Vec<(&Source, &str)> = all.iter().map(|it| (&it.source, it.subject.as_str())).collect();
            let now = engine.machine_now();
            let mut rows: HashMap<(Source, String), Vec<InboxRow>> = HashMap::new();
            for row in inbox::pending(engine.inner.db.read().await?.c(), &about, now, PER_SUBJECT).await? {
                rows.entry((row.source.clone(), row.subject.clone())).or_default().push(row);
            }
            // Nobody asks twice about one subject: it is asked under its lease.
            let of = |it: &&Self| rows.remove(&(it.source.clone(), it.subject.clone())).unwrap_or_default();
            Ok(all.iter().map(of).collect())
        })
    }
}

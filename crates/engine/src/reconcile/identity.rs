//! Organizations and members, compared with the identity provider.

use std::{
    collections::{HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, Provider, UserId},
    member::{Member, MemberChange},
    organization::Organization,
    ports::OrganizationRecord,
};
use tollkeeper_store::{account, member, organization};

use super::{cause, report::Findings};
use crate::{Error, Tollkeeper};

/// How many organizations are asked about at once.
const WIDTH: usize = 8;
/// So many may always be gone at once; beyond, a tenth of all.
const FEW: usize = 5;
/// Our own organizations on a page.
const ROWS: i64 = 500;

impl Tollkeeper {
    /// Every organization of the identity provider, then every one of ours that it does not have any more. Does nothing
    /// where the identity provider cannot list them.
    pub(super) async fn compare_organizations(&self, findings: &Findings) -> Result<(), Error> {
        let hasher = RandomState::new();
        let mut seen: HashSet<u64> = HashSet::new();
        let list =
            |page: Option<String>| async move { Ok(self.inner.identity.organizations(page.as_deref()).await?) }.boxed();
        let look = |rows: Vec<OrganizationRecord>| {
            findings.checked(rows.len());
            seen.extend(rows.iter().map(|record| hasher.hash_one(record.id.as_str())));
            async move { self.compare_listed(&rows, findings).await }.boxed()
        };
        if !self.each_page(list, look).await? {
            return Ok(());
        }
        let (mut after, mut missing, mut living): (Option<OrganizationId>, Vec<OrganizationId>, usize) =
            (None, Vec::new(), 0);
        loop {
            self.go_on()?;
            let rows = organization::list(self.inner.db.read().await?.c(), after.as_ref(), ROWS).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id.clone());
            for row in rows.iter().filter(|row| can_be_missed(row)) {
                living += 1;
                if !seen.contains(&hasher.hash_one(row.id.as_str())) {
                    missing.push(row.id.clone());
                }
            }
        }
        findings.checked(missing.len());
        if missing.len() > FEW.max(living / 10) {
            tracing::error!(
                missing = missing.len(),
                known = living,
                "the identity provider does not list many organizations that it told us of: none is ended, because this \
                 looks like another environment; reconcile them one by one if it is not"
            );
            findings.failed();
            return Ok(());
        }
        for id in &missing {
            self.go_on()?;
            self.one_thing(id.as_str(), findings, || self.end_if_gone(id, findings).boxed()).await?;
        }
        Ok(())
    }

    async fn compare_listed(&self, listed: &[OrganizationRecord], findings: &Findings) -> Result<(), Error> {
        let ids: Vec<_> = listed.iter().map(|record| record.id.clone()).collect();
        let known: HashMap<OrganizationId, Account> = account::load_many(self.inner.db.read().await?.c(), &ids)
            .await?
            .into_iter()
            .map(|account| (account.organization.id.clone(), account))
            .collect();
        let looks: Vec<_> = listed
            .iter()
            .map(|record| self.look_at_organization(record, known.get(&record.id), findings).boxed())
            .collect();
        stream::iter(looks).buffer_unordered(WIDTH).try_collect::<()>().await
    }

    /// One organization of ours.
    pub(super) async fn compare_organization(&self, id: &OrganizationId, findings: &Findings) -> Result<(), Error> {
        findings.checked(1);
        match self.inner.identity.organization(id).await? {
            Some(record) => {
                let account = self.account(id).await?;
                self.compare_organization_record(&record, Some(&account), findings).await?;
                self.compare_members(id, findings).await
            }
            // Only an identity provider that can list its organizations can say that one is not there.
            None if self.inner.identity.organizations(None).await?.is_some() => {
                match can_be_missed(&self.account(id).await?.organization) {
                    true => self.end_if_gone(id, findings).await,
                    false => Ok(()),
                }
            }
            None => Ok(()),
        }
    }

    async fn look_at_organization(
        &self,
        record: &OrganizationRecord,
        known: Option<&Account>,
        findings: &Findings,
    ) -> Result<(), Error> {
        self.one_thing(record.id.as_str(), findings, || self.compare_one(record, known, findings).boxed()).await
    }

    async fn compare_one(
        &self,
        record: &OrganizationRecord,
        known: Option<&Account>,
        findings: &Findings,
    ) -> Result<(), Error> {
        self.compare_organization_record(record, known, findings).await?;
        self.compare_members(&record.id, findings).await
    }

    async fn compare_organization_record(
        &self,
        record: &OrganizationRecord,
        known: Option<&Account>,
        findings: &Findings,
    ) -> Result<(), Error> {
        let id = &record.id;
        let missing = |account: &Account| account.customer(&account.organization.billing_provider).is_none();
        let (field, old, mut new) = match known {
            None => ("organization", Value::Null, json!(record.display_name)),
            Some(account) if account.organization.is_leaving() => return Ok(()),
            Some(account)
                if record.display_name.as_ref().is_some_and(|name| *name != account.organization.display_name) =>
            {
                ("displayName", json!(account.organization.display_name), json!(record.display_name))
            }
            Some(account) if missing(account) => ("customer", Value::Null, Value::Null),
            Some(_) => return Ok(()),
        };
        self.organization_changed(record, &cause()).await?;
        let account = self.account(id).await?;
        let provider = &account.organization.billing_provider;
        if field == "customer" {
            new = json!(account.customer(provider));
        }
        self.organization_differs(id, provider, field, (old, new), findings).await
    }

    async fn end_if_gone(&self, id: &OrganizationId, findings: &Findings) -> Result<(), Error> {
        if self.inner.identity.organization(id).await?.is_some() {
            return Ok(());
        }
        let provider = self.pinned_to(id).await?;
        self.organization_deleted(id, &cause()).await?;
        self.organization_differs(id, &provider, "organization", (json!(id), Value::Null), findings).await
    }

    async fn compare_members(&self, id: &OrganizationId, findings: &Findings) -> Result<(), Error> {
        // News of what happens while the list is read is newer than the list.
        let read_at = self.now();
        let mut listed: HashMap<UserId, Option<String>> = HashMap::new();
        let mut page: Option<String> = None;
        loop {
            let list = || async { Ok(self.inner.identity.members(id, page.as_deref()).await?) }.boxed();
            let Some(rows) = self.patiently(list).await? else { return Ok(()) };
            listed.extend(rows.rows.into_iter().map(|user| (user.id, user.email)));
            page = rows.next;
            if page.is_none() {
                break;
            }
        }
        findings.checked(listed.len());
        let known = member::list(self.inner.db.read().await?.c(), id).await?;
        let active: HashMap<&UserId, &str> = known
            .iter()
            .flat_map(|person| person.ids.iter().map(move |identity| (person, identity)))
            .filter(|(_, identity)| identity.active)
            .map(|(person, identity)| (&identity.id, person.holder.as_str()))
            .collect();
        // Whoever has no e-mail there holds no seat, and has not left either.
        let named = listed.iter().filter_map(|(user, email)| email.as_ref().map(|email| (user, email)));
        let came = named.filter(|(user, email)| active.get(user) != Some(&Member::holder_of(email).as_str()));
        let left = active.iter().filter(|(user, _)| !listed.contains_key(**user) && self.inner.identity.lists(user));
        let change = |user: &UserId, email: Option<String>, active| MemberChange {
            organization_id: id.clone(),
            user_id: user.clone(),
            email,
            active,
            occurred_at: read_at,
        };
        let came = came.map(|(user, email)| change(user, Some(email.clone()), true));
        let left = left.map(|(user, holder)| change(user, Some((*holder).to_owned()), false));
        let changes: Vec<_> = came.chain(left).collect();
        for change in changes {
            // Newer news than the list may have come meanwhile.
            if !self.member_changed(&change).await? {
                continue;
            }
            let pair = (json!(!change.active), json!(change.active));
            let field = format!("member {}", change.user_id);
            self.organization_differs(id, &self.pinned_to(id).await?, &field, pair, findings).await?;
        }
        Ok(())
    }

    async fn pinned_to(&self, id: &OrganizationId) -> Result<Provider, Error> {
        Ok(self.account(id).await?.organization.billing_provider)
    }
}

/// Whether an organization is ended when the identity provider does not list it: only one that it told us of. Those that
/// an operator or another system fed are theirs to end.
fn can_be_missed(row: &Organization) -> bool {
    row.deleted_at.is_none() && row.identity_updated_at.is_some()
}

//! What the operator's console asks: who may look, which organization is meant, and its story.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use tollkeeper_core::{
    account::Account,
    ids::{EventId, OrganizationId, Source, SubscriptionId},
    member::Member,
    organization::Organization,
    ports::{AuthError, Subject},
    subscription::Subscription,
    time::MachineTime,
};
use tollkeeper_store::{
    C, CauseKind, api_key,
    drift::{self, Drift},
    history::{self, HistoryRow},
    inbox::{self, InboxRow, Trouble},
    link::{self, LinkKind},
    member, organization,
    outbox::{self, OutboxRow as OwedEffect, Troubled as TroubledEffects},
    search::{self, NameMatch},
    subscription,
};

use crate::{
    Error, Key, SessionCookie, Tollkeeper,
    keys::{Hash, hash_of},
    seats,
};

/// How long somebody who showed a key is let in without showing it again: a working day.
const LASTS: Duration = Duration::from_secs(8 * 60 * 60);
/// No cookie of ours is longer.
const LONGEST_COOKIE: usize = 512;
/// Decisions, deliveries and differences of one look at an organization, and the members that are counted.
const DECISIONS: usize = 25;
const DELIVERIES: i64 = 25;
const DIFFERENCES: i64 = 20;
const MEMBERS: usize = 500;
/// Subjects of an organization whose deliveries are looked for; the newest subscriptions come last and are kept.
const SUBJECTS: usize = 100;

/// Everything about an organization that a person needs to answer "why?".
#[derive(Clone, Debug)]
pub struct Story {
    /// The organization with what belongs to it.
    pub account: Account,
    /// Its members by e-mail, the leavers too: the first 500.
    pub members: Vec<Member>,
    /// Whether there are more.
    pub more_members: bool,
    /// How many seats there are; `None` without a limit.
    pub seats: Option<u64>,
    /// What was decided about it, the newest first.
    pub history: Vec<HistoryRow>,
    /// Who sent the deliveries that caused these.
    pub senders: Vec<(EventId, Source)>,
    /// The number to go on before, where there is more history.
    pub older: Option<i64>,
    /// What these decisions owed, in order.
    pub owed: Vec<OwedEffect>,
    /// The newest deliveries about it and what belongs to it, without their bodies.
    pub deliveries: Vec<InboxRow>,
    /// The newest differences that were found.
    pub drift: Vec<Drift>,
}

/// What is not done.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Of each sender's deliveries; one of whom all is settled is not named.
    pub deliveries: Vec<Trouble>,
    /// Of the effects.
    pub effects: TroubledEffects,
    /// When this was counted.
    pub at: MachineTime,
}

impl Tollkeeper {
    /// What a browser keeps for whoever showed the secret of `key`: good for eight hours, as long as the key works.
    pub fn console_cookie(&self, key: &Key, secret: &str) -> SessionCookie {
        let until = self.machine_now().plus(LASTS);
        let sealed = self.inner.consoles.close(&until, &about(&key.id, &hash_of(secret)));
        SessionCookie { value: format!("{}.{}", key.id, URL_SAFE_NO_PAD.encode(sealed)), lasts: LASTS }
    }

    /// The key that a cookie was given for, which is asked for every time: a revoked one is over at once. `operator` is the
    /// secret of the operator's own key.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: too old, not ours, or of a key that works no more. [`Error::Store`].
    pub async fn console_key(&self, cookie: &str, operator: Option<&SecretString>) -> Result<Arc<Key>, Error> {
        let invalid = AuthError::Invalid("the cookie of the console is not ours");
        let parts = cookie.rsplit_once('.').filter(|_| cookie.len() <= LONGEST_COOKIE);
        let (id, sealed) = parts.ok_or_else(|| invalid.clone())?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| invalid.clone())?;
        let own = Key::operator();
        let (key, hash) = if id == own.id {
            let secret = operator.ok_or_else(|| invalid.clone())?;
            (own, hash_of(secret.expose_secret()))
        } else {
            let found = api_key::get(self.inner.db.read().await?.c(), id).await?;
            let (row, hash) = found.filter(|(row, _)| row.revoked_at.is_none()).ok_or(AuthError::Expired)?;
            (Key::of(row), hash)
        };
        let until: Option<MachineTime> = self.inner.consoles.open(&sealed, &about(id, &hash));
        match until {
            Some(until) if self.machine_now() < until => Ok(Arc::new(key)),
            Some(_) => Err(AuthError::Expired.into()),
            None => Err(invalid.into()),
        }
    }

    /// Finds at most `limit` organizations by what a person has of them: its id or external id or the beginning of one, an
    /// id of a customer or subscription, ours or a provider's, a member's e-mail or its own, its name as `names` says.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn find_organizations(
        &self,
        text: &str,
        names: NameMatch,
        limit: i64,
    ) -> Result<Vec<Organization>, Error> {
        let text = text.trim();
        let mut connection = self.inner.db.read().await?;
        let providers = self.inner.billing.keys();
        let ids: Vec<_> = providers
            .flat_map(|provider| [LinkKind::Customer, LinkKind::Subscription].map(|kind| (provider, kind, text)))
            .collect();
        let mut owners = link::owners(connection.c(), &ids).await?;
        owners.push(subscription::locate(connection.c(), &SubscriptionId::from(text)).await?);
        // An id is exact: whoever pastes one means nothing else.
        if let Some(owner) = owners.into_iter().flatten().next() {
            return Ok(organization::get(connection.c(), &owner).await?.into_iter().collect());
        }
        Ok(search::organizations(connection.c(), text, names, limit).await?)
    }

    /// At most `limit` organizations, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn newest_organizations(&self, limit: i64) -> Result<Vec<Organization>, Error> {
        Ok(search::newest(self.inner.db.read().await?.c(), limit).await?)
    }

    /// Counts what is not done.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn backlog(&self) -> Result<Backlog, Error> {
        let mut connection = self.inner.db.read().await?;
        Ok(Backlog {
            deliveries: inbox::troubles(connection.c()).await?,
            effects: outbox::troubled(connection.c()).await?,
            at: self.machine_now(),
        })
    }

    /// Effects that were given up, the newest first, then those that are tried again: at most `limit` of each.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn effects_not_told(&self, limit: i64) -> Result<Vec<OwedEffect>, Error> {
        Ok(outbox::not_told(self.inner.db.read().await?.c(), limit).await?)
    }

    /// Who sends deliveries here.
    pub fn sources(&self) -> Vec<Source> {
        let billing = self.inner.billing.values().map(|billing| billing.source());
        std::iter::once(self.inner.identity.source()).chain(billing).collect()
    }

    /// Whose a subject of deliveries is; `None` where nobody's, or nobody's here.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn whose(&self, source: &Source, subject: &Subject) -> Result<Option<OrganizationId>, Error> {
        let (kind, id) = match subject {
            Subject::Organization(id) => {
                let known = organization::get(self.inner.db.read().await?.c(), id).await?;
                return Ok(known.map(|known| known.id));
            }
            Subject::Subscription(id) => (LinkKind::Subscription, id.as_str()),
            Subject::Customer(id) => (LinkKind::Customer, id.as_str()),
            Subject::Other => return Ok(None),
        };
        let Some((provider, _)) = self.inner.billing.iter().find(|(_, billing)| billing.source() == *source) else {
            return Ok(None);
        };
        let owner = link::find(self.inner.db.read().await?.c(), provider, kind, id).await?;
        Ok(owner.map(|(organization, _)| organization))
    }

    /// The story of an organization, its decisions from before the one numbered `before`, or from the newest.
    ///
    /// # Errors
    /// [`Error::UnknownOrganization`]; [`Error::Store`].
    pub async fn story(&self, id: &OrganizationId, before: Option<i64>) -> Result<Story, Error> {
        let account = self.account(id).await?;
        let mut connection = self.inner.db.read().await?;
        let mut members = member::first(connection.c(), id, MEMBERS as i64 + 1).await?;
        let more_members = members.len() > MEMBERS;
        members.truncate(MEMBERS);
        let seats = seats::limit(&self.catalog(), &account.subscriptions);
        let before = before.unwrap_or(i64::MAX);
        // One more tells whether there are older ones.
        let mut history = history::newest(connection.c(), id, before, DECISIONS as i64 + 1).await?;
        let has_older = history.len() > DECISIONS;
        history.truncate(DECISIONS);
        let (newest, oldest) = (history.first().map(|row| row.seq), history.last().map(|row| row.seq));
        let owed = match (oldest, newest) {
            (Some(first), Some(last)) => outbox::between(connection.c(), id, first, last).await?,
            _ => Vec::new(),
        };
        let events: Vec<&str> =
            history.iter().filter(|row| row.cause.kind == CauseKind::Inbox).map(|row| row.cause.id.as_str()).collect();
        let senders = inbox::senders(connection.c(), &events).await?;
        let older = oldest.filter(|_| has_older);
        let deliveries = self.deliveries_of(connection.c(), &account).await?;
        let drift = drift::list(connection.c(), Some(id), DIFFERENCES).await?;
        Ok(Story { account, members, more_members, seats, history, senders, older, owed, deliveries, drift })
    }

    /// The newest deliveries about an organization, its customers and its subscriptions.
    async fn deliveries_of(&self, c: C<'_>, account: &Account) -> Result<Vec<InboxRow>, Error> {
        let mut subjects =
            vec![(self.inner.identity.source(), Subject::Organization(account.organization.id.clone()).to_string())];
        for customer in &account.customers {
            if let Some(source) = self.source_of(customer.provider.as_str()) {
                subjects.push((source, Subject::Customer(customer.id.clone()).to_string()));
            }
        }
        let place_left = SUBJECTS.saturating_sub(subjects.len());
        let mut rows: Vec<&Subscription> = account.subscriptions.iter().collect();
        rows.drain(..rows.len().saturating_sub(place_left));
        for row in rows {
            if let (Some(source), Some(theirs)) = (self.source_of(row.provider.as_str()), &row.provider_subscription_id)
            {
                subjects.push((source, Subject::Subscription(theirs.clone()).to_string()));
            }
        }
        let subjects: Vec<_> = subjects.iter().map(|(source, subject)| (source, subject.as_str())).collect();
        Ok(inbox::about(c, &subjects, DELIVERIES).await?)
    }

    /// Whose deliveries tell about a billing provider.
    fn source_of(&self, provider: &str) -> Option<Source> {
        self.inner.billing.iter().find(|(name, _)| name.as_str() == provider).map(|(_, billing)| billing.source())
    }
}

/// What a cookie is sealed about: another secret under the same id opens nothing.
fn about(id: &str, hash: &Hash) -> String {
    format!("{id}.{}", hex::encode(hash))
}

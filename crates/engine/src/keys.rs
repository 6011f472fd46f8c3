//! API keys: how a product's backend acts for any organization. Only a hash is kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    ports::AuthError,
    time::MachineTime,
};
pub(crate) use tollkeeper_store::api_key::Hash;
use tollkeeper_store::api_key::{self, ApiKey, NewKey};

use crate::{
    Actor, Error, Tollkeeper,
    hooks::{self, Action},
};

/// What every key begins with.
pub const PREFIX: &str = "tk_";
/// How long a key is believed without asking the database: a revoked one works no longer than this.
const BELIEVED: Duration = Duration::from_secs(5);
/// Keys that are remembered at most.
const MOST_REMEMBERED: usize = 10_000;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read subscriptions, entitlements and gates.
    Read,
    /// Count usage and credits.
    Usage,
    /// Change billing.
    Billing,
    /// Everything under `/admin/api`.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Usage, Self::Billing, Self::Admin];

    /// The word of API and command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Usage => "usage",
            Self::Billing => "billing",
            Self::Admin => "admin",
        }
    }

    /// The scope of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// What an action needs.
    pub const fn of(action: Action) -> Self {
        if action.changes_billing() { Self::Billing } else { Self::Read }
    }
}

/// A key that was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Names it; not secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The only organization it may act for; `None` is any.
    pub organization_id: Option<OrganizationId>,
    /// When it was made.
    pub created_at: MachineTime,
    /// When it was last seen, to the minute.
    pub last_used_at: Option<MachineTime>,
    /// Since when it does not work any more.
    pub revoked_at: Option<MachineTime>,
}

impl Key {
    /// The operator's own key, which is configured and may do everything.
    pub fn operator() -> Self {
        Self {
            id: "operator".into(),
            name: "operator".into(),
            scopes: Scope::ALL.to_vec(),
            organization_id: None,
            created_at: MachineTime::from_micros(0),
            last_used_at: None,
            revoked_at: None,
        }
    }

    /// Whether it may do what `scope` allows.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with `scope_required`.
    pub fn needs(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Error::forbidden("scope_required", format!("This API key lacks the scope `{}`", scope.as_str())))
    }

    /// The organization it acts for: the only one it may, or the one that `reference` names.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with `reference_mismatch`; [`Error::Invalid`] with `reference_required`.
    pub fn organization(&self, reference: Option<&str>) -> Result<OrganizationId, Error> {
        match (&self.organization_id, reference.filter(|reference| !reference.is_empty())) {
            (Some(only), Some(reference)) if only.as_str() != reference => {
                Err(Error::forbidden("reference_mismatch", "This API key is another organization's"))
            }
            (Some(only), _) => Ok(only.clone()),
            (None, Some(reference)) => Ok(reference.into()),
            (None, None) => Err(Error::invalid(
                "referenceId",
                "reference_required",
                "an API key acts for many organizations: name one as referenceId",
            )),
        }
    }

    pub(crate) fn of(row: ApiKey) -> Self {
        Self {
            scopes: row.scopes.iter().filter_map(|word| Scope::parse(word)).collect(),
            id: row.id,
            name: row.name,
            organization_id: row.organization_id,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// Keys that were proven a moment ago.
#[derive(Default)]
pub(crate) struct KnownKeys {
    keys: Mutex<HashMap<Hash, (Arc<Key>, MachineTime)>>,
}

impl KnownKeys {
    fn get(&self, hash: &Hash, now: MachineTime) -> Option<Arc<Key>> {
        self.within(hash, now, BELIEVED)
    }

    fn within(&self, hash: &Hash, now: MachineTime, span: Duration) -> Option<Arc<Key>> {
        let keys = self.keys.lock().expect("nobody panics while holding it");
        let (key, at) = keys.get(hash)?;
        (*at <= now && now.since(*at) < span).then(|| key.clone())
    }

    fn put(&self, hash: Hash, key: Arc<Key>, now: MachineTime) {
        let mut keys = self.keys.lock().expect("nobody panics while holding it");
        if keys.len() >= MOST_REMEMBERED {
            keys.clear();
        }
        keys.insert(hash, (key, now));
    }
}

impl Tollkeeper {
    /// Makes a key. The second part is its secret, which nobody can read again.
    ///
    /// # Errors
    /// [`Error::Invalid`] without a name or a scope; [`Error::Store`].
    pub async fn create_key(
        &self,
        name: &str,
        scopes: &[Scope],
        organization_id: Option<OrganizationId>,
    ) -> Result<(Key, String), Error> {
        if name.trim().is_empty() || name.trim().chars().count() > 100 {
            return Err(Error::invalid("name", "bad_name", "name must have 1 to 100 characters"));
        }
        if scopes.is_empty() {
            return Err(Error::invalid("scopes", "bad_scopes", "name at least one of read, usage, billing, admin"));
        }
        let (mut id, mut secret) = ([0_u8; 8], [0_u8; 32]);
        (self.inner.random)(&mut id);
        (self.inner.random)(&mut secret);
        let secret = format!("{PREFIX}{}", hex::encode(secret));
        let mut scopes = scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        let key = Key {
            id: format!("key_{}", hex::encode(id)),
            name: name.trim().to_owned(),
            scopes,
            organization_id,
            created_at: self.machine_now(),
            last_used_at: None,
            revoked_at: None,
        };
        let row = NewKey {
            id: key.id.clone(),
            hash: hash_of(&secret),
            name: key.name.clone(),
            scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            organization_id: key.organization_id.clone(),
            created_at: key.created_at,
        };
        self.inner.db.write(|tx| Box::pin(api_key::create(tx, &row))).await?;
        Ok((key, secret))
    }

    /// Every key, also revoked ones.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn keys(&self) -> Result<Vec<Key>, Error> {
        Ok(api_key::list(self.inner.db.read().await?.c()).await?.into_iter().map(Key::of).collect())
    }

    /// Ends a key; `false` when there is no such key that still works. Other processes believe it for five more seconds.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn revoke_key(&self, id: &str) -> Result<bool, Error> {
        let at = self.machine_now();
        let revoked = self.inner.db.write(|tx| Box::pin(api_key::revoke(tx, id, at))).await?;
        self.inner.known_keys.keys.lock().expect("nobody panics while holding it").clear();
        Ok(revoked)
    }

    /// Proves a key by its secret.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]: unknown or revoked; [`Error::Store`].
    pub async fn authenticate_key(&self, secret: &str) -> Result<Arc<Key>, Error> {
        let (hash, now) = (hash_of(secret), self.machine_now());
        if let Some(key) = self.inner.known_keys.get(&hash, now) {
            return Ok(key);
        }
        let asked = async { api_key::find(self.inner.db.read().await?.c(), &hash).await };
        let found = match asked.await {
            Ok(found) => found,
            Err(error) if error.is_unavailable() => {
                // As long as gates believe their memory, whoever asks them is believed as well.
                let believed = self.inner.known_keys.within(&hash, now, self.settings().gate_max_stale);
                return believed.ok_or_else(|| error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let Some(row) = found.filter(|row| row.revoked_at.is_none()) else {
            return Err(AuthError::Invalid("the API key is unknown or revoked").into());
        };
        let key = Arc::new(Key::of(row));
        if key.last_used_at.is_none_or(|at| now.since(at) >= Duration::from_secs(60)) {
            let id = key.id.as_str();
            // That it was seen is nice to know, and no reason to refuse anybody.
            if let Err(error) = self.inner.db.write(|tx| Box::pin(api_key::touch(tx, id, now))).await {
                tracing::debug!(%error, "when a key was seen could not be written");
            }
        }
        self.inner.known_keys.put(hash, key.clone(), now);
        Ok(key)
    }

    /// Decides whether a key may do `action` for the organization that `reference` names.
    ///
    /// # Errors
    /// [`Error::Forbidden`]: `scope_required`, `reference_mismatch` or `denied`; [`Error::Invalid`] with
    /// `reference_required`; [`Error::UnknownOrganization`].
    pub async fn authorize_key(&self, key: &Key, reference: Option<&str>, action: Action) -> Result<Actor, Error> {
        key.needs(Scope::of(action))?;
        let reference = key.organization(reference)?;
        let user = UserId::from(format!("key:{}", key.id));
        let allowed = match hooks::guarded(self.inner.hooks.authorize(&user, &reference, action)).await {
            Ok(allowed) => allowed,
            Err(error) => {
                tracing::error!(%error, organization.id = %reference, action = action.as_str(), "the authorize hook failed: denied");
                false
            }
        };
        if !allowed {
            return Err(Error::forbidden("denied", "This is not allowed for this organization"));
        }
        if !self.inner.gates.knows(&reference) && self.find_account(&reference).await?.is_none() {
            // A key may name anything: only what the identity provider knows gets a row.
            match self.inner.identity.organization(&reference).await? {
                Some(_) => self.welcome(&reference).await?,
                None => return Err(Error::UnknownOrganization(reference)),
            }
        }
        Ok(Actor { organization_id: reference, user_id: user, email: None })
    }
}

/// A key is random enough that one round is enough.
pub(crate) fn hash_of(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

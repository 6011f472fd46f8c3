//! Everything of one organization that its own people may see at once.

use tollkeeper_core::account::Account;
use tollkeeper_store::member;

use crate::{Actor, Error, Tollkeeper};

/// An organization as its people see it.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The rows.
    pub account: Account,
    /// How many people hold a seat now.
    pub holders: usize,
}

impl Tollkeeper {
    /// Reads an organization, from the database alone.
    ///
    /// # Errors
    /// [`Error::UnknownOrganization`]; [`Error::Store`].
    pub async fn overview(&self, actor: &Actor) -> Result<Overview, Error> {
        let id = actor.organization_id();
        let account = self.account(id).await?;
        let members = member::list(self.inner.db.read().await?.c(), id).await?;
        Ok(Overview { account, holders: members.iter().filter(|member| member.active()).count() })
    }
}

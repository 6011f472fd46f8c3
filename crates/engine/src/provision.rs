//! Organizations and their customers: the only ways in which one comes to be.

use tollkeeper_core::{
    account::Account,
    ids::{OrganizationId, ProviderCustomerId},
    organization::{Customer, Organization},
    ports::{Billing, CustomerPatch, CustomerRecord, ErrorKind, NewCustomer, OrganizationRecord},
    reduce,
    time::Timestamp,
};
use tollkeeper_store::{
    Cause,
    customer::{self, Noted},
    organization,
};

use crate::{Error, Tollkeeper, failpoint::failpoint};

/// How many deleted customers of one organization may lie in the way before a person must look.
const ATTEMPTS: u32 = 10;
/// How often one request asks for a customer whose id the provider chooses.
const ROUNDS: usize = 3;
/// How often a name is pushed again because it changed while it was pushed.
const PUSHES: usize = 5;

/// Where a customer with an id of the provider's comes from.
enum Made {
    Now(CustomerRecord),
    /// Another process was quicker, and has linked it.
    Before(ProviderCustomerId),
}

impl Tollkeeper {
    /// Sees to it that the organization has a row. Its name comes from the identity provider where that can be reached,
    /// else it is the id until a webhook tells.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when it was deleted; [`Error::Store`].
    pub(crate) async fn ensure_organization(&self, id: &OrganizationId) -> Result<Account, Error> {
        let known = self.find_account(id).await?;
        let account = match known {
            Some(account) => account,
            None => {
                let record = match self.inner.identity.organization(id).await {
                    Ok(record) => record,
                    Err(error) => {
                        tracing::warn!(%error, organization.id = %id, "the organization's name is not known yet");
                        None
                    }
                };
                self.insert_organization(id, record.as_ref(), None).await?;
                self.account(id).await?
            }
        };
        if account.organization.is_leaving() {
            return Err(deleted());
        }
        Ok(account)
    }

    /// Gives an organization that a valid token names for the first time its row, so that nothing waits for a late
    /// webhook.
    ///
    /// # Errors
    /// [`Error::Store`]. That it was deleted is for the action to say.
    pub async fn welcome(&self, id: &OrganizationId) -> Result<(), Error> {
        if self.inner.gates.knows(id) {
            return Ok(());
        }
        match self.ensure_organization(id).await {
            Ok(_) | Err(Error::Forbidden { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes the row if there is none. Says whether it did.
    pub(crate) async fn insert_organization(
        &self,
        id: &OrganizationId,
        record: Option<&OrganizationRecord>,
        deleted_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let now = self.now();
        let row = Organization {
            id: id.clone(),
            display_name: record.and_then(|record| record.display_name.clone()).unwrap_or_else(|| id.to_string()),
            external_id: record.and_then(|record| record.external_id.clone()),
            email: None,
            locale: None,
            currency: None,
            billing_provider: self.inner.settings.billing_provider.clone(),
            had_trial: false,
            version: 0,
            identity_updated_at: record.and_then(|record| record.updated_at),
            deletion_began_at: deleted_at,
            deleted_at,
            created_at: now,
            updated_at: now,
        };
        let row = &row;
        Ok(self.inner.db.write(|tx| Box::pin(organization::insert(tx, row))).await?)
    }

    /// Sees to it that the organization has its customer, exactly one, with any number of callers at once and across
    /// restarts. The only way a customer comes to be.
    ///
    /// # Errors
    /// [`Error::Provider`]; [`Error::Conflict`] with `customer_taken` when the id belongs to a stranger.
    pub(crate) async fn ensure_customer(
        &self,
        id: &OrganizationId,
        cause: &Cause,
    ) -> Result<ProviderCustomerId, Error> {
        let _turn = self.turn(id).await;
        let account = self.account(id).await?;
        let organization = &account.organization;
        if organization.is_leaving() {
            return Err(deleted());
        }
        let provider = organization.billing_provider.clone();
        if let Some(customer) = account.customer(&provider) {
            return Ok(customer.clone());
        }
        let billing = self.billing(&provider)?;
        let new = NewCustomer {
            organization_id: id.clone(),
            customer_type: if self.inner.settings.users_are_organizations { "user" } else { "organization" },
            display_name: organization.display_name.clone(),
            email: organization.email.clone(),
            currency: organization.currency,
        };
        let record = match billing.customer_id_for(id, 0) {
            Some(_) => self.make_chosen(billing.as_ref(), &new).await?,
            None => match self.make_named(billing.as_ref(), &new).await? {
                Made::Now(record) => record,
                Made::Before(customer) => return Ok(customer),
            },
        };
        failpoint("provisioning.customer");
        let renamed = record.display_name.as_ref().is_some_and(|name| *name != new.display_name);
        let customer = Customer { provider: provider.clone(), id: record.id };
        self.decide(id, cause, |account, _, _| Ok(reduce::customer_created(account, &customer))).await?;
        failpoint("provisioning.linked");
        if renamed {
            // It was there before, under an older name.
            self.push_name(id).await?;
        }
        Ok(customer.id)
    }

    /// Makes a customer under an id of ours: the id alone makes a second one impossible.
    async fn make_chosen(&self, billing: &dyn Billing, new: &NewCustomer) -> Result<CustomerRecord, Error> {
        let (id, provider) = (&new.organization_id, billing.provider());
        for attempt in 0..ATTEMPTS {
            let Some(chosen) = billing.customer_id_for(id, attempt) else { break };
            // A key of its own is not answered with an old failure.
            let record = billing.create_customer(Some(&chosen), new, &self.key(chosen.as_str())).await?;
            if record.deleted {
                continue;
            }
            if record.organization_id.as_ref() != Some(id) {
                return Err(Error::conflict(
                    "customer_taken",
                    format!("{provider} has a customer {} that is not ours: link it or rename it there", record.id),
                ));
            }
            return Ok(record);
        }
        Err(Error::conflict(
            "customer_taken",
            format!("{ATTEMPTS} deleted customers of {id} are in the way at {provider}"),
        ))
    }

    /// Makes a customer whose id the provider chooses. Only the key keeps a second one from being made, so it is the
    /// same for every process that tries, and a next one comes only after this one failed and nothing was found.
    async fn make_named(&self, billing: &dyn Billing, new: &NewCustomer) -> Result<Made, Error> {
        let (id, provider) = (&new.organization_id, &billing.provider());
        let (mut failed, mut last) = (None, None);
        for _ in 0..ROUNDS {
            let tries = customer::tries(self.inner.db.read().await?.c(), id, provider).await?;
            let open = match tries.since {
                None => None,
                Some(since) => match billing.find_customer(id, since).await? {
                    Some(record) => return Ok(Made::Now(record)),
                    None => Some(tries.count).filter(|count| failed != Some(*count)),
                },
            };
            let (number, now) = (open.unwrap_or(tries.count + 1), self.now());
            let noted = self.inner.db.write(|tx| Box::pin(customer::note_try(tx, id, provider, number, now))).await?;
            match noted {
                Noted::Try => {}
                Noted::Overtaken => continue,
                Noted::Customer(customer) => return Ok(Made::Before(customer)),
            }
            match billing.create_customer(None, new, &format!("customer:{id}:{number}")).await {
                Ok(record) => return Ok(Made::Now(record)),
                Err(error)
                    if matches!(error.kind, ErrorKind::OutcomeUnknown | ErrorKind::Transient | ErrorKind::Conflict) =>
                {
                    tracing::warn!(%error, organization.id = %id, number, "whether a customer was made is not known: it is looked for");
                    (failed, last) = (Some(number), Some(error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| Error::Contended(id.to_string()), Error::from))
    }

    /// Writes our name of the organization to its customer. Repeating it does no harm.
    pub(crate) async fn push_name(&self, id: &OrganizationId) -> Result<(), Error> {
        for _ in 0..PUSHES {
            let account = self.account(id).await?;
            let name = account.organization.display_name;
            for customer in &account.customers {
                let patch = CustomerPatch { display_name: Some(name.clone()), ..CustomerPatch::default() };
                self.billing(&customer.provider)?.update_customer(&customer.id, &patch).await?;
            }
            // Whoever pushes last pushes the newest: a rename meanwhile is pushed too.
            if self.account(id).await?.organization.display_name == name {
                break;
            }
        }
        Ok(())
    }

    /// Remembers the billing contact, if there is none yet, and tells the customer.
    pub(crate) async fn first_contact(
        &self,
        account: &Account,
        email: Option<&str>,
        cause: &Cause,
    ) -> Result<(), Error> {
        let (None, Some(email)) = (&account.organization.email, email) else { return Ok(()) };
        // The customer first: once our row has a contact, nobody tries again.
        for customer in &account.customers {
            let patch = CustomerPatch { email: Some(email.to_owned()), ..CustomerPatch::default() };
            self.billing(&customer.provider)?.update_customer(&customer.id, &patch).await?;
        }
        self.decide(&account.organization.id, cause, |account, _, _| {
            Ok(reduce::contact(account, Some(account.organization.email.as_deref().unwrap_or(email)), None))
        })
        .await?;
        Ok(())
    }
}

pub(crate) fn deleted() -> Error {
    Error::forbidden("organization_deleted", "This organization was deleted")
}

//! Invoices: what the provider holds of them, asked for when somebody looks.

use serde::Serialize;
use tollkeeper_core::{
    ids::{Provider, ProviderCustomerId, ProviderInvoiceId},
    ports::{ErrorKind, Invoice, Page},
};

use crate::{Actor, Error, Tollkeeper, budget::for_a_person, provision::deleted};

/// A page of an organization's invoices, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Invoices {
    /// Who wrote them; who asked knows.
    #[serde(skip)]
    pub provider: Provider,
    /// What is on it.
    pub invoices: Vec<Invoice>,
    /// Names the next page; `None` on the last one.
    pub next: Option<String>,
}

impl Tollkeeper {
    /// Reads the invoices of an organization, which has none before it has a customer.
    ///
    /// # Errors
    /// [`Error::Unknown`] with `unknown_page`; [`Error::Provider`].
    pub async fn invoices(&self, actor: &Actor, page: Option<&str>) -> Result<Invoices, Error> {
        for_a_person(self.list_invoices(actor, page)).await
    }

    async fn list_invoices(&self, actor: &Actor, page: Option<&str>) -> Result<Invoices, Error> {
        let Some((provider, customer)) = self.customer_of(actor).await? else {
            let provider = self.settings().billing_provider.clone();
            return Ok(Invoices { provider, invoices: Vec::new(), next: None });
        };
        let Page { mut rows, next } = self.billing(&provider)?.invoices(&customer, page).await.map_err(|error| {
            if page.is_some() && matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound) {
                // Not `Invalid`, which is for what is found wrong before anybody is asked.
                return Error::unknown("unknown_page", "page names no page of this list: begin without it");
            }
            Error::from(error)
        })?;
        rows.retain(|invoice| invoice.customer_id == customer);
        Ok(Invoices { provider, invoices: rows, next })
    }

    /// Makes a fresh link to the document of one of the organization's invoices.
    ///
    /// # Errors
    /// [`Error::Unknown`] with `unknown_invoice`, also for an invoice of somebody else, or with `no_document`;
    /// [`Error::Provider`].
    pub async fn invoice_pdf(&self, actor: &Actor, id: &str) -> Result<String, Error> {
        for_a_person(self.link_to_invoice(actor, &ProviderInvoiceId::from(id))).await
    }

    async fn link_to_invoice(&self, actor: &Actor, id: &ProviderInvoiceId) -> Result<String, Error> {
        let unknown = || Error::unknown("unknown_invoice", "This organization has no such invoice");
        let (provider, customer) = self.customer_of(actor).await?.ok_or_else(unknown)?;
        let billing = self.billing(&provider)?;
        // Whose it is, is for the provider to say: an id proves nothing.
        billing.invoice(id).await?.filter(|invoice| invoice.customer_id == customer).ok_or_else(unknown)?;
        billing
            .invoice_pdf(id)
            .await?
            .ok_or_else(|| Error::unknown("no_document", "This invoice has no document yet: it is still a draft"))
    }

    /// The customer that pays for an organization, where there is one.
    pub(crate) async fn customer_of(&self, actor: &Actor) -> Result<Option<(Provider, ProviderCustomerId)>, Error> {
        let Some(account) = self.find_account(actor.organization_id()).await? else { return Ok(None) };
        if account.organization.is_leaving() {
            return Err(deleted());
        }
        let provider = account.organization.billing_provider.clone();
        Ok(account.customer(&provider).cloned().map(|customer| (provider, customer)))
    }
}

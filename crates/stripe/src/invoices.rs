//! Invoices, as people look at them. Source: API reference, "Invoices".

use tollkeeper_core::{
    ids::ProviderCustomerId,
    ports::{ErrorKind, Invoice, InvoiceStatus, Page, ProviderError},
};

use crate::{
    Stripe,
    client::Endpoint,
    form::Form,
    wire::{self, instant},
};

/// How every id of an invoice begins. Without it, a word such as `search` would name another resource.
const PREFIX: &str = "in_";

impl Stripe {
    pub(crate) async fn list_invoices(
        &self,
        customer: &ProviderCustomerId,
        page: Option<&str>,
    ) -> Result<Page<Invoice>, ProviderError> {
        let filter = Form::new().set("customer", customer);
        match self.page::<wire::Invoice>("list invoices", "/v1/invoices", &filter, page).await {
            Ok((rows, next)) => Ok(Page { rows: rows.into_iter().filter_map(invoice).collect(), next }),
            // Without a page, nothing but the customer can be missing.
            Err(error) if error.code.as_deref() == Some("resource_missing") && page.is_none() => {
                Ok(Page { rows: Vec::new(), next: None })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn read_invoice(&self, id: &str) -> Result<Option<Invoice>, ProviderError> {
        Ok(self.raw_invoice("read invoice", id).await?.and_then(invoice))
    }

    /// A link works for about a month; read anew, it is a fresh one.
    pub(crate) async fn link_to_invoice(&self, id: &str) -> Result<Option<String>, ProviderError> {
        let row = self.raw_invoice("link to invoice", id).await?;
        Ok(row.and_then(|row| row.invoice_pdf.or(row.hosted_invoice_url)).filter(|url| !url.is_empty()))
    }

    async fn raw_invoice(&self, operation: &'static str, id: &str) -> Result<Option<wire::Invoice>, ProviderError> {
        if !id.starts_with(PREFIX) {
            return Ok(None);
        }
        let endpoint = Endpoint::on(operation, "/v1/invoices/{id}", id);
        match self.client.get(endpoint, &Form::new()).await {
            Ok(row) => Ok(Some(row)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `None` for one that was deleted: of that only its id is left.
fn invoice(row: wire::Invoice) -> Option<Invoice> {
    let status = status(row.status.as_deref()?);
    let customer_id = row.customer.as_ref()?.id().into();
    let periods: Vec<_> = row.lines.iter().flat_map(|lines| &lines.data).filter_map(|line| line.period).collect();
    Some(Invoice {
        id: row.id.into(),
        customer_id,
        number: row.number,
        status,
        currency: row.currency.and_then(|code| code.parse().ok()),
        total: row.total.unwrap_or(0),
        amount_due: row.amount_remaining.or(row.amount_due).unwrap_or(0),
        date: instant(row.created),
        due_date: instant(row.due_date),
        // The period of the invoice itself is the one before, where usage is counted.
        period_start: instant(periods.iter().filter_map(|period| period.start).min()),
        period_end: instant(periods.iter().filter_map(|period| period.end).max()),
    })
}

fn status(word: &str) -> InvoiceStatus {
    match word {
        "draft" => InvoiceStatus::Draft,
        "open" => InvoiceStatus::Open,
        "paid" => InvoiceStatus::Paid,
        "uncollectible" => InvoiceStatus::Uncollectible,
        "void" => InvoiceStatus::Void,
        other => InvoiceStatus::Other(other.chars().take(60).collect()),
    }
}

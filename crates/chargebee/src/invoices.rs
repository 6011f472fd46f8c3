//! Invoices, as people look at them. Source: API docs, "Invoices".

use tollkeeper_core::{
    ids::ProviderCustomerId,
    ports::{ErrorKind, Invoice, InvoiceStatus, Page, ProviderError},
};

use crate::{
    Chargebee,
    client::Endpoint,
    form::Form,
    reading::PAGE_ROWS,
    wire::{self, instant},
};

impl Chargebee {
    pub(crate) async fn list_invoices(
        &self,
        customer: &ProviderCustomerId,
        page: Option<&str>,
    ) -> Result<Page<Invoice>, ProviderError> {
        let query = Form::new()
            .set("limit", PAGE_ROWS)
            .set_some("offset", page)
            .pair(&["sort_by", "desc"], "date")
            .pair(&["customer_id", "is"], customer);
        let page: wire::Page<wire::InvoiceAnswer> =
            self.client.get(Endpoint::new("list invoices", "/invoices"), &query).await?;
        let rows = page.list.into_iter().map(|row| invoice(row.invoice)).collect();
        Ok(Page { rows, next: page.next_offset.filter(|next| !next.is_empty()) })
    }

    pub(crate) async fn read_invoice(&self, id: &str) -> Result<Option<Invoice>, ProviderError> {
        if !can_be_asked_for(id) {
            return Ok(None);
        }
        let endpoint = Endpoint::on("read invoice", "/invoices/{id}", id);
        match self.client.get::<wire::InvoiceAnswer>(endpoint, &Form::new()).await {
            Ok(answer) => Ok(Some(invoice(answer.invoice))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn link_to_invoice(&self, id: &str) -> Result<Option<String>, ProviderError> {
        if !can_be_asked_for(id) {
            return Ok(None);
        }
        let endpoint = Endpoint::on("link to invoice", "/invoices/{id}/pdf", id);
        let form = Form::new().set("disposition_type", "inline");
        match self.client.ask::<wire::DownloadAnswer>(endpoint, &form).await {
            Ok(answer) => Ok(Some(answer.download.download_url)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What is empty or made of dots names nothing, and cannot be part of a path.
fn can_be_asked_for(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
}

fn invoice(row: wire::Invoice) -> Invoice {
    let begins = row.line_items.iter().filter_map(|line| line.date_from).min();
    let ends = row.line_items.iter().filter_map(|line| line.date_to).max();
    Invoice {
        status: status(&row.status),
        // The id of an invoice is its number.
        number: Some(row.id.clone()).filter(|_| row.status != "pending"),
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        currency: row.currency_code.and_then(|code| code.parse().ok()),
        total: row.total.unwrap_or(0),
        amount_due: row.amount_due.unwrap_or(0),
        date: instant(row.date),
        due_date: instant(row.due_date),
        period_start: instant(begins),
        period_end: instant(ends),
    }
}

fn status(word: &str) -> InvoiceStatus {
    match word {
        "pending" => InvoiceStatus::Draft,
        "posted" | "payment_due" => InvoiceStatus::Open,
        "paid" => InvoiceStatus::Paid,
        "not_paid" => InvoiceStatus::Uncollectible,
        "voided" => InvoiceStatus::Void,
        other => InvoiceStatus::Other(other.chars().take(60).collect()),
    }
}

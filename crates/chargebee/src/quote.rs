//! What an estimate of Chargebee means in our words.

use tollkeeper_core::{
    money::Currency,
    ports::{NextInvoice, Quote, QuoteLine},
    time::Timestamp,
};

use crate::wire::{CreditNoteEstimate, Estimate, EstimateLine, EstimateTax, InvoiceEstimate, instant};

/// Translates an estimate; `None` when it names no currency, or no instant while there is no clock either.
///
/// A change at the period's end raises no invoice now: nothing is due, there are no lines, and the next invoice is what
/// the new items cost. An invoice at once comes without the next one. Source: API docs, "Estimate for updating a
/// subscription".
pub(crate) fn quote(estimate: &Estimate, now: Option<Timestamp>) -> Option<Quote> {
    let notes = estimate.credit_note_estimates.as_deref().unwrap_or_default();
    let charged = estimate.invoice_estimate.as_ref();
    let mut lines = Vec::new();
    if let Some(invoice) = charged {
        add(&mut lines, invoice.line_items.as_deref(), invoice.taxes.as_deref(), invoice.price_type.as_deref(), 1);
    }
    for note in notes {
        give_back(&mut lines, note);
    }
    Some(Quote {
        currency: currency(estimate)?,
        amount_due: charged.map_or(0, |invoice| invoice.amount_due),
        credit: notes.iter().map(kept).fold(0, i64::saturating_add),
        lines,
        next_invoice: estimate.next_invoice_estimate.as_ref().map(|invoice| next_invoice(estimate, invoice)),
        proration_date: instant(estimate.created_at).or(now)?,
    })
}

fn currency(estimate: &Estimate) -> Option<Currency> {
    let invoices = [&estimate.invoice_estimate, &estimate.next_invoice_estimate];
    let codes = invoices.into_iter().flatten().map(|invoice| &invoice.currency_code);
    let notes = estimate.credit_note_estimates.iter().flatten().map(|note| &note.currency_code);
    let subscription = estimate.subscription_estimate.iter().map(|subscription| &subscription.currency_code);
    codes.chain(notes).chain(subscription).flatten().find_map(|code| code.parse().ok())
}

fn next_invoice(estimate: &Estimate, invoice: &InvoiceEstimate) -> NextInvoice {
    let renewal = estimate.subscription_estimate.as_ref().and_then(|subscription| subscription.next_billing_at);
    NextInvoice { at: instant(invoice.date).or_else(|| instant(renewal)), amount: invoice.amount_due }
}

/// What of a credit note stays for later invoices. An adjustment gives nothing back: it lowers what is still owed.
fn kept(note: &CreditNoteEstimate) -> i64 {
    if note.kind.as_deref() == Some("adjustment") { 0 } else { note.amount_available }
}

fn give_back(lines: &mut Vec<QuoteLine>, note: &CreditNoteEstimate) {
    let before = lines.len();
    add(lines, note.line_items.as_deref(), note.taxes.as_deref(), note.price_type.as_deref(), -1);
    for line in &mut lines[before..] {
        // What is given back is always for the part of the period that is left.
        line.proration = true;
    }
    if lines.len() == before {
        lines.push(QuoteLine {
            description: "Credit".to_owned(),
            amount: note.total.saturating_neg(),
            proration: true,
            period_start: None,
            period_end: None,
        });
    }
}

fn add(
    lines: &mut Vec<QuoteLine>,
    items: Option<&[EstimateLine]>,
    taxes: Option<&[EstimateTax]>,
    price_type: Option<&str>,
    sign: i64,
) {
    lines.extend(items.unwrap_or_default().iter().map(|item| line(item, sign)));
    if price_type == Some("tax_inclusive") {
        return;
    }
    let owed = |tax: &&EstimateTax| tax.amount.is_some_and(|amount| amount != 0);
    lines.extend(taxes.unwrap_or_default().iter().filter(owed).map(|tax| QuoteLine {
        description: tax.name.clone().unwrap_or_else(|| "Tax".to_owned()),
        amount: tax.amount.unwrap_or(0).saturating_mul(sign),
        proration: false,
        period_start: None,
        period_end: None,
    }));
}

fn line(item: &EstimateLine, sign: i64) -> QuoteLine {
    let net = item.amount.unwrap_or(0).saturating_sub(item.discount_amount.unwrap_or(0));
    let description = item.description.clone().unwrap_or_default();
    // The mode is young; the description is what older sites have ("… - Prorated Charges").
    let proration = item.proration_mode.is_some() || description.to_ascii_lowercase().contains("prorated");
    QuoteLine {
        description,
        amount: net.saturating_mul(sign),
        proration,
        period_start: instant(item.date_from),
        period_end: instant(item.date_to),
    }
}

#[cfg(test)]
mod tests;

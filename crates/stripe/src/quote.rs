//! What a preview of Stripe means in our words.

use tollkeeper_core::{
    money::Currency,
    ports::{NextInvoice, Quote, QuoteLine},
    time::Timestamp,
};

use crate::wire::{Invoice, Line, instant};

/// How much earlier than the instant of a change a period that it begins may start: whole seconds are cut.
const SLACK_SECONDS: i64 = 60;

/// What is known of a subscription beside its previews.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    /// When the current period ends.
    pub(crate) period_end: Option<Timestamp>,
    /// Whether it ends then, so that nothing is charged any more.
    pub(crate) ends: bool,
    /// The instant of the change, where one was named.
    pub(crate) proration_date: Option<Timestamp>,
    pub(crate) now: Option<Timestamp>,
}

/// A change at once: `invoice` is what Stripe would make for it, `regular` what the new lines cost in a whole period.
///
/// Due now are the lines that are prorated, and those of a period that the change itself begins, as another interval
/// does; a line of the next period may be beside them, and is not. Where all lines are due now, the invoice's own sums
/// count, with taxes and the customer's balance; else they are computed in the same way. What is given back goes to the
/// balance, and lowers the next invoice.
///
/// `None` when it names no currency, no sums or no instant. Source: Stripe docs, "Preview invoices" and "Prorations".
pub(crate) fn at_once(invoice: &Invoice, regular: Option<&Invoice>, around: Around) -> Option<Quote> {
    let proration_date = around.proration_date.or_else(|| instant(invoice.proration_date())).or(around.now)?;
    let rows = invoice.lines.as_ref().map_or(&[][..], |lines| lines.data.as_slice());
    let due: Vec<&Line> = rows.iter().filter(|line| is_due(line, proration_date, around.period_end)).collect();
    let is_cut = invoice.lines.as_ref().is_some_and(|lines| lines.has_more);
    let balance = invoice.starting_balance.unwrap_or(0);
    let (total, amount_due) = if is_cut || due.len() == rows.len() {
        (invoice.total.or(invoice.amount_due)?, invoice.amount_due?)
    } else {
        let total = due.iter().map(|line| net(line).saturating_add(tax(line))).fold(0, i64::saturating_add);
        (total, total.saturating_add(balance).max(0))
    };
    let next_invoice = regular.filter(|_| !around.ends).and_then(|regular| {
        // What this change gives back is there by then, and what it uses up is not.
        let credit = balance.saturating_add(total).min(0);
        let price = regular.total.or(regular.amount_due)?;
        Some(NextInvoice { at: renewal(&due, around.period_end), amount: price.saturating_add(credit).max(0) })
    });
    Some(Quote {
        currency: currency(invoice)?,
        amount_due,
        credit: total.saturating_neg().max(0),
        lines: lines(&due),
        next_invoice,
        proration_date,
    })
}

/// A change at the period's end: nothing is due now, and the next invoice is what the new lines cost.
///
/// The instant of that invoice is the subscription's, not the preview's: Stripe previews another interval as if it began
/// at once.
pub(crate) fn at_period_end(regular: &Invoice, around: Around) -> Option<Quote> {
    let next_invoice = NextInvoice { at: around.period_end, amount: regular.amount_due? };
    Some(Quote {
        currency: currency(regular)?,
        amount_due: 0,
        credit: 0,
        lines: Vec::new(),
        next_invoice: Some(next_invoice).filter(|_| !around.ends),
        proration_date: around.proration_date.or(around.now).or_else(|| instant(regular.created))?,
    })
}

fn currency(invoice: &Invoice) -> Option<Currency> {
    invoice.currency.as_deref()?.parse().ok()
}

fn is_due(line: &Line, at: Timestamp, period_end: Option<Timestamp>) -> bool {
    if line.is_proration() {
        return true;
    }
    let Some(start) = line.period.and_then(|period| period.start) else { return false };
    start >= at.as_unix_seconds().saturating_sub(SLACK_SECONDS)
        && period_end.is_none_or(|end| start < end.as_unix_seconds())
}

/// When the next invoice is: at the end of the period that the change begins, or else of the current one.
fn renewal(due: &[&Line], period_end: Option<Timestamp>) -> Option<Timestamp> {
    let begun = due.iter().filter(|line| !line.is_proration());
    instant(begun.filter_map(|line| line.period?.end).max()).or(period_end)
}

/// What a line costs after discounts.
fn net(line: &Line) -> i64 {
    let discounts = line.discount_amounts.iter().flatten().filter_map(|discount| discount.amount);
    discounts.fold(line.amount.unwrap_or(0), i64::saturating_sub)
}

/// What comes on top of a line.
fn tax(line: &Line) -> i64 {
    let on_top = line.taxes.iter().flatten().filter(|tax| tax.tax_behavior.as_deref() == Some("exclusive"));
    on_top.filter_map(|tax| tax.amount).fold(0, i64::saturating_add)
}

fn lines(due: &[&Line]) -> Vec<QuoteLine> {
    let mut lines: Vec<_> = due
        .iter()
        .map(|line| QuoteLine {
            description: line.description.clone().unwrap_or_default(),
            amount: net(line),
            proration: line.is_proration(),
            period_start: instant(line.period.and_then(|period| period.start)),
            period_end: instant(line.period.and_then(|period| period.end)),
        })
        .collect();
    let taxes = due.iter().map(|line| tax(line)).fold(0, i64::saturating_add);
    if taxes != 0 {
        lines.push(QuoteLine {
            description: "Tax".to_owned(),
            amount: taxes,
            proration: false,
            period_start: None,
            period_end: None,
        });
    }
    lines
}

#[cfg(test)]
mod tests;

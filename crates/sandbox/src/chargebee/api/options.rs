//! What requests say about new subscriptions, changes, cancellations and pauses.
//!
//! Settings that a site would configure are fixed where a request leaves them out: changes are prorated and invoiced
//! at once.
//!
//! Source: Chargebee API docs, "Subscriptions".

use super::{Form, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::site::changes::{Change, ChangeWhen};
use crate::chargebee::site::creation::NewSubscription;
use crate::chargebee::site::ending::{Cancel, CancelWhen, Receivables, TermCredit};
use crate::chargebee::site::pauses::{Pause, PauseWhen};

type Read<T> = Result<T, Refusal>;

fn nested(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}[{name}]") }
}

/// A new subscription; `prefix` is empty, or `subscription` where its members are nested.
pub(super) fn new_subscription(form: &Form, prefix: &str, customer: usize) -> Read<NewSubscription> {
    Ok(NewSubscription {
        id: read::text(form, &nested(prefix, "id"), 50)?,
        customer,
        items: read::items(form)?,
        trial_end: read::instant(form, &nested(prefix, "trial_end"))?,
        start_date: read::instant(form, &nested(prefix, "start_date"))?,
        auto_collection: read::switch(form, &nested(prefix, "auto_collection"))?,
        invoice_immediately: read::boolean(form, "invoice_immediately")?.unwrap_or(true),
        meta_data: if prefix.is_empty() { read::meta_data(form)? } else { None },
    })
}

/// A change; `prefix` is empty, or `subscription` for the members that estimates and hosted pages nest.
pub(super) fn change(form: &Form, prefix: &str) -> Read<Change> {
    let when = match form.get("change_option").filter(|option| !option.is_empty()) {
        Some("immediately") => ChangeWhen::Now,
        Some("end_of_term") => ChangeWhen::EndOfTerm,
        Some("specific_date") => ChangeWhen::At(read::required_instant(form, "changes_scheduled_at")?),
        Some(_) => return Err(read::unknown_option("change_option")),
        None if read::boolean(form, "end_of_term")? == Some(true) => ChangeWhen::EndOfTerm,
        None => ChangeWhen::Now,
    };
    Ok(Change {
        items: read::items(form)?,
        replace: read::boolean(form, "replace_items_list")?.unwrap_or(false),
        when,
        prorate: read::boolean(form, "prorate")?.unwrap_or(true),
        invoice_immediately: read::boolean(form, "invoice_immediately")?.unwrap_or(true),
        force_term_reset: read::boolean(form, "force_term_reset")?.unwrap_or(false),
        reactivate: read::boolean(form, "reactivate")?.unwrap_or(true),
        trial_end: read::instant(form, &nested(prefix, "trial_end"))?,
        auto_collection: read::switch(form, &nested(prefix, "auto_collection"))?,
        meta_data: if prefix.is_empty() { read::meta_data(form)? } else { None },
    })
}

pub(super) fn cancel(form: &Form) -> Read<Cancel> {
    let when = match form.get("cancel_option").filter(|option| !option.is_empty()) {
        Some("immediately") => CancelWhen::Now,
        Some("end_of_term" | "end_of_billing_term") => CancelWhen::EndOfTerm,
        Some("specific_date") => CancelWhen::At(read::required_instant(form, "cancel_at")?),
        Some(_) => return Err(read::unknown_option("cancel_option")),
        None if read::boolean(form, "end_of_term")? == Some(true) => CancelWhen::EndOfTerm,
        None => read::instant(form, "cancel_at")?.map_or(CancelWhen::Now, CancelWhen::At),
    };
    let credits = [("none", TermCredit::Nothing), ("prorate", TermCredit::Rest), ("full", TermCredit::All)];
    let receivables = [
        ("no_action", Receivables::Keep),
        ("schedule_payment_collection", Receivables::Collect),
        ("write_off", Receivables::WriteOff),
    ];
    let waiting = [("invoice", true), ("delete", false)];
    Ok(Cancel {
        when,
        code: read::text(form, "cancel_reason_code", 100)?,
        credit: read::option(form, "credit_option_for_current_term_charges", &credits)?.unwrap_or(TermCredit::Nothing),
        invoices_waiting: read::option(form, "unbilled_charges_option", &waiting)?.unwrap_or(true),
        receivables: read::option(form, "account_receivables_handling", &receivables)?.unwrap_or(Receivables::Keep),
    })
}

pub(super) fn pause(form: &Form) -> Read<Pause> {
    let when = match form.get("pause_option").unwrap_or("immediately") {
        "immediately" => PauseWhen::Now,
        "end_of_term" => PauseWhen::EndOfTerm,
        "specific_date" => PauseWhen::At(read::required_instant(form, "pause_date")?),
        "billing_cycles" => match read::integer(form, "skip_billing_cycles")? {
            Some(cycles @ 1..=100) => PauseWhen::Cycles(cycles),
            _ => {
                let message = "skip_billing_cycles : must be between 1 and 100";
                return Err(Refusal::wrong_value("skip_billing_cycles", message));
            }
        },
        _ => return Err(read::unknown_option("pause_option")),
    };
    let mut pause = Pause::new(when, read::instant(form, "resume_date")?);
    let waiting = [("no_action", false), ("invoice", true)];
    let dunning = [("continue", false), ("stop", true)];
    pause.invoices_waiting = read::option(form, "unbilled_charges_handling", &waiting)?.unwrap_or(false);
    pause.stops_dunning = read::option(form, "invoice_dunning_handling", &dunning)?.unwrap_or(false);
    Ok(pause)
}

/// Whether a new term is invoiced at once when a pause ends.
pub(super) fn resumes_with_invoice(form: &Form) -> Read<bool> {
    let values = [("invoice_immediately", true), ("add_to_unbilled_charges", false)];
    Ok(read::option(form, "charges_handling", &values)?.unwrap_or(true))
}

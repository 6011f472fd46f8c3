//! Invoices.

use super::subscriptions::currency;
use crate::description::schema::{Schema, instant, list, named, object, text, whole};

pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![("Invoices", invoices()), ("Invoice", invoice())]
}

fn invoices() -> Schema {
    object()
        .says("A page of invoices, newest first.")
        .has("invoices", list(named("Invoice")))
        .has("next", text().or_null().says("Names the next page, as `page`; null on the last one."))
}

fn invoice() -> Schema {
    object()
        .says("An invoice, as the billing provider holds it now. Amounts are minor units.")
        .has("id", text())
        .has("number", text().or_null().says("As it is printed; null while it is a draft."))
        .has("status", text().says("`draft`, `open`, `paid`, `uncollectible`, `void`, or the provider's own word where that is new."))
        .has("currency", currency().or_null())
        .has("total", whole().says("Before credits."))
        .has("amountDue", whole().says("Still to be paid."))
        .has("date", instant().or_null())
        .has("dueDate", instant().or_null().says("Where it is not charged at once."))
        .has("periodStart", instant().or_null())
        .has("periodEnd", instant().or_null())
        .example(
            r#"{"id":"INV-1","number":"INV-1","status":"paid","currency":"USD","total":4900,"amountDue":0,"date":"2030-01-01T00:00:00Z","dueDate":null,"periodStart":"2030-01-01T00:00:00Z","periodEnd":"2030-02-01T00:00:00Z"}"#,
        )
}

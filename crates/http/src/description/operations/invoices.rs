//! Invoices.

use crate::description::{
    operation::{Content, Operation, Tag, Who},
    schema::text,
};

/// `GET /api/invoices`
pub(crate) fn list() -> Operation {
    Operation::new(Tag::Invoices, Who::Member, "listInvoices", "The organization's invoices")
        .text("As the billing provider holds them now.")
        .query("page", text().up_to(1_000).says("`next` of the page before."))
        .answers("Invoices", "Newest first.")
        .refuses(&["unknown_page"])
        .asks_the_provider()
}

/// `GET /api/invoices/{id}/pdf`
pub(crate) fn pdf() -> Operation {
    Operation::new(Tag::Invoices, Who::Member, "getInvoicePdf", "An invoice as a document")
        .path("id", text().up_to(255))
        .answers_with(302, "To the document, by a link that is good for a while.", Content::Nothing)
        .header("location", "The document at the billing provider.")
        .refuses(&["unknown_invoice", "no_document"])
        .asks_the_provider()
}

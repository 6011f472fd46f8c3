//! The organization itself.

use crate::description::{
    operation::{Operation, Tag, Who},
    schema::named,
};

/// `PATCH /api/organization`
pub(crate) fn update() -> Operation {
    Operation::new(Tag::Organization, Who::Billing, "updateOrganization", "Who gets the invoices")
        .text("Changes the billing contact, at the billing provider too. What is not given stays as it is.")
        .needs(named("ChangeBillingContact"))
        .answers("BillingContact", "How it is now.")
        .refuses(&["bad_email", "bad_locale", "no_customer", "customer_taken"])
        .asks_the_provider()
}

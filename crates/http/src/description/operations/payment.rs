//! What is paid once.

use crate::description::{
    operation::{Operation, Tag, Who},
    schema::named,
};

/// `POST /api/checkout`
pub(crate) fn checkout() -> Operation {
    Operation::new(Tag::Subscriptions, Who::Billing, "payOnce", "Pay for something once")
        .text("Answers the address of a hosted page. Nothing is kept of it here but the customer.")
        .needs(named("Pay"))
        .answers("PayPage", "Where to send the person.")
        .refuses(&[
            "items_required",
            "unknown_price",
            "not_one_time",
            "named_twice",
            "bad_quantity",
            "currency_mismatch",
            "empty_list",
            "too_many",
            "invalid_redirect",
            "no_applicable_gateway",
            "customer_taken",
            "no_customer",
            "no_page",
        ])
        .asks_the_provider()
}

//! Subscriptions: beginning, changing, ending.

use crate::description::{
    operation::{Content, Operation, Tag, Who},
    schema::{Schema, named, text, yes_or_no},
};

/// `POST /api/subscription/create`
pub(crate) fn create() -> Operation {
    write("createSubscription", "Begin a checkout", named("CreateSubscription"))
        .text("Answers the address of the billing provider's hosted page. The subscription is in the list from now on, and becomes active when it is paid, however the news of that arrives. Asking again for the same choice answers the same page.")
        .answers("Checkout", "Where to send the person.")
        .refuses(SELECTION)
        .refuses(&[
            "active_subscription_exists", "bad_metadata", "reserved_metadata", "checkout_in_progress", "checkout_replaced",
            "no_applicable_gateway", "customer_taken", "no_customer", "no_page",
        ])
}

/// `GET /api/subscription/success`
pub(crate) fn success() -> Operation {
    Operation::new(Tag::Subscriptions, Who::Anybody, "landFromCheckout", "Come back from the checkout")
        .text("Where the hosted page leads. The provider is asked what became of the checkout, and the browser is sent on to the address that the checkout was begun with: as it is when it is paid, with `checkout=pending` when that is not known yet. Nothing in the address is believed: where it names no checkout of ours, the browser is sent to the billing page with `checkout=failed`.")
        .query("subscriptionId", text().says("Ours."))
        .query("id", text().says("Chargebee's hosted page."))
        .query("session_id", text().says("Stripe's session."))
        .answers_with(303, "On to the callback, or to the billing page.", Content::Nothing)
        .header("location", "Where to go on.")
        .asks_the_provider()
}

/// `GET /api/subscription/list`
pub(crate) fn list() -> Operation {
    Operation::new(Tag::Subscriptions, Who::Member, "listSubscriptions", "The organization's subscriptions")
        .text("From our own database alone: those that are live, or all.")
        .query("all", yes_or_no().says("With `future`, `cancelled` and `expired` ones."))
        .answers("Subscriptions", "Oldest first.")
        .refuses(&["invalid_type"])
        .looks_up()
}

/// `POST /api/subscription/preview`
pub(crate) fn preview() -> Operation {
    write("previewChange", "What a change would cost", named("ChangeSubscription"))
        .text("The provider's own estimate, with a token that pins it: send that with the change, and the person is charged what was shown or asked again.")
        .answers("Preview", "What it costs now, and next time.")
        .refuses(SELECTION)
        .refuses(CHANGE)
}

/// `POST /api/subscription/update`
pub(crate) fn update() -> Operation {
    write("changeSubscription", "Change plan, seats or add-ons", named("ChangeSubscription"))
        .text("What costs more happens at once, what costs less at the period's end, unless `when` says otherwise. Seats that are not given stay as they are. A change that waits survives a change of seats, and is replaced by another plan.")
        .answers("Changed", "The subscription as it is now, or the page where a person confirms.")
        .refuses(SELECTION)
        .refuses(CHANGE)
        .refuses(&["preview_outdated", "preview_mismatch", "bad_preview_token", "change_in_progress", "no_page"])
}

/// `POST /api/subscription/cancel`
pub(crate) fn cancel() -> Operation {
    write("cancelSubscription", "End it", named("CancelSubscription"))
        .text("At the period's end, or now. A change that waits is released first, and the answer names it.")
        .answers("Cancelled", "The subscription as it is now, or the portal's address.")
        .refuses(ONE)
        .refuses(&["invalid_redirect", "no_customer", "no_page"])
}

/// `POST /api/subscription/restore`
pub(crate) fn restore() -> Operation {
    write("restoreSubscription", "Undo what is scheduled", named("RestoreSubscription"))
        .text("A cancellation, or a change that waits for the period's end.")
        .answers("Applied", "The subscription as it is now.")
        .refuses(ONE)
        .refuses(&["nothing_scheduled", "what_required"])
}

/// `POST /api/subscription/pause`
pub(crate) fn pause() -> Operation {
    write("pauseSubscription", "Pause it", named("PauseSubscription"))
        .text("Nothing is billed while it is paused, and its gates are closed unless the policy says otherwise.")
        .answers("Applied", "The subscription as it is now.")
        .refuses(ONE)
        .refuses(&["bad_until", "scheduled_change_pending", "cancellation_scheduled"])
}

/// `POST /api/subscription/resume`
pub(crate) fn resume() -> Operation {
    write("resumeSubscription", "Go on after a pause", named("ResumeSubscription"))
        .answers("Applied", "The subscription as it is now.")
        .refuses(ONE)
        .refuses(&["not_paused"])
}

/// `POST /api/subscription/portal`
pub(crate) fn portal() -> Operation {
    write("openPortal", "Open the provider's portal", named("OpenPortal"))
        .text("Where a person changes the card, pays what is due and reads invoices.")
        .answers("Portal", "Where to send the person.")
        .refuses(&["no_customer", "invalid_redirect", "no_page"])
}

fn write(id: &'static str, summary: &'static str, body: Schema) -> Operation {
    Operation::new(Tag::Subscriptions, Who::Billing, id, summary)
        .takes(body)
        .refuses(&["invalid_value"])
        .asks_the_provider()
}

/// What may be wrong with which subscription is meant.
const ONE: &[&str] = &["no_subscription", "subscription_required", "change_in_progress"];

/// What may be wrong with a selection.
const SELECTION: &[&str] = &[
    "plan_required",
    "unknown_plan",
    "ambiguous_plan",
    "not_a_plan",
    "not_an_addon",
    "plan_not_sold",
    "no_such_price",
    "unknown_addon",
    "named_twice",
    "bad_quantity",
    "bad_seats",
    "bad_interval",
    "bad_currency",
    "currency_mismatch",
    "empty_list",
    "too_many",
    "invalid_redirect",
];

/// What may be wrong with a change.
const CHANGE: &[&str] = &[
    "no_subscription",
    "subscription_required",
    "nothing_changes",
    "other_group",
    "sold_once",
    "token_with_hosted",
    "hosted_is_now",
    "scheduled_change_pending",
    "cancellation_scheduled",
    "subscription_paused",
    "payment_due",
    "no_customer",
];

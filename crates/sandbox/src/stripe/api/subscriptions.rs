//! `/v1/subscriptions`. Source: Stripe API reference, "Subscriptions".

use super::customers::parsed;
use super::list::{Range, Window};
use super::params::Params;
use super::subscription_params as shared;
use super::{Call, Reply, catalog, problem};
use crate::stripe::account::Object;
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::creation::NewSubscription;
use crate::stripe::account::ending::{CancelAt, CancelNow};
use crate::stripe::account::model::{
    CollectionMethod, MissingMethod, Patch, PauseBehavior, PauseCollection, PaymentBehavior, ProrationBehavior, Status,
};
use crate::stripe::account::pauses::{Pause, Resume, UnusedFrom};
use crate::stripe::account::refusal::Refusal;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", ["search"]) => catalog::search(call, "/v1/subscriptions/search", |call| {
            (0..call.account.subscriptions.len()).rev().map(Object::Subscription).collect()
        }),
        ("GET", [id]) => call.account.live_subscription(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::Subscription(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("DELETE", [id]) => cancel(call, id),
        // Since endive a subscription is paused by its own call, and in no older version.
        ("POST", [id, "pause"]) if !call.is_older() => pause(call, id),
        ("POST", [id, "resume"]) => resume(call, id),
        _ => return None,
    })
}

fn create(call: &mut Call<'_>) -> Reply {
    let customer = call.required_customer()?;
    let entries = call.params.branches("items")?.unwrap_or_default();
    let items = shared::new_items(call, entries)?;
    let entries = call.params.branches("add_invoice_items")?.unwrap_or_default();
    let add_invoice_items = shared::new_items(call, entries)?;
    if items.is_empty() && add_invoice_items.is_empty() {
        return Err(problem::missing("items"));
    }
    let is_older = call.is_older();
    let params = &mut call.params;
    params.ignore(&shared::IGNORED);
    params.ignore(&["on_behalf_of", "transfer_data", "customer_account"]);
    if is_older {
        params.ignore(&["coupon", "promotion_code"]);
    }
    let new = NewSubscription {
        customer,
        items,
        add_invoice_items,
        currency: params.text("currency")?.map(|currency| currency.to_lowercase()),
        billing_mode: shared::billing_mode(params, is_older)?,
        collection_method: shared::collection_method(params)?.unwrap_or(CollectionMethod::ChargeAutomatically),
        days_until_due: params.at_least("days_until_due", 0)?,
        payment_behavior: shared::payment_behavior(params)?.unwrap_or(PaymentBehavior::AllowIncomplete),
        default_payment_method: params.text("default_payment_method")?,
        saves_default_method: shared::saves_default_method(params)?.unwrap_or(false),
        trial_end: shared::trial_end(params)?,
        trial_period_days: params.at_least("trial_period_days", 0)?,
        missing_method: shared::missing_method(params)?.unwrap_or(MissingMethod::CreateInvoice),
        billing_cycle_anchor: params.integer("billing_cycle_anchor")?,
        proration_behavior: shared::proration_behavior(params)?.unwrap_or(ProrationBehavior::CreateProrations),
        cancel_at_period_end: params.boolean("cancel_at_period_end")?.unwrap_or(false),
        cancel_at: cancel_at(params)?.flatten(),
        description: params.text("description")?,
        metadata: params.new_metadata()?,
        pays_with: None,
    };
    call.read_all()?;
    let position = call.account.create_subscription(new, call.act)?;
    Ok(call.show(Object::Subscription(position)))
}

/// `cancel_at`: an instant, or the end of a period.
pub(super) fn cancel_at(params: &mut Params) -> Result<Patch<CancelAt>, Refusal> {
    Ok(match params.patch("cancel_at")? {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => match text.as_str() {
            "min_period_end" | "max_period_end" | "max_billed_until" => Some(Some(CancelAt::PeriodEnd)),
            number => {
                let at = number.parse().map_err(|_| problem::integer(&params.name_of("cancel_at"), number))?;
                Some(Some(CancelAt::At(at)))
            }
        },
    })
}

/// What a request says about the items of a subscription.
pub(super) fn item_changes(call: &mut Call<'_>, entries: Vec<Params>) -> Result<Vec<ItemChange>, Refusal> {
    entries.into_iter().map(|entry| item_change(call, entry)).collect()
}

fn item_change(call: &mut Call<'_>, mut params: Params) -> Result<ItemChange, Refusal> {
    params.ignore(&["billing_thresholds", "discounts", "tax_rates", "clear_usage", "current_trial"]);
    let price = shared::entry_price(call, &mut params)?;
    let change = ItemChange {
        id: params.text("id")?,
        price,
        quantity: params.at_least("quantity", 0)?,
        deleted: params.boolean("deleted")?.unwrap_or(false),
        metadata: params.metadata()?,
    };
    params.done()?;
    Ok(change)
}

fn pause_collection(params: &mut Params) -> Result<Patch<PauseCollection>, Refusal> {
    let Some(branch) = params.branch_patch("pause_collection")? else { return Ok(None) };
    let Some(mut branch) = branch else { return Ok(Some(None)) };
    let words = ["keep_as_draft", "mark_uncollectible", "void"];
    let behavior = parsed(&mut branch, "behavior", &words, PauseBehavior::parse)?;
    let behavior = behavior.ok_or_else(|| problem::missing("pause_collection[behavior]"))?;
    let resumes_at = branch.integer("resumes_at")?;
    branch.done()?;
    Ok(Some(Some(PauseCollection { behavior, resumes_at })))
}

/// `cancellation_details`: the comment and the feedback.
pub(super) fn cancellation_details(params: &mut Params) -> Result<(Patch<String>, Patch<String>), Refusal> {
    let Some(mut details) = params.branch("cancellation_details")? else { return Ok((None, None)) };
    let words = [
        "customer_service",
        "low_quality",
        "missing_features",
        "other",
        "switched_service",
        "too_complex",
        "too_expensive",
        "unused",
    ];
    let comment = details.patch("comment")?;
    let clears = details.has("feedback");
    let feedback = details.word("feedback", &words)?.map(str::to_owned);
    details.ignore(&["feedback_option"]);
    details.done()?;
    Ok((comment, clears.then_some(feedback)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_subscription(id)?;
    let entries = call.params.branches("items")?.unwrap_or_default();
    let items = item_changes(call, entries)?;
    let entries = call.params.branches("add_invoice_items")?.unwrap_or_default();
    let add_invoice_items = shared::new_items(call, entries)?;
    let is_older = call.is_older();
    let params = &mut call.params;
    params.ignore(&shared::IGNORED);
    params.ignore(&["on_behalf_of", "transfer_data"]);
    if is_older {
        params.ignore(&["coupon", "promotion_code"]);
    }
    let (comment, feedback) = cancellation_details(params)?;
    let change = Change {
        items,
        add_invoice_items,
        proration_behavior: shared::proration_behavior(params)?,
        proration_date: params.integer("proration_date")?,
        payment_behavior: shared::payment_behavior(params)?,
        trial_end: shared::trial_end(params)?,
        resets_anchor: shared::anchor_now(params, is_older)?.unwrap_or(false),
        cancel_at_period_end: params.boolean("cancel_at_period_end")?,
        cancel_at: cancel_at(params)?,
        comment,
        feedback,
        pause_collection: pause_collection(params)?,
        collection_method: shared::collection_method(params)?,
        days_until_due: params.at_least("days_until_due", 0)?,
        default_payment_method: params.patch("default_payment_method")?,
        saves_default_method: shared::saves_default_method(params)?,
        missing_method: shared::missing_method(params)?,
        description: params.patch("description")?,
        metadata: params.metadata()?,
    };
    call.read_all()?;
    call.account.update_subscription(position, change, call.act)?;
    Ok(call.show(Object::Subscription(position)))
}

fn cancel(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_subscription(id)?;
    let params = &mut call.params;
    let (comment, feedback) = cancellation_details(params)?;
    let cancel = CancelNow {
        invoice_now: params.boolean("invoice_now")?.unwrap_or(false),
        prorates: params.boolean("prorate")?.unwrap_or(false),
        comment,
        feedback,
    };
    call.read_all()?;
    call.account.cancel_subscription(position, cancel, call.act)?;
    Ok(call.show(Object::Subscription(position)))
}

/// `bill_for` and `invoicing_behavior`.
pub(super) fn pause_of(params: &mut Params) -> Result<Pause, Refusal> {
    params.word("type", &["subscription"])?;
    let mut unused_from = UnusedFrom::default();
    if let Some(mut bill_for) = params.branch("bill_for")? {
        if let Some(mut unused) = bill_for.branch("unused_time_from")? {
            unused_from = match unused.word("type", &["item_current_period_start", "none", "now"])? {
                Some("item_current_period_start") => UnusedFrom::PeriodStart,
                Some("none") => UnusedFrom::Nothing,
                _ => UnusedFrom::Now,
            };
            unused.done()?;
        }
        bill_for.ignore(&["outstanding_usage_through"]);
        bill_for.done()?;
    }
    let behavior = params.word("invoicing_behavior", &["invoice", "pending_invoice_item"])?;
    Ok(Pause { unused_from, invoices: behavior == Some("invoice") })
}

fn pause(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_subscription(id)?;
    let pause = pause_of(&mut call.params)?;
    call.read_all()?;
    call.account.pause_subscription(position, pause, call.act)?;
    Ok(call.show(Object::Subscription(position)))
}

fn resume(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.account.live_subscription(id)?;
    let is_older = call.is_older();
    let params = &mut call.params;
    let words = ["resume_on_payment_attempt", "resume_on_payment_success"];
    let behavior = params.word("payment_behavior", &words)?;
    let resume = Resume {
        keeps_anchor: shared::anchor_now(params, is_older)? == Some(false),
        only_when_paid: behavior == Some("resume_on_payment_success"),
        proration_behavior: shared::proration_behavior(params)?,
        proration_date: params.integer("proration_date")?,
    };
    call.read_all()?;
    call.account.resume_subscription(position, resume, call.act)?;
    Ok(call.show(Object::Subscription(position)))
}

/// Which subscriptions a `status` shows.
fn shows(status: Option<&str>, row: Status) -> bool {
    match status {
        None => row != Status::Canceled,
        Some("all") => true,
        Some("ended") => row.is_over(),
        Some(status) => row.as_str() == status,
    }
}

/// Canceled ones are hidden unless they are asked for, and what lives on a clock unless that or its customer is.
///
/// Source: Stripe API reference, "List subscriptions", `status` and `test_clock`.
fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    params.ignore(&["automatic_tax", "plan"]);
    let created = Range::read(params, "created")?;
    let start = Range::read(params, "current_period_start")?;
    let end = Range::read(params, "current_period_end")?;
    let (customer, price) = (params.text("customer")?, params.text("price")?);
    let clock = params.text("test_clock")?;
    let method = params.word("collection_method", &["charge_automatically", "send_invoice"])?;
    let words = [
        "active",
        "all",
        "canceled",
        "ended",
        "incomplete",
        "incomplete_expired",
        "past_due",
        "paused",
        "trialing",
        "unpaid",
    ];
    let status = params.word("status", &words)?;
    call.read_all()?;
    let account = &call.account;
    let table = &account.subscriptions;
    let keeps = |position: usize| {
        let row = &table[position];
        let lives_on = || account.customers.get(&row.customer).and_then(|customer| customer.test_clock.as_ref());
        shows(status, row.status)
            && customer.as_ref().is_none_or(|customer| row.customer == *customer)
            && (customer.is_some() || lives_on() == clock.as_ref())
            && created.holds(row.created)
            && start.holds(row.period_start)
            && end.holds(row.period_end)
            && price.as_ref().is_none_or(|price| row.items.iter().any(|item| item.price == *price))
            && method.is_none_or(|method| row.collection_method.as_str() == method)
    };
    window.page("/v1/subscriptions", table, keeps, |position| call.show(Object::Subscription(position)))
}

//! `/v1/invoices/create_preview`, and `/v1/invoices/upcoming` of the older version, which is the same with flat names.
//!
//! Source: Stripe API reference, "Create a preview invoice"; Stripe changelog (basil), "Replaces Upcoming Invoice API
//! methods with the Create Preview Invoice API".

use serde_json::Value;

use super::list::Window;
use super::params::Params;
use super::subscriptions::{cancel_at, item_changes, pause_of};
use super::{Call, Reply, problem, schedules, subscription_params as shared};
use crate::stripe::account::changes::{Change, ItemChange};
use crate::stripe::account::creation::{NewItem, NewSubscription};
use crate::stripe::account::ending::CancelNow;
use crate::stripe::account::invoicing::NewInvoiceItem;
use crate::stripe::account::model::ProrationBehavior;
use crate::stripe::account::pauses::Resume;
use crate::stripe::account::preview::{Preview, Previewed};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn create(call: &mut Call<'_>) -> Reply {
    let previewed = previewed(call)?;
    Ok(render::invoice_of(&previewed.account, &previewed.account.invoices[previewed.invoice]))
}

/// The same invoice without an id, as it does not exist.
///
/// Source: the official Node client 15.12 (2024-04-10), `Invoices.d.ts`, `id`.
pub(super) fn upcoming(call: &mut Call<'_>) -> Reply {
    call.params.nest("subscription_", "subscription_details");
    let mut invoice = create(call)?;
    invoice["lines"]["url"] = "/v1/invoices/upcoming/lines".into();
    if let Some(members) = invoice.as_object_mut() {
        members.remove("id");
    }
    Ok(invoice)
}

pub(super) fn upcoming_lines(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    call.params.nest("subscription_", "subscription_details");
    let previewed = previewed(call)?;
    let row = &previewed.account.invoices[previewed.invoice];
    let lines: Vec<Value> = row.lines.iter().map(|line| render::line(&previewed.account, row, line)).collect();
    window.page_of("/v1/invoices/upcoming/lines", lines)
}

fn previewed(call: &mut Call<'_>) -> Result<Previewed, Refusal> {
    let params = &mut call.params;
    params.ignore(&["automatic_tax", "customer_details", "discounts", "issuer", "on_behalf_of", "customer_account"]);
    let mode = params.word("preview_mode", &["next", "recurring"])?;
    let currency = params.text("currency")?.map(|currency| currency.to_lowercase());
    let (customer, subscription) = (params.text("customer")?, params.text("subscription")?);
    let schedule = params.text("schedule")?;
    let details = params.branch("subscription_details")?;
    let of_schedule = params.branch("schedule_details")?;
    let entries = params.branches("invoice_items")?.unwrap_or_default();

    let customer = customer.map(|id| call.customer_named(&id)).transpose()?;
    let subscription = match subscription {
        None => None,
        Some(id) => {
            let position = call.account.live_subscription(&id);
            Some(position.map_err(|_| Refusal::missing_reference("subscription", &id, "subscription"))?)
        }
    };
    let mut preview = Preview { customer, subscription, ..Preview::default() };
    preview.is_recurring = mode == Some("recurring");
    preview.invoice_items = invoice_items(call, entries, currency.as_deref())?;
    if let Some(id) = schedule {
        let position =
            call.schedule(&id).map_err(|_| Refusal::missing_reference("subscription_schedule", &id, "schedule"))?;
        let now = call.secs_of_schedule(position);
        let change = match of_schedule {
            None => None,
            Some(details) => Some(schedules::change(call, details, now)?),
        };
        preview.schedule = Some((position, change));
    }
    if let Some(details) = details {
        read_details(call, details, currency, &mut preview)?;
    }
    call.read_all()?;
    let is_about_something = preview.subscription.is_some()
        || preview.new.is_some()
        || preview.schedule.is_some()
        || !preview.invoice_items.is_empty()
        || (preview.customer.is_some() && call.is_older());
    if !is_about_something {
        let message = "You must pass one of subscription, subscription_details[items], schedule, \
                       schedule_details[phases] or invoice_items.";
        return Err(Refusal::invalid(message));
    }
    call.account.preview(preview, call.act)
}

/// `subscription_details`: what happens to a subscription, or what a new one would be.
fn read_details(
    call: &mut Call<'_>,
    mut details: Params,
    currency: Option<String>,
    preview: &mut Preview,
) -> Result<(), Refusal> {
    let entries = details.branches("items")?.unwrap_or_default();
    let items = item_changes(call, entries)?;
    let is_older = call.is_older();
    let behavior = shared::proration_behavior(&mut details)?;
    let date = details.integer("proration_date")?;
    let (resets_anchor, anchor) = anchor(&mut details, is_older)?;
    let trial_end = shared::trial_end(&mut details)?;
    let cancels = details.boolean("cancel_now")?.unwrap_or(false);
    let (at_end, at) = (details.boolean("cancel_at_period_end")?, cancel_at(&mut details)?);
    if let Some(mut pause) = details.branch("pause")? {
        preview.pause = Some(pause_of(&mut pause)?);
        pause.done()?;
    }
    let resumes = details.word("resume_at", &["now"])?.is_some();
    let mode = shared::billing_mode(&mut details, is_older)?;
    details.ignore(&["billing_schedules", "default_tax_rates", "metadata", "start_date", "trial_from_plan"]);
    details.done()?;
    if preview.subscription.is_none() && preview.schedule.is_none() {
        if items.is_empty() {
            return Err(problem::missing("subscription_details[items]"));
        }
        let items = items.into_iter().map(as_new).collect::<Result<Vec<_>, _>>()?;
        preview.new = Some(NewSubscription {
            currency,
            billing_mode: mode,
            trial_end,
            billing_cycle_anchor: anchor,
            proration_behavior: behavior.unwrap_or(ProrationBehavior::CreateProrations),
            cancel_at_period_end: at_end.unwrap_or(false),
            cancel_at: at.flatten(),
            ..NewSubscription::of(preview.customer.unwrap_or_default(), items)
        });
        return Ok(());
    }
    if cancels {
        let prorates = behavior != Some(ProrationBehavior::None);
        preview.cancel = Some(CancelNow { invoice_now: true, prorates, ..CancelNow::default() });
    }
    if resumes {
        let proration_date = date;
        preview.resume = Some(Resume { proration_behavior: behavior, proration_date, ..Resume::default() });
        return Ok(());
    }
    preview.change = Some(Change {
        items,
        proration_behavior: behavior,
        proration_date: date,
        trial_end,
        resets_anchor,
        cancel_at_period_end: at_end,
        cancel_at: at,
        ..Change::default()
    });
    Ok(())
}

/// Whether the anchor moves to now, and the instant that it has.
fn anchor(details: &mut Params, is_older: bool) -> Result<(bool, Option<i64>), Refusal> {
    if is_older {
        return Ok(match details.text("billing_cycle_anchor")?.as_deref() {
            None | Some("unchanged") => (false, None),
            Some("now") => (true, None),
            Some(text) => {
                let at = text.parse();
                (false, Some(at.map_err(|_| problem::integer(&details.name_of("billing_cycle_anchor"), text))?))
            }
        });
    }
    let Some(mut anchor) = details.branch("billing_cycle_anchor")? else { return Ok((false, None)) };
    let kind = anchor.word("type", &["now", "timestamp", "unchanged"])?;
    let at = anchor.integer("timestamp")?;
    anchor.done()?;
    Ok((kind == Some("now"), at))
}

fn as_new(item: ItemChange) -> Result<NewItem, Refusal> {
    let price = item.price.ok_or_else(|| problem::missing("subscription_details[items][0][price]"))?;
    Ok(NewItem { price, quantity: item.quantity, metadata: item.metadata.flatten().unwrap_or_default() })
}

fn invoice_items(
    call: &mut Call<'_>,
    entries: Vec<Params>,
    currency: Option<&str>,
) -> Result<Vec<NewInvoiceItem>, Refusal> {
    let mut items = Vec::with_capacity(entries.len());
    for mut params in entries {
        let price = shared::entry_price(call, &mut params)?;
        let item = NewInvoiceItem {
            price,
            amount: params.integer("amount")?,
            currency: params.text("currency")?.or(currency.map(str::to_owned)),
            quantity: params.at_least("quantity", 0)?,
            description: params.text("description")?,
            metadata: params.new_metadata()?,
            ..NewInvoiceItem::default()
        };
        params.ignore(&["discountable", "discounts", "period", "tax_behavior", "tax_code", "tax_rates", "invoiceitem"]);
        params.done()?;
        items.push(item);
    }
    Ok(items)
}

//! `/v1/checkout/sessions`. Source: Stripe API reference, "Checkout sessions".

use serde_json::Value;

use super::customers::{exclusive, parsed};
use super::list::{Range, Window};
use super::params::Params;
use super::subscription_params as shared;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::checkout::NewSession;
use crate::stripe::account::model::{CheckoutMode, SessionStatus, SubscriptionData};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create(call),
        ("GET", []) => list(call),
        ("GET", [id]) => call.session(id).and_then(|position| {
            call.read_all()?;
            Ok(call.show(Object::CheckoutSession(position)))
        }),
        ("POST", [id]) => update(call, id),
        ("POST", [id, "expire"]) => expire(call, id),
        ("GET", [id, "line_items"]) => line_items(call, id),
        _ => return None,
    })
}

impl Call<'_> {
    fn session(&self, id: &str) -> Result<usize, Refusal> {
        self.account.checkout_sessions.position(id).ok_or_else(|| Refusal::no_such("checkout.session", id))
    }
}

/// Understood, and without an effect here.
const IGNORED: [&str; 24] = [
    "adaptive_pricing",
    "after_expiration",
    "allowed_payment_method_types",
    "branding_settings",
    "consent_collection",
    "custom_fields",
    "custom_text",
    "customer_account",
    "discounts",
    "excluded_payment_method_types",
    "integration_identifier",
    "managed_payments",
    "name_collection",
    "optional_items",
    "origin_context",
    "payment_method_configuration",
    "payment_method_options",
    "permissions",
    "phone_number_collection",
    "redirect_on_completion",
    "saved_payment_method_options",
    "shipping_address_collection",
    "submit_type",
    "wallet_options",
];

/// The words of `ui_mode` in each version, and what they are called now.
///
/// Source: Stripe changelog (dahlia), "Updates Checkout Session UI mode enum values": the old words are refused.
fn ui_mode(params: &mut Params, is_older: bool) -> Result<Option<String>, Refusal> {
    if !is_older {
        let word = params.word("ui_mode", &["hosted_page", "embedded_page", "elements", "form"])?;
        return Ok(word.map(str::to_owned));
    }
    let word = params.word("ui_mode", &["hosted", "embedded", "custom"])?;
    Ok(word.map(|word| match word {
        "embedded" => "embedded_page".to_owned(),
        "custom" => "elements".to_owned(),
        _ => "hosted_page".to_owned(),
    }))
}

/// A switch inside an object: `automatic_tax[enabled]`.
fn enabled(params: &mut Params, name: &str) -> Result<bool, Refusal> {
    let Some(mut object) = params.branch(name)? else { return Ok(false) };
    let enabled = object.boolean("enabled")?;
    object.ignore(&["liability", "required", "invoice_data"]);
    object.done()?;
    Ok(enabled.unwrap_or(false))
}

fn subscription_data(params: &mut Params, is_older: bool) -> Result<Option<SubscriptionData>, Refusal> {
    let Some(mut data) = params.branch("subscription_data")? else { return Ok(None) };
    let behavior = data.word("proration_behavior", &["create_prorations", "none"])?;
    let subscription_data = SubscriptionData {
        metadata: data.new_metadata()?,
        description: data.text("description")?,
        trial_end: data.integer("trial_end")?,
        trial_period_days: data.at_least("trial_period_days", 1)?,
        missing_method: shared::missing_method(&mut data)?,
        billing_mode: Some(shared::billing_mode(&mut data, is_older)?),
        billing_cycle_anchor: data.integer("billing_cycle_anchor")?,
        prorates: behavior != Some("none"),
    };
    data.ignore(&["application_fee_percent", "default_tax_rates", "invoice_settings", "on_behalf_of", "transfer_data"]);
    data.done()?;
    Ok(Some(subscription_data))
}

fn create(call: &mut Call<'_>) -> Reply {
    call.check_method_types()?;
    exclusive(&call.params, "allow_promotion_codes", "discounts")?;
    exclusive(&call.params, "customer", "customer_email")?;
    let words = ["payment", "setup", "subscription"];
    let mode = call.params.required("mode")?;
    let mode = CheckoutMode::parse(&mode).ok_or_else(|| problem::not_among("mode", &words))?;
    let customer = call.params.text("customer")?.map(|id| call.customer_named(&id)).transpose()?;
    let entries = call.params.branches("line_items")?.unwrap_or_default();
    let lines = shared::new_items(call, entries)?;
    let is_older = call.is_older();
    let params = &mut call.params;
    params.ignore(&IGNORED);
    let mut new = NewSession { customer, lines, ..NewSession::of(mode) };
    new.ui_mode = ui_mode(params, is_older)?;
    new.customer_email = params.text("customer_email")?;
    new.creates_customer = params.word("customer_creation", &["always", "if_required"])? == Some("always");
    if let Some(mut update) = params.branch("customer_update")? {
        let mut is_auto = |name: &str| Ok::<_, Refusal>(update.word(name, &["auto", "never"])? == Some("auto"));
        (new.updates_address, new.updates_name) = (is_auto("address")?, is_auto("name")?);
        is_auto("shipping")?;
        update.done()?;
    }
    new.client_reference_id = params.text("client_reference_id")?;
    new.currency = params.text("currency")?.map(|currency| currency.to_lowercase());
    new.success_url = params.text("success_url")?;
    new.cancel_url = params.text("cancel_url")?;
    new.return_url = params.text("return_url")?;
    let collection = params.word("payment_method_collection", &["always", "if_required"])?;
    new.needs_method_only_if_required = collection == Some("if_required");
    new.allow_promotion_codes = params.boolean("allow_promotion_codes")?;
    new.automatic_tax = enabled(params, "automatic_tax")?;
    new.tax_id_collection = enabled(params, "tax_id_collection")?;
    let address = params.word("billing_address_collection", &["auto", "required"])?;
    new.billing_address_collection = address.map(str::to_owned);
    new.locale = params.text("locale")?;
    // In the older version a subscription is classic unless that is said.
    new.subscription_data = match subscription_data(params, is_older)? {
        Some(data) => data,
        None => SubscriptionData {
            billing_mode: Some(shared::billing_mode(&mut Params::default(), is_older)?),
            prorates: true,
            ..SubscriptionData::default()
        },
    };
    if let Some(mut data) = params.branch("payment_intent_data")? {
        new.payment_metadata = data.new_metadata()?;
        new.payment_description = data.text("description")?;
        new.saves_method = data.word("setup_future_usage", &["off_session", "on_session"])?.is_some();
        data.ignore(&["capture_method", "receipt_email", "shipping", "statement_descriptor"]);
        data.done()?;
    }
    if let Some(mut data) = params.branch("setup_intent_data")? {
        new.setup_metadata = data.new_metadata()?;
        data.ignore(&["description", "on_behalf_of"]);
        data.done()?;
    }
    new.creates_invoice = enabled(params, "invoice_creation")?;
    new.metadata = params.new_metadata()?;
    new.expires_at = params.integer("expires_at")?;
    call.read_all()?;
    let position = call.account.create_session(new, call.act)?;
    Ok(call.show(Object::CheckoutSession(position)))
}

fn update(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.session(id)?;
    let metadata = call.params.metadata()?;
    call.params.ignore(&["collected_information", "shipping_options"]);
    call.read_all()?;
    call.account.update_session_metadata(position, metadata);
    Ok(call.show(Object::CheckoutSession(position)))
}

fn expire(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.session(id)?;
    call.read_all()?;
    call.account.expire_session(position, call.act)?;
    Ok(call.show(Object::CheckoutSession(position)))
}

fn line_items(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.session(id)?;
    let window = Window::read(&mut call.params)?;
    call.read_all()?;
    let row = &call.account.checkout_sessions[position];
    let lines: Vec<Value> = row.lines.iter().map(|line| render::session_line(call.account, row, line)).collect();
    window.page_of(&format!("/v1/checkout/sessions/{id}/line_items"), lines)
}

fn list(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let params = &mut call.params;
    let created = Range::read(params, "created")?;
    let (customer, subscription) = (params.text("customer")?, params.text("subscription")?);
    let intent = params.text("payment_intent")?;
    let status = parsed(params, "status", &["open", "complete", "expired"], SessionStatus::parse)?;
    call.read_all()?;
    let table = &call.account.checkout_sessions;
    let keeps = |position: usize| {
        let row = &table[position];
        created.holds(row.created)
            && (customer.is_none() || row.customer == customer)
            && (subscription.is_none() || row.subscription == subscription)
            && (intent.is_none() || row.payment_intent == intent)
            && status.is_none_or(|status| row.status == status)
    };
    window.page("/v1/checkout/sessions", table, keeps, |position| call.show(Object::CheckoutSession(position)))
}

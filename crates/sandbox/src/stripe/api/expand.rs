//! Expansion: an id becomes the object that it names, and what is only shown on demand is shown.
//!
//! It happens after rendering, in the version of the request, so that `latest_invoice.payment_intent` works in the
//! older version and `latest_invoice.payments` in the current one.
//!
//! Source: Stripe API reference, "Expanding responses": four levels at most, `data.` in front in lists.

use serde_json::Value;

use super::problem;
use crate::stripe::account::refusal::Refusal;
use crate::stripe::account::{Account, Object};
use crate::stripe::render;
use crate::stripe::version::{Version, as_of};

/// The deepest expansion.
const DEEPEST: usize = 4;

/// The members that hold an id and can be expanded, by the `object` that they are in.
const REFERENCES: [(&str, &[&str]); 22] = [
    ("billing_portal.session", &["configuration"]),
    ("charge", &["customer", "payment_intent", "invoice", "payment_method"]),
    ("checkout.session", &["customer", "invoice", "payment_intent", "setup_intent", "subscription"]),
    ("credited_items", &["invoice"]),
    ("customer", &["test_clock"]),
    ("invoice", &["charge", "customer", "default_payment_method", "payment_intent", "subscription", "test_clock"]),
    ("invoice_payment", &["invoice"]),
    ("invoice_settings", &["default_payment_method"]),
    ("invoiceitem", &["customer", "invoice", "subscription", "test_clock"]),
    ("line_item", &["subscription", "invoice_item"]),
    ("payment", &["payment_intent", "charge"]),
    ("payment_intent", &["customer", "invoice", "latest_charge", "payment_method"]),
    ("payment_method", &["customer"]),
    ("phases.items", &["price", "plan"]),
    ("plan", &["product"]),
    ("price", &["product"]),
    ("price_details", &["price", "product"]),
    ("product", &["default_price"]),
    ("setup_intent", &["customer", "payment_method"]),
    (
        "subscription",
        &["customer", "default_payment_method", "latest_invoice", "pending_setup_intent", "schedule", "test_clock"],
    ),
    ("subscription_details", &["subscription"]),
    ("subscription_schedule", &["customer", "released_subscription", "subscription", "test_clock"]),
];

/// Members that are only shown where they are asked for.
const ON_DEMAND: [(&str, &[&str]); 4] = [
    ("checkout.session", &["line_items"]),
    ("customer", &["subscriptions"]),
    ("invoice", &["payments", "confirmation_secret"]),
    ("price", &["tiers", "currency_options"]),
];

/// What names and finds objects.
#[derive(Clone, Copy)]
pub(super) struct Expansion<'a> {
    pub(super) account: &'a Account,
    pub(super) version: Version,
}

impl Expansion<'_> {
    /// Expands every path in a rendered answer.
    pub(super) fn all(self, value: &mut Value, paths: &[String]) -> Result<(), Refusal> {
        for path in paths {
            let segments: Vec<&str> = path.split('.').collect();
            let depth = segments.iter().filter(|segment| **segment != "data").count();
            if depth > DEEPEST || segments.iter().any(|segment| segment.is_empty()) {
                return Err(problem::not_expandable(path));
            }
            if !self.walk(value, "", &segments) {
                return Err(problem::not_expandable(path));
            }
        }
        Ok(())
    }

    /// Follows a path; whether it leads somewhere. `within` names the member that holds `value`.
    fn walk(self, value: &mut Value, within: &str, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else { return true };
        if let Some(entries) = value.as_array_mut() {
            // What an empty list would hold is not known; it is no mistake to ask for it.
            return entries.iter_mut().all(|entry| self.walk(entry, within, path));
        }
        let kind = value["object"].as_str().unwrap_or(within).to_owned();
        let Some(members) = value.as_object() else { return value.is_null() };
        let is_reference = knows(&REFERENCES, &kind, name);
        if let Some(id) = members.get(*name).and_then(Value::as_str).filter(|_| is_reference) {
            let Some(object) = self.find(id) else { return rest.is_empty() };
            value[*name] = object;
        } else if self.is_on_demand(&kind, name) && members.get(*name).is_none_or(Value::is_null) {
            let id = members.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some(shown) = self.on_demand(&id, name) else { return false };
            value[*name] = shown;
        } else if rest.is_empty() {
            // An object that is there already, or a reference that is empty.
            let is_there = members.get(*name).is_some_and(|value| value.is_object() || value.is_array());
            return is_reference || is_there;
        }
        if rest.is_empty() {
            return true;
        }
        let within = if kind == "phases" && *name == "items" { "phases.items" } else { *name };
        match value.get_mut(*name) {
            Some(Value::Null) => true,
            Some(next) => self.walk(next, within, rest),
            // A member of a reference that is not there in this object: `parent.quote_details`.
            None => is_reference,
        }
    }

    fn is_on_demand(self, kind: &str, name: &str) -> bool {
        knows(&ON_DEMAND, kind, name) && (kind != "invoice" || self.version == Version::Endive)
    }

    fn on_demand(self, id: &str, name: &str) -> Option<Value> {
        let account = self.account;
        let shown = if let Some(row) = account.prices.get(id) {
            render::price_with(row, name)
        } else if let Some(row) = account.invoices.get(id) {
            render::invoice_with(account, row, name)
        } else if let Some(row) = account.checkout_sessions.get(id) {
            render::session_with(account, row, name)
        } else {
            account.customers.get(id).map(|_| render::subscriptions_of(account, id))
        };
        shown.map(|shown| as_of(shown, self.version))
    }

    /// The object of an id, by its table.
    fn find(self, id: &str) -> Option<Value> {
        let account = self.account;
        if let Some(intent) = id.strip_prefix("ch_") {
            let row = account.payment_intents.get(&format!("pi_{intent}"))?;
            return render::charge(account, row).map(|charge| as_of(charge, self.version));
        }
        let object = named(account, id)?;
        Some(as_of(render::object(account, object), self.version))
    }
}

fn knows(table: &[(&str, &[&str])], kind: &str, name: &str) -> bool {
    table.iter().any(|(known, names)| *known == kind && names.contains(&name))
}

/// The object of an id, in whichever table it is.
fn named(account: &Account, id: &str) -> Option<Object> {
    None.or_else(|| account.customers.position(id).map(Object::Customer))
        .or_else(|| account.subscriptions.position(id).map(Object::Subscription))
        .or_else(|| account.invoices.position(id).map(Object::Invoice))
        .or_else(|| account.payment_intents.position(id).map(Object::PaymentIntent))
        .or_else(|| account.payment_methods.position(id).map(Object::PaymentMethod))
        .or_else(|| account.prices.position(id).map(Object::Price))
        .or_else(|| account.products.position(id).map(Object::Product))
        .or_else(|| account.schedules.position(id).map(Object::Schedule))
        .or_else(|| account.setup_intents.position(id).map(Object::SetupIntent))
        .or_else(|| account.invoice_items.position(id).map(Object::InvoiceItem))
        .or_else(|| account.portal_configurations.position(id).map(Object::PortalConfiguration))
        .or_else(|| account.test_clocks.position(id).map(Object::TestClock))
}

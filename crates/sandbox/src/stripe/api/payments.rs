//! `/v1/payment_intents`, `/v1/setup_intents` and the charge of a payment.
//!
//! Source: Stripe API reference, "Payment intents", "Setup intents".

use super::list::{Range, Window};
use super::params::Params;
use super::{Call, Reply, problem};
use crate::stripe::account::Object;
use crate::stripe::account::intents::{NewPaymentIntent, NewSetupIntent};
use crate::stripe::account::model::{merge, set};
use crate::stripe::account::refusal::Refusal;
use crate::stripe::render;

pub(super) fn intents(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create_intent(call),
        ("GET", []) => list_intents(call),
        ("GET", [id]) => call.intent(id).and_then(|position| {
            call.params.ignore(&["client_secret"]);
            call.read_all()?;
            Ok(call.show(Object::PaymentIntent(position)))
        }),
        ("POST", [id]) => update_intent(call, id),
        ("POST", [id, "confirm"]) => confirm_intent(call, id),
        ("POST", [id, "cancel"]) => cancel_intent(call, id),
        _ => return None,
    })
}

pub(super) fn setup_intents(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Reply> {
    Some(match (method, path) {
        ("POST", []) => create_setup(call),
        ("GET", []) => list_setups(call),
        ("GET", [id]) => call.setup_intent(id).and_then(|position| {
            call.params.ignore(&["client_secret"]);
            call.read_all()?;
            Ok(call.show(Object::SetupIntent(position)))
        }),
        ("POST", [id, "confirm"]) => confirm_setup(call, id),
        ("POST", [id, "cancel"]) => cancel_setup(call, id),
        _ => return None,
    })
}

/// Understood, and without an effect here.
const IGNORED: [&str; 16] = [
    "allowed_payment_method_types",
    "amount_details",
    "automatic_payment_methods",
    "confirmation_method",
    "error_on_requires_action",
    "excluded_payment_method_types",
    "mandate",
    "mandate_data",
    "payment_details",
    "payment_method_options",
    "receipt_email",
    "return_url",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "use_stripe_sdk",
];

impl Call<'_> {
    fn intent(&self, id: &str) -> Result<usize, Refusal> {
        self.account.payment_intents.position(id).ok_or_else(|| Refusal::no_such("payment_intent", id))
    }

    fn setup_intent(&self, id: &str) -> Result<usize, Refusal> {
        self.account.setup_intents.position(id).ok_or_else(|| Refusal::no_such("setupintent", id))
    }

    /// The customer that a parameter may name.
    fn optional_customer(&mut self) -> Result<Option<usize>, Refusal> {
        let id = self.params.text("customer")?;
        id.map(|id| self.customer_named(&id)).transpose()
    }

    /// The method of payment that a parameter may name, also a token.
    fn optional_method(&mut self, id: Option<String>) -> Result<Option<usize>, Refusal> {
        id.map(|id| self.account.method_by_id(&id, "payment_method", self.act)).transpose()
    }

    /// `payment_method_types` cannot be given any more; in the older version it has no effect.
    ///
    /// Source: Stripe changelog (endive), "Removes the payment method types parameter from Checkout Sessions", and the
    /// same for Payment Intents and Setup Intents.
    pub(super) fn check_method_types(&mut self) -> Result<(), Refusal> {
        if self.params.has("payment_method_types") && !self.is_older() {
            let message = "The payment_method_types parameter is no longer supported. Use \
                           allowed_payment_method_types instead.";
            return Err(
                Refusal::coded("payment_method_types_no_longer_supported", message).about("payment_method_types")
            );
        }
        self.params.ignore(&["payment_method_types"]);
        Ok(())
    }
}

fn create_intent(call: &mut Call<'_>) -> Reply {
    call.check_method_types()?;
    let customer = call.optional_customer()?;
    let params = &mut call.params;
    params.ignore(&IGNORED);
    let amount = params.integer("amount")?.ok_or_else(|| problem::missing("amount"))?;
    let currency = params.required("currency")?.to_lowercase();
    if params.word("capture_method", &["automatic", "automatic_async", "manual"])? == Some("manual") {
        return Err(problem::invalid("capture_method", "This sandbox captures payments at once."));
    }
    let (confirms, off_session) = (params.boolean("confirm")?, params.boolean("off_session")?);
    let saves = params.word("setup_future_usage", &["off_session", "on_session"])?;
    let (description, metadata) = (params.text("description")?, params.new_metadata()?);
    let method = params.text("payment_method")?;
    call.read_all()?;
    let new = NewPaymentIntent {
        amount,
        currency,
        customer,
        payment_method: call.optional_method(method)?,
        confirms: confirms.unwrap_or(false),
        off_session: off_session.unwrap_or(false),
        saves_method: saves.is_some(),
        description,
        metadata,
    };
    let position = call.account.create_payment_intent(new, call.act)?;
    Ok(call.show(Object::PaymentIntent(position)))
}

/// Only what says something: an amount is set when the intent is made.
fn update_intent(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.intent(id)?;
    let params = &mut call.params;
    params.ignore(&IGNORED);
    let (description, metadata) = (params.patch("description")?, params.metadata()?);
    let method = params.text("payment_method")?;
    call.read_all()?;
    if let Some(method) = call.optional_method(method)? {
        let method = call.account.payment_methods[method].id.clone();
        call.account.payment_intents[position].payment_method = Some(method);
    }
    let row = &mut call.account.payment_intents[position];
    set(&mut row.description, description);
    merge(&mut row.metadata, metadata);
    Ok(call.show(Object::PaymentIntent(position)))
}

/// Reads what confirms an intent: the method, and what has no effect here.
fn confirmation(params: &mut Params) -> Result<Option<String>, Refusal> {
    params.ignore(&IGNORED);
    params.ignore(&["off_session", "setup_future_usage", "capture_method", "client_secret"]);
    params.text("payment_method")
}

fn confirm_intent(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.intent(id)?;
    let method = confirmation(&mut call.params)?;
    call.read_all()?;
    let method = call.optional_method(method)?;
    call.account.confirm_payment_intent(position, method, None, call.act)?;
    Ok(call.show(Object::PaymentIntent(position)))
}

fn cancel_intent(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.intent(id)?;
    let reason = call.params.text("cancellation_reason")?;
    call.read_all()?;
    call.account.cancel_payment_intent(position, reason, call.act)?;
    Ok(call.show(Object::PaymentIntent(position)))
}

fn list_intents(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let created = Range::read(&mut call.params, "created")?;
    let customer = call.params.text("customer")?;
    call.read_all()?;
    let table = &call.account.payment_intents;
    let keeps = |position: usize| {
        let row = &table[position];
        created.holds(row.created) && (customer.is_none() || row.customer == customer)
    };
    window.page("/v1/payment_intents", table, keeps, |position| call.show(Object::PaymentIntent(position)))
}

fn create_setup(call: &mut Call<'_>) -> Reply {
    call.check_method_types()?;
    let customer = call.optional_customer()?;
    let params = &mut call.params;
    params.ignore(&IGNORED);
    params.ignore(&["usage", "attach_to_self", "single_use", "flow_directions"]);
    let confirms = params.boolean("confirm")?.unwrap_or(false);
    let (description, metadata) = (params.text("description")?, params.new_metadata()?);
    let method = params.text("payment_method")?;
    call.read_all()?;
    let payment_method = call.optional_method(method)?;
    let new = NewSetupIntent { customer, payment_method, confirms, description, metadata };
    let position = call.account.create_setup_intent(new, call.act)?;
    Ok(call.show(Object::SetupIntent(position)))
}

fn confirm_setup(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.setup_intent(id)?;
    let method = confirmation(&mut call.params)?;
    call.read_all()?;
    let method = call.optional_method(method)?;
    call.account.confirm_setup_intent(position, method, None, call.act)?;
    Ok(call.show(Object::SetupIntent(position)))
}

fn cancel_setup(call: &mut Call<'_>, id: &str) -> Reply {
    let position = call.setup_intent(id)?;
    let reason = call.params.text("cancellation_reason")?;
    call.read_all()?;
    call.account.cancel_setup_intent(position, reason, call.act)?;
    Ok(call.show(Object::SetupIntent(position)))
}

fn list_setups(call: &mut Call<'_>) -> Reply {
    let window = Window::read(&mut call.params)?;
    let created = Range::read(&mut call.params, "created")?;
    let (customer, method) = (call.params.text("customer")?, call.params.text("payment_method")?);
    call.read_all()?;
    let table = &call.account.setup_intents;
    let keeps = |position: usize| {
        let row = &table[position];
        created.holds(row.created)
            && (customer.is_none() || row.customer == customer)
            && (method.is_none() || row.payment_method == method)
    };
    window.page("/v1/setup_intents", table, keeps, |position| call.show(Object::SetupIntent(position)))
}

pub(super) fn charge(call: &mut Call<'_>, id: &str) -> Reply {
    call.read_all()?;
    let intent = id.strip_prefix("ch_").and_then(|rest| call.account.payment_intents.get(&format!("pi_{rest}")));
    let charge = intent.and_then(|row| render::charge(call.account, row));
    charge.ok_or_else(|| Refusal::no_such("charge", id))
}

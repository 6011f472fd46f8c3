//! Payment intents, setup intents, and the charge of a payment.

use serde_json::{Map, Value, json};

use super::{address, customer};
use crate::stripe::account::Account;
use crate::stripe::account::model::{IntentStatus, PaymentError, PaymentIntent, SetupIntent};

pub(super) fn intent(account: &Account, row: &PaymentIntent) -> Value {
    let kind = method_kind(account, row.payment_method.as_deref());
    json!({
        "id": row.id,
        "object": "payment_intent",
        "_invoice": row.invoice,
        "allowed_payment_method_types": null,
        "amount": row.amount,
        "amount_capturable": 0,
        "amount_details": { "tip": {} },
        "amount_received": row.amount_received,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": row.canceled_at,
        "cancellation_reason": row.cancellation_reason,
        "capture_method": "automatic",
        "client_secret": row.client_secret,
        "confirmation_method": "automatic",
        "created": row.created,
        "currency": row.currency,
        "customer": row.customer,
        "customer_account": null,
        "description": row.description,
        "excluded_payment_method_types": null,
        "last_payment_error": row.last_payment_error.as_ref().map(|error| payment_error(account, error)),
        "latest_charge": charge_id(row),
        "livemode": false,
        "managed_payments": null,
        "metadata": row.metadata,
        "next_action": next_action(row.status),
        "on_behalf_of": null,
        "payment_method": row.payment_method,
        "payment_method_configuration_details": null,
        "payment_method_options": {},
        "payment_method_types": [kind],
        "payment_record": null,
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": row.saves_method.then_some("off_session"),
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": row.status.as_str(),
        "transfer_data": null,
        "transfer_group": null,
    })
}

pub(super) fn setup_intent(account: &Account, row: &SetupIntent) -> Value {
    json!({
        "id": row.id,
        "object": "setup_intent",
        "allowed_payment_method_types": null,
        "application": null,
        "automatic_payment_methods": null,
        "cancellation_reason": row.cancellation_reason,
        "client_secret": row.client_secret,
        "created": row.created,
        "customer": row.customer,
        "customer_account": null,
        "description": row.description,
        "excluded_payment_method_types": null,
        "flow_directions": null,
        "last_setup_error": row.last_setup_error.as_ref().map(|error| payment_error(account, error)),
        "latest_attempt": null,
        "livemode": false,
        "managed_payments": null,
        "mandate": null,
        "metadata": row.metadata,
        "next_action": next_action(row.status),
        "on_behalf_of": null,
        "payment_method": row.payment_method,
        "payment_method_configuration_details": null,
        "payment_method_options": {},
        "payment_method_types": [method_kind(account, row.payment_method.as_deref())],
        "single_use_mandate": null,
        "status": row.status.as_str(),
        "usage": "off_session",
    })
}

fn method_kind(account: &Account, id: Option<&str>) -> &'static str {
    let method = id.and_then(|id| account.payment_methods.get(id));
    method.map_or("card", |method| method.instrument.kind())
}

/// What the client does next: the official libraries ask the customer.
fn next_action(status: IntentStatus) -> Value {
    match status {
        IntentStatus::RequiresAction => {
            json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect" } })
        }
        _ => Value::Null,
    }
}

fn payment_error(account: &Account, row: &PaymentError) -> Value {
    let mut error = Map::new();
    error.insert("type".into(), "card_error".into());
    error.insert("code".into(), row.code.into());
    error.insert("message".into(), row.message.into());
    let page = row.code.replace('_', "-");
    error.insert("doc_url".into(), format!("https://stripe.com/docs/error-codes/{page}").into());
    if let Some(decline_code) = row.decline_code {
        error.insert("decline_code".into(), decline_code.into());
    }
    if let Some(method) = row.payment_method.as_ref().and_then(|id| account.payment_methods.get(id)) {
        error.insert("payment_method".into(), customer::payment_method(method));
    }
    error.into()
}

/// The charge of a payment that was tried, named after its intent: charges have no records of their own here.
pub(crate) fn charge_id(row: &PaymentIntent) -> Option<String> {
    let was_tried = row.status == IntentStatus::Succeeded || row.last_payment_error.is_some();
    was_tried.then(|| format!("ch_{}", row.id.trim_start_matches("pi_")))
}

/// The charge of a payment intent, where there was one.
pub(crate) fn charge(account: &Account, row: &PaymentIntent) -> Option<Value> {
    let id = charge_id(row)?;
    let succeeded = row.status == IntentStatus::Succeeded;
    let error = row.last_payment_error.as_ref().filter(|_| !succeeded);
    let outcome = json!({
        "advice_code": null,
        "network_advice_code": null,
        "network_decline_code": null,
        "network_status": if succeeded { "approved_by_network" } else { "declined_by_network" },
        "reason": error.and_then(|error| error.decline_code),
        "seller_message": error.map_or("Payment complete.", |error| error.message),
        "type": if succeeded { "authorized" } else { "issuer_declined" },
    });
    let kind = method_kind(account, row.payment_method.as_deref());
    Some(json!({
        "id": id,
        "object": "charge",
        "_invoice": row.invoice,
        "amount": row.amount,
        "amount_captured": row.amount_received,
        "amount_refunded": 0,
        "application": null,
        "application_fee": null,
        "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": {
            "address": address(&Value::Null), "email": null, "name": null, "phone": null, "tax_id": null,
        },
        "calculated_statement_descriptor": null,
        "captured": succeeded,
        "created": row.created,
        "currency": row.currency,
        "customer": row.customer,
        "description": row.description,
        "disputed": false,
        "failure_balance_transaction": null,
        "failure_code": error.map(|error| error.code),
        "failure_message": error.map(|error| error.message),
        "fraud_details": {},
        "livemode": false,
        "metadata": row.metadata,
        "on_behalf_of": null,
        "outcome": outcome,
        "paid": succeeded,
        "payment_intent": row.id,
        "payment_method": row.payment_method,
        "payment_method_details": { "type": kind },
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": null,
        "refunded": false,
        "review": null,
        "shipping": null,
        "source": null,
        "source_transfer": null,
        "statement_descriptor": null,
        "statement_descriptor_suffix": null,
        "status": if succeeded { "succeeded" } else { "failed" },
        "transfer_data": null,
        "transfer_group": null,
    }))
}

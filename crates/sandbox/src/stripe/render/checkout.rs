//! Checkout sessions and their lines.

use serde_json::{Value, json};

use super::{address, catalog, included};
use crate::stripe::account::Account;
use crate::stripe::account::model::{CheckoutMode, CheckoutSession, SessionLine, SessionStatus};

pub(super) fn session(account: &Account, position: usize) -> Value {
    let row = &account.checkout_sessions[position];
    let has_page = row.status == SessionStatus::Open && row.ui_mode == "hosted_page";
    let url = has_page.then(|| format!("{}/c/pay/{}", account.base_url, row.id));
    let is_subscription = row.mode == CheckoutMode::Subscription;
    let is_payment = row.mode == CheckoutMode::Payment;
    let totals = row.amount_total.map(|_| json!({ "amount_discount": 0, "amount_shipping": 0, "amount_tax": 0 }));
    let mut object = json!({
        "id": row.id,
        "object": "checkout.session",
        "adaptive_pricing": null,
        "after_expiration": null,
        "allow_promotion_codes": row.allow_promotion_codes,
        "allowed_payment_method_types": null,
        "amount_subtotal": row.amount_total,
        "amount_total": row.amount_total,
        "automatic_tax": { "enabled": row.automatic_tax, "liability": null, "provider": null, "status": null },
        "billing_address_collection": row.billing_address_collection,
        "cancel_url": row.cancel_url,
        "client_reference_id": row.client_reference_id,
        "client_secret": null,
        "collected_information": null,
        "consent": null,
        "consent_collection": null,
        "created": row.created,
        "currency": row.currency,
        "currency_conversion": null,
        "custom_fields": [],
        "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": row.customer,
        "customer_account": null,
        "customer_creation": is_payment.then_some(if row.creates_customer { "always" } else { "if_required" }),
        "customer_details": customer_details(account, row),
        "customer_email": row.customer_email,
        "discounts": [],
        "expires_at": row.expires_at,
        "integration_identifier": null,
        "invoice": row.invoice,
        "invoice_creation": is_payment.then(|| invoice_creation(row)),
        "livemode": false,
        "locale": row.locale,
        "managed_payments": null,
        "metadata": row.metadata,
        "mode": row.mode.as_str(),
        "origin_context": null,
        "payment_intent": row.payment_intent,
        "payment_link": null,
        "payment_method_collection":
            is_subscription.then_some(if row.needs_method_only_if_required { "if_required" } else { "always" }),
        "payment_method_configuration_details": null,
        "payment_method_options": null,
        "payment_method_types": ["card"],
        "payment_status": row.payment_status.as_str(),
        "permissions": null,
        "phone_number_collection": { "enabled": false },
        "recovered_from": null,
        "saved_payment_method_options": null,
        "setup_intent": row.setup_intent,
        "shipping_address_collection": null,
        "shipping_cost": null,
        "shipping_options": [],
        "status": row.status.as_str(),
        "submit_type": null,
        "subscription": row.subscription,
        "success_url": row.success_url,
        "tax_id_collection": { "enabled": row.tax_id_collection, "required": "never" },
        "total_details": totals,
        "ui_mode": row.ui_mode,
        "url": url,
        "wallet_options": null,
    });
    if let Some(url) = &row.return_url {
        object["return_url"] = url.as_str().into();
    }
    object
}

fn customer_details(account: &Account, row: &CheckoutSession) -> Value {
    let customer = row.customer.as_ref().and_then(|id| account.customers.get(id));
    let email = row.paid_email.clone().or(row.customer_email.clone()).or(customer.and_then(|one| one.email.clone()));
    if email.is_none() && row.status == SessionStatus::Open {
        return Value::Null;
    }
    let name = row.paid_name.clone().or(customer.and_then(|customer| customer.name.clone()));
    json!({
        "address": customer.and_then(|customer| customer.address.as_ref()).map(address),
        "business_name": null,
        "email": email,
        "individual_name": null,
        "name": name,
        "phone": customer.and_then(|customer| customer.phone.clone()),
        "tax_exempt": customer.map_or("none", |customer| customer.tax_exempt),
        "tax_ids": [],
    })
}

fn invoice_creation(row: &CheckoutSession) -> Value {
    json!({
        "enabled": row.creates_invoice,
        "invoice_data": {
            "account_tax_ids": null,
            "custom_fields": null,
            "description": null,
            "footer": null,
            "issuer": null,
            "metadata": {},
            "rendering_options": null,
        },
    })
}

/// What a session shows only where it was asked for: `line_items`.
pub(crate) fn session_with(account: &Account, row: &CheckoutSession, name: &str) -> Option<Value> {
    (name == "line_items").then(|| {
        let lines = row.lines.iter().map(|line| session_line(account, row, line)).collect();
        included(lines, &format!("/v1/checkout/sessions/{}/line_items", row.id))
    })
}

/// One line of a session.
pub(crate) fn session_line(account: &Account, session: &CheckoutSession, row: &SessionLine) -> Value {
    let price = account.prices.get(&row.price);
    let currency = session.currency.as_deref().or(price.map(|price| price.currency.as_str())).unwrap_or_default();
    let rate = price.and_then(|price| price.rate_in(currency));
    let amount = rate.map_or(0, |rate| row.quantity.map_or(0, |quantity| rate.amount(quantity)));
    let product = price.and_then(|price| account.products.get(&price.product));
    json!({
        "id": row.id,
        "object": "item",
        "adjustable_quantity": null,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": currency,
        "description": product.map(|product| product.name.as_str()),
        "metadata": {},
        "price": price.map(catalog::price),
        "quantity": row.quantity,
    })
}

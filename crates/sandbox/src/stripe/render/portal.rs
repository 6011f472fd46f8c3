//! The customer portal.

use serde_json::{Value, json};

use crate::stripe::account::Account;
use crate::stripe::account::model::{PortalConfiguration, PortalFlow, PortalSession};

pub(super) fn session(account: &Account, row: &PortalSession) -> Value {
    json!({
        "id": row.id,
        "object": "billing_portal.session",
        "configuration": row.configuration,
        "created": row.created,
        "customer": row.customer,
        "customer_account": null,
        "flow": row.flow.as_ref().map(flow),
        "livemode": false,
        "locale": null,
        "on_behalf_of": null,
        "return_url": row.return_url,
        "url": format!("{}/p/session/{}", account.base_url, row.key),
    })
}

fn flow(row: &PortalFlow) -> Value {
    let mut object = json!({
        "after_completion": { "hosted_confirmation": null, "redirect": null, "type": "portal_homepage" },
        "customer_update": null,
        "subscription_cancel": null,
        "subscription_pause": null,
        "subscription_update": null,
        "subscription_update_confirm": null,
        "type": row.kind,
    });
    let given = &row.data[&row.kind];
    match row.kind.as_str() {
        "customer_update" => object["customer_update"] = json!({}),
        "subscription_cancel" => {
            object["subscription_cancel"] = json!({ "retention": null, "subscription": given["subscription"] });
        }
        "subscription_pause" | "subscription_update" => {
            object[&row.kind] = json!({ "subscription": given["subscription"] });
        }
        "subscription_update_confirm" => {
            let items = given["items"].as_array().into_iter().flatten();
            let items: Vec<Value> = items.map(flow_item).collect();
            object[&row.kind] = json!({ "discounts": null, "items": items, "subscription": given["subscription"] });
        }
        _ => {}
    }
    if let Some(url) = row.data["after_completion"]["redirect"]["return_url"].as_str() {
        object["after_completion"]["type"] = "redirect".into();
        object["after_completion"]["redirect"] = json!({ "return_url": url });
    }
    object
}

fn flow_item(given: &Value) -> Value {
    let mut item = json!({ "id": given["id"], "price": given["price"] });
    // What a form carries is text.
    let quantity = given["quantity"].as_i64().or_else(|| given["quantity"].as_str()?.parse().ok());
    if let Some(quantity) = quantity {
        item["quantity"] = quantity.into();
    }
    item
}

pub(super) fn configuration(row: &PortalConfiguration) -> Value {
    let mut features = row.features.clone();
    // Both came with endive; nothing here makes use of them.
    if features["subscription_pause"].is_null() {
        features["subscription_pause"] =
            json!({ "duration": { "interval_options": [], "type": "indefinite" }, "enabled": false });
    }
    if features["subscription_cancel"]["cancellation_reason"].get("feedback_options").is_none() {
        features["subscription_cancel"]["cancellation_reason"]["feedback_options"] = Value::Null;
    }
    json!({
        "id": row.id,
        "object": "billing_portal.configuration",
        "active": row.active,
        "application": null,
        "business_profile": row.business_profile,
        "created": row.created,
        "default_return_url": row.default_return_url,
        "features": features,
        "is_default": row.is_default,
        "livemode": false,
        "login_page": { "enabled": false, "url": null },
        "metadata": row.metadata,
        "name": null,
        "updated": row.updated,
    })
}

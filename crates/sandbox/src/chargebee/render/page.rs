//! Hosted pages and portal sessions.

use serde_json::{Value, json};

use super::put;
use crate::chargebee::site::Site;
use crate::chargebee::site::model::Status;

/// Renders the hosted page at a position.
pub(crate) fn hosted_page(site: &Site, position: usize) -> Value {
    let row = &site.hosted_pages[position];
    let mut object = json!({
        "id": row.id,
        "type": row.task.kind(),
        "url": site.page_url(position),
        "state": row.state.as_str(),
        "embed": false,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "object": "hosted_page",
        "updated_at": row.stamp.updated_at,
        "resource_version": row.stamp.resource_version,
    });
    put(&mut object, "pass_thru_content", row.pass_thru_content.as_deref());
    put(&mut object, "content", row.content.clone());
    object
}

/// Renders the portal session at a position.
pub(crate) fn portal_session(site: &Site, position: usize) -> Value {
    let row = &site.portal_sessions[position];
    let customer = site.customers.get(&row.customer_id);
    let live = site.subscriptions.linked("customer_id", &row.customer_id).iter().any(|position| {
        matches!(site.subscriptions[*position].status, Status::Active | Status::InTrial | Status::NonRenewing)
    });
    let mut object = json!({
        "id": row.id,
        "token": row.token,
        "access_url": site.portal_access_url(position),
        "status": row.status,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "object": "portal_session",
        "customer_id": row.customer_id,
        "linked_customers": [{
            "object": "linked_customer",
            "customer_id": row.customer_id,
            "has_billing_address": customer.is_some_and(|customer| !customer.billing_address.is_empty()),
            "has_payment_method": customer.is_some_and(|customer| customer.card.is_some()),
            "has_active_subscription": live,
        }],
    });
    put(&mut object, "redirect_url", row.redirect_url.as_deref());
    put(&mut object, "login_at", row.login_at);
    put(&mut object, "logout_at", row.logout_at);
    object
}

//! Records as they appear on the wire. Members that do not apply are left out, as the provider does.
//!
//! Source: Chargebee API docs, version 2, the "attributes" of each resource.

mod catalog;
mod customer;
mod estimate;
mod event;
mod invoice;
mod page;
mod payment;
mod subscription;

use serde_json::Value;

pub(crate) use catalog::{item, item_family, item_price};
pub(crate) use customer::{customer, payment_source};
pub(crate) use estimate::estimate;
pub(crate) use event::{event, event_as};
pub(crate) use invoice::{credit_note, invoice, raised, unbilled_charges};
pub(crate) use page::{hosted_page, portal_session};
pub(crate) use payment::transaction;
pub(crate) use subscription::{subscription, subscription_as_scheduled};

/// Adds a member where it has a value.
fn put(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value.into());
    }
}

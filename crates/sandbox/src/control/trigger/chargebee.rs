//! Events of the billing provider, with the resources that each carries.
//!
//! Source: Chargebee API docs, "Events", the content of each event type.

use serde_json::{Map, Value, json};

use crate::chargebee::render;
use crate::chargebee::site::customers::CustomerInput;
use crate::chargebee::site::{Act, Cause, Outcome, Site};
use crate::control::Failure;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::seed::Payer;

/// What an event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Customer,
    CustomerAndSubscriptions,
    Subscription,
    SubscriptionAlone,
    Payment,
    Refund,
    PaymentSource,
    Invoice,
    CustomerAndInvoice,
    CreditNote,
    Transaction,
    /// Only a detail of this name.
    Entitlements(&'static str),
    EntitlementOverrides,
}

/// An event that can be sent.
pub(super) type Sample = (&'static str, Content);

#[rustfmt::skip]
const SAMPLES: [Sample; 60] = [
    ("customer_created", Content::Customer),
    ("customer_changed", Content::Customer),
    ("customer_deleted", Content::CustomerAndSubscriptions),
    ("subscription_created", Content::Subscription),
    ("subscription_started", Content::Subscription),
    ("subscription_activated", Content::Subscription),
    ("subscription_changed", Content::Subscription),
    ("subscription_renewed", Content::Subscription),
    ("subscription_items_renewed", Content::Subscription),
    ("subscription_cancelled", Content::Subscription),
    ("subscription_cancellation_scheduled", Content::Subscription),
    ("subscription_cancellation_reminder", Content::Subscription),
    ("subscription_scheduled_cancellation_removed", Content::Subscription),
    ("subscription_changes_scheduled", Content::Subscription),
    ("subscription_scheduled_changes_removed", Content::Subscription),
    ("subscription_paused", Content::Subscription),
    ("subscription_pause_scheduled", Content::Subscription),
    ("subscription_scheduled_pause_removed", Content::Subscription),
    ("subscription_resumed", Content::Subscription),
    ("subscription_resumption_scheduled", Content::Subscription),
    ("subscription_scheduled_resumption_removed", Content::Subscription),
    ("subscription_reactivated", Content::Subscription),
    ("subscription_deleted", Content::Subscription),
    ("subscription_trial_end_reminder", Content::Subscription),
    ("subscription_trial_extended", Content::Subscription),
    ("subscription_renewal_reminder", Content::Subscription),
    ("add_usages_reminder", Content::Subscription),
    ("mrr_updated", Content::SubscriptionAlone),
    ("payment_succeeded", Content::Payment),
    ("payment_failed", Content::Payment),
    ("payment_initiated", Content::Payment),
    ("payment_refunded", Content::Refund),
    ("refund_initiated", Content::Refund),
    ("payment_source_added", Content::PaymentSource),
    ("payment_source_updated", Content::PaymentSource),
    ("payment_source_deleted", Content::PaymentSource),
    ("payment_source_expiring", Content::PaymentSource),
    ("payment_source_expired", Content::PaymentSource),
    ("payment_due_reminder", Content::CustomerAndInvoice),
    ("dunning_updated", Content::Invoice),
    ("invoice_generated", Content::Invoice),
    ("invoice_updated", Content::Invoice),
    ("invoice_deleted", Content::Invoice),
    ("pending_invoice_created", Content::Invoice),
    ("pending_invoice_updated", Content::Invoice),
    ("credit_note_created", Content::CreditNote),
    ("credit_note_updated", Content::CreditNote),
    ("credit_note_deleted", Content::CreditNote),
    ("transaction_created", Content::Transaction),
    ("transaction_updated", Content::Transaction),
    ("transaction_deleted", Content::Transaction),
    ("subscription_created_with_backdating", Content::Subscription),
    ("subscription_changed_with_backdating", Content::Subscription),
    ("subscription_activated_with_backdating", Content::Subscription),
    ("subscription_canceled_with_backdating", Content::Subscription),
    ("subscription_reactivated_with_backdating", Content::Subscription),
    ("subscription_entitlements_created", Content::Entitlements("subscription_entitlements_created_detail")),
    ("subscription_entitlements_updated", Content::Entitlements("subscription_entitlements_updated_detail")),
    ("entitlement_overrides_updated", Content::EntitlementOverrides),
    ("entitlement_overrides_removed", Content::EntitlementOverrides),
];

pub(super) fn find(name: &str) -> Option<Sample> {
    SAMPLES.iter().copied().find(|(known, _)| *known == name)
}

/// Sends an event and returns its id.
pub(super) fn send(
    site: &mut Site,
    (event_type, content): Sample,
    organization_id: Option<&str>,
    now: Moment,
) -> Result<String, Failure> {
    let content = match organization_id {
        Some(id) => Subject::of_organization(site, id)?.content(event_type, content)?,
        None => {
            let stranger = stranger(site, now)?;
            let subject = Subject { site: &stranger, customer: 0, subscription: Some(0), owner: "the sample" };
            subject.content(event_type, content)?
        }
    };
    site.emit(event_type, content, Act::new(now, Cause::Dashboard));
    let newest = site.events.iter().next_back().map(|event| event.id.clone());
    Ok(newest.expect("an event was recorded just now"))
}

/// A site of its own with one customer, one paid subscription, and ids that this site never gave out.
fn stranger(site: &mut Site, now: Moment) -> Outcome<Site> {
    let act = Act::new(now, Cause::Dashboard);
    let ids = Ids::new(site.ids.below(u64::MAX));
    let mut other = Site::new(&site.base_url, &site.gateway_account_id, ids, now);
    let payer = Payer {
        id: None,
        details: CustomerInput::default(),
        subscription_id: None,
        price_id: "starter-plan-monthly",
        seats: 1,
    };
    payer.sign_up(&mut other, act)?;
    // Invoices are numbered, so that this one's id is taken here.
    let id = other.ids.alphanumeric("INV-test-", 8);
    other.invoices[0].id = id;
    Ok(other)
}

/// Whom an event is about.
struct Subject<'a> {
    site: &'a Site,
    customer: usize,
    subscription: Option<usize>,
    /// For messages.
    owner: &'a str,
}

impl<'a> Subject<'a> {
    /// The newest subscription of an organization with its customer, else its newest customer.
    fn of_organization(site: &'a Site, id: &'a str) -> Result<Self, Failure> {
        let owned = |organization: Option<String>| organization.as_deref() == Some(id);
        let subscription = (0..site.subscriptions.len()).rev().find(|position| {
            let row = &site.subscriptions[*position];
            !row.deleted && owned(site.organization_of_subscription(row))
        });
        let customer = subscription.map(|position| site.customer_of(position)).or_else(|| {
            let of_customer = |position: &usize| owned(site.organization_of_customer(&site.customers[*position].id));
            (0..site.customers.len()).rev().find(of_customer)
        });
        let missing = || Failure::not_found(format!("{id} has no customer at the billing provider"));
        Ok(Self { site, customer: customer.ok_or_else(missing)?, subscription, owner: id })
    }

    fn content(&self, event_type: &'static str, content: Content) -> Result<Map<String, Value>, Failure> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| {
            members.insert(name.to_owned(), value);
        };
        match content {
            Content::Customer => put("customer", self.customer()),
            Content::CustomerAndSubscriptions => {
                put("customer", self.customer());
                let rows = self.subscription.map(|position| render::subscription(self.site, position));
                put("subscriptions", rows.into_iter().collect());
            }
            Content::Subscription => {
                put("subscription", self.subscription()?);
                put("customer", self.customer());
            }
            Content::SubscriptionAlone => put("subscription", self.subscription()?),
            Content::Payment | Content::Refund => {
                put("transaction", self.transaction()?);
                put("invoice", self.invoice()?);
                put("customer", self.customer());
                put("subscription", self.subscription()?);
                if content == Content::Refund {
                    put("credit_note", credit_note(&self.invoice()?));
                }
            }
            Content::PaymentSource => {
                put("customer", self.customer());
                let source = render::payment_source(self.site, self.customer);
                put("payment_source", source.ok_or_else(|| self.has_no("payment source"))?);
            }
            Content::Invoice => put("invoice", self.invoice()?),
            Content::CustomerAndInvoice => {
                put("customer", self.customer());
                put("invoice", self.invoice()?);
            }
            Content::CreditNote => put("credit_note", credit_note(&self.invoice()?)),
            Content::Transaction => put("transaction", self.transaction()?),
            Content::Entitlements(name) => {
                let id = self.subscription()?["id"].clone();
                put(name, json!({ "subscription_id": id, "has_next": false, "object": name }));
            }
            Content::EntitlementOverrides => {
                let ids = [self.subscription()?["id"].clone()];
                let impacted = json!({ "count": 1, "subscription_ids": ids, "object": "impacted_subscription" });
                put("impacted_subscription", impacted);
                let change = event_type.trim_start_matches("entitlement_overrides_");
                put("metadata", json!({ "change_type": change, "object": "metadata" }));
            }
        }
        Ok(members)
    }

    fn has_no(&self, what: &str) -> Failure {
        Failure::not_found(format!("{} has no {what} at the billing provider", self.owner))
    }

    fn customer(&self) -> Value {
        render::customer(self.site, self.customer)
    }

    fn subscription(&self) -> Result<Value, Failure> {
        let position = self.subscription.ok_or_else(|| self.has_no("subscription"))?;
        Ok(render::subscription(self.site, position))
    }

    /// The newest invoice of the subscription.
    fn invoice_position(&self) -> Result<usize, Failure> {
        let position = self.subscription.and_then(|subscription| {
            let id = &self.site.subscriptions[subscription].id;
            (0..self.site.invoices.len()).rev().find(|invoice| self.site.invoices[*invoice].subscription_id == *id)
        });
        position.ok_or_else(|| self.has_no("invoice"))
    }

    fn invoice(&self) -> Result<Value, Failure> {
        Ok(render::invoice(self.site, self.invoice_position()?))
    }

    /// The newest charge for that invoice.
    fn transaction(&self) -> Result<Value, Failure> {
        let (site, invoice) = (self.site, self.invoice_position()?);
        let position = (0..site.transactions.len()).rev().find(|row| site.transactions[*row].invoice == invoice);
        position.map(|row| render::transaction(site, row)).ok_or_else(|| self.has_no("transaction"))
    }
}

/// A credit note over the whole of an invoice.
fn credit_note(invoice: &Value) -> Value {
    let at = |name: &str| invoice[name].clone();
    json!({
        "id": format!("CN-{}", invoice["id"].as_str().unwrap_or_default()),
        "customer_id": at("customer_id"),
        "subscription_id": at("subscription_id"),
        "reference_invoice_id": at("id"),
        "type": "refundable",
        "reason_code": "subscription_change",
        "status": "refund_due",
        "date": at("date"),
        "price_type": "tax_exclusive",
        "total": at("total"),
        "amount_allocated": 0,
        "amount_refunded": 0,
        "amount_available": at("total"),
        "generated_at": at("date"),
        "updated_at": at("updated_at"),
        "resource_version": at("resource_version"),
        "deleted": false,
        "object": "credit_note",
        "currency_code": at("currency_code"),
        "sub_total": at("total"),
        "round_off_amount": 0,
        "line_items": [],
        "allocations": [],
        "linked_refunds": [],
    })
}

//! Events of Stripe, about the newest object of the kind that each is about.
//!
//! Source: Stripe API reference, "Types of events"; the official Node client 23.1, `Events.d.ts`.

use crate::control::Failure;
use crate::ids::Ids;
use crate::moment::Moment;
use crate::stripe::account::creation::{NewItem, NewSubscription};
use crate::stripe::account::customers::CustomerInput;
use crate::stripe::account::model::Event;
use crate::stripe::account::{Account, Act, Cause, Object};
use crate::world::World;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Customer,
    Subscription,
    Schedule,
    Invoice,
    InvoiceItem,
    InvoicePayment,
    PaymentIntent,
    SetupIntent,
    PaymentMethod,
    CheckoutSession,
    PortalSession,
    PortalConfiguration,
    Price,
    Product,
    Meter,
}

/// An event that can be sent.
pub(super) type Sample = (&'static str, About);

#[rustfmt::skip]
const SAMPLES: [Sample; 62] = [
    ("billing.meter.created", About::Meter),
    ("billing.meter.updated", About::Meter),
    ("billing.meter.deactivated", About::Meter),
    ("billing.meter.reactivated", About::Meter),
    ("billing_portal.configuration.created", About::PortalConfiguration),
    ("billing_portal.configuration.updated", About::PortalConfiguration),
    ("billing_portal.session.created", About::PortalSession),
    ("checkout.session.completed", About::CheckoutSession),
    ("checkout.session.expired", About::CheckoutSession),
    ("checkout.session.async_payment_succeeded", About::CheckoutSession),
    ("checkout.session.async_payment_failed", About::CheckoutSession),
    ("customer.created", About::Customer),
    ("customer.updated", About::Customer),
    ("customer.deleted", About::Customer),
    ("customer.subscription.created", About::Subscription),
    ("customer.subscription.updated", About::Subscription),
    ("customer.subscription.deleted", About::Subscription),
    ("customer.subscription.paused", About::Subscription),
    ("customer.subscription.resumed", About::Subscription),
    ("customer.subscription.pending_update_applied", About::Subscription),
    ("customer.subscription.pending_update_expired", About::Subscription),
    ("customer.subscription.trial_will_end", About::Subscription),
    ("invoice.created", About::Invoice),
    ("invoice.deleted", About::Invoice),
    ("invoice.finalized", About::Invoice),
    ("invoice.finalization_failed", About::Invoice),
    ("invoice.marked_uncollectible", About::Invoice),
    ("invoice.overdue", About::Invoice),
    ("invoice.overpaid", About::Invoice),
    ("invoice.paid", About::Invoice),
    ("invoice.payment_action_required", About::Invoice),
    ("invoice.payment_attempt_required", About::Invoice),
    ("invoice.payment_failed", About::Invoice),
    ("invoice.payment_succeeded", About::Invoice),
    ("invoice.sent", About::Invoice),
    ("invoice.updated", About::Invoice),
    ("invoice.voided", About::Invoice),
    ("invoice.will_be_due", About::Invoice),
    ("invoice_payment.paid", About::InvoicePayment),
    ("invoiceitem.created", About::InvoiceItem),
    ("invoiceitem.deleted", About::InvoiceItem),
    ("payment_intent.canceled", About::PaymentIntent),
    ("payment_intent.payment_failed", About::PaymentIntent),
    ("payment_intent.processing", About::PaymentIntent),
    ("payment_intent.requires_action", About::PaymentIntent),
    ("payment_intent.succeeded", About::PaymentIntent),
    ("payment_method.attached", About::PaymentMethod),
    ("payment_method.automatically_updated", About::PaymentMethod),
    ("payment_method.detached", About::PaymentMethod),
    ("payment_method.updated", About::PaymentMethod),
    ("price.created", About::Price),
    ("price.updated", About::Price),
    ("product.created", About::Product),
    ("product.updated", About::Product),
    ("setup_intent.setup_failed", About::SetupIntent),
    ("setup_intent.succeeded", About::SetupIntent),
    ("subscription_schedule.canceled", About::Schedule),
    ("subscription_schedule.completed", About::Schedule),
    ("subscription_schedule.created", About::Schedule),
    ("subscription_schedule.expiring", About::Schedule),
    ("subscription_schedule.released", About::Schedule),
    ("subscription_schedule.updated", About::Schedule),
];

pub(super) fn find(name: &str) -> Option<Sample> {
    SAMPLES.iter().copied().find(|(known, _)| *known == name)
}

/// Sends an event and returns its id.
pub(super) fn send(
    world: &mut World,
    (event_type, about): Sample,
    organization_id: Option<&str>,
    now: Moment,
) -> Result<String, Failure> {
    let act = Act::new(now, Cause::Dashboard);
    let account = &mut world.stripe;
    match organization_id {
        Some(id) => {
            let object = newest(account, about, Some(id));
            let missing = || Failure::not_found(format!("{id} has no {about:?} at the billing provider"));
            account.emit(event_type, object.ok_or_else(missing)?, None, act);
        }
        None => {
            let event = about_a_stranger(account, event_type, about, act)?;
            let position = account.events.insert(event);
            world.enqueue_stripe_event(position, now);
        }
    }
    let newest = world.stripe.events.iter().next_back().map(|event| event.id.clone());
    Ok(newest.expect("an event was recorded just now"))
}

/// An event about objects that nobody knows: they are made in an account of its own, which is gone afterwards.
fn about_a_stranger(account: &mut Account, event_type: &'static str, about: About, act: Act) -> Result<Event, Failure> {
    let ids = Ids::new(account.ids.below(u64::MAX));
    let mut other = Account::new(&account.base_url, account.settings.clone(), ids, act.now);
    let input = CustomerInput { payment_method: Some("pm_card_visa".into()), ..CustomerInput::default() };
    let customer = other.create_customer(input, act)?;
    let method = other.methods_of(customer).first().map(|method| other.payment_methods[*method].id.clone());
    let item = NewItem { price: "price_starter_monthly".into(), quantity: Some(1), ..NewItem::default() };
    let new = NewSubscription { default_payment_method: method, ..NewSubscription::of(customer, vec![item]) };
    other.create_subscription(new, act)?;
    let missing = || Failure::not_found(format!("there is no sample of {about:?} without an organization"));
    other.emit(event_type, newest(&other, about, None).ok_or_else(missing)?, None, act);
    Ok(other.events.iter().next_back().cloned().expect("an event was recorded just now"))
}

/// The newest object of a kind, of an organization or of anybody. The catalog is everybody's.
fn newest(account: &Account, about: About, organization: Option<&str>) -> Option<Object> {
    let owns = |customer: Option<&str>| {
        let Some(organization) = organization else { return true };
        let named = customer.and_then(|customer| account.organization_of_customer(customer));
        named.as_deref() == Some(organization)
    };
    let subscription = || {
        let owned = |position: &usize| {
            organization.is_none_or(|id| account.organization_of_subscription(*position).as_deref() == Some(id))
        };
        (0..account.subscriptions.len()).rev().find(owned)
    };
    macro_rules! last {
        ($table:ident, $kind:path, $owner:expr) => {
            account.$table.rows().iter().rposition($owner).map($kind)
        };
    }
    match about {
        About::Customer => last!(customers, Object::Customer, |row| owns(Some(&row.id))),
        About::Subscription => subscription().map(Object::Subscription),
        About::Schedule => last!(schedules, Object::Schedule, |row| owns(Some(&row.customer))),
        About::Invoice => last!(invoices, Object::Invoice, |row| owns(Some(&row.customer))),
        About::InvoiceItem => last!(invoice_items, Object::InvoiceItem, |row| owns(Some(&row.customer))),
        About::InvoicePayment => last!(invoice_payments, Object::InvoicePayment, |row| {
            owns(account.invoices.get(&row.invoice).map(|invoice| invoice.customer.as_str()))
        }),
        About::PaymentIntent => last!(payment_intents, Object::PaymentIntent, |row| owns(row.customer.as_deref())),
        About::SetupIntent => last!(setup_intents, Object::SetupIntent, |row| owns(row.customer.as_deref())),
        About::PaymentMethod => last!(payment_methods, Object::PaymentMethod, |row| owns(row.customer.as_deref())),
        About::CheckoutSession => {
            last!(checkout_sessions, Object::CheckoutSession, |row| owns(row.customer.as_deref()))
        }
        About::PortalSession => last!(portal_sessions, Object::PortalSession, |row| owns(Some(&row.customer))),
        About::PortalConfiguration => last!(portal_configurations, Object::PortalConfiguration, |_| true),
        About::Price => last!(prices, Object::Price, |_| true),
        About::Product => last!(products, Object::Product, |_| true),
        About::Meter => last!(meters, Object::Meter, |_| true),
    }
}

//! Hosted checkouts and hosted changes: what is asked for, and what a page says about itself.
//!
//! A session carries our ids in its metadata, and gives them to the subscription only where they are repeated for it.
//! Source: API reference, "Create a Checkout Session" and "Create a portal session".

use std::time::Duration;

use tollkeeper_core::{
    ids::{ProviderSubscriptionId, SubscriptionId},
    money::Currency,
    ports::{CheckoutPage, CheckoutRequest, CheckoutState, ErrorKind, HostedChange, PaymentRequest, ProviderError},
    snapshot::ItemType,
    subscription::CheckoutItem,
    time::{DAY, Timestamp},
};

use crate::{
    config::Options,
    customer::check_metadata,
    error::Attempt,
    form::Form,
    wire::{Item, PortalSession, Price, Session, Subscription, instant},
};

/// What starting a checkout is called in errors.
pub(crate) const START: &str = "start checkout";
/// What starting a hosted change is called in errors.
pub(crate) const HOSTED_CHANGE: &str = "start hosted change";

/// What starting a one-time payment is called in errors.
pub(crate) const PAYMENT: &str = "start payment";

/// How long a session works where it does not say.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a portal page counts as open. Stripe does not say; a link is for one visit, at once.
const PORTAL_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A trial that ends sooner cannot be asked for by its date: Stripe wants 48 hours, and clocks differ.
const SHORTEST_DATED_TRIAL: Duration = Duration::from_secs(49 * 60 * 60);

/// How a reference to a portal page begins: such a page cannot be looked up, so that its reference says what it is for.
const PORTAL: &str = "portal";

/// The body of `POST /v1/checkout/sessions`.
///
/// The currency is always said: of a price with several, Stripe would choose one by where the person seems to be. Source:
/// Stripe docs, "Manage products and prices", "Use multi-currency prices".
///
/// # Errors
/// `Rejected`, when an id is longer than Stripe keeps: the message names it.
pub(crate) fn request(
    request: &CheckoutRequest,
    options: &Options,
    now: Option<Timestamp>,
) -> Result<Form, ProviderError> {
    let attempt = Attempt::write(START);
    let ids = [
        ("organizationId", Some(request.organization_id.as_str())),
        ("subscriptionId", Some(request.subscription_id.as_str())),
        ("userId", request.user_id.as_deref()),
    ];
    let ids: Vec<_> = ids.into_iter().filter_map(|(name, id)| Some((name, id?))).collect();
    for (name, id) in &ids {
        check_metadata(attempt, name, id)?;
    }
    let form = Form::new()
        .set("mode", "subscription")
        .set("customer", &request.customer_id)
        .set("currency", code(request.currency))
        .set("client_reference_id", &request.subscription_id)
        .set("success_url", with_session_id(&request.redirect_url))
        .set("cancel_url", &request.cancel_url);
    let form = lines(form, &request.items);
    let form = ids.iter().fold(form, |form, (name, id)| {
        form.set(format!("metadata[{name}]"), id).set(format!("subscription_data[metadata][{name}]"), id)
    });
    let trial = Trial::of(request.trial_end, now);
    Ok(offers(trial.ask(form), options, trial))
}

/// The body of `POST /v1/checkout/sessions` for a one-time payment. Stripe invoices only what is asked to be invoiced.
///
/// # Errors
/// `Rejected`, when an id is longer than Stripe keeps: the message names it.
pub(crate) fn payment(request: &PaymentRequest, options: &Options) -> Result<Form, ProviderError> {
    let attempt = Attempt::write(PAYMENT);
    let form = Form::new()
        .set("mode", "payment")
        .set("customer", &request.customer_id)
        .set("currency", code(request.currency))
        .set("success_url", &request.success_url)
        .set("cancel_url", &request.cancel_url)
        .set("invoice_creation[enabled]", true);
    let mut form = lines(form, &request.items);
    let ids = [("organizationId", Some(request.organization_id.as_str())), ("userId", request.user_id.as_deref())];
    for (name, id) in ids.into_iter().filter_map(|(name, id)| Some((name, id?))) {
        check_metadata(attempt, name, id)?;
        form = form.set(format!("metadata[{name}]"), id).set(format!("payment_intent_data[metadata][{name}]"), id);
    }
    Ok(offers(form, options, Trial::None))
}

/// A currency as Stripe spells it.
fn code(currency: Currency) -> String {
    currency.as_str().to_ascii_lowercase()
}

/// The lines, the plan's first: Stripe keeps their order, and the first one counts as the plan.
fn lines(form: Form, items: &[CheckoutItem]) -> Form {
    let plans = items.iter().filter(|item| item.item_type == ItemType::Plan);
    let others = items.iter().filter(|item| item.item_type != ItemType::Plan);
    plans.chain(others).enumerate().fold(form, |form, (index, item)| {
        form.set(format!("line_items[{index}][price]"), &item.price_id)
            .set(format!("line_items[{index}][quantity]"), item.quantity)
    })
}

/// Adds what the settings offer.
fn offers(form: Form, options: &Options, trial: Trial) -> Form {
    let mut form = form;
    if options.allow_promotion_codes {
        form = form.set("allow_promotion_codes", true);
    }
    if options.automatic_tax {
        // A customer that is there already has no address: without this the tax would have no place.
        form = form.set("automatic_tax[enabled]", true).set("customer_update[address]", "auto");
    }
    if let Some(ending) = options.cardless_trials.filter(|_| trial != Trial::None) {
        form = form
            .set("payment_method_collection", "if_required")
            .set("subscription_data[trial_settings][end_behavior][missing_payment_method]", ending.as_str());
    }
    form
}

/// A trial, as Stripe takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// Nothing is sent: a checkout does not begin the trial that a price may have of its own.
    None,
    /// Until then.
    Until(Timestamp),
    /// So many days from when the person is done.
    Days(u64),
}

impl Trial {
    /// A date must be 48 hours ahead. A shorter trial is asked for in days: that is what was offered, counted from when
    /// the person is done, where a later date would be a longer trial. One that is over by now is none.
    fn of(end: Option<Timestamp>, now: Option<Timestamp>) -> Self {
        let Some(end) = end else { return Self::None };
        let Some(now) = now else { return Self::Until(end) };
        let left = end.since(now);
        if left.is_zero() {
            Self::None
        } else if left >= SHORTEST_DATED_TRIAL {
            Self::Until(end)
        } else {
            Self::Days(left.as_secs().div_ceil(DAY.as_secs()).max(1))
        }
    }

    fn ask(self, form: Form) -> Form {
        match self {
            Self::None => form,
            Self::Until(end) => form.instant("subscription_data[trial_end]", end),
            Self::Days(days) => form.set("subscription_data[trial_period_days]", days),
        }
    }
}

/// An address to come back to, with the place where Stripe writes the session's id.
fn with_session_id(url: &str) -> String {
    let (address, fragment) = url.find('#').map_or((url, ""), |place| url.split_at(place));
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}session_id={{CHECKOUT_SESSION_ID}}{fragment}")
}

/// A session in our words; `None` when it does not say how long it works. With `now`, one that is too old is dead.
///
/// A complete one counts as completed also while a slow payment is on its way: the subscription is there, and tells.
pub(crate) fn page(session: &Session, now: Option<Timestamp>) -> Option<CheckoutPage> {
    let expires_at =
        instant(session.expires_at).or_else(|| instant(session.created).map(|made| made.plus(LIFETIME)))?;
    let state = state(session, now.is_some_and(|now| expires_at <= now));
    Some(CheckoutPage {
        reference: session.id.clone(),
        url: session.url.clone().filter(|url| !url.is_empty() && state == CheckoutState::Open),
        expires_at,
        state,
        subscription_id: carried_row(session),
        customer_id: session.customer.as_ref().map(|customer| customer.id().into()),
        provider_subscription_id: session.subscription.as_ref().map(|subscription| subscription.id().into()),
    })
}

fn state(session: &Session, is_too_old: bool) -> CheckoutState {
    match session.status.as_deref() {
        Some("complete") => CheckoutState::Completed,
        Some("expired") => CheckoutState::Dead,
        _ if is_too_old => CheckoutState::Dead,
        Some("open") => CheckoutState::Open,
        unknown => {
            // Open until it is too old: a page that may still be paid must not be replaced by a second one.
            let state: String = unknown.unwrap_or_default().chars().take(60).collect();
            tracing::warn!(state, "Stripe has a checkout status that we do not know");
            CheckoutState::Open
        }
    }
}

/// The row that a session carries.
pub(crate) fn carried_row(session: &Session) -> Option<SubscriptionId> {
    let reference = session.client_reference_id.as_deref().filter(|id| SubscriptionId::is_ours(id));
    session.metadata.text("subscriptionId").or(reference).map(Into::into)
}

/// The body of `POST /v1/billing_portal/sessions` for a change that a person confirms.
///
/// # Errors
/// `Rejected`: the portal confirms a change of one line, on a subscription that has no others. Source: API reference,
/// "Create a portal session", `flow_data[subscription_update_confirm][items]`.
pub(crate) fn hosted_change(
    change: &HostedChange,
    subscription: &Subscription,
    configuration: Option<&str>,
) -> Result<Form, ProviderError> {
    let attempt = Attempt::write(HOSTED_CHANGE);
    let ([current], [wanted]) = (subscription.items.data.as_slice(), change.items.as_slice()) else {
        let message = "the portal changes subscriptions with one line only: change without the page";
        return Err(attempt.error(ErrorKind::Rejected, message));
    };
    let item = "flow_data[subscription_update_confirm][items][0]";
    Ok(Form::new()
        .set("customer", &change.customer_id)
        .set_some("configuration", configuration)
        .set("return_url", &change.cancel_url)
        .set("flow_data[type]", "subscription_update_confirm")
        .set("flow_data[subscription_update_confirm][subscription]", &change.id)
        .set(format!("{item}[id]"), &current.id)
        .set(format!("{item}[price]"), &wanted.price_id)
        .set_some(format!("{item}[quantity]"), (!is_metered(current)).then_some(wanted.quantity))
        .set("flow_data[after_completion][type]", "redirect")
        .set("flow_data[after_completion][redirect][return_url]", &change.redirect_url))
}

fn is_metered(item: &Item) -> bool {
    item.price.as_ref().is_some_and(Price::is_metered)
}

/// A portal page that was just made.
pub(crate) fn portal_page(
    session: &PortalSession,
    change: &HostedChange,
    now: Option<Timestamp>,
) -> Option<CheckoutPage> {
    let expires_at = instant(session.created).or(now)?.plus(PORTAL_LIFETIME);
    let seconds = expires_at.as_unix_seconds();
    Some(CheckoutPage {
        reference: format!("{PORTAL}:{}:{seconds}:{}:{}", session.id, change.id, change.subscription_id),
        url: Some(session.url.clone()).filter(|url| !url.is_empty()),
        expires_at,
        state: CheckoutState::Open,
        subscription_id: Some(change.subscription_id.clone()),
        customer_id: Some(change.customer_id.clone()),
        provider_subscription_id: Some(change.id.clone()),
    })
}

/// What the reference to a portal page says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PortalReference {
    expires_at: Timestamp,
    pub(crate) id: ProviderSubscriptionId,
    row: SubscriptionId,
}

impl PortalReference {
    /// `None` for the id of a session.
    pub(crate) fn read(reference: &str) -> Option<Self> {
        let mut parts = reference.splitn(5, ':');
        let (PORTAL, _session) = (parts.next()?, parts.next()?) else { return None };
        let expires_at = instant(parts.next()?.parse().ok())?;
        Some(Self { expires_at, id: parts.next()?.into(), row: parts.next()?.into() })
    }

    /// The page of whoever comes back from it. Stripe leads there only after the change, and the subscription itself
    /// tells what it was: so the page counts as completed.
    pub(crate) fn page(self, reference: &str, subscription: &Subscription) -> CheckoutPage {
        CheckoutPage {
            reference: reference.to_owned(),
            url: None,
            expires_at: self.expires_at,
            state: CheckoutState::Completed,
            subscription_id: Some(self.row),
            customer_id: Some(subscription.customer.id().into()),
            provider_subscription_id: Some(self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(json: &str) -> Session {
        serde_json::from_str(json).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn states_are_read_with_and_without_a_clock() {
        for (word, without, with) in [
            ("open", CheckoutState::Open, CheckoutState::Dead),
            ("complete", CheckoutState::Completed, CheckoutState::Completed),
            ("expired", CheckoutState::Dead, CheckoutState::Dead),
            ("brand_new", CheckoutState::Open, CheckoutState::Dead),
        ] {
            let session = session(&format!(r#"{{"id":"cs","url":"https://x","status":"{word}","created":1000}}"#));
            let before = page(&session, None).unwrap();
            assert_eq!(before.state, without, "{word}");
            assert_eq!(before.expires_at, at(1000 + 86_400), "a day after it was made");
            assert_eq!(before.url.is_some(), without == CheckoutState::Open, "{word}");
            assert_eq!(page(&session, Some(at(100_000))).unwrap().state, with, "{word}");
        }
        assert_eq!(page(&session(r#"{"id":"cs","status":"open"}"#), None), None);
    }

    #[test]
    fn the_row_is_read_from_either_place() {
        let ours = "tks_00000000000000000000000000000001";
        for (json, row) in [
            (format!(r#"{{"id":"cs","client_reference_id":"{ours}"}}"#), Some(ours)),
            (r#"{"id":"cs","client_reference_id":"cart 7"}"#.to_owned(), None),
            (r#"{"id":"cs","client_reference_id":"x","metadata":{"subscriptionId":"ls_1"}}"#.to_owned(), Some("ls_1")),
            (r#"{"id":"cs","metadata":{"subscriptionId":""}}"#.to_owned(), None),
        ] {
            assert_eq!(carried_row(&session(&json)).as_ref().map(SubscriptionId::as_str), row, "{json}");
        }
    }

    #[test]
    fn a_trial_is_asked_for_by_its_date_only_where_stripe_takes_that() {
        let hours = |hours: i64| Some(at(1_000_000 + hours * 3600));
        let trial = |end| Trial::of(end, Some(at(1_000_000)));
        assert_eq!(trial(None), Trial::None);
        assert_eq!(trial(hours(14 * 24)), Trial::Until(at(1_000_000 + 14 * 86_400)));
        assert_eq!(trial(hours(48)), Trial::Days(2));
        assert_eq!(trial(hours(47)), Trial::Days(2));
        assert_eq!(trial(hours(1)), Trial::Days(1));
        assert_eq!(trial(hours(-1)), Trial::None);
        assert_eq!(Trial::of(hours(1), None), Trial::Until(at(1_003_600)), "without a clock nobody knows");
    }

    #[test]
    fn the_sessions_id_is_asked_for_wherever_the_address_ends() {
        for (url, expected) in [
            ("https://a.test/s", "https://a.test/s?session_id={CHECKOUT_SESSION_ID}"),
            ("https://a.test/s?x=1", "https://a.test/s?x=1&session_id={CHECKOUT_SESSION_ID}"),
            ("https://a.test/s#top", "https://a.test/s?session_id={CHECKOUT_SESSION_ID}#top"),
        ] {
            assert_eq!(with_session_id(url), expected);
        }
    }

    #[test]
    fn only_a_reference_of_ours_names_a_portal_page() {
        let read = PortalReference::read("portal:bps_1:1000:sub_1:tks_1").unwrap();
        assert_eq!(read, PortalReference { expires_at: at(1000), id: "sub_1".into(), row: "tks_1".into() });
        for other in ["cs_test_1", "portal", "portal:bps_1", "portal:bps_1:soon:sub_1:tks_1", "portal:b:1:s", ""] {
            assert_eq!(PortalReference::read(other), None, "{other}");
        }
    }
}

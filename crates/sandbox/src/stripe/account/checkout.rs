//! Checkout sessions: made over the API, finished by a person.
//!
//! Signatures: `create_session(NewSession, act) -> Outcome<usize>`, `complete_session` (in `completion`),
//! `expire_session(position, act) -> Outcome<()>`, `update_session_metadata(position, patch)`,
//! `session_over(position) -> Option<&'static str>`, `session_url(position) -> Option<String>`,
//! `session_return_url(position) -> Option<String>`.
//!
//! In mode `subscription` the subscription and its invoice come to be when the customer has paid; a card that is
//! declined leaves the session open and nothing else.
//!
//! Source: Stripe API reference, "Checkout sessions"; Stripe docs, "Checkout Sessions have lower latency and new update
//! semantics".

use super::calendar::{DAY, HOUR};
use super::creation::NewItem;
use super::invoicing::no_such_currency;
use super::model::{
    CheckoutMode, CheckoutSession, Metadata, Patch, SessionLine, SessionPayment, SessionStatus, SubscriptionData, merge,
};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome, Subject};
use crate::challenge::Challenge;

/// How far ahead a session may expire, in seconds.
const SHORTEST: i64 = 1_800;
const LONGEST: i64 = 24 * HOUR;
/// How far ahead the end of a trial must lie, in seconds.
const SHORTEST_TRIAL: i64 = 48 * HOUR;

/// What a request says about a new session.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) mode: CheckoutMode,
    /// `None`: `hosted_page`.
    pub(crate) ui_mode: Option<String>,
    pub(crate) customer: Option<usize>,
    pub(crate) customer_email: Option<String>,
    pub(crate) creates_customer: bool,
    pub(crate) updates_address: bool,
    pub(crate) updates_name: bool,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) currency: Option<String>,
    pub(crate) lines: Vec<NewItem>,
    pub(crate) success_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) needs_method_only_if_required: bool,
    pub(crate) allow_promotion_codes: Option<bool>,
    pub(crate) automatic_tax: bool,
    pub(crate) tax_id_collection: bool,
    pub(crate) billing_address_collection: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) subscription_data: SubscriptionData,
    pub(crate) payment_metadata: Metadata,
    pub(crate) payment_description: Option<String>,
    pub(crate) saves_method: bool,
    pub(crate) setup_metadata: Metadata,
    pub(crate) creates_invoice: bool,
    pub(crate) metadata: Metadata,
    pub(crate) expires_at: Option<i64>,
}

impl NewSession {
    pub(crate) fn of(mode: CheckoutMode) -> Self {
        Self {
            mode,
            ui_mode: None,
            customer: None,
            customer_email: None,
            creates_customer: false,
            updates_address: false,
            updates_name: false,
            client_reference_id: None,
            currency: None,
            lines: Vec::new(),
            success_url: None,
            cancel_url: None,
            return_url: None,
            needs_method_only_if_required: false,
            allow_promotion_codes: None,
            automatic_tax: false,
            tax_id_collection: false,
            billing_address_collection: None,
            locale: None,
            subscription_data: SubscriptionData::default(),
            payment_metadata: Metadata::new(),
            payment_description: None,
            saves_method: false,
            setup_metadata: Metadata::new(),
            creates_invoice: false,
            metadata: Metadata::new(),
            expires_at: None,
        }
    }
}

/// What a person does on the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Completion {
    /// The number of a card or a bank account; `None` where nothing needs to be paid.
    pub(crate) number: Option<String>,
    /// How the customer answers where the bank asks.
    pub(crate) challenge: Option<Challenge>,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why a session was not finished.
#[derive(Debug)]
pub(crate) enum NotFinished {
    /// The session is complete or has expired.
    Over(&'static str),
    /// The bank asks the customer; come again with an answer.
    Challenge,
    /// The card was declined; another one may be tried.
    Declined(Refusal),
    /// Something that the session needs is not there any more.
    Refused(Refusal),
}

impl From<Refusal> for NotFinished {
    fn from(refusal: Refusal) -> Self {
        if refusal.is_about_payment() { Self::Declined(refusal) } else { Self::Refused(refusal) }
    }
}

impl Account {
    pub(crate) fn create_session(&mut self, new: NewSession, act: Act) -> Outcome<usize> {
        let owner = new.customer.map(|customer| self.customers[customer].id.clone());
        let act = self.act_for_intent(owner.as_deref(), act);
        let now = act.secs();
        let currency = self.check_session(&new, now)?;
        let mut lines = Vec::new();
        for item in &new.lines {
            let metered = self.prices.get(&item.price).is_some_and(|price| price.meter.is_some());
            lines.push(SessionLine {
                id: self.ids.alphanumeric("li_1", 23),
                price: item.price.clone(),
                quantity: (!metered).then(|| item.quantity.unwrap_or(1)),
            });
        }
        let amount_total = self.due_at_checkout(&new, &lines, currency.as_deref());
        let expires_at = new.expires_at.unwrap_or(now.saturating_add(LONGEST));
        let needs_payment = new.mode != CheckoutMode::Setup && amount_total.is_some_and(|amount| amount > 0);
        let payment_status = if needs_payment { SessionPayment::Unpaid } else { SessionPayment::NoPaymentRequired };
        let customer_email = new.customer_email.clone();
        let position = self.checkout_sessions.insert(CheckoutSession {
            id: self.ids.alphanumeric("cs_test_a1", 56),
            mode: new.mode,
            status: SessionStatus::Open,
            payment_status,
            ui_mode: new.ui_mode.unwrap_or_else(|| "hosted_page".into()),
            customer: owner,
            customer_email,
            creates_customer: new.creates_customer,
            updates_address: new.updates_address,
            updates_name: new.updates_name,
            client_reference_id: new.client_reference_id,
            currency,
            lines,
            amount_total,
            success_url: new.success_url,
            cancel_url: new.cancel_url,
            return_url: new.return_url,
            needs_method_only_if_required: new.needs_method_only_if_required,
            allow_promotion_codes: new.allow_promotion_codes,
            automatic_tax: new.automatic_tax,
            tax_id_collection: new.tax_id_collection,
            billing_address_collection: new.billing_address_collection,
            locale: new.locale,
            subscription_data: new.subscription_data,
            payment_metadata: new.payment_metadata,
            payment_description: new.payment_description,
            saves_method: new.saves_method,
            setup_metadata: new.setup_metadata,
            creates_invoice: new.creates_invoice,
            metadata: new.metadata,
            created: now,
            expires_at,
            subscription: None,
            invoice: None,
            payment_intent: None,
            setup_intent: None,
            paid_email: None,
            paid_name: None,
        });
        let clock = self.checkout_sessions[position].customer.clone().and_then(|customer| self.clock_of(&customer));
        self.plan(clock, Subject::CheckoutSession(position), Some(expires_at));
        Ok(position)
    }

    /// What is not allowed in a session; its currency.
    fn check_session(&self, new: &NewSession, now: i64) -> Outcome<Option<String>> {
        if let Some(at) = new.expires_at
            && !(now + SHORTEST..=now + LONGEST).contains(&at)
        {
            let message = "The `expires_at` timestamp must be at least 30 minutes and less than 24 hours from Checkout \
                           Session creation.";
            return Err(Refusal::wrong_value("expires_at", message));
        }
        if new.customer.is_some() && new.customer_email.is_some() {
            return Err(Refusal::parameters_exclusive("customer", "customer_email"));
        }
        if new.mode == CheckoutMode::Setup {
            if !new.lines.is_empty() {
                return Err(Refusal::wrong_value("line_items", "You cannot use `line_items` in `setup` mode."));
            }
            return Ok(new.currency.clone());
        }
        if new.lines.is_empty() {
            return Err(Refusal::parameter_missing("line_items"));
        }
        let is_subscription = new.mode == CheckoutMode::Subscription;
        let mut recurring = Vec::new();
        let mut currency = new.currency.clone();
        for (index, item) in new.lines.iter().enumerate() {
            let param = format!("line_items[{index}][price]");
            let row = &self.prices[self.live_price(&item.price, &param)?];
            let known = currency.get_or_insert_with(|| row.currency.clone());
            if row.rate_in(known).is_none() {
                return Err(no_such_currency(row, known, param));
            }
            if row.interval.is_some() {
                recurring.push(item.clone());
            }
        }
        if is_subscription {
            if recurring.is_empty() {
                let message = "You must provide at least one recurring price in `subscription` mode.";
                return Err(Refusal::wrong_value("line_items", message));
            }
            let (_, agreed) = self.check_items(&recurring, currency.as_deref())?;
            if let Some(customer) = new.customer {
                self.check_currency(&self.customers[customer].id, &agreed)?;
            }
        } else if !recurring.is_empty() {
            let message = "You specified `payment` mode but passed a recurring price. Either switch to `subscription` \
                           mode or use only one-time prices.";
            return Err(Refusal::wrong_value("line_items", message));
        }
        if let Some(at) = new.subscription_data.trial_end
            && at < now + SHORTEST_TRIAL
        {
            let message = "The `trial_end` date has to be at least 2 days in the future.";
            return Err(Refusal::wrong_value("subscription_data[trial_end]", message));
        }
        Ok(currency)
    }

    /// What is charged when the session is completed, in minor units.
    fn due_at_checkout(&self, new: &NewSession, lines: &[SessionLine], currency: Option<&str>) -> Option<i64> {
        if new.mode == CheckoutMode::Setup {
            return None;
        }
        let in_trial = new.subscription_data.trial_end.is_some() || new.subscription_data.trial_period_days.is_some();
        let amount = |line: &SessionLine| {
            let price = self.prices.get(&line.price)?;
            let recurs_later = price.interval.is_some() && (in_trial || price.meter.is_some());
            let rate = price.rate_in(currency?)?;
            Some(if recurs_later { 0 } else { rate.amount(line.quantity.unwrap_or(0)) })
        };
        Some(lines.iter().filter_map(amount).fold(0, i64::saturating_add))
    }

    /// Why the session can no longer be used, if so.
    pub(crate) fn session_over(&self, position: usize) -> Option<&'static str> {
        match self.checkout_sessions[position].status {
            SessionStatus::Complete => Some("This checkout session was already completed."),
            SessionStatus::Expired => Some("This checkout session has expired."),
            SessionStatus::Open => None,
        }
    }

    /// The address of the page in a browser, while the session is open.
    #[allow(dead_code, reason = "so far pages write it themselves")]
    pub(crate) fn session_url(&self, position: usize) -> Option<String> {
        let row = &self.checkout_sessions[position];
        let has_page = row.status == SessionStatus::Open && row.ui_mode == "hosted_page";
        has_page.then(|| format!("{}/c/pay/{}", self.base_url, row.id))
    }

    /// Where the browser goes once the session is complete.
    pub(crate) fn session_return_url(&self, position: usize) -> Option<String> {
        let row = &self.checkout_sessions[position];
        let url = row.success_url.as_ref().or(row.return_url.as_ref())?;
        Some(url.replace("{CHECKOUT_SESSION_ID}", &row.id))
    }

    /// Expires an open session before its time.
    pub(crate) fn expire_session(&mut self, position: usize, act: Act) -> Outcome<()> {
        if self.session_over(position).is_some() {
            let message = "Only Checkout Sessions with a status in [\"open\"] can be expired.";
            return Err(Refusal::invalid(message));
        }
        let act = self.act_for_intent(self.checkout_sessions[position].customer.clone().as_deref(), act);
        self.checkout_sessions[position].status = SessionStatus::Expired;
        self.emit("checkout.session.expired", Object::CheckoutSession(position), None, act);
        Ok(())
    }

    pub(super) fn expire_if_due(&mut self, position: usize, act: Act) {
        let row = &mut self.checkout_sessions[position];
        if row.status == SessionStatus::Open && row.expires_at <= act.secs() {
            row.status = SessionStatus::Expired;
            self.emit("checkout.session.expired", Object::CheckoutSession(position), None, act);
        }
    }

    pub(crate) fn update_session_metadata(&mut self, position: usize, patch: Patch<Metadata>) {
        merge(&mut self.checkout_sessions[position].metadata, patch);
    }
}

/// Days as seconds, for pages that say until when a trial runs.
pub(crate) fn trial_end_of(data: &SubscriptionData, now: i64) -> Option<i64> {
    data.trial_end.or(data.trial_period_days.map(|days| now.saturating_add(days.saturating_mul(DAY))))
}

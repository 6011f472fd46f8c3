//! Checkout sessions, finished: what a person buys comes to be.
//!
//! Signatures: `complete_session(position, Completion, act) -> Result<(), NotFinished>`.
//!
//! The bank is asked before anything is made, so that a refusal leaves nothing behind.
//!
//! Source: Stripe docs, "Fulfill orders", "Checkout Sessions have lower latency and new update semantics".

use super::cards::{Charged, challenge_failed, charge_result, refusal_at_storage};
use super::checkout::{Completion, NotFinished};
use super::creation::{NewItem, NewSubscription, TrialEnd};
use super::customers::CustomerInput;
use super::intents::{NewPaymentIntent, NewSetupIntent};
use super::invoicing::Draft;
use super::model::{
    BillingMode, BillingReason, CheckoutMode, CheckoutSession, CollectionMethod, Line, LineParent, Metadata,
    MissingMethod, ProrationBehavior, Rate, SessionLine, SessionPayment, SessionStatus,
};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};
use crate::challenge::Challenge;

impl Account {
    /// Finishes a session, as a person does. A declined card changes nothing.
    pub(crate) fn complete_session(
        &mut self,
        position: usize,
        completion: Completion,
        act: Act,
    ) -> Result<(), NotFinished> {
        if let Some(reason) = self.session_over(position) {
            return Err(NotFinished::Over(reason));
        }
        let row = self.checkout_sessions[position].clone();
        let act = self.act_for_intent(row.customer.as_deref(), act);
        if row.expires_at <= act.secs() {
            self.expire_if_due(position, act);
            return Err(NotFinished::Over("This checkout session has expired."));
        }
        let due = row.amount_total.unwrap_or(0);
        let method = match &completion.number {
            None if due == 0 && row.needs_method_only_if_required && row.mode == CheckoutMode::Subscription => None,
            None => {
                return Err(NotFinished::Declined(Refusal::card(
                    "incomplete_number",
                    None,
                    "Your card number is incomplete.",
                )));
            }
            Some(number) => Some(self.quietly(|account| account.new_payment_method(number, act))?),
        };
        let has_passed = match method {
            Some(method) => self.ask_bank(method, due > 0, completion.challenge)?,
            None => false,
        };
        let customer = self.customer_at_checkout(&row, &completion, act)?;
        match row.mode {
            CheckoutMode::Subscription => {
                let customer = customer.ok_or_else(|| Refusal::parameter_missing("customer"))?;
                self.subscribe(position, customer, method, has_passed, act)?;
            }
            CheckoutMode::Payment => {
                let method = method.ok_or_else(Refusal::no_payment_method)?;
                self.buy(position, customer, method, has_passed, act);
            }
            CheckoutMode::Setup => {
                let method = method.ok_or_else(Refusal::no_payment_method)?;
                self.set_up(position, customer, method, act);
            }
        }
        let row = &mut self.checkout_sessions[position];
        row.status = SessionStatus::Complete;
        row.customer = customer.map(|customer| self.customers[customer].id.clone());
        let known = customer.and_then(|customer| self.customers[customer].email.clone());
        row.paid_email = completion.email.or(known).or_else(|| row.customer_email.clone());
        row.paid_name = completion.name;
        self.emit("checkout.session.completed", Object::CheckoutSession(position), None, act);
        Ok(())
    }

    /// Asks whether the method can be used, before anything is made. Whether the customer passed a challenge.
    fn ask_bank(&mut self, method: usize, charges: bool, challenge: Option<Challenge>) -> Result<bool, NotFinished> {
        let row = &self.payment_methods[method];
        if let Some(error) = refusal_at_storage(&row.instrument) {
            return Err(NotFinished::Declined(error.into()));
        }
        match (charge_result(row, false, false), challenge) {
            (Charged::Challenged, None) => Err(NotFinished::Challenge),
            (Charged::Challenged, Some(Challenge::Fail)) => {
                Err(NotFinished::Declined(challenge_failed(Some(&row.id)).into()))
            }
            (Charged::Challenged, Some(Challenge::Pass)) => {
                self.payment_methods[method].is_set_up = true;
                Ok(true)
            }
            // A card that fails later can begin a trial.
            (Charged::Declined(error), _) if charges => Err(NotFinished::Declined(error.into())),
            (Charged::Declined(_) | Charged::Paid | Charged::Processing, _) => Ok(false),
        }
    }

    /// The customer of a session: the one it is for, or a new one where the mode makes one.
    fn customer_at_checkout(
        &mut self,
        row: &CheckoutSession,
        completion: &Completion,
        act: Act,
    ) -> Outcome<Option<usize>> {
        if let Some(id) = &row.customer {
            let customer = self.live_customer(id)?;
            if row.updates_name && completion.name.is_some() {
                let input = CustomerInput { name: Some(completion.name.clone()), ..CustomerInput::default() };
                self.update_customer(customer, input, act)?;
            }
            return Ok(Some(customer));
        }
        let makes_one =
            row.mode == CheckoutMode::Subscription || row.creates_customer || row.creates_invoice || row.saves_method;
        if !makes_one {
            return Ok(None);
        }
        let email = completion.email.clone().or_else(|| row.customer_email.clone());
        let input =
            CustomerInput { email: Some(email), name: Some(completion.name.clone()), ..CustomerInput::default() };
        self.create_customer(input, act).map(Some)
    }

    fn subscribe(
        &mut self,
        position: usize,
        customer: usize,
        method: Option<usize>,
        has_passed: bool,
        act: Act,
    ) -> Result<(), NotFinished> {
        let row = self.checkout_sessions[position].clone();
        let data = row.subscription_data;
        let as_new = |line: &SessionLine| NewItem {
            price: line.price.clone(),
            quantity: line.quantity,
            metadata: Metadata::new(),
        };
        let recurs = |line: &&SessionLine| self.prices.get(&line.price).is_some_and(|price| price.interval.is_some());
        let mut new = NewSubscription::of(customer, row.lines.iter().filter(recurs).map(as_new).collect());
        new.add_invoice_items = row.lines.iter().filter(|line| !recurs(line)).map(as_new).collect();
        new.currency = row.currency;
        new.metadata = data.metadata;
        new.description = data.description;
        new.billing_mode = data.billing_mode.unwrap_or(BillingMode::Flexible);
        new.missing_method = data.missing_method.unwrap_or(MissingMethod::CreateInvoice);
        // A trial that would already be over by now is no trial.
        new.trial_end = data.trial_end.filter(|end| *end > act.secs()).map(TrialEnd::At);
        new.trial_period_days = data.trial_period_days.filter(|_| new.trial_end.is_none());
        new.billing_cycle_anchor = data.billing_cycle_anchor.filter(|anchor| *anchor > act.secs());
        if !data.prorates {
            new.proration_behavior = ProrationBehavior::None;
        }
        if let Some(method) = method {
            self.attach(method, customer, act)?;
            new.default_payment_method = Some(self.payment_methods[method].id.clone());
            new.pays_with = Some((method, has_passed));
        }
        let subscription = self.create_subscription(new, act)?;
        let row = &self.subscriptions[subscription];
        let (id, invoice) = (row.id.clone(), row.latest_invoice.clone());
        let latest = invoice.as_deref().and_then(|id| self.invoices.get(id));
        let is_open = latest.is_some_and(|invoice| invoice.amount_remaining() > 0);
        let due = latest.map_or(0, |invoice| invoice.amount_due);
        let session = &mut self.checkout_sessions[position];
        session.subscription = Some(id);
        session.invoice = invoice;
        session.payment_status = match (is_open, due) {
            (true, _) => SessionPayment::Unpaid,
            (false, 0) => SessionPayment::NoPaymentRequired,
            (false, _) => SessionPayment::Paid,
        };
        Ok(())
    }

    fn buy(&mut self, position: usize, customer: Option<usize>, method: usize, has_passed: bool, act: Act) {
        let row = self.checkout_sessions[position].clone();
        let new = NewPaymentIntent {
            amount: row.amount_total.unwrap_or(0),
            currency: row.currency.clone().unwrap_or_else(|| "usd".into()),
            customer,
            payment_method: Some(method),
            saves_method: row.saves_method,
            description: row.payment_description.clone(),
            metadata: row.payment_metadata.clone(),
            ..NewPaymentIntent::default()
        };
        let (charged, intent) = match customer.filter(|_| row.creates_invoice) {
            Some(customer) => {
                let invoice = self.invoice_of_session(&row, customer, act);
                self.finalize(invoice, act);
                let intent = self.invoices[invoice].payment_intent.clone();
                self.checkout_sessions[position].invoice = Some(self.invoices[invoice].id.clone());
                (self.attempt(invoice, Some(method), has_passed, act), intent)
            }
            None if new.amount == 0 => (Some(Charged::Paid), None),
            None => {
                let intent = self.insert_payment_intent(new, act);
                let charged = self.charge_intent(intent, method, false, has_passed, act);
                (Some(charged), Some(self.payment_intents[intent].id.clone()))
            }
        };
        let session = &mut self.checkout_sessions[position];
        session.payment_intent = intent;
        session.payment_status = match charged {
            _ if session.amount_total == Some(0) => SessionPayment::NoPaymentRequired,
            Some(Charged::Paid) | None => SessionPayment::Paid,
            Some(Charged::Processing | Charged::Challenged | Charged::Declined(_)) => SessionPayment::Unpaid,
        };
    }

    /// The invoice that documents a one-time payment.
    fn invoice_of_session(&mut self, row: &CheckoutSession, customer: usize, act: Act) -> usize {
        let currency = row.currency.clone().unwrap_or_else(|| "usd".into());
        let mut lines = Vec::new();
        for line in &row.lines {
            let quantity = line.quantity.unwrap_or(1);
            let rate = self.prices.get(&line.price).and_then(|price| price.rate_in(&currency));
            let amount = rate.map_or(0, |rate| rate.amount(quantity));
            let unit_amount = rate.and_then(Rate::unit_amount).unwrap_or(amount);
            let item = self.ids.alphanumeric("ii_1", 23);
            lines.push(Line {
                id: self.ids.alphanumeric("il_1", 23),
                amount,
                description: self.product_name(&line.price),
                period_start: act.secs(),
                period_end: act.secs(),
                price: Some(line.price.clone()),
                unit_amount,
                quantity: Some(quantity),
                parent: LineParent::InvoiceItem { invoice_item: item, proration: false, credited: None },
                subscription: None,
                subscription_item: None,
                metadata: Metadata::new(),
            });
        }
        let draft = Draft {
            customer,
            subscription: None,
            reason: BillingReason::Manual,
            lines,
            currency,
            period: (act.secs(), act.secs()),
            proration_date: None,
            collection_method: CollectionMethod::ChargeAutomatically,
            days_until_due: None,
            takes_waiting: false,
        };
        self.draft(draft, act)
    }

    fn set_up(&mut self, position: usize, customer: Option<usize>, method: usize, act: Act) {
        let new = NewSetupIntent {
            customer,
            payment_method: Some(method),
            metadata: self.checkout_sessions[position].setup_metadata.clone(),
            ..NewSetupIntent::default()
        };
        let intent = self.insert_setup_intent(new, act);
        // The bank was asked before anything was made.
        drop(self.confirm_setup_intent(intent, Some(method), Some(Challenge::Pass), act));
        self.checkout_sessions[position].setup_intent = Some(self.setup_intents[intent].id.clone());
    }

    /// A bank has decided about what was bought in a session.
    pub(super) fn finish_bank_session(&mut self, intent: &str, pays: bool, act: Act) {
        let of_intent = self.payment_intents.get(intent).and_then(|intent| intent.invoice.clone());
        let is_mine = |row: &CheckoutSession| {
            row.payment_status == SessionPayment::Unpaid
                && row.status == SessionStatus::Complete
                && (row.payment_intent.as_deref() == Some(intent) || (of_intent.is_some() && row.invoice == of_intent))
        };
        let Some(position) = self.checkout_sessions.iter().position(is_mine) else { return };
        let event = if pays {
            self.checkout_sessions[position].payment_status = SessionPayment::Paid;
            "checkout.session.async_payment_succeeded"
        } else {
            "checkout.session.async_payment_failed"
        };
        self.emit(event, Object::CheckoutSession(position), None, act);
    }
}

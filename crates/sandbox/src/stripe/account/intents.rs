//! Payments and payment methods being set up.
//!
//! Signatures: `create_payment_intent(NewPaymentIntent, act) -> Outcome<usize>`, `confirm_payment_intent(position,
//! method: Option<usize>, challenge: Option<Challenge>, act) -> Outcome<()>`, `cancel_payment_intent(position, reason,
//! act) -> Outcome<()>`, `create_setup_intent(NewSetupIntent, act) -> Outcome<usize>`, `confirm_setup_intent(position,
//! method: Option<usize>, challenge: Option<Challenge>, act) -> Outcome<()>`, `cancel_setup_intent(position, reason,
//! act) -> Outcome<()>`. `challenge` is how the customer answers the bank; without it a card that asks ends in
//! `requires_action`.
//!
//! Source: Stripe docs, "How PaymentIntents work", "How SetupIntents work".

use super::calendar::DAY;
use super::cards::{Charged, challenge_failed, charge_result, error, refusal_at_storage};
use super::model::{Behaviour, Instrument, IntentStatus, Metadata, PaymentError, PaymentIntent, SetupIntent};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome, Subject};
use crate::challenge::Challenge;

/// How long a bank takes to decide, in seconds. (The real time is some business days.)
const BANK_SECONDS: i64 = 3 * DAY;

/// What a request says about a new payment.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewPaymentIntent {
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<usize>,
    /// The position of a method.
    pub(crate) payment_method: Option<usize>,
    pub(crate) confirms: bool,
    pub(crate) off_session: bool,
    pub(crate) saves_method: bool,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
}

/// What a request says about a new set-up.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewSetupIntent {
    pub(crate) customer: Option<usize>,
    pub(crate) payment_method: Option<usize>,
    pub(crate) confirms: bool,
    pub(crate) description: Option<String>,
    pub(crate) metadata: Metadata,
}

impl Account {
    pub(super) fn act_for_intent(&self, customer: Option<&str>, act: Act) -> Act {
        customer.map_or(act, |customer| self.act_for(customer, act))
    }

    pub(super) fn insert_payment_intent(&mut self, new: NewPaymentIntent, act: Act) -> usize {
        let id = self.ids.alphanumeric("pi_3", 23);
        let method = new.payment_method.map(|method| self.payment_methods[method].id.clone());
        let status =
            if method.is_some() { IntentStatus::RequiresConfirmation } else { IntentStatus::RequiresPaymentMethod };
        let intent = self.payment_intents.insert(PaymentIntent {
            client_secret: self.ids.alphanumeric(&format!("{id}_secret_"), 25),
            id,
            customer: new.customer.map(|customer| self.customers[customer].id.clone()),
            amount: new.amount,
            amount_received: 0,
            currency: new.currency,
            status,
            payment_method: method,
            last_payment_error: None,
            saves_method: new.saves_method,
            invoice: None,
            settles_at: None,
            description: new.description,
            metadata: new.metadata,
            created: act.secs(),
            canceled_at: None,
            cancellation_reason: None,
        });
        self.emit("payment_intent.created", Object::PaymentIntent(intent), None, act);
        intent
    }

    pub(crate) fn create_payment_intent(&mut self, new: NewPaymentIntent, act: Act) -> Outcome<usize> {
        let owner = new.customer.map(|customer| self.customers[customer].id.clone());
        let act = self.act_for_intent(owner.as_deref(), act);
        if new.amount < 1 {
            let message = "This value must be greater than or equal to 1.";
            return Err(Refusal::coded("parameter_invalid_integer", message).about("amount"));
        }
        let (confirms, off_session) = (new.confirms, new.off_session);
        let intent = self.insert_payment_intent(new, act);
        if confirms {
            self.confirm_payment_intent(intent, None, None, act)?;
            if off_session && self.payment_intents[intent].status == IntentStatus::RequiresAction {
                let row = &mut self.payment_intents[intent];
                row.status = IntentStatus::RequiresPaymentMethod;
                let refused = error("authentication_required", Some("authentication_required"), None);
                row.last_payment_error = Some(refused.clone());
                let id = row.id.clone();
                return Err(Refusal::from(refused).with_payment_intent(Some(id)));
            }
        }
        Ok(intent)
    }

    /// Pays, as the customer does who is there; also answers what the bank asks.
    pub(crate) fn confirm_payment_intent(
        &mut self,
        intent: usize,
        method: Option<usize>,
        challenge: Option<Challenge>,
        act: Act,
    ) -> Outcome<()> {
        let row = &self.payment_intents[intent];
        let act = self.act_for_intent(row.customer.as_deref(), act);
        let known = row.payment_method.as_deref().and_then(|id| self.payment_methods.position(id));
        if matches!(row.status, IntentStatus::Succeeded | IntentStatus::Canceled | IntentStatus::Processing) {
            let message = format!("This PaymentIntent's status is {}: it cannot be confirmed.", row.status.as_str());
            return Err(Refusal::coded("payment_intent_unexpected_state", message));
        }
        let id = row.id.clone();
        let invoice = row.invoice.as_deref().and_then(|id| self.invoices.position(id));
        let Some(method) = method.or(known) else {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method.";
            return Err(Refusal::coded("payment_intent_unexpected_state", message));
        };
        let asks = charge_result(&self.payment_methods[method], false, false) == Charged::Challenged;
        let charged = if asks && challenge == Some(Challenge::Fail) {
            let charged = Charged::Declined(challenge_failed(Some(&self.payment_methods[method].id)));
            self.note_failure(intent, &charged, act);
            charged
        } else {
            let forced = invoice.and_then(|invoice| self.subscription_of(invoice));
            let forced =
                forced.is_some_and(|position| std::mem::take(&mut self.subscriptions[position].fail_next_payment));
            self.charge_intent(intent, method, forced, challenge == Some(Challenge::Pass), act)
        };
        match (invoice, &charged) {
            // Nothing has been tried before the customer has answered.
            (Some(_), Charged::Challenged) | (None, _) => {}
            (Some(invoice), charged) => self.follow(invoice, Some(charged), act),
        }
        match charged {
            Charged::Declined(error) => Err(Refusal::from(error).with_payment_intent(Some(id))),
            Charged::Paid | Charged::Processing | Charged::Challenged => Ok(()),
        }
    }

    /// Charges a method, and notes and tells how it went. The invoice is the caller's.
    pub(super) fn charge_intent(
        &mut self,
        intent: usize,
        method: usize,
        forced: bool,
        has_passed: bool,
        act: Act,
    ) -> Charged {
        let charged = charge_result(&self.payment_methods[method], forced, has_passed);
        let method_id = self.payment_methods[method].id.clone();
        self.payment_intents[intent].payment_method = Some(method_id);
        match &charged {
            Charged::Paid => {
                self.keep_method(intent, method, act);
                self.note_success(intent, act);
            }
            Charged::Processing => {
                self.keep_method(intent, method, act);
                let row = &mut self.payment_intents[intent];
                row.status = IntentStatus::Processing;
                row.last_payment_error = None;
                let at = act.secs().saturating_add(BANK_SECONDS);
                row.settles_at = Some(at);
                let clock = row.customer.clone().and_then(|customer| self.clock_of(&customer));
                self.plan(clock, Subject::PaymentIntent(intent), Some(at));
                self.emit("payment_intent.processing", Object::PaymentIntent(intent), None, act);
            }
            Charged::Challenged => {
                self.payment_intents[intent].status = IntentStatus::RequiresAction;
                self.emit("payment_intent.requires_action", Object::PaymentIntent(intent), None, act);
            }
            Charged::Declined(_) => self.note_failure(intent, &charged, act),
        }
        charged
    }

    /// A method that paid stays with the customer, where it is to pay again.
    fn keep_method(&mut self, intent: usize, method: usize, act: Act) {
        let row = &self.payment_intents[intent];
        let owner = row.customer.as_deref().and_then(|id| self.customers.position(id));
        if let Some(customer) = owner.filter(|_| row.saves_method) {
            self.payment_methods[method].is_set_up = true;
            // It has just paid, so nothing refuses it; another customer's stays where it is.
            drop(self.attach(method, customer, act));
            let invoice = self.payment_intents[intent].invoice.as_deref().and_then(|id| self.invoices.position(id));
            if let Some(position) = invoice.and_then(|invoice| self.subscription_of(invoice)) {
                let row = &mut self.subscriptions[position];
                if row.saves_default_method {
                    row.default_payment_method = Some(self.payment_methods[method].id.clone());
                }
            }
        }
    }

    pub(super) fn note_success(&mut self, intent: usize, act: Act) {
        let row = &mut self.payment_intents[intent];
        row.status = IntentStatus::Succeeded;
        row.amount_received = row.amount;
        row.last_payment_error = None;
        row.settles_at = None;
        self.emit("payment_intent.succeeded", Object::PaymentIntent(intent), None, act);
    }

    fn note_failure(&mut self, intent: usize, charged: &Charged, act: Act) {
        let row = &mut self.payment_intents[intent];
        row.status = IntentStatus::RequiresPaymentMethod;
        row.payment_method = None;
        row.settles_at = None;
        if let Charged::Declined(error) = charged {
            row.last_payment_error = Some(error.clone());
        }
        self.emit("payment_intent.payment_failed", Object::PaymentIntent(intent), None, act);
    }

    /// A bank has decided.
    pub(super) fn settle_bank_payment(&mut self, intent: usize, act: Act) {
        let row = &self.payment_intents[intent];
        let method = row.payment_method.as_deref().and_then(|id| self.payment_methods.get(id));
        let pays = method.is_some_and(|method| matches!(method.instrument, Instrument::Bank { pays: true, .. }));
        let invoice = row.invoice.as_deref().and_then(|id| self.invoices.position(id));
        let id = row.id.clone();
        if pays {
            self.note_success(intent, act);
            if let Some(invoice) = invoice {
                self.note_payment(invoice, act);
            }
        } else {
            let method = row.payment_method.clone();
            let refused = error("payment_method_bank_account_blocked", None, method.as_deref());
            let charged = Charged::Declined(refused);
            self.note_failure(intent, &charged, act);
            if let Some(invoice) = invoice {
                self.follow(invoice, Some(&charged), act);
            }
        }
        self.finish_bank_session(&id, pays, act);
    }

    pub(crate) fn cancel_payment_intent(&mut self, intent: usize, reason: Option<String>, act: Act) -> Outcome<()> {
        let row = &self.payment_intents[intent];
        if row.invoice.is_some() || matches!(row.status, IntentStatus::Succeeded | IntentStatus::Canceled) {
            let message = format!("You cannot cancel this PaymentIntent: its status is {}.", row.status.as_str());
            return Err(Refusal::coded("payment_intent_unexpected_state", message));
        }
        let act = self.act_for_intent(row.customer.as_deref(), act);
        self.drop_intent(intent, reason.as_deref().unwrap_or("requested_by_customer"), act);
        Ok(())
    }

    pub(super) fn drop_intent(&mut self, intent: usize, reason: &str, act: Act) {
        let row = &mut self.payment_intents[intent];
        if matches!(row.status, IntentStatus::Succeeded | IntentStatus::Canceled) {
            return;
        }
        row.status = IntentStatus::Canceled;
        row.canceled_at = Some(act.secs());
        row.cancellation_reason = Some(reason.to_owned());
        row.settles_at = None;
        self.emit("payment_intent.canceled", Object::PaymentIntent(intent), None, act);
    }

    pub(crate) fn create_setup_intent(&mut self, new: NewSetupIntent, act: Act) -> Outcome<usize> {
        let customer = new.customer.map(|customer| self.customers[customer].id.clone());
        let act = self.act_for_intent(customer.as_deref(), act);
        let confirms = new.confirms;
        let intent = self.insert_setup_intent(new, act);
        if confirms {
            self.confirm_setup_intent(intent, None, None, act)?;
        }
        Ok(intent)
    }

    pub(super) fn insert_setup_intent(&mut self, new: NewSetupIntent, act: Act) -> usize {
        let id = self.ids.alphanumeric("seti_1", 23);
        let method = new.payment_method.map(|method| self.payment_methods[method].id.clone());
        let status =
            if method.is_some() { IntentStatus::RequiresConfirmation } else { IntentStatus::RequiresPaymentMethod };
        let intent = self.setup_intents.insert(SetupIntent {
            client_secret: self.ids.alphanumeric(&format!("{id}_secret_"), 25),
            id,
            customer: new.customer.map(|customer| self.customers[customer].id.clone()),
            status,
            payment_method: method,
            last_setup_error: None,
            description: new.description,
            metadata: new.metadata,
            created: act.secs(),
            cancellation_reason: None,
        });
        self.emit("setup_intent.created", Object::SetupIntent(intent), None, act);
        intent
    }

    /// Stores a method, as the customer does who is there.
    pub(crate) fn confirm_setup_intent(
        &mut self,
        intent: usize,
        method: Option<usize>,
        challenge: Option<Challenge>,
        act: Act,
    ) -> Outcome<()> {
        let row = &self.setup_intents[intent];
        let (id, owner) = (row.id.clone(), row.customer.clone());
        let act = self.act_for_intent(owner.as_deref(), act);
        if matches!(row.status, IntentStatus::Succeeded | IntentStatus::Canceled) {
            let message = format!("This SetupIntent's status is {}: it cannot be confirmed.", row.status.as_str());
            return Err(Refusal::coded("setup_intent_unexpected_state", message));
        }
        let known = row.payment_method.as_deref().and_then(|id| self.payment_methods.position(id));
        let Some(method) = method.or(known) else {
            let message = "You cannot confirm this SetupIntent because it's missing a payment method.";
            return Err(Refusal::coded("setup_intent_unexpected_state", message));
        };
        let instrument = &self.payment_methods[method].instrument;
        let asks = matches!(instrument.behaviour(), Behaviour::ChallengesAlways | Behaviour::ChallengesAtSetup);
        let failed = match challenge {
            Some(Challenge::Fail) if asks => Some(PaymentError {
                code: "setup_intent_authentication_failure",
                ..challenge_failed(Some(&self.payment_methods[method].id))
            }),
            _ => refusal_at_storage(instrument),
        };
        self.setup_intents[intent].payment_method = Some(self.payment_methods[method].id.clone());
        if let Some(error) = failed {
            let row = &mut self.setup_intents[intent];
            row.status = IntentStatus::RequiresPaymentMethod;
            row.payment_method = None;
            row.last_setup_error = Some(error.clone());
            self.emit("setup_intent.setup_failed", Object::SetupIntent(intent), None, act);
            let mut refusal = Refusal::from(error);
            refusal.setup_intent = Some(id);
            return Err(refusal);
        }
        if asks && challenge.is_none() {
            self.setup_intents[intent].status = IntentStatus::RequiresAction;
            self.emit("setup_intent.requires_action", Object::SetupIntent(intent), None, act);
            return Ok(());
        }
        if let Some(customer) = owner.and_then(|id| self.customers.position(&id)) {
            self.attach(method, customer, act)?;
        }
        self.payment_methods[method].is_set_up = true;
        let row = &mut self.setup_intents[intent];
        row.status = IntentStatus::Succeeded;
        row.last_setup_error = None;
        self.emit("setup_intent.succeeded", Object::SetupIntent(intent), None, act);
        self.use_set_up(&id, method, act);
        Ok(())
    }

    /// A subscription that waited for a method gets it as its own.
    fn use_set_up(&mut self, intent: &str, method: usize, act: Act) {
        let waits = |row: &super::model::Subscription| row.pending_setup_intent.as_deref() == Some(intent);
        let Some(position) = self.subscriptions.iter().position(waits) else { return };
        let before = self.snapshot(Object::Subscription(position));
        let id = self.payment_methods[method].id.clone();
        let row = &mut self.subscriptions[position];
        row.pending_setup_intent = None;
        row.default_payment_method.get_or_insert(id);
        self.emit_updated("customer.subscription.updated", Object::Subscription(position), &before, act);
    }

    pub(crate) fn cancel_setup_intent(&mut self, intent: usize, reason: Option<String>, act: Act) -> Outcome<()> {
        let row = &mut self.setup_intents[intent];
        if matches!(row.status, IntentStatus::Succeeded | IntentStatus::Canceled) {
            let message = format!("You cannot cancel this SetupIntent: its status is {}.", row.status.as_str());
            return Err(Refusal::coded("setup_intent_unexpected_state", message));
        }
        row.status = IntentStatus::Canceled;
        row.cancellation_reason = reason;
        self.emit("setup_intent.canceled", Object::SetupIntent(intent), None, act);
        Ok(())
    }
}

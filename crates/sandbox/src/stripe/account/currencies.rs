//! One customer pays in one currency at a time.
//!
//! Signatures: `check_currency(customer, currency) -> Outcome<()>`.
//!
//! Reported by users of `POST /v1/checkout/sessions`, with the words below and without a code: what runs, what is open and
//! what waits for an invoice keeps another currency out. Discounts and quotes are not in this sandbox.

use super::model::{CheckoutMode, SessionStatus};
use super::refusal::Refusal;
use super::{Account, Outcome};

impl Account {
    /// Refuses something that recurs in a currency, or waits for an invoice in it, while the customer has such in another.
    pub(super) fn check_currency(&self, customer: &str, currency: &str) -> Outcome<()> {
        let running = self.subscriptions.iter().filter(|row| !row.status.is_over());
        let open = self
            .checkout_sessions
            .iter()
            .filter(|row| row.mode == CheckoutMode::Subscription && row.status == SessionStatus::Open)
            .filter_map(|row| Some((row.customer.as_deref()?, row.currency.as_deref()?)));
        let waiting = self.invoice_items.iter().filter(|row| row.invoice.is_none());
        let mut known = running
            .map(|row| (row.customer.as_str(), row.currency.as_str()))
            .chain(open)
            .chain(waiting.map(|row| (row.customer.as_str(), row.currency.as_str())));
        match known.find(|(of, known)| *of == customer && !known.eq_ignore_ascii_case(currency)) {
            None => Ok(()),
            Some((_, known)) => Err(Refusal::invalid(format!(
                "You cannot combine currencies on a single customer. This customer has an active subscription, subscription \
                 schedule, discount, quote, invoice item or active subscription mode checkout session with currency {known}."
            ))),
        }
    }
}

//! Customers and their payment methods.
//!
//! Source: Stripe API reference, "Customers" and "Payment methods"; Stripe docs, "Testing".

use serde_json::Value;

use super::Metadata;

#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) description: Option<String>,
    /// As given: `{line1, line2, city, state, postal_code, country}`.
    pub(crate) address: Option<Value>,
    /// As given: `{name, phone, address}`.
    pub(crate) shipping: Option<Value>,
    pub(crate) preferred_locales: Vec<String>,
    /// `none`, `exempt` or `reverse`.
    pub(crate) tax_exempt: &'static str,
    /// Minor units; negative is a credit, positive is owed. Both go into the next invoice.
    pub(crate) balance: i64,
    /// Set by the first subscription or invoice.
    pub(crate) currency: Option<String>,
    /// `invoice_settings.default_payment_method`, an id.
    pub(crate) default_payment_method: Option<String>,
    /// The beginning of its invoices' numbers.
    pub(crate) invoice_prefix: String,
    pub(crate) next_invoice_sequence: i64,
    /// Whether its latest invoice could not be collected.
    pub(crate) delinquent: bool,
    /// The id of the clock whose time it lives in.
    pub(crate) test_clock: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) deleted: bool,
}

/// What a test card does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Pays,
    /// Refused at once: the `code` and the `decline_code`.
    Declines(&'static str, &'static str),
    /// Can be attached; every charge is declined.
    AttachesThenFails,
    /// Every payment asks the customer.
    ChallengesAlways,
    /// Asks the customer once, when it is set up; pays then.
    ChallengesAtSetup,
}

/// What pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instrument {
    Card {
        brand: &'static str,
        last4: String,
        behaviour: Behaviour,
    },
    /// A `us_bank_account`: whether a payment succeeded is known days later.
    Bank {
        last4: String,
        pays: bool,
    },
}

impl Instrument {
    /// The `type` of the payment method.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Instrument::Card { .. } => "card",
            Instrument::Bank { .. } => "us_bank_account",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct PaymentMethod {
    pub(crate) id: String,
    /// The customer it is attached to, an id.
    pub(crate) customer: Option<String>,
    pub(crate) instrument: Instrument,
    /// The same for the same number: 16 letters and digits.
    pub(crate) fingerprint: String,
    /// `billing_details.email` and `.name`.
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    /// Whether the customer has passed the challenge at set-up.
    pub(crate) is_set_up: bool,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

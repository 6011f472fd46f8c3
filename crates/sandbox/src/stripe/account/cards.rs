//! The test cards, the test bank accounts, and what they do.
//!
//! Signatures: `Instrument::parse(number)`, `Instrument::from_token(token)`, `first_refusal`, `charge_result`.
//!
//! Source: Stripe docs, "Testing". The set-up card, the token names and the bank accounts are from memory.

use super::model::{Behaviour, Instrument, PaymentError, PaymentMethod};
use super::refusal::Refusal;
use crate::ids::Ids;

/// The numbers that pages name, with what each does.
pub(crate) const NAMED: [(&str, &str); 9] = [
    ("4242 4242 4242 4242", "pays"),
    ("4000 0000 0000 0002", "is declined"),
    ("4000 0000 0000 9995", "is declined: insufficient funds"),
    ("4000 0000 0000 0341", "is stored, but every charge fails"),
    ("4000 0027 6000 3184", "asks the customer (3-D Secure) every time"),
    ("4000 0025 0000 3155", "asks the customer once, at set-up"),
    ("5555 5555 5555 4444", "pays (Mastercard)"),
    ("000123456789", "is a bank account that pays, known days later"),
    ("000111111116", "is a bank account that does not pay, known days later"),
];

const PAYING: [(&str, &str); 7] = [
    ("4242424242424242", "visa"),
    ("4000056655665556", "visa"),
    ("5555555555554444", "mastercard"),
    ("378282246310005", "amex"),
    ("6011111111111117", "discover"),
    ("3566002020360505", "jcb"),
    ("3056930009020004", "diners"),
];

/// The tokens that code uses instead of numbers, without `pm_card_`, `pm_` or `tok_`.
const TOKENS: [(&str, &str); 16] = [
    ("visa", "4242424242424242"),
    ("visa_debit", "4000056655665556"),
    ("mastercard", "5555555555554444"),
    ("amex", "378282246310005"),
    ("discover", "6011111111111117"),
    ("jcb", "3566002020360505"),
    ("chargeDeclined", "4000000000000002"),
    ("visa_chargeDeclined", "4000000000000002"),
    ("chargeDeclinedInsufficientFunds", "4000000000009995"),
    ("chargeDeclinedExpiredCard", "4000000000000069"),
    ("chargeDeclinedProcessingError", "4000000000000119"),
    ("chargeCustomerFail", "4000000000000341"),
    ("authenticationRequired", "4000002760003184"),
    ("authenticationRequiredOnSetup", "4000002500003155"),
    ("usBankAccount_success", "000123456789"),
    ("usBankAccount_insufficientFunds", "000111111116"),
];

impl Instrument {
    /// Reads the number of a test card or bank account, with or without spaces or dashes.
    pub(crate) fn parse(number: &str) -> Option<Self> {
        let digits: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let last4 = digits[digits.len().saturating_sub(4)..].to_owned();
        let (brand, behaviour) = match digits.as_str() {
            "000123456789" => return Some(Instrument::Bank { last4, pays: true }),
            "000111111116" => return Some(Instrument::Bank { last4, pays: false }),
            "4000000000000002" => ("visa", Behaviour::Declines("card_declined", "generic_decline")),
            "4000000000009995" => ("visa", Behaviour::Declines("card_declined", "insufficient_funds")),
            "4000000000000069" => ("visa", Behaviour::Declines("expired_card", "expired_card")),
            "4000000000000127" => ("visa", Behaviour::Declines("incorrect_cvc", "incorrect_cvc")),
            "4000000000000119" => ("visa", Behaviour::Declines("processing_error", "processing_error")),
            "4000000000000341" => ("visa", Behaviour::AttachesThenFails),
            "4000002760003184" => ("visa", Behaviour::ChallengesAlways),
            "4000002500003155" => ("visa", Behaviour::ChallengesAtSetup),
            other => (PAYING.iter().find(|(number, _)| *number == other)?.1, Behaviour::Pays),
        };
        Some(Instrument::Card { brand, last4, behaviour })
    }

    /// Reads `pm_card_visa`, `tok_visa` and the like.
    #[cfg(test)]
    fn from_token(token: &str) -> Option<Self> {
        Self::parse(token_number(token)?)
    }

    pub(crate) fn behaviour(&self) -> Behaviour {
        match self {
            Instrument::Card { behaviour, .. } => *behaviour,
            Instrument::Bank { .. } => Behaviour::Pays,
        }
    }
}

/// The number that a token stands for.
pub(super) fn token_number(token: &str) -> Option<&'static str> {
    let name = ["pm_card_", "tok_", "pm_"].iter().find_map(|prefix| token.strip_prefix(prefix))?;
    TOKENS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

/// A fingerprint: the same number has the same one.
pub(super) fn fingerprint(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit);
    let seed = digits.fold(7_u64, |seed, c| seed.wrapping_mul(31).wrapping_add(u64::from(u32::from(c))));
    Ids::new(seed).alphanumeric("", 16)
}

/// How a charge goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Charged {
    Paid,
    /// A bank says so days later.
    Processing,
    /// The customer must act.
    Challenged,
    Declined(PaymentError),
}

/// What happens when the method is charged. `forced` is a failure that was asked for; `has_passed`: the customer is
/// there and has passed what the bank asks.
pub(super) fn charge_result(method: &PaymentMethod, forced: bool, has_passed: bool) -> Charged {
    if forced {
        return Charged::Declined(error("card_declined", Some("generic_decline"), Some(&method.id)));
    }
    match (&method.instrument, method.instrument.behaviour()) {
        (Instrument::Bank { .. }, _) => Charged::Processing,
        (_, Behaviour::Pays) => Charged::Paid,
        (_, Behaviour::ChallengesAlways) if !has_passed => Charged::Challenged,
        (_, Behaviour::ChallengesAtSetup) if !has_passed && !method.is_set_up => Charged::Challenged,
        (_, Behaviour::ChallengesAlways | Behaviour::ChallengesAtSetup) => Charged::Paid,
        (_, Behaviour::AttachesThenFails) => {
            Charged::Declined(error("card_declined", Some("generic_decline"), Some(&method.id)))
        }
        (_, Behaviour::Declines(code, decline)) => {
            Charged::Declined(error(code, (code == "card_declined").then_some(decline), Some(&method.id)))
        }
    }
}

/// Why a number cannot be stored, if so: the cards that are declined are so at once.
pub(super) fn refusal_at_storage(instrument: &Instrument) -> Option<PaymentError> {
    match instrument.behaviour() {
        Behaviour::Declines(code, decline) => Some(error(code, (code == "card_declined").then_some(decline), None)),
        Behaviour::Pays | Behaviour::AttachesThenFails | Behaviour::ChallengesAlways | Behaviour::ChallengesAtSetup => {
            None
        }
    }
}

/// The customer did not pass the challenge.
pub(super) fn challenge_failed(method: Option<&str>) -> PaymentError {
    error("payment_intent_authentication_failure", None, method)
}

pub(super) fn error(code: &'static str, decline: Option<&'static str>, method: Option<&str>) -> PaymentError {
    let message = match (code, decline) {
        (_, Some("insufficient_funds")) => "Your card has insufficient funds.",
        ("expired_card", _) => "Your card has expired.",
        ("incorrect_cvc", _) => "Your card's security code is incorrect.",
        ("processing_error", _) => "An error occurred while processing your card. Try again in a little bit.",
        ("payment_intent_authentication_failure", _) => {
            "We are unable to authenticate your payment method. Please choose a different payment method and try again."
        }
        ("authentication_required", _) => "Your card was declined. This transaction requires authentication.",
        ("payment_method_bank_account_blocked", _) => "The customer's bank did not pay.",
        _ => "Your card was declined.",
    };
    PaymentError { code, decline_code: decline, message, payment_method: method.map(str::to_owned) }
}

impl From<PaymentError> for Refusal {
    fn from(error: PaymentError) -> Self {
        Refusal::card(error.code, error.decline_code, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_tokens_are_the_documented_ones() {
        assert_eq!(Instrument::parse("4242 4242 4242 4242"), Instrument::from_token("pm_card_visa"));
        assert_eq!(Instrument::from_token("tok_visa"), Instrument::from_token("pm_card_visa"));
        let dunning = Instrument::from_token("pm_card_chargeCustomerFail").unwrap();
        assert_eq!(dunning.behaviour(), Behaviour::AttachesThenFails);
        assert_eq!(Instrument::parse("000123456789").unwrap().kind(), "us_bank_account");
        for number in ["", "4111111111111111", "4242x", "٤٢٤٢"] {
            assert_eq!(Instrument::parse(number), None, "{number}");
        }
        assert!(TOKENS.iter().all(|(_, number)| Instrument::parse(number).is_some()));
        assert!(NAMED.iter().all(|(number, _)| Instrument::parse(number).is_some()));
        assert_eq!(fingerprint("4242 4242 4242 4242"), fingerprint("4242424242424242"));
    }
}

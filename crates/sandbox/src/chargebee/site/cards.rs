//! The test gateway's cards.
//!
//! Sources: Chargebee docs, "Chargebee Test Gateway"; for the one that asks, Stripe docs, "Testing": a site passes cards
//! on to its gateway, and this number asks where Stripe is the gateway. The test gateway's own are not known here.

/// What a card will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Stores and pays.
    Pays,
    /// Stores, but every charge fails with insufficient funds.
    StoresOnly,
    /// Cannot be stored: verification fails.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) iin: String,
    pub(crate) last4: String,
    pub(crate) brand: &'static str,
    pub(crate) behaviour: Behaviour,
    /// Whether the bank asks the customer first.
    pub(crate) asks: bool,
}

/// The card whose bank asks.
const ASKS: &str = "4000002760003184";

/// The cards that pages name, with what each shows.
pub(crate) const NAMED: [(&str, &str); 5] = [
    ("4111 1111 1111 1111", "pays"),
    ("5555 5555 5555 4444", "pays (Mastercard)"),
    ("4119 8627 6033 8320", "is declined when it is stored"),
    ("4005 5192 0000 0004", "is stored, but every charge fails"),
    ("4000 0027 6000 3184", "asks the customer (3-D Secure)"),
];

const PAYING: [(&str, &str); 6] = [
    ("4111111111111111", "visa"),
    ("5555555555554444", "mastercard"),
    ("378282246310005", "american_express"),
    ("6011111111111117", "discover"),
    ("3530111333300000", "jcb"),
    ("38520000023237", "diners_club"),
];

impl Card {
    /// Reads a card number with or without spaces or dashes; `None` for anything but a documented test card.
    pub(crate) fn parse(number: &str) -> Option<Self> {
        let digits: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
        if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let (brand, behaviour) = match digits.as_str() {
            "4119862760338320" => ("visa", Behaviour::Refused),
            "4005519200000004" => ("visa", Behaviour::StoresOnly),
            ASKS => ("visa", Behaviour::Pays),
            other => (PAYING.iter().find(|(number, _)| *number == other)?.1, Behaviour::Pays),
        };
        let last4 = digits[digits.len() - 4..].to_owned();
        Some(Self { iin: digits[..6].to_owned(), last4, brand, behaviour, asks: digits == ASKS })
    }

    /// Reads the number of a card that can be stored, or says why not.
    pub(crate) fn accept(number: &str) -> Result<Self, &'static str> {
        let card = Self::parse(number).ok_or("The card number is none of the test cards of this sandbox.")?;
        match card.behaviour {
            Behaviour::Refused => Err("Your card was declined. Please use another card."),
            Behaviour::Pays | Behaviour::StoresOnly => Ok(card),
        }
    }

    pub(crate) fn masked(&self) -> String {
        format!("************{}", self.last4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_do_not_matter_and_other_numbers_are_no_test_cards() {
        assert_eq!(Card::parse("4111 1111 1111 1111"), Card::parse("4111111111111111"));
        assert_eq!(Card::parse("4119 8627 6033 8320").unwrap().behaviour, Behaviour::Refused);
        assert_eq!(Card::parse("4005519200000004").unwrap().behaviour, Behaviour::StoresOnly);
        for number in ["", "4242424242424242", "4111x", "٤١١١"] {
            assert_eq!(Card::parse(number), None, "{number}");
        }
    }
}

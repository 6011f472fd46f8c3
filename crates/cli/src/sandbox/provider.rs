//! The two billing providers that the sandbox stands in for, where the demo has to tell them apart.

use clap::ValueEnum;

/// A billing provider to play with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    Chargebee,
    Stripe,
}

impl Provider {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chargebee => tollkeeper_chargebee::NAME,
            Self::Stripe => tollkeeper_stripe::NAME,
        }
    }

    /// The price of one of the demo's plans by the month.
    pub(crate) fn monthly(self, plan: &str) -> String {
        match self {
            Self::Chargebee => format!("{plan}-plan-monthly"),
            Self::Stripe => format!("price_{plan}_monthly"),
        }
    }

    /// The number of a test card that pays. Source: the providers' pages on testing.
    pub(crate) fn card(self) -> &'static str {
        match self {
            Self::Chargebee => "4111 1111 1111 1111",
            Self::Stripe => "4242 4242 4242 4242",
        }
    }

    /// What it calls a status of ours.
    pub(crate) fn word(self, status: &str) -> &str {
        match (self, status) {
            (Self::Chargebee, status) => status,
            (Self::Stripe, "in_trial") => "trialing",
            // That it will end is a date beside the status.
            (Self::Stripe, "non_renewing") => "active",
            (Self::Stripe, "cancelled") => "canceled",
            (Self::Stripe, status) => status,
        }
    }
}

//! The question of a customer's bank (3-D Secure), which stands between a page of any provider and the money.

/// How the customer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    Pass,
    Fail,
}

impl Challenge {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "pass" => Some(Self::Pass),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

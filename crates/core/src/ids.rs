//! Ids as types, ours and foreign, so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

use crate::time::Timestamp;

/// Declares a string id type with the conversions that every id has.
///
/// ```text
/// string_id! { /** A user at the identity provider. */ UserId }
/// ```
macro_rules! string_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a value as it came.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The value, unwrapped.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(value)
            }
        }
    )*};
}

string_id! {
    /// The one billing key: the organization's id at the identity provider (`oid` claim), `referenceId` in the API.
    OrganizationId,
    /// Our own id of a subscription row: `tks_` and 32 hexadecimal digits, 36 characters, short enough to be proposed to
    /// a provider as its id (Chargebee allows 50).
    SubscriptionId,
    /// A person or directory user at the identity provider (`usr_…`, `diruser_…`).
    UserId,
    /// A customer at a billing provider.
    ProviderCustomerId,
    /// A subscription at a billing provider.
    ProviderSubscriptionId,
    /// An invoice at a billing provider.
    ProviderInvoiceId,
    /// A price at a billing provider (Chargebee item price, Stripe price).
    PriceId,
    /// A plan of our catalog.
    PlanName,
    /// An add-on of our catalog.
    AddonName,
    /// A feature of our catalog, or a reserved name (`subscription`, `plan:NAME`, `price:ID`).
    FeatureName,
    /// A billing provider, by the name that configuration and rows use (`chargebee`, `stripe`).
    Provider,
    /// Who sends deliveries: a billing provider or the identity provider, by name.
    Source,
    /// A delivery's own id, unique within its [`Source`].
    EventId,
}

/// The prefix of our subscription ids; no provider uses it.
pub const SUBSCRIPTION_PREFIX: &str = "tks_";

impl SubscriptionId {
    /// Makes a new id, sortable by `now` (a version 7 UUID without its dashes).
    ///
    /// `random` is 10 bytes of randomness.
    pub fn generate(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = now.as_micros().div_euclid(1000).max(0).cast_unsigned();
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(format!("{SUBSCRIPTION_PREFIX}{}", hex::encode(bytes)))
    }

    /// Derives the id of a row for a subscription that somebody else made.
    ///
    /// The same subscription always gives the same id, so that two workers that adopt it at once meet at one row.
    pub fn adopted(provider: &Provider, id: &ProviderSubscriptionId) -> Self {
        let digest =
            Sha256::new().chain_update(provider.as_str()).chain_update([0]).chain_update(id.as_str()).finalize();
        Self(format!("{SUBSCRIPTION_PREFIX}{}", hex::encode(&digest[..16])))
    }

    /// Whether `text` has the shape of an id that we made.
    pub fn is_ours(text: &str) -> bool {
        text.strip_prefix(SUBSCRIPTION_PREFIX).is_some_and(|rest| {
            rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_is_ours_and_sorts_by_time() {
        let early = SubscriptionId::generate(Timestamp::from_unix_seconds(1_000), [0xff; 10]);
        let late = SubscriptionId::generate(Timestamp::from_unix_seconds(2_000), [0; 10]);
        assert!(SubscriptionId::is_ours(early.as_str()), "{early}");
        assert!(early < late);
        assert_eq!(early.as_str().len(), 36);
    }

    #[test]
    fn an_adopted_id_depends_on_provider_and_id_alone() {
        let id = |p: &str, s: &str| SubscriptionId::adopted(&p.into(), &s.into());
        assert_eq!(id("chargebee", "s1"), id("chargebee", "s1"));
        assert_ne!(id("chargebee", "s1"), id("stripe", "s1"));
        assert_ne!(id("a", "bc"), id("ab", "c"), "the two parts must not run into each other");
        assert!(SubscriptionId::is_ours(id("stripe", "x").as_str()));
    }

    #[test]
    fn foreign_text_is_not_ours() {
        for text in
            ["", "tks_", "tks_0123", "sub_00000000000000000000000000000000", "tks_0000000000000000000000000000000G"]
        {
            assert!(!SubscriptionId::is_ours(text), "{text}");
        }
    }
}

//! Deliveries: verified over the raw bytes, then decoded into a hint.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    ids::{EventId, OrganizationId, ProviderCustomerId, ProviderSubscriptionId, Source},
    member::MemberChange,
    ports::OrganizationRecord,
    snapshot::Snapshot,
    time::{MachineTime, Timestamp},
};

/// A body whose sender is proven: by [`Inbound::verify`], or long ago, when it was stored.
#[derive(Clone, Debug)]
pub struct Verified {
    source: Source,
    body: Bytes,
}

impl Verified {
    /// Vouches for a body: for adapters after their check, and for bodies read back from the inbox.
    pub fn vouched(source: Source, body: Bytes) -> Self {
        Self { source, body }
    }

    /// Who sent it.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The raw bytes, as they came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

/// Why a delivery is not believed. The sender learns only that it is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header or credential is missing.
    #[error("no {0}")]
    Missing(&'static str),
    /// A header or credential has the wrong shape.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Its time is too far from ours.
    #[error("the timestamp is outside of the tolerance")]
    Stale,
    /// No secret of ours made this signature, or the credentials are others.
    #[error("the signature or the credentials do not match")]
    Mismatch,
}

/// Why a verified delivery cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the delivery cannot be read: {0}")]
pub struct DecodeError(pub String);

/// What a delivery is about; deliveries about one subject are worked on one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An organization at the identity provider, with its members.
    Organization(OrganizationId),
    /// A subscription at the source.
    Subscription(ProviderSubscriptionId),
    /// A customer at the source.
    Customer(ProviderCustomerId),
    /// Nothing that we model; stored and passed to `on_event`.
    Other,
}

impl fmt::Display for Subject {
    /// The text that the inbox holds: `subscription:ID`, `organization:ID`, `customer:ID` or `other`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(id) => write!(f, "organization:{id}"),
            Self::Subscription(id) => write!(f, "subscription:{id}"),
            Self::Customer(id) => write!(f, "customer:{id}"),
            Self::Other => f.write_str("other"),
        }
    }
}

impl Subject {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("organization", id)) => Self::Organization(id.into()),
            Some(("subscription", id)) => Self::Subscription(id.into()),
            Some(("customer", id)) => Self::Customer(id.into()),
            Some(_) | None => Self::Other,
        }
    }
}

/// What a delivery itself says, where that is enough to be worth reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A whole subscription with nothing open on it that only a fetch would show.
    Subscription(Box<Snapshot>),
    /// The organization as it is now.
    OrganizationChanged(OrganizationRecord),
    /// The organization is gone.
    OrganizationDeleted(OrganizationId),
    /// Somebody joined or left, or was changed.
    Member(MemberChange),
    /// It is about the customer itself, and about nothing that the customer pays for.
    Customer(ProviderCustomerId),
}

/// What a delivery says: that something changed, sometimes what.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// Its own id; a repeated delivery repeats it.
    pub event_id: EventId,
    /// The provider's name of the event.
    pub event_type: String,
    /// When it happened, by the provider's clock.
    pub occurred_at: Option<Timestamp>,
    /// What it is about.
    pub subject: Subject,
    /// What it says, if that is usable.
    pub content: Option<Content>,
}

/// Receives deliveries of one source. Pure: no call to anybody.
pub trait Inbound: Send + Sync + 'static {
    /// The source, as the inbox names it.
    fn source(&self) -> Source;

    /// Proves who sent this.
    ///
    /// # Errors
    /// [`VerifyError`]: answer 401, store nothing.
    fn verify(&self, headers: &HeaderMap, body: Bytes, now: MachineTime) -> Result<Verified, VerifyError>;

    /// Reads the envelope only: id, type, time and subject, without the content. Cheap, for the way in.
    ///
    /// # Errors
    /// [`DecodeError`]: not JSON, or without an id or type: answer 400, store nothing.
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError>;

    /// Reads the whole delivery, with its content.
    ///
    /// # Errors
    /// [`DecodeError`]: as for [`Inbound::envelope`].
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back_as_it_was_written() {
        for subject in [
            Subject::Organization("org:1".into()),
            Subject::Subscription("sub_1".into()),
            Subject::Customer("c".into()),
            Subject::Other,
        ] {
            assert_eq!(Subject::parse(&subject.to_string()), subject);
        }
    }
}

//! What the rules need from the outside, as traits. Adapters implement them; the engine calls them.
//!
//! Capabilities are data: nobody above an adapter matches on a provider's name.

mod billing;
mod error;
mod identity;
mod inbound;

pub use billing::{
    Billing, CancelWhen, CheckoutPage, CheckoutRequest, CheckoutState, CustomerPatch, CustomerRecord, NewCustomer,
};
pub use error::{ErrorKind, ProviderError};
pub use identity::{AuthError, Identity, OrganizationRecord, Session, UserRecord};
pub use inbound::{Content, DecodeError, Hint, Inbound, Subject, Verified, VerifyError};

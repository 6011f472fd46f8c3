//! What the rules need from the outside, as traits. Adapters implement them; the engine calls them.
//!
//! Capabilities are data: nobody above an adapter matches on a provider's name.

mod billing;
mod error;
mod identity;
mod inbound;
mod invoice;
mod pace;
mod page;
mod price_list;
mod sign_in;

pub use billing::{
    Billing, CancelWhen, ChangeRequest, ChangeWhen, Changed, CheckoutPage, CheckoutRequest, CheckoutState,
    CustomerPatch, CustomerRecord, HostedChange, Listed, NewCustomer, NextInvoice, PaymentRequest, Quote, QuoteLine,
};
pub use error::{ErrorKind, ProviderError};
pub use identity::{AuthError, Identity, OrganizationRecord, Session, UserRecord};
pub use inbound::{Content, DecodeError, Hint, Inbound, Subject, Verified, VerifyError};
pub use invoice::{Invoice, InvoiceStatus};
pub use pace::Pace;
pub use page::Page;
pub use price_list::{Offer, PriceList, PriceRecord};
pub use sign_in::{Identified, SignIn, SignInCode, SignInError, SignInStart, Tokens};

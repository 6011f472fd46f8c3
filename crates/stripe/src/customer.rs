//! Customers: what is written to one, and what is read.
//!
//! Stripe names its customers itself. What ties one to an organization is its metadata.

use tollkeeper_core::{
    ids::OrganizationId,
    ports::{CustomerPatch, CustomerRecord, ErrorKind, NewCustomer, ProviderError},
};

use crate::{error::Attempt, form::Form, wire};

/// The longest name that is sent. Stripe does not publish its limit; a name on an invoice is never this long.
const MAX_NAME_CHARS: usize = 250;

/// The longest address that is sent. Stripe takes 512 characters.
const MAX_EMAIL_CHARS: usize = 500;

/// The longest text that Stripe keeps in metadata. Source: API reference, "Metadata".
const MAX_METADATA_CHARS: usize = 500;

/// The body of `POST /v1/customers`. A customer has no currency before its first invoice: none is sent.
///
/// # Errors
/// `Rejected`, when the organization's id is longer than Stripe keeps: half of it would be somebody else's.
pub(crate) fn creation(attempt: Attempt, new: &NewCustomer) -> Result<Form, ProviderError> {
    check_metadata(attempt, "organizationId", new.organization_id.as_str())?;
    Ok(Form::new()
        .set("name", kept_name(&new.display_name))
        .set_some("email", email(new.email.as_deref()))
        .set("metadata[organizationId]", &new.organization_id)
        .set("metadata[customerType]", new.customer_type))
}

/// The body of `POST /v1/customers/{id}`; empty when nothing changes. Metadata stay: an update merges them.
pub(crate) fn change(patch: &CustomerPatch) -> Form {
    Form::new()
        .set_some("name", patch.display_name.as_deref().map(kept_name))
        .set_some("email", email(patch.email.as_deref()))
        .set_some("preferred_locales[0]", patch.locale.as_deref())
}

/// A name of any length, as long as it is sent: a customer with half a name pays, a refused one does not.
pub(crate) fn kept_name(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

/// An address that Stripe takes. A longer one is left out, because half an address is somebody else's.
fn email(address: Option<&str>) -> Option<&str> {
    let address = address.filter(|address| !address.is_empty())?;
    if address.chars().count() > MAX_EMAIL_CHARS {
        tracing::warn!("an e-mail address is longer than Stripe takes; it was left out");
        return None;
    }
    Some(address)
}

/// Refuses a text that would be cut in metadata.
pub(crate) fn check_metadata(attempt: Attempt, name: &str, text: &str) -> Result<(), ProviderError> {
    if text.chars().count() > MAX_METADATA_CHARS {
        let message = format!("{name} is longer than the {MAX_METADATA_CHARS} characters that Stripe keeps");
        return Err(attempt.error(ErrorKind::Rejected, message));
    }
    Ok(())
}

/// A customer in our words. A deleted one is nothing but its id.
pub(crate) fn record(customer: wire::Customer) -> CustomerRecord {
    CustomerRecord {
        organization_id: customer.metadata.text("organizationId").map(OrganizationId::from),
        id: customer.id.into(),
        display_name: customer.name.filter(|name| !name.is_empty()),
        email: customer.email.filter(|email| !email.is_empty()),
        deleted: customer.deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_without_changes_sends_nothing_and_never_metadata() {
        assert!(change(&CustomerPatch::default()).is_empty());
        let form = change(&CustomerPatch {
            display_name: Some("A B".into()),
            email: Some("a@b.test".into()),
            locale: Some("fr-CA".into()),
        });
        assert_eq!(form.as_str(), "name=A+B&email=a%40b.test&preferred_locales%5B0%5D=fr-CA");
    }

    #[test]
    fn what_is_too_long_is_cut_left_out_or_refused() {
        let new = NewCustomer {
            organization_id: "org_1".into(),
            customer_type: "organization",
            display_name: "ß".repeat(300),
            email: Some(format!("{}@acme.test", "a".repeat(500))),
            currency: None,
        };
        let attempt = Attempt::write("create customer");
        let form = creation(attempt, &new).unwrap();
        assert!(!form.as_str().contains("email="));
        assert_eq!(form.as_str().matches("%C3%9F").count(), 250);
        let long = NewCustomer { organization_id: "o".repeat(501).into(), ..new };
        assert_eq!(creation(attempt, &long).unwrap_err().kind, ErrorKind::Rejected);
    }
}

//! Customers: the id that stands for an organization, and what is written to one.

use serde::Serialize;
use sha2::{Digest, Sha256};
use tollkeeper_core::{
    ids::{OrganizationId, ProviderCustomerId},
    ports::{CustomerPatch, CustomerRecord, NewCustomer},
};

use crate::{form::Form, wire};

// Lengths that Chargebee takes, in characters. Source: API docs, "Customers".
const MAX_ID_CHARS: usize = 50;
const MAX_COMPANY_CHARS: usize = 250;
const MAX_EMAIL_CHARS: usize = 70;

/// Hexadecimal digits of the digest that stands for what a long id loses.
const DIGEST_CHARS: usize = 16;

/// The id of an organization's customer.
///
/// The organization's id itself, or its first 33 characters, `-` and 16 hexadecimal digits of its SHA-256. A later
/// attempt, for when the id is taken by a deleted customer, ends in `-2`, `-3`, …, and takes fewer of the first
/// characters where needed. Two organizations could meet in one id only if one is named like the other's later attempt;
/// the metadata of the customer that is found tells.
pub(crate) fn id_for(organization_id: &OrganizationId, attempt: u32) -> ProviderCustomerId {
    let id = organization_id.as_str();
    let suffix = if attempt == 0 { String::new() } else { format!("-{}", u64::from(attempt) + 1) };
    if id.chars().count() + suffix.len() <= MAX_ID_CHARS {
        return format!("{id}{suffix}").into();
    }
    let digest = hex::encode(Sha256::digest(id));
    let kept: String = id.chars().take(MAX_ID_CHARS - 1 - DIGEST_CHARS - suffix.len()).collect();
    format!("{kept}-{}{suffix}", &digest[..DIGEST_CHARS]).into()
}

/// What a customer's metadata say about it; read back by this adapter, and by whoever looks at the site.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    organization_id: &'a OrganizationId,
    customer_type: &'a str,
}

/// The body of `POST /customers`.
pub(crate) fn creation(id: &ProviderCustomerId, new: &NewCustomer) -> Form {
    let metadata = Metadata { organization_id: &new.organization_id, customer_type: new.customer_type };
    Form::new()
        .set("id", id)
        .set("company", company(&new.display_name))
        .set_some("email", email(new.email.as_deref()))
        .set_some("preferred_currency_code", new.currency)
        .set_json("meta_data", &metadata)
}

/// The body of `POST /customers/{id}`; empty when nothing changes.
///
/// Never the metadata: nothing in the documentation promises that an update merges them.
pub(crate) fn change(patch: &CustomerPatch) -> Form {
    Form::new()
        .set_some("company", patch.display_name.as_deref().map(company))
        .set_some("email", email(patch.email.as_deref()))
        .set_some("locale", patch.locale.as_deref())
}

/// A name of any length, as long as Chargebee takes it: a customer with half a name pays, a refused one does not.
pub(crate) fn company(name: &str) -> String {
    name.chars().take(MAX_COMPANY_CHARS).collect()
}

/// An address that Chargebee takes. A longer one is left out, because half an address is somebody else's.
fn email(address: Option<&str>) -> Option<&str> {
    let address = address.filter(|address| !address.is_empty())?;
    if address.chars().count() > MAX_EMAIL_CHARS {
        tracing::warn!("an e-mail address is longer than the 70 characters that Chargebee takes; it was left out");
        return None;
    }
    Some(address)
}

/// A customer in our words.
pub(crate) fn record(customer: wire::Customer) -> CustomerRecord {
    CustomerRecord {
        organization_id: customer.meta_data.text("organizationId").map(Into::into),
        id: customer.id.into(),
        display_name: customer.company.filter(|company| !company.is_empty()),
        email: customer.email.filter(|email| !email.is_empty()),
        deleted: customer.deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(organization: &str, attempt: u32) -> String {
        id_for(&organization.into(), attempt).into_string()
    }

    #[test]
    fn a_short_id_is_itself() {
        assert_eq!(id("org_acme", 0), "org_acme");
        assert_eq!(id("org_acme", 1), "org_acme-2");
        assert_eq!(id(&"o".repeat(50), 0), "o".repeat(50));
    }

    #[test]
    fn a_long_id_keeps_its_head_and_its_digest() {
        let long = "o".repeat(51);
        let digest = hex::encode(Sha256::digest(&long));
        assert_eq!(id(&long, 0), format!("{}-{}", "o".repeat(33), &digest[..16]));
        assert_eq!(id(&long, 1), format!("{}-{}-2", "o".repeat(31), &digest[..16]));
    }

    #[test]
    fn no_id_is_too_long_or_cut_inside_of_a_character() {
        for length in [1, 33, 34, 48, 49, 50, 51, 200] {
            for attempt in [0, 1, 8, 9, u32::MAX] {
                let made = id(&"ü".repeat(length), attempt);
                assert!(made.chars().count() <= 50, "{made}");
            }
        }
        let all: std::collections::HashSet<_> = (0..20).map(|attempt| id(&"x".repeat(49), attempt)).collect();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn a_patch_without_changes_sends_nothing_and_never_metadata() {
        assert!(change(&CustomerPatch::default()).is_empty());
        let form = change(&CustomerPatch {
            display_name: Some("A B".into()),
            email: Some("a@b.test".into()),
            locale: Some("fr-CA".into()),
        });
        assert_eq!(form.as_str(), "company=A+B&email=a%40b.test&locale=fr-CA");
    }

    #[test]
    fn what_is_too_long_is_cut_or_left_out() {
        let new = NewCustomer {
            organization_id: "org_1".into(),
            customer_type: "organization",
            display_name: "ß".repeat(300),
            email: Some(format!("{}@acme.test", "a".repeat(70))),
            currency: None,
        };
        let form = creation(&"org_1".into(), &new);
        assert!(!form.as_str().contains("email="));
        assert_eq!(form.as_str().matches("%C3%9F").count(), 250);
    }
}

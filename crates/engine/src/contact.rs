//! Who gets an organization's invoices, and in which language.

use tollkeeper_core::{organization::Organization, ports::CustomerPatch, reduce};

use crate::{Actor, Error, Tollkeeper, budget::for_a_person, decide::cause};

/// The longest e-mail address that can be delivered to.
///
/// Source: RFC 5321, section 4.5.3.1.3, less the brackets of the path.
const LONGEST_EMAIL: usize = 254;
/// Room for every language tag that is in use; the grammar of BCP 47 has no end.
const LONGEST_LOCALE: usize = 35;

/// A billing contact; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactRequest {
    /// Where invoices and reminders go.
    pub email: Option<String>,
    /// The language of them, as BCP 47 names it (`en`, `fr-CA`).
    pub locale: Option<String>,
}

impl Tollkeeper {
    /// Changes the billing contact, at the provider first and then here. Repeating it does no harm.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the field; [`Error::Provider`].
    pub async fn update_contact(&self, actor: &Actor, request: &ContactRequest) -> Result<Organization, Error> {
        if let Some(email) = &request.email
            && !is_email(email)
        {
            return Err(Error::invalid("email", "bad_email", "email must be an address such as billing@example.com"));
        }
        if let Some(locale) = &request.locale
            && !is_locale(locale)
        {
            return Err(Error::invalid("locale", "bad_locale", "locale must be a language such as en or fr-CA"));
        }
        for_a_person(self.write_contact(actor, request)).await
    }

    async fn write_contact(&self, actor: &Actor, request: &ContactRequest) -> Result<Organization, Error> {
        let (id, cause) = (actor.organization_id(), cause::api(format!("contact by {}", actor.user_id)));
        let ContactRequest { email, locale } = request;
        if email.is_none() && locale.is_none() {
            return Ok(self.account(id).await?.organization);
        }
        // Somebody must be told: an organization without a customer gets it now.
        self.ensure_customer(id, &cause).await?;
        let patch = CustomerPatch { display_name: None, email: email.clone(), locale: locale.clone() };
        for customer in &self.account(id).await?.customers {
            self.billing(&customer.provider)?.update_customer(&customer.id, &patch).await?;
        }
        let decided =
            self.decide(id, &cause, |account, _, _| Ok(reduce::contact(account, email.as_deref(), locale.as_deref())));
        Ok(decided.await?.after.organization)
    }
}

/// Whether mail could be sent there, as far as its spelling tells.
fn is_email(text: &str) -> bool {
    let visible = text.chars().all(|letter| !letter.is_whitespace() && !letter.is_control());
    let parts =
        text.rsplit_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty() && !name.contains('@'));
    let host_is_one = |host: &str| !host.starts_with('.') && !host.ends_with('.') && !host.contains("..");
    visible
        && text.len() <= LONGEST_EMAIL
        && !text.contains(['<', '>', '"', ',', ';'])
        && parts.is_some_and(|(_, host)| host_is_one(host))
}

/// Whether it is spelled like a language tag: letters, then parts of letters and digits.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    text.len() <= LONGEST_LOCALE
        && (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_languages_are_told_from_what_is_none() {
        for good in ["a@b.test", "ü+x@b", "o'neil@sub.example.com"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@b.test", "a".repeat(250));
        for bad in
            ["", "a", "@b.test", "a@", "a@b@c", "a b@c.test", "a@b..c", "a@.b", "a@b.", "<a@b.test>", "a@b\n", &long]
        {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["en", "fr-CA", "zh-Hant-TW", "de-1996"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "e", "english language", "en_US", "en-", "-en", "12", "en-abcdefghi", &"en-abc".repeat(9)] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}

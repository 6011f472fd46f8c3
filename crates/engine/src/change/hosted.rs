//! A change that a person confirms on a page of the provider.

use tollkeeper_core::{
    ports::{ChangeWhen, HostedChange},
    subscription::{Checkout, CheckoutParams, Subscription},
};
use tollkeeper_store::Cause;

use super::{
    UpdateRequest,
    target::{self, Target},
    update::{bought, refused},
};
use crate::{Actor, Error, Tollkeeper, choice::redirects};

impl Tollkeeper {
    /// Makes a page of the provider on which the person confirms the change.
    pub(super) async fn hosted_update(
        &self,
        actor: &Actor,
        row: &Subscription,
        target: &Target,
        request: &UpdateRequest,
        cause: &Cause,
    ) -> Result<String, Error> {
        let settings = self.settings();
        let (success, given_up) = redirects(settings, request.success_url.as_deref(), request.cancel_url.as_deref())?;
        let billing = self.billing(&row.provider)?;
        let Some(customer) = row.provider_customer_id.clone() else {
            return Err(Error::conflict("no_customer", "This subscription has no customer at the provider"));
        };
        let key = self.key(row.id.as_str());
        let page = billing
            .hosted_change(&HostedChange {
                key: key.clone(),
                id: bought(row).clone(),
                subscription_id: row.id.clone(),
                organization_id: row.organization_id.clone(),
                customer_id: customer,
                items: target.items.clone(),
                redirect_url: self.landing_url(&row.id),
                cancel_url: self.short_enough(billing.as_ref(), &given_up),
            })
            .await
            .map_err(refused)?;
        let Some(url) = page.url.clone() else {
            return Err(Error::unavailable("no_page", "The provider gave no page to go to"));
        };
        // So that whoever comes back from it lands where this request said.
        let checkout = Checkout {
            key,
            tries: 1,
            params: CheckoutParams {
                items: target.items.clone(),
                currency: target::pays_in(settings, row),
                trial_end: None,
                success_url: success,
                cancel_url: given_up,
                user_id: Some(actor.user_id.to_string()),
                metadata: row.metadata.clone(),
            },
            reference: Some(page.reference),
            url: Some(url.clone()),
            expires_at: page.expires_at,
        };
        self.rewrite_row(&row.organization_id, &row.id, cause, "a page for a change is open", |next, _| {
            next.checkout = Some(checkout.clone());
        })
        .await?;
        Ok(url)
    }
}

/// A page of the provider shows its own amounts, and changes at once.
pub(super) fn check_hosted(request: &UpdateRequest) -> Result<(), Error> {
    if !request.hosted {
        return Ok(());
    }
    if request.preview_token.is_some() {
        return Err(Error::invalid(
            "previewToken",
            "token_with_hosted",
            "previewToken does not go with hosted: the provider's page shows its own amounts",
        ));
    }
    if request.when == Some(ChangeWhen::PeriodEnd) {
        return Err(Error::invalid(
            "when",
            "hosted_is_now",
            "a change on the provider's page happens at once: leave `when` out, or leave `hosted` out",
        ));
    }
    Ok(())
}

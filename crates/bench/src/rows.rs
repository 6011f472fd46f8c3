//! What is in the database before anything is measured: organizations that pay.

use std::ops::Range;

use tollkeeper::{Catalog, Db};
use tollkeeper_core::{
    catalog::{DEFAULT_GROUP, Grant, Interval, Plan, Policy, Price},
    ids::{OrganizationId, SubscriptionId},
    organization::{Customer, Organization},
    snapshot::{Item, ItemType},
    status::Status,
    subscription::Subscription,
    time::{Clock as _, days},
};
use tollkeeper_store::{customer, organization, subscription};

use crate::{events::News, machine::Machine};

/// The price of the plan whose gate `sso` is closed.
pub(crate) const STARTER: &str = "starter-plan-monthly";
/// The price of the plan whose gate `sso` is open.
pub(crate) const GROWTH: &str = "growth-plan-monthly";

/// Rows of one transaction.
const AT_ONCE: usize = 500;

/// The ids of one organization and what it pays for. Its customer is called as it is.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub(crate) provider: &'static str,
    pub(crate) organization: String,
    pub(crate) subscription: String,
}

/// Organizations that nobody but the bench knows.
pub(crate) fn own(number: usize) -> Ids {
    Ids {
        provider: tollkeeper_chargebee::NAME,
        organization: format!("org_bench_{number:09}"),
        subscription: format!("sub_bench_{number:09}"),
    }
}

/// Organizations as the sandbox numbers the ones it is seeded with.
pub(crate) fn seeded(number: usize) -> Ids {
    let number = number + 1;
    Ids {
        provider: tollkeeper_chargebee::NAME,
        organization: format!("org_seed_{number:06}"),
        subscription: format!("sub_seed_{number:06}"),
    }
}

impl Ids {
    /// Something new about it.
    pub(crate) fn news(&self, event: u64, version: i64, seats: i64, price: &'static str) -> News {
        News {
            event,
            organization: self.organization.clone(),
            customer: self.organization.clone(),
            subscription: self.subscription.clone(),
            version,
            seats,
            price,
            scheduled: false,
        }
    }

    fn organization(&self) -> Organization {
        let now = Machine.now();
        Organization {
            id: self.organization.as_str().into(),
            display_name: self.organization.clone(),
            external_id: None,
            email: None,
            locale: None,
            currency: None,
            billing_provider: self.provider.into(),
            had_trial: false,
            version: 0,
            identity_updated_at: None,
            deletion_began_at: None,
            deleted_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    fn subscription(&self, price: &'static str) -> Subscription {
        let now = Machine.now();
        let ours = SubscriptionId::adopted(&self.provider.into(), &self.subscription.as_str().into());
        Subscription {
            status: Status::Active,
            provider_customer_id: Some(self.organization.as_str().into()),
            provider_subscription_id: Some(self.subscription.as_str().into()),
            provider_status: Some("active".into()),
            plan: Some(if price == GROWTH { "growth" } else { "starter" }.into()),
            plan_version: Some(1),
            price_id: Some(price.into()),
            seats: Some(5),
            period_start: Some(now.minus(days(5))),
            period_end: Some(now.plus(days(25))),
            activated_at: Some(now.minus(days(400))),
            items: vec![Item {
                item_price_id: price.into(),
                item_type: ItemType::Plan,
                quantity: 5,
                unit_price: Some(4900),
                amount: Some(24_500),
                currency: "USD".parse().ok(),
            }],
            // Stripe's states have none.
            provider_version: (self.provider == tollkeeper_chargebee::NAME).then_some(1),
            observed_at: Some(now),
            ..Subscription::future(
                ours,
                OrganizationId::from(self.organization.as_str()),
                self.provider.into(),
                DEFAULT_GROUP,
            )
        }
    }
}

/// Writes organizations with their customer and one active subscription each.
pub(crate) async fn seed(
    db: &Db,
    numbers: Range<usize>,
    ids: impl Fn(usize) -> Ids + Sync,
    price: &'static str,
) -> anyhow::Result<()> {
    for begin in numbers.clone().step_by(AT_ONCE) {
        let chunk = begin..numbers.end.min(begin + AT_ONCE);
        let (chunk, ids) = (&chunk, &ids);
        db.write(|tx| {
            Box::pin(async move {
                for ids in chunk.clone().map(ids) {
                    let owner = ids.organization();
                    organization::insert(tx, &owner).await?;
                    let account = Customer { provider: ids.provider.into(), id: ids.organization.as_str().into() };
                    customer::link(tx, &owner.id, &account).await?;
                    subscription::insert(tx, &ids.subscription(price)).await?;
                }
                Ok::<_, tollkeeper_store::Error>(())
            })
        })
        .await?;
    }
    Ok(())
}

/// Two plans; only the dearer one has single sign-on.
pub(crate) fn catalog() -> anyhow::Result<Catalog> {
    let plan = |name: &str, price: &str, amount: i64, sso: bool| -> anyhow::Result<Plan> {
        let mut features = std::collections::BTreeMap::from([("projects".into(), Grant::Limit(None))]);
        let currency = "USD".parse()?;
        if sso {
            features.insert("sso".into(), Grant::Switch);
        }
        let price = |provider: &str| Price {
            id: price.into(),
            provider: provider.into(),
            interval: Interval::Month,
            currency,
            amount,
            per_seat: true,
        };
        Ok(Plan {
            name: name.into(),
            title: name.to_owned(),
            group: DEFAULT_GROUP.to_owned(),
            version: 1,
            features,
            seats: None,
            trial_days: 0,
            credits: None,
            prices: vec![price(tollkeeper_chargebee::NAME), price(tollkeeper_stripe::NAME)],
            past_due_grace: None,
        })
    };
    let plans = vec![plan("starter", STARTER, 1900, false)?, plan("growth", GROWTH, 4900, true)?];
    Catalog::new(plans, vec![], None, Policy::default()).map_err(|problems| anyhow::anyhow!("{problems:?}"))
}

//! Filling the sandbox for load: many paying organizations at once, and nobody is told.

use std::collections::BTreeMap;

use serde_json::json;

use crate::chargebee::site::cards::Card;
use crate::chargebee::site::catalog::{Asked, ItemType};
use crate::chargebee::site::creation::NewSubscription;
use crate::chargebee::site::customers::CustomerInput;
use crate::chargebee::site::{Act, Cause, Outcome, Site};
use crate::moment::Moment;
use crate::scalekit::directory::OrganizationInput;
use crate::server::Sandbox;
use crate::world::World;

/// How many organizations are made before others may look into the sandbox.
const AT_ONCE: usize = 500;

/// What [`Sandbox::seed`] makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// How many organizations to make.
    pub organizations: usize,
    /// The plan's item price, for example `growth-plan-monthly`.
    pub price_id: String,
    /// The quantity of the plan, at least 1.
    pub seats: i64,
}

/// Why nothing more was made.
#[derive(Debug, thiserror::Error)]
#[error("could not seed {organization}: {reason}")]
pub struct SeedError {
    /// The organization that could not be made.
    pub organization: String,
    /// What the provider would have answered.
    pub reason: String,
}

impl Sandbox {
    /// Makes organizations `org_seed_000001`, `org_seed_000002`, … that pay.
    ///
    /// Each has a customer of the same id whose metadata names it, with a card that pays, and one active subscription
    /// `sub_seed_000001`, … without a trial, its first invoice paid. There are neither events nor webhooks about any
    /// of it. A second call goes on counting.
    ///
    /// # Errors
    /// [`SeedError`] when the price is unknown, the seats are not positive, or an id was taken by somebody else.
    /// What was made before stays.
    pub async fn seed(&self, seed: Seed) -> Result<(), SeedError> {
        let mut left = seed.organizations;
        while left > 0 {
            let now = left.min(AT_ONCE);
            self.shared().with(|world, instant| world.plant(now, &seed, instant))?;
            left -= now;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

impl World {
    fn plant(&mut self, count: usize, seed: &Seed, now: Moment) -> Result<(), SeedError> {
        // What others caused is told; what happens from here on is not.
        self.enqueue_fresh(now);
        let act = Act::new(now, Cause::Dashboard);
        let mut done = Ok(());
        for _ in 0..count {
            let number = self.seeded + 1;
            let id = format!("org_seed_{number:06}");
            done = self.plant_one(number, &id, seed, act).map_err(|reason| SeedError { organization: id, reason });
            if done.is_err() {
                break;
            }
            self.seeded = number;
        }
        self.directory.take_fresh();
        done
    }

    fn plant_one(&mut self, number: usize, id: &str, seed: &Seed, act: Act) -> Result<(), String> {
        if seed.seats < 1 {
            return Err("the seats must be at least 1".into());
        }
        let price = self.site.catalog.prices.get(&seed.price_id);
        if price.is_none_or(|price| price.item_type != ItemType::Plan || price.archived) {
            return Err(format!("{} is no price of a plan", seed.price_id));
        }
        let name = format!("Seed {number:06}");
        let input = OrganizationInput { display_name: Some(name.clone()), ..OrganizationInput::default() };
        self.directory.create_organization(Some(id.to_owned()), input, act.now).map_err(|reason| reason.to_string())?;
        let payer = Payer {
            id: Some(id.to_owned()),
            details: CustomerInput {
                texts: BTreeMap::from([("company", name)]),
                meta_data: Some(json!({ "organizationId": id, "customerType": "organization" })),
                ..CustomerInput::default()
            },
            subscription_id: Some(format!("sub_seed_{number:06}")),
            price_id: &seed.price_id,
            seats: seed.seats,
        };
        self.site.quietly(|site| payer.sign_up(site, act)).map_err(|refusal| refusal.message)
    }
}

/// A customer that pays for a subscription from its first day.
pub(crate) struct Payer<'a> {
    pub(crate) id: Option<String>,
    pub(crate) details: CustomerInput,
    pub(crate) subscription_id: Option<String>,
    pub(crate) price_id: &'a str,
    pub(crate) seats: i64,
}

impl Payer<'_> {
    pub(crate) fn sign_up(self, site: &mut Site, act: Act) -> Outcome<()> {
        let customer = site.create_customer(self.id, self.details, act)?;
        if let Some(card) = Card::parse("4111 1111 1111 1111") {
            site.store_card(customer, card, act);
        }
        let new = NewSubscription {
            id: self.subscription_id,
            customer,
            items: vec![Asked { item_price_id: self.price_id.to_owned(), quantity: self.seats }],
            trial_end: Some(0),
            start_date: None,
            auto_collection: None,
            invoice_immediately: true,
            meta_data: None,
        };
        site.create_subscription(new, act).map(|_| ())
    }
}

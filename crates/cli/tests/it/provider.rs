//! What differs between the billing providers, so that a suite is written once and runs with each.

use reqwest::Method;
use serde_json::{Value, json};
use tollkeeper_testkit::database::{Engine, TestDb};

use crate::support::{Answer, World};

/// Makes four tests out of one body: each provider on each engine.
macro_rules! everywhere {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb, $provider:ident: Provider) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;
            use $crate::provider::Provider::{Chargebee, Stripe};
            use ::tollkeeper_testkit::database::{Engine::{Postgres, Sqlite}, TestDb};

            async fn body($db: TestDb, $provider: $crate::provider::Provider) $body

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn chargebee_sqlite() {
                body(TestDb::new(Sqlite).await, Chargebee).await;
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn chargebee_postgres() {
                body(TestDb::new(Postgres).await, Chargebee).await;
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn stripe_sqlite() {
                body(TestDb::new(Sqlite).await, Stripe).await;
            }

            #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn stripe_postgres() {
                body(TestDb::new(Postgres).await, Stripe).await;
            }
        }
    )+};
}
pub(crate) use everywhere;

/// Makes two tests out of one body that needs no particular engine: each provider.
macro_rules! both_providers {
    ($($(#[$meta:meta])* async fn $name:ident($provider:ident: Provider) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($provider: $crate::provider::Provider) $body

            #[::tokio::test]
            async fn chargebee() {
                body($crate::provider::Provider::Chargebee).await;
            }

            #[::tokio::test]
            async fn stripe() {
                body($crate::provider::Provider::Stripe).await;
            }
        }
    )+};
}
pub(crate) use both_providers;

/// A billing provider that the sandbox stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Chargebee,
    Stripe,
}

impl Provider {
    /// Whose row of truth this is.
    pub(crate) fn of(row: &Value) -> Self {
        if row["provider"] == "stripe" { Self::Stripe } else { Self::Chargebee }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chargebee => "chargebee",
            Self::Stripe => "stripe",
        }
    }

    /// The one that most of a test is not about.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Chargebee => Self::Stripe,
            Self::Stripe => Self::Chargebee,
        }
    }

    /// A card that pays.
    pub(crate) fn card(self) -> &'static str {
        match self {
            Self::Chargebee => "4111 1111 1111 1111",
            Self::Stripe => "4242 4242 4242 4242",
        }
    }

    /// A card that is accepted, and declined whenever it is charged.
    pub(crate) fn card_without_funds(self) -> &'static str {
        match self {
            Self::Chargebee => "4005 5192 0000 0004",
            Self::Stripe => "4000 0000 0000 0341",
        }
    }

    /// What the provider is asked for a new customer.
    pub(crate) fn customers(self) -> &'static str {
        match self {
            Self::Chargebee => "/api/v2/customers",
            Self::Stripe => "/v1/customers",
        }
    }

    /// What the provider is asked for a new checkout page.
    pub(crate) fn new_page(self) -> &'static str {
        match self {
            Self::Chargebee => "/api/v2/hosted_pages/checkout_new_for_items",
            Self::Stripe => "/v1/checkout/sessions",
        }
    }

    /// The demo's price of a plan; the interval is `month` or `year`.
    pub(crate) fn price(self, plan: &str, interval: &str) -> String {
        match self {
            Self::Chargebee => format!("{plan}-plan-{interval}ly"),
            Self::Stripe => format!("price_{plan}_{interval}ly"),
        }
    }

    /// The demo's one-time price.
    pub(crate) fn onboarding(self) -> &'static str {
        match self {
            Self::Chargebee => "onboarding",
            Self::Stripe => "price_onboarding",
        }
    }

    /// The events that tell of a one-time payment.
    pub(crate) fn tells_of_payments(self) -> &'static [&'static str] {
        match self {
            Self::Chargebee => &["invoice_generated", "payment_succeeded"],
            Self::Stripe => &["checkout.session.completed", "invoice.paid"],
        }
    }

    /// A text that names Chargebee's prices, with this provider's instead.
    pub(crate) fn in_its_words(self, text: &str) -> String {
        let mut text = text.to_owned();
        if self == Self::Stripe {
            for plan in ["starter", "growth", "scale"] {
                text = text.replace(&format!("{plan}-plan-"), &format!("price_{plan}_"));
            }
            text = text.replace("extra-projects-monthly", "price_extra_projects_monthly");
            text = text.replace("\"onboarding\"", "\"price_onboarding\"");
        }
        text
    }

    /// Where the server may be told that the provider is somewhere else.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Self::Chargebee => "CHARGEBEE_API_URL",
            Self::Stripe => "STRIPE_API_URL",
        }
    }

    /// How far a sum may be from what was shown a quarter of an hour before: only Stripe can pin the instant.
    pub(crate) fn tolerance(self) -> u64 {
        match self {
            // A quarter of an hour of the dearest plan of the demo costs two and a half cents.
            Self::Chargebee => 3,
            Self::Stripe => 0,
        }
    }

    /// Whether a subscription is over, by the provider's word for its status.
    pub(crate) fn is_over(self, status: &str) -> bool {
        match self {
            Self::Chargebee => status == "cancelled",
            Self::Stripe => matches!(status, "canceled" | "incomplete_expired"),
        }
    }

    /// Which of the tests this one is.
    pub(crate) fn on(self, db: &TestDb) -> String {
        let engine = match db.engine() {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "Postgres",
        };
        let name = match self {
            Self::Chargebee => "Chargebee",
            Self::Stripe => "Stripe",
        };
        format!("{name}, {engine}")
    }
}

/// What an invoice says.
#[derive(Clone, Debug)]
pub(crate) struct Invoice {
    /// Before credits, in minor units.
    pub(crate) total: i64,
    /// What the card is asked for.
    pub(crate) owed: i64,
}

impl World {
    async fn asked(&self, method: Method, path: &str, form: &[(&str, String)]) -> Value {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = match self.provider {
            Provider::Chargebee => request.basic_auth(&self.env["CHARGEBEE_API_KEY"], Some("")),
            Provider::Stripe => request.bearer_auth(&self.env["STRIPE_SECRET_KEY"]),
        };
        Answer::of(if form.is_empty() { request } else { request.form(form) }).await.ok()
    }

    /// Reads something at the provider, as its API answers it.
    pub(crate) async fn provider_get(&self, path: &str) -> Value {
        self.asked(Method::GET, path, &[]).await
    }

    /// Writes something at the provider, as its dashboard would by the API.
    pub(crate) async fn provider_post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.asked(Method::POST, path, &form).await
    }

    /// The invoices of a subscription, oldest first.
    pub(crate) async fn invoices(&self, id: &str) -> Vec<Invoice> {
        let number = |row: &Value, member: &str| row[member].as_i64().unwrap_or(0);
        match self.provider {
            Provider::Chargebee => {
                let page = self.provider_get(&format!("/api/v2/invoices?limit=100&subscription_id[is]={id}")).await;
                let mut rows: Vec<_> = page["list"].as_array().unwrap().iter().map(|row| &row["invoice"]).collect();
                rows.sort_by_key(|row| (row["date"].as_i64(), row["id"].as_str()));
                let read = |row: &&Value| {
                    let total = number(row, "total");
                    Invoice { total, owed: total - number(row, "credits_applied") }
                };
                rows.iter().map(read).collect()
            }
            Provider::Stripe => {
                let page = self.provider_get(&format!("/v1/invoices?limit=100&subscription={id}")).await;
                let read = |row: &Value| Invoice { total: number(row, "total"), owed: number(row, "amount_due") };
                page["data"].as_array().unwrap().iter().rev().map(read).collect()
            }
        }
    }

    /// What the provider owes an organization, in minor units.
    pub(crate) async fn credits(&self, organization: &str) -> i64 {
        let customer = self.truth("customers", organization).await.remove(0);
        let id = customer["id"].as_str().unwrap();
        match self.provider {
            Provider::Chargebee => {
                let customer = self.provider_get(&format!("/api/v2/customers/{id}")).await;
                customer["customer"]["refundable_credits"].as_i64().unwrap_or(0)
            }
            Provider::Stripe => -self.provider_get(&format!("/v1/customers/{id}")).await["balance"].as_i64().unwrap(),
        }
    }

    /// Changes what a plan costs.
    pub(crate) async fn edit_price(&self, plan: &str, interval: &str, amount: i64) {
        let id = self.provider.price(plan, interval);
        match self.provider {
            Provider::Chargebee => {
                let path = format!("/api/v2/item_prices/{id}");
                self.asked(Method::POST, &path, &[("price", amount.to_string())]).await;
            }
            // There nobody can by the API.
            Provider::Stripe => {
                self.post(&format!("/sandbox/prices/{id}"), json!({ "amount": amount })).await;
            }
        }
    }

    /// What the provider calls the subscription that an organization bought last.
    pub(crate) async fn bought(&self, organization: &str) -> String {
        let newest = self.truth("subscriptions", organization).await.pop().unwrap();
        newest["id"].as_str().unwrap().to_owned()
    }

    /// The provider's own record of a hosted page: whether it can still be paid, and where it is.
    pub(crate) async fn page(&self, id: &str) -> (bool, String) {
        match self.provider {
            Provider::Chargebee => {
                let page = self.provider_get(&format!("/api/v2/hosted_pages/{id}")).await["hosted_page"].clone();
                (page["state"] == "created", page["url"].as_str().unwrap_or_default().to_owned())
            }
            Provider::Stripe => {
                let page = self.provider_get(&format!("/v1/checkout/sessions/{id}")).await;
                (page["status"] == "open", page["url"].as_str().unwrap_or_default().to_owned())
            }
        }
    }
}

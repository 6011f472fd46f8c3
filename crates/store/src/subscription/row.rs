//! The columns of a subscription, and how they become one.

use sqlx::types::Json;
use tollkeeper_core::{
    ids::PlanName,
    snapshot::{Dues, Item, ItemType},
    subscription::{Checkout, CheckoutItem, CheckoutParams, OwedChange, ScheduledChange, Subscription},
    time::Timestamp,
};

use crate::{
    Error,
    value::{At, instant},
};

type When = Option<At<Timestamp>>;

row! {
    pub(super) struct Row {
        organization_id: String,
        id: String,
        provider: String,
        provider_customer_id: Option<String>,
        provider_subscription_id: Option<String>,
        status: String,
        provider_status: Option<String>,
        plan: Option<String>,
        plan_version: Option<i64>,
        plan_group: String,
        price_id: Option<String>,
        seats: Option<i64>,
        period_start: When,
        period_end: When,
        trial_start: When,
        trial_end: When,
        cancel_at: When,
        cancelled_at: When,
        ended_at: When,
        activated_at: When,
        scheduled_plan: Option<String>,
        scheduled_seats: Option<i64>,
        scheduled_items: Option<Json<Vec<CheckoutItem>>>,
        scheduled_at: When,
        owed_change: Option<Json<OwedChange>>,
        pause_at: When,
        collection_paused: bool,
        duplicate_of: Option<String>,
        trial_end_told: When,
        past_due_since: When,
        grace_until: When,
        dues_attempts: i64,
        dues_next_attempt_at: When,
        dues_invoice: Option<String>,
        dues_exhausted: bool,
        metadata: Option<Json<serde_json::Value>>,
        checkout_key: Option<String>,
        checkout_tries: i64,
        checkout_params: Option<Json<CheckoutParams>>,
        checkout_ref: Option<String>,
        checkout_url: Option<String>,
        checkout_expires_at: When,
        provider_version: Option<i64>,
        observed_at: When,
        due_at: When,
        version: i64,
    }
}

impl Row {
    /// Reads the row without its items.
    pub(super) fn read(self) -> Result<Subscription, Error> {
        let id = self.id;
        let corrupt =
            |column, problem: String| Error::Corrupt { table: "subscription", column, id: id.clone(), problem };
        let empty = |column| corrupt(column, "is empty beside others that are not".to_owned());
        let checkout = match self.checkout_key {
            None => None,
            Some(key) => Some(Checkout {
                key,
                tries: self.checkout_tries,
                params: self.checkout_params.ok_or_else(|| empty("checkout_params"))?.0,
                reference: self.checkout_ref,
                url: self.checkout_url,
                expires_at: instant(self.checkout_expires_at).ok_or_else(|| empty("checkout_expires_at"))?,
            }),
        };
        let dues = match instant(self.past_due_since) {
            None => None,
            Some(since) => Some(Dues {
                since,
                attempts: u32::try_from(self.dues_attempts)
                    .map_err(|_| corrupt("dues_attempts", format!("is {}", self.dues_attempts)))?,
                next_attempt_at: instant(self.dues_next_attempt_at),
                invoice: self.dues_invoice,
                exhausted: self.dues_exhausted,
            }),
        };
        let scheduled = instant(self.scheduled_at).map(|at| ScheduledChange {
            plan: self.scheduled_plan.map(PlanName::from),
            seats: self.scheduled_seats,
            items: self.scheduled_items.map(|items| items.0).unwrap_or_default(),
            at,
        });
        Ok(Subscription {
            status: self
                .status
                .parse()
                .map_err(|error: tollkeeper_core::status::NotAStatus| corrupt("status", error.to_string()))?,
            id: id.as_str().into(),
            organization_id: self.organization_id.into(),
            provider: self.provider.into(),
            provider_customer_id: self.provider_customer_id.map(Into::into),
            provider_subscription_id: self.provider_subscription_id.map(Into::into),
            provider_status: self.provider_status,
            plan: self.plan.map(Into::into),
            plan_version: self.plan_version,
            plan_group: self.plan_group,
            price_id: self.price_id.map(Into::into),
            seats: self.seats,
            period_start: instant(self.period_start),
            period_end: instant(self.period_end),
            trial_start: instant(self.trial_start),
            trial_end: instant(self.trial_end),
            cancel_at: instant(self.cancel_at),
            cancelled_at: instant(self.cancelled_at),
            ended_at: instant(self.ended_at),
            activated_at: instant(self.activated_at),
            scheduled,
            owed_change: self.owed_change.map(|change| change.0),
            pause_at: instant(self.pause_at),
            collection_paused: self.collection_paused,
            duplicate_of: self.duplicate_of.map(Into::into),
            trial_end_told: instant(self.trial_end_told),
            dues,
            grace_until: instant(self.grace_until),
            metadata: self.metadata.map_or(serde_json::Value::Null, |metadata| metadata.0),
            checkout,
            items: Vec::new(),
            provider_version: self.provider_version,
            observed_at: instant(self.observed_at),
            due_at: instant(self.due_at),
            version: self.version,
        })
    }
}

row! {
    /// The item beside a row; all empty where the row has none.
    pub(super) struct ItemRow {
        item_price_id: Option<String>,
        item_type: Option<String>,
        quantity: Option<i64>,
        unit_price: Option<i64>,
        amount: Option<i64>,
        currency: Option<String>,
    }
}

impl ItemRow {
    pub(super) fn read(self, subscription: &str) -> Result<Option<Item>, Error> {
        let (Some(item_price_id), Some(item_type), Some(quantity)) =
            (self.item_price_id, self.item_type, self.quantity)
        else {
            return Ok(None);
        };
        let corrupt = |column, problem: String| {
            let id = subscription.to_owned();
            Error::Corrupt { table: "subscription_item", column, id, problem }
        };
        let item_type = match item_type.as_str() {
            "plan" => ItemType::Plan,
            "addon" => ItemType::Addon,
            "charge" => ItemType::Charge,
            other => return Err(corrupt("item_type", format!("is `{other}`"))),
        };
        let currency = match self.currency.as_deref().map(str::parse).transpose() {
            Ok(currency) => currency,
            Err(error) => {
                let error: tollkeeper_core::money::NotACurrency = error;
                return Err(corrupt("currency", error.to_string()));
            }
        };
        Ok(Some(Item {
            item_price_id: item_price_id.into(),
            item_type,
            quantity,
            unit_price: self.unit_price,
            amount: self.amount,
            currency,
        }))
    }
}

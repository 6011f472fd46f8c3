//! The customer portal: its configurations and sessions. What a person does there are the other rules.
//!
//! Signatures: `create_portal_configuration(ConfigurationInput, act) -> usize`,
//! `update_portal_configuration(position, ConfigurationInput, act)`, `create_portal_session(NewPortalSession, act) ->
//! Outcome<usize>`, `portal_session_by_key(key) -> Option<usize>`, `portal_url(position) -> String`,
//! `save_card(customer, number, act) -> Outcome<usize>`.
//!
//! Source: Stripe API reference, "Portal sessions", "Portal configurations".

use serde_json::{Value, json};

use super::calendar::HOUR;
use super::model::{Metadata, Patch, PortalConfiguration, PortalFlow, PortalSession, merge, set};
use super::refusal::Refusal;
use super::{Account, Act, Object, Outcome};

/// How long the address of a session works, in seconds. An assumption; the API reference says: short-lived.
const SESSION_SECONDS: i64 = HOUR;

/// What a request says about a configuration. `features` and `business_profile` are whole objects, with defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConfigurationInput {
    pub(crate) active: Option<bool>,
    pub(crate) default_return_url: Patch<String>,
    pub(crate) business_profile: Option<Value>,
    pub(crate) features: Option<Value>,
    pub(crate) metadata: Patch<Metadata>,
}

/// What a request says about a new session.
#[derive(Debug, Clone)]
pub(crate) struct NewPortalSession {
    pub(crate) customer: usize,
    /// The id of a configuration; `None` takes the default one.
    pub(crate) configuration: Option<String>,
    pub(crate) return_url: Option<String>,
    pub(crate) flow: Option<PortalFlow>,
}

/// What a configuration allows where nothing is said.
fn default_features() -> Value {
    json!({
        "customer_update": {"allowed_updates": ["email", "name", "address"], "enabled": true},
        "invoice_history": {"enabled": true},
        "payment_method_update": {"enabled": true, "payment_method_configuration": null},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": false, "options": ["too_expensive", "unused", "other"]},
            "enabled": true,
            "mode": "at_period_end",
            "proration_behavior": "none"
        },
        "subscription_update": {
            "billing_cycle_anchor": null,
            "default_allowed_updates": ["price", "quantity"],
            "enabled": true,
            "products": [],
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "continue_trial"
        }
    })
}

impl Account {
    pub(super) fn stock_portal(&mut self, now: i64) {
        self.portal_configurations.insert(PortalConfiguration {
            id: "bpc_default".into(),
            active: true,
            is_default: true,
            default_return_url: None,
            business_profile: json!({"headline": null, "privacy_policy_url": null, "terms_of_service_url": null}),
            features: default_features(),
            metadata: Metadata::new(),
            created: now,
            updated: now,
        });
    }

    pub(crate) fn create_portal_configuration(&mut self, input: ConfigurationInput, act: Act) -> usize {
        let position = self.portal_configurations.insert(PortalConfiguration {
            id: self.ids.alphanumeric("bpc_1", 23),
            active: true,
            is_default: false,
            default_return_url: None,
            business_profile: json!({"headline": null, "privacy_policy_url": null, "terms_of_service_url": null}),
            features: default_features(),
            metadata: Metadata::new(),
            created: act.secs(),
            updated: act.secs(),
        });
        self.apply_configuration(position, input, act);
        self.emit("billing_portal.configuration.created", Object::PortalConfiguration(position), None, act);
        position
    }

    pub(crate) fn update_portal_configuration(&mut self, position: usize, input: ConfigurationInput, act: Act) {
        let before = self.snapshot(Object::PortalConfiguration(position));
        self.apply_configuration(position, input, act);
        let about = Object::PortalConfiguration(position);
        self.emit_updated("billing_portal.configuration.updated", about, &before, act);
    }

    fn apply_configuration(&mut self, position: usize, input: ConfigurationInput, act: Act) {
        let row = &mut self.portal_configurations[position];
        row.active = input.active.unwrap_or(row.active);
        row.updated = act.secs();
        set(&mut row.default_return_url, input.default_return_url);
        row.business_profile = input.business_profile.unwrap_or(row.business_profile.take());
        if let Some(features) = input.features {
            lay_over(&mut row.features, features);
        }
        merge(&mut row.metadata, input.metadata);
    }

    pub(crate) fn create_portal_session(&mut self, new: NewPortalSession, act: Act) -> Outcome<usize> {
        let customer = self.customers[new.customer].id.clone();
        let configuration = match &new.configuration {
            Some(id) => {
                let found = self.portal_configurations.get(id);
                found.ok_or_else(|| Refusal::missing_reference("configuration", id, "configuration"))?
            }
            None => {
                let default = self.portal_configurations.iter().find(|row| row.is_default);
                default.ok_or_else(|| Refusal::invalid("No default portal configuration has been saved."))?
            }
        };
        let return_url = new.return_url.or_else(|| configuration.default_return_url.clone());
        let configuration = configuration.id.clone();
        if let Some(flow) = &new.flow
            && let Some(subscription) =
                flow.data.pointer(&format!("/{}/subscription", flow.kind)).and_then(Value::as_str)
            && self.subscriptions.get(subscription).is_none_or(|row| row.customer != customer)
        {
            let param = format!("flow_data[{}][subscription]", flow.kind);
            return Err(Refusal::missing_reference("subscription", subscription, param));
        }
        let position = self.portal_sessions.insert(PortalSession {
            id: self.ids.alphanumeric("bps_1", 23),
            key: self.ids.alphanumeric("test_", 48),
            customer,
            configuration,
            return_url,
            flow: new.flow,
            created: act.secs(),
            expires_at: act.secs().saturating_add(SESSION_SECONDS),
        });
        self.emit("billing_portal.session.created", Object::PortalSession(position), None, act);
        Ok(position)
    }

    pub(crate) fn portal_session_by_key(&self, key: &str) -> Option<usize> {
        self.portal_sessions.iter().position(|row| row.key == key)
    }

    /// The address of a session in a browser.
    pub(crate) fn portal_url(&self, position: usize) -> String {
        format!("{}/p/session/{}", self.base_url, self.portal_sessions[position].key)
    }

    /// Stores another card as a person does in the portal: it becomes the default, also of the subscriptions that have
    /// a default of their own. What is open is tried again at its planned instant, or paid on the invoice's page.
    pub(crate) fn save_card(&mut self, customer: usize, number: &str, act: Act) -> Outcome<usize> {
        let act = self.act_for(&self.customers[customer].id.clone(), act);
        let method = self.new_payment_method(number, act)?;
        self.attach(method, customer, act)?;
        self.payment_methods[method].is_set_up = true;
        let id = self.payment_methods[method].id.clone();
        let before = self.snapshot(Object::Customer(customer));
        self.customers[customer].default_payment_method = Some(id.clone());
        self.emit_updated("customer.updated", Object::Customer(customer), &before, act);
        for subscription in self.subscriptions_of(customer).to_vec() {
            let row = &self.subscriptions[subscription];
            if row.status.is_over() {
                continue;
            }
            if row.default_payment_method.is_some() {
                let before = self.snapshot(Object::Subscription(subscription));
                self.subscriptions[subscription].default_payment_method = Some(id.clone());
                let about = Object::Subscription(subscription);
                self.emit_updated("customer.subscription.updated", about, &before, act);
            }
        }
        Ok(method)
    }
}

/// Puts what was said over what was there, member by member.
fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                lay_over(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

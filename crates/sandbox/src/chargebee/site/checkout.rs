//! Hosted checkout pages: made over the API, finished by a person.
//!
//! Source: Chargebee API docs, "Hosted pages".

use serde_json::{Map, Value};

use super::cards::{Behaviour, Card};
use super::catalog::{Asked, ItemType};
use super::changes::Change;
use super::creation::NewSubscription;
use super::customers::CustomerInput;
use super::model::{HostedPage, PageState, PageTask, Stamp};
use super::news::Raised;
use super::{Act, Outcome, Site, Subject};
use crate::challenge::Challenge;
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;

/// How long checkout pages live, and pages for cards and dues.
const CHECKOUT_SECONDS: i64 = 3 * 3_600;
const CARD_SECONDS: i64 = 5 * 86_400;

/// The members that every kind of page takes.
#[derive(Debug, Default)]
pub(crate) struct PageInput {
    pub(crate) redirect_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
    pub(crate) pass_thru_content: Option<String>,
    pub(crate) gateway_account_id: Option<String>,
}

/// Why a page was not finished.
#[derive(Debug)]
pub(crate) enum NotFinished {
    /// The page was used, cancelled or has expired.
    Over(&'static str),
    /// The customer's bank asks whether it is really them.
    Challenge,
    /// The card was declined; another one may be tried.
    Declined(String),
    /// The site refuses, for example because the subscription's id was taken meanwhile.
    Refused(Refusal),
}

impl From<Refusal> for NotFinished {
    fn from(refusal: Refusal) -> Self {
        if refusal.kind == Some("payment") { Self::Declined(refusal.message) } else { Self::Refused(refusal) }
    }
}

impl Site {
    /// Makes a page.
    pub(crate) fn new_checkout(&mut self, task: PageTask, input: PageInput, act: Act) -> Outcome<usize> {
        if let Some(gateway) = &input.gateway_account_id
            && *gateway != self.gateway_account_id
        {
            return Err(Refusal::no_gateway());
        }
        match &task {
            PageTask::New { items, subscription_id, trial_end, .. } => {
                let basket = self.sell(items)?;
                self.plan_first(items)?;
                Self::trial_end(&basket, *trial_end, act.secs(), "subscription[trial_end]")?;
                if let Some(id) = subscription_id.as_deref().filter(|id| self.subscriptions.contains(id)) {
                    return Err(Refusal::duplicate("subscription[id]", id));
                }
            }
            PageTask::Existing { subscription_id, change } => {
                let position = self.live_subscription(subscription_id)?;
                self.changed_items(position, change)?;
            }
            PageTask::Once { items, currency, .. } => {
                self.sell_once(items, currency.as_deref())?;
            }
            PageTask::ManageCard { customer_id } | PageTask::CollectNow { customer_id } => {
                self.live_customer(customer_id)?;
            }
        }
        let lifetime = if task.is_checkout() { CHECKOUT_SECONDS } else { CARD_SECONDS };
        let now = act.secs();
        let expires_at = now.saturating_add(lifetime);
        let position = self.hosted_pages.insert(HostedPage {
            id: self.ids.alphanumeric("", 32),
            task,
            state: PageState::Created,
            redirect_url: input.redirect_url,
            cancel_url: input.cancel_url,
            pass_thru_content: input.pass_thru_content,
            created_at: now,
            expires_at,
            content: None,
            stamp: Stamp::default(),
        });
        self.touch_page(position, act.now);
        self.plan(Subject::HostedPage(position), Some(expires_at));
        Ok(position)
    }

    fn plan_first(&self, items: &[Asked]) -> Outcome<()> {
        let first = items.first().and_then(|item| self.catalog.prices.get(&item.item_price_id));
        if first.is_some_and(|price| price.item_type == ItemType::Plan) {
            return Ok(());
        }
        Err(Refusal::wrong_value("subscription_items[item_price_id][0]", "The first item price must be a plan."))
    }

    /// Notes that somebody opened the page.
    pub(crate) fn open_page(&mut self, position: usize, act: Act) {
        if self.hosted_pages[position].state == PageState::Created {
            self.hosted_pages[position].state = PageState::Requested;
            self.touch_page(position, act.now);
        }
    }

    /// Why the page can no longer be used, if so.
    pub(crate) fn page_over(&self, position: usize, now_secs: i64) -> Option<&'static str> {
        let page = &self.hosted_pages[position];
        match page.state {
            PageState::Succeeded | PageState::Acknowledged => Some("This checkout page was already used."),
            PageState::Cancelled => Some("This checkout page was cancelled."),
            PageState::Created | PageState::Requested if page.expires_at <= now_secs => {
                Some("This checkout page has expired.")
            }
            PageState::Created | PageState::Requested => None,
        }
    }

    /// Leaves the page without buying.
    pub(crate) fn cancel_page(&mut self, position: usize, act: Act) -> Result<(), NotFinished> {
        if let Some(reason) = self.page_over(position, act.secs()) {
            return Err(NotFinished::Over(reason));
        }
        self.hosted_pages[position].state = PageState::Cancelled;
        self.touch_page(position, act.now);
        Ok(())
    }

    /// Finishes the page with a card, as a person does. A declined card changes nothing.
    pub(crate) fn finish_page(
        &mut self,
        position: usize,
        number: &str,
        challenge: Option<Challenge>,
        act: Act,
    ) -> Result<(), NotFinished> {
        if let Some(reason) = self.page_over(position, act.secs()) {
            return Err(NotFinished::Over(reason));
        }
        let card = Card::accept(number).map_err(|reason| NotFinished::Declined(reason.into()))?;
        match challenge {
            None if card.asks => return Err(NotFinished::Challenge),
            Some(Challenge::Fail) if card.asks => {
                return Err(NotFinished::Declined("Your bank did not confirm that it is you.".into()));
            }
            _ => {}
        }
        let content = match self.hosted_pages[position].task.clone() {
            PageTask::New { subscription_id, trial_end, items, customer_id, customer } => {
                let new = NewSubscription {
                    id: subscription_id,
                    customer: 0,
                    items,
                    trial_end,
                    start_date: None,
                    auto_collection: None,
                    invoice_immediately: true,
                    meta_data: None,
                };
                let (subscription, raised) = self.finish_new(new, customer_id, *customer, card, act)?;
                self.bought(subscription, &raised)
            }
            PageTask::Existing { subscription_id, change } => {
                let (subscription, raised) = self.finish_existing(&subscription_id, *change, card, act)?;
                self.bought(subscription, &raised)
            }
            PageTask::Once { items, currency, customer_id, customer } => {
                let (customer, raised) =
                    self.finish_once(&items, currency.as_deref(), customer_id.as_deref(), *customer, card, act)?;
                let mut content = Map::from_iter([("customer".to_owned(), render::customer(self, customer))]);
                content.extend(raised.invoice.map(|invoice| ("invoice".to_owned(), render::invoice(self, invoice))));
                content
            }
            PageTask::ManageCard { customer_id } | PageTask::CollectNow { customer_id } => {
                let customer = self.live_customer(&customer_id)?;
                self.store_card(customer, card, act);
                let source = render::payment_source(self, customer).unwrap_or_default();
                let customer = render::customer(self, customer);
                Map::from_iter([("customer".to_owned(), customer), ("payment_source".to_owned(), source)])
            }
        };
        let page = &mut self.hosted_pages[position];
        page.state = PageState::Succeeded;
        page.content = Some(Value::Object(content));
        self.touch_page(position, act.now);
        Ok(())
    }

    fn bought(&self, subscription: usize, raised: &Raised) -> Map<String, Value> {
        let mut content = Map::new();
        content.insert("subscription".into(), render::subscription(self, subscription));
        content.insert("customer".into(), render::customer(self, self.customer_of(subscription)));
        if let Some(invoice) = raised.invoice {
            content.insert("invoice".into(), render::invoice(self, invoice));
        }
        content
    }

    /// An unknown customer id does not fail: a customer with a generated id is made, as the provider documents.
    pub(super) fn customer_at_checkout(
        &mut self,
        id: Option<&str>,
        customer: CustomerInput,
        act: Act,
    ) -> Outcome<usize> {
        match id.and_then(|id| self.live_customer(id).ok()) {
            Some(known) => Ok(known),
            None => self.create_customer(None, customer, act),
        }
    }

    fn finish_new(
        &mut self,
        mut new: NewSubscription,
        customer_id: Option<String>,
        customer: CustomerInput,
        card: Card,
        act: Act,
    ) -> Result<(usize, Raised), NotFinished> {
        let basket = self.sell(&new.items)?;
        if let Some(id) = new.id.as_deref().filter(|id| self.subscriptions.contains(id)) {
            return Err(Refusal::duplicate("subscription[id]", id).into());
        }
        // A trial that would already be over by now is no trial.
        new.trial_end = new.trial_end.map(|end| if end > act.secs() { end } else { 0 });
        let trial_end = Self::trial_end(&basket, new.trial_end, act.secs(), "subscription[trial_end]")?;
        if trial_end.is_none() && card.behaviour != Behaviour::Pays {
            return Err(NotFinished::Declined("Your card has insufficient funds.".into()));
        }
        new.customer = self.customer_at_checkout(customer_id.as_deref(), customer, act)?;
        self.store_card(new.customer, card, act);
        Ok(self.create_subscription(new, act)?)
    }

    fn finish_existing(
        &mut self,
        subscription_id: &str,
        change: Change,
        card: Card,
        act: Act,
    ) -> Result<(usize, Raised), NotFinished> {
        let position = self.live_subscription(subscription_id)?;
        let tried = change.clone();
        let due =
            self.rehearse_on(position, |copy, position| copy.update_subscription(position, tried, act))?.due_now();
        if due > 0 && card.behaviour != Behaviour::Pays {
            return Err(NotFinished::Declined("Your card has insufficient funds.".into()));
        }
        // The card stays on file where a failure that was asked for comes in between.
        self.store_card(self.customer_of(position), card, act);
        Ok((position, self.update_subscription(position, change, act)?))
    }

    /// Notes that the site's owner has seen the result.
    pub(crate) fn acknowledge_page(&mut self, position: usize, act: Act) -> Outcome<()> {
        if self.hosted_pages[position].state != PageState::Succeeded {
            return Err(Refusal::invalid_state("Only a hosted page that succeeded can be acknowledged."));
        }
        self.hosted_pages[position].state = PageState::Acknowledged;
        self.touch_page(position, act.now);
        Ok(())
    }

    /// The address of the page in a browser.
    pub(crate) fn page_url(&self, position: usize) -> String {
        format!("{}/pages/v4/{}/", self.base_url, self.hosted_pages[position].id)
    }
}

//! Hosted checkout pages: made over the API, finished by a person.
//!
//! Source: Chargebee API docs, "Hosted pages".

use serde_json::{Map, Value};

use super::cards::{Behaviour, Card};
use super::changes::{Change, ChangeWhen};
use super::creation::NewSubscription;
use super::customers::CustomerInput;
use super::model::{HostedPage, Item, PageState, PageTask, Stamp, Status};
use super::{Act, Outcome, Site, Subject, render};
use crate::chargebee::refusal::Refusal;

/// Checkout pages live for three hours.
const PAGE_SECONDS: i64 = 3 * 3_600;

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
    /// Makes a page for a new subscription.
    pub(crate) fn new_checkout(&mut self, task: PageTask, input: PageInput, act: Act) -> Outcome<usize> {
        if let Some(gateway) = &input.gateway_account_id
            && *gateway != self.gateway_account_id
        {
            return Err(Refusal::no_gateway());
        }
        match &task {
            PageTask::New { items, subscription_id, trial_end, .. } => {
                let basket = self.check_items(items)?;
                self.plan_first(items)?;
                Self::trial_end(&basket, *trial_end, act.secs(), "subscription[trial_end]")?;
                if let Some(id) = subscription_id
                    && self.subscriptions.contains(id)
                {
                    return Err(Refusal::duplicate("subscription[id]", id));
                }
            }
            PageTask::Existing { subscription_id, change } => {
                let position = self.live_subscription(subscription_id)?;
                let mut items = change.items.clone();
                if !change.replace || items.is_empty() {
                    items.extend(self.subscriptions[position].items.iter().cloned());
                }
                for (index, item) in items.iter().enumerate() {
                    if self.catalog.prices.get(&item.item_price_id).is_none_or(|price| price.archived) {
                        let param = format!("subscription_items[item_price_id][{index}]");
                        let message = format!("The item price {} is not present.", item.item_price_id);
                        return Err(Refusal::wrong_value(param, message));
                    }
                }
            }
        }
        let now = act.secs();
        let expires_at = now.saturating_add(PAGE_SECONDS);
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

    fn plan_first(&self, items: &[Item]) -> Outcome<()> {
        use super::catalog::ItemType;
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
    pub(crate) fn finish_page(&mut self, position: usize, number: &str, act: Act) -> Result<(), NotFinished> {
        if let Some(reason) = self.page_over(position, act.secs()) {
            return Err(NotFinished::Over(reason));
        }
        let Some(card) = Card::parse(number) else {
            return Err(NotFinished::Declined("The card number is none of the test cards of this sandbox.".into()));
        };
        if card.behaviour == Behaviour::Refused {
            return Err(NotFinished::Declined("Your card was declined. Please use another card.".into()));
        }
        let (subscription, invoice) = match self.hosted_pages[position].task.clone() {
            PageTask::New { subscription_id, trial_end, items, customer_id, customer } => {
                self.finish_new(subscription_id, trial_end, items, customer_id, *customer, card, act)?
            }
            PageTask::Existing { subscription_id, change } => {
                self.finish_existing(&subscription_id, *change, card, act)?
            }
        };
        let mut content = Map::new();
        content.insert("subscription".into(), render::subscription(self, subscription));
        content.insert("customer".into(), render::customer(self, self.customer_of(subscription)));
        if let Some(invoice) = invoice {
            content.insert("invoice".into(), render::invoice(self, invoice));
        }
        let page = &mut self.hosted_pages[position];
        page.state = PageState::Succeeded;
        page.content = Some(Value::Object(content));
        self.touch_page(position, act.now);
        Ok(())
    }

    /// An unknown customer id does not fail: a customer with a generated id is made, as the provider documents.
    #[expect(clippy::too_many_arguments, reason = "the parts of a page's task, taken apart once")]
    fn finish_new(
        &mut self,
        subscription_id: Option<String>,
        trial_end: Option<i64>,
        items: Vec<Item>,
        customer_id: Option<String>,
        customer: CustomerInput,
        card: Card,
        act: Act,
    ) -> Result<(usize, Option<usize>), NotFinished> {
        let basket = self.check_items(&items)?;
        if let Some(id) = &subscription_id
            && self.subscriptions.contains(id)
        {
            return Err(Refusal::duplicate("subscription[id]", id).into());
        }
        // A trial that would already be over by now is no trial.
        let trial_end = trial_end.map(|end| if end > act.secs() { end } else { 0 });
        let charges_now = Self::trial_end(&basket, trial_end, act.secs(), "subscription[trial_end]")?.is_none();
        if charges_now && card.behaviour != Behaviour::Pays {
            return Err(NotFinished::Declined("Your card has insufficient funds.".into()));
        }
        let known = customer_id.and_then(|id| self.live_customer(&id).ok());
        let customer = match known {
            Some(customer) => customer,
            None => self.create_customer(None, customer, act)?,
        };
        self.store_card(customer, card, act);
        let new = NewSubscription {
            id: subscription_id,
            customer,
            items,
            trial_end,
            start_date: None,
            auto_collection: None,
            meta_data: None,
        };
        Ok(self.create_subscription(new, act)?)
    }

    fn finish_existing(
        &mut self,
        subscription_id: &str,
        change: Change,
        card: Card,
        act: Act,
    ) -> Result<(usize, Option<usize>), NotFinished> {
        let position = self.live_subscription(subscription_id)?;
        let row = &self.subscriptions[position];
        let charges_now = change.when == ChangeWhen::Now && row.status != Status::InTrial;
        if charges_now && card.behaviour != Behaviour::Pays {
            return Err(NotFinished::Declined("Your card has insufficient funds.".into()));
        }
        let customer = self.customer_of(position);
        // The card stays on file where the change itself is refused.
        self.store_card(customer, card, act);
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

//! What happens at the played provider without us: people pay, give up, and edit things in its own pages.

use tollkeeper_core::{
    ids::{OrganizationId, ProviderSubscriptionId, SubscriptionId},
    ports::{Billing as _, ChangeRequest, ChangeWhen, CheckoutPage, CheckoutRequest, CheckoutState, CustomerRecord},
    snapshot::{Origin, Phase, Snapshot},
    subscription::CheckoutItem,
    time::{Clock as _, Timestamp},
};

use super::{PERIOD, PlayedBilling, books::end, item};

impl PlayedBilling {
    pub(crate) fn customers(&self) -> Vec<CustomerRecord> {
        self.books().customers.values().cloned().collect()
    }

    /// From now on nobody knows an id of a subscription that the provider has not told, or everybody does again.
    pub(crate) fn proposes_nothing(&self, nothing: bool) {
        self.books().proposes_nothing = nothing;
    }

    /// From now on the provider chooses the ids of customers.
    pub(crate) fn name_customers(&self) {
        self.books().names_customers = true;
    }

    /// The keys under which customers were made.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.books().keys.keys().cloned().collect()
    }

    pub(crate) fn customer_name(&self, id: &str) -> Option<String> {
        self.books().customers.get(id)?.display_name.clone()
    }

    /// A customer that we did not make.
    pub(crate) fn put_customer(&self, id: &str, organization: Option<&str>, deleted: bool) {
        let organization_id = organization.map(OrganizationId::from);
        let record = CustomerRecord { id: id.into(), organization_id, display_name: None, email: None, deleted };
        self.books().customers.insert(id.into(), record);
    }

    pub(crate) fn change_customer(&self, id: &str, change: impl FnOnce(&mut CustomerRecord)) {
        let now = self.clock.now();
        let mut books = self.books();
        change(books.customers.get_mut(id).unwrap());
        books.touched.insert(id.into(), now);
    }

    pub(crate) fn change_contact(&self, id: &str, email: &str) {
        self.change_customer(id, |it| it.email = Some(email.into()));
    }

    /// Deletes a customer, and with it what it pays for.
    pub(crate) fn delete_customer(&self, id: &str) {
        let now = self.clock.now();
        self.change_customer(id, |it| it.deleted = true);
        let mut books = self.books();
        let paid: Vec<_> = books.subscriptions.values().filter(|it| it.customer_id.as_str() == id).cloned().collect();
        for one in paid {
            end(books.subscriptions.get_mut(&one.id).unwrap(), now);
            books.touched.insert(one.id.to_string(), now);
        }
    }

    /// The page of a row, and what was asked for when it was made.
    pub(crate) fn page(&self, row: &SubscriptionId) -> (CheckoutPage, CheckoutRequest) {
        self.books().pages.values().find(|(_, request)| request.subscription_id == *row).unwrap().clone()
    }

    pub(crate) fn pages(&self) -> Vec<(CheckoutPage, CheckoutRequest)> {
        self.books().pages.values().cloned().collect()
    }

    /// The person leaves the page for good.
    pub(crate) fn give_up(&self, row: &SubscriptionId) {
        self.change_page(row, |page| page.state = CheckoutState::Dead);
    }

    pub(crate) fn change_page(&self, row: &SubscriptionId, change: impl FnOnce(&mut CheckoutPage)) {
        let mut books = self.books();
        let (page, _) = books.pages.values_mut().find(|(_, request)| request.subscription_id == *row).unwrap();
        change(page);
    }

    /// The page on which a change is confirmed; there is one.
    pub(crate) fn change_hosted(&self, change: impl FnOnce(&mut CheckoutPage)) {
        let mut books = self.books();
        let (page, _) = books.hosted.values_mut().next().unwrap();
        change(page);
    }

    /// The person confirms the change on its page.
    pub(crate) fn confirm(&self) {
        let now = self.clock.now();
        let mut books = self.books();
        let (page, request) = books.hosted.values_mut().next().unwrap();
        assert_eq!(page.state, CheckoutState::Open, "this page cannot be confirmed any more");
        page.state = CheckoutState::Completed;
        page.url = None;
        let request = request.clone();
        let change = ChangeRequest { items: request.items, when: ChangeWhen::Now, proration_date: None };
        books.make(&request.id, &change, now).unwrap();
    }

    /// The person pays: the subscription begins.
    pub(crate) fn pay(&self, row: &SubscriptionId) -> ProviderSubscriptionId {
        let now = self.clock.now();
        let mut books = self.books();
        let (page, request) = books.pages.values_mut().find(|(_, it)| it.subscription_id == *row).unwrap();
        assert_eq!(page.state, CheckoutState::Open, "this page cannot be paid any more");
        page.state = CheckoutState::Completed;
        page.url = None;
        let id = ProviderSubscriptionId::from(row.as_str());
        let mut snapshot = self.subscription_of(id.as_str(), page.customer_id.as_ref().unwrap().as_str(), "");
        let request = request.clone();
        snapshot.our_id = Some(row.clone());
        snapshot.organization_id = Some(request.organization_id.clone());
        snapshot.items = books.lines(&request.items, request.currency);
        snapshot.currency = Some(request.currency);
        if let Some(end) = request.trial_end {
            snapshot.phase = Phase::Trialing;
            snapshot.provider_status = "in_trial".into();
            (snapshot.trial_start, snapshot.trial_end) = (Some(now), Some(end));
            (snapshot.period_start, snapshot.period_end) = (None, None);
        }
        books.touched.insert(id.to_string(), now);
        books.subscriptions.insert(id.clone(), snapshot);
        id
    }

    /// A running subscription as somebody would make it by hand; not in the books yet.
    pub(crate) fn subscription_of(&self, id: &str, customer: &str, price: &str) -> Snapshot {
        let now = self.clock.now();
        Snapshot {
            provider: self.provider(),
            id: id.into(),
            customer_id: customer.into(),
            our_id: None,
            pending_id: None,
            organization_id: None,
            origin: Origin::Fetched,
            version: Some(1_000),
            provider_status: "active".into(),
            phase: Phase::Active,
            items: vec![item(price)],
            period_start: Some(now),
            period_end: Some(now.plus(PERIOD)),
            trial_start: None,
            trial_end: None,
            cancel_at: None,
            cancelled_at: None,
            ended_at: None,
            dues: None,
            scheduled: None,
            pause_at: None,
            collection_paused: false,
            currency: Some("USD".parse().unwrap()),
            observed_at: now,
        }
    }

    pub(crate) fn put_subscription(&self, snapshot: Snapshot) {
        let now = self.clock.now();
        let mut books = self.books();
        books.touched.insert(snapshot.id.to_string(), now);
        books.subscriptions.insert(snapshot.id.clone(), snapshot);
    }

    /// The provider forgets a subscription as if it had never been.
    pub(crate) fn lose_subscription(&self, id: &ProviderSubscriptionId) {
        self.books().subscriptions.remove(id);
    }

    /// Changes a subscription, which gives it a new version. Answers what it is then.
    pub(crate) fn change(&self, id: &ProviderSubscriptionId, change: impl FnOnce(&mut Snapshot)) -> Snapshot {
        let now = self.clock.now();
        self.books().edit(id, now, change).unwrap()
    }

    pub(crate) fn end(&self, id: &ProviderSubscriptionId) -> Snapshot {
        let now = self.clock.now();
        self.change(id, |it| {
            end(it, now);
            it.version = it.version.map(|version| version - 1);
        })
    }

    pub(crate) fn truth(&self, id: &ProviderSubscriptionId) -> Snapshot {
        self.books().subscriptions[id].clone()
    }

    /// What a price costs in a currency from now on.
    pub(crate) fn set_price(&self, price: &str, currency: &str, amount: i64) {
        self.books().prices.insert((price.into(), currency.parse().unwrap()), amount);
    }

    /// The changes that were made at this provider through its API: when, and the lines after it.
    pub(crate) fn changes(&self) -> Vec<(ChangeWhen, Vec<(String, i64)>)> {
        let line = |line: &CheckoutItem| (line.price_id.to_string(), line.quantity);
        let changes = self.books().changes.clone();
        changes.into_iter().map(|(_, it)| (it.when, it.items.iter().map(line).collect())).collect()
    }

    /// What was charged for changes, in minor units.
    pub(crate) fn charges(&self) -> Vec<i64> {
        self.books().charges.iter().map(|(_, amount)| *amount).collect()
    }

    /// What was ended with its money given back.
    pub(crate) fn credited(&self) -> Vec<ProviderSubscriptionId> {
        self.books().credited.clone()
    }

    /// Until when the last pause was asked for.
    pub(crate) fn paused_until(&self, id: &ProviderSubscriptionId) -> Option<Timestamp> {
        self.books().resumptions[id]
    }

    /// The delivery `event` carries this state.
    pub(crate) fn carry(&self, event: &str, snapshot: Snapshot) {
        self.books().contents.insert(event.into(), Snapshot { origin: Origin::Delivered, ..snapshot });
    }

    /// The envelope of the delivery `event` can be read, its content cannot.
    pub(crate) fn poison(&self, event: &str) {
        self.books().poison.insert(event.into());
    }
}

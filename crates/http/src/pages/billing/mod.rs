//! An organization's billing: how it stands, and what can be done about it.

pub(crate) mod act;
pub(crate) mod can;
pub(crate) mod change;
pub(crate) mod end;
pub(crate) mod invoices;
pub(crate) mod standing;

use askama::Template;
use axum::{extract::State, response::Response};
use http::Uri;
use tollkeeper::{Action, Overview, seat_limit};
use tollkeeper_core::{
    catalog::{Catalog, DEFAULT_GROUP, Sold},
    snapshot::ItemType,
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

use super::{
    frame::{Frame, Here, Person, Visitor, with_query},
    page, words,
};
use crate::{problem::Problem, query, router::Shared};

use can::Can;
use standing::{Remedy, Standing, scheduled, standing};

/// `/billing`
#[derive(Template)]
#[template(path = "billing/overview.html")]
pub(crate) struct BillingPage {
    pub(crate) frame: Frame,
    pub(crate) organization: String,
    /// What the page shows, for whoever hears of another one.
    pub(crate) version: i64,
    /// Where the page is looked at again, when there is another version.
    pub(crate) again: &'static str,
    pub(crate) news: Option<News>,
    /// The roles that may change something, where who looks has none of them.
    pub(crate) needs: Option<String>,
    pub(crate) subscriptions: Vec<Card>,
    pub(crate) past: Vec<Card>,
    /// What everybody has, where nothing is paid for.
    pub(crate) default_plan: Option<DefaultPlan>,
    pub(crate) has_customer: bool,
    pub(crate) contact: Contact,
}

/// What became of something, as who comes back is told.
pub(crate) struct News {
    pub(crate) tone: &'static str,
    pub(crate) after_checkout: bool,
    pub(crate) title: &'static str,
    pub(crate) sentence: &'static str,
}

pub(crate) struct DefaultPlan {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// Who gets the invoices.
pub(crate) struct Contact {
    pub(crate) email: String,
    pub(crate) locale: String,
}

/// One subscription.
pub(crate) struct Card {
    pub(crate) id: String,
    pub(crate) title: String,
    /// The product line, where there are several.
    pub(crate) group: Option<String>,
    pub(crate) standing: Standing,
    pub(crate) facts: Vec<Fact>,
    pub(crate) seats: Option<Seats>,
    pub(crate) scheduled: Option<String>,
    /// What may be done about it by who looks.
    pub(crate) can: Can,
    pub(crate) change_href: String,
    pub(crate) cancel_href: String,
    pub(crate) pause_href: String,
}

pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

pub(crate) struct Seats {
    pub(crate) used: u64,
    pub(crate) limit: u64,
    pub(crate) over: bool,
}

/// `GET /billing`
pub(crate) async fn show(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Result<Response, Problem> {
    let actor = visitor.authorize(&app, Action::List).await?;
    let overview = app.engine.overview(&actor).await?;
    let frame = Frame::new(&app, "Billing", Here::Billing, Some(Person::of(&actor)));
    let roles = &app.engine.settings().billing_roles;
    let needs = (!visitor.may_change(&app)).then(|| roles.join(", "));
    page(&BillingPage::of(frame, &overview, &app.engine.catalog(), app.engine.now(), needs, news(&uri)))
}

impl BillingPage {
    pub(crate) fn of(
        frame: Frame,
        overview: &Overview,
        catalog: &Catalog,
        now: Timestamp,
        needs: Option<String>,
        news: Option<News>,
    ) -> Self {
        let account = &overview.account;
        let organization = &account.organization;
        let desk = Desk { overview, catalog, now, may_change: needs.is_none() };
        let shows = |row: &&Subscription| match row.status {
            // An attempt that nobody can finish any more is no news.
            Status::Future => row.is_open_checkout(now) || row.provider_subscription_id.is_some(),
            _ => row.status.is_live(),
        };
        let mut subscriptions: Vec<_> = account.subscriptions.iter().filter(shows).collect();
        // What runs stands above what may begin.
        subscriptions.sort_by_key(|row| row.status == Status::Future);
        let nothing_runs = subscriptions.iter().all(|row| row.status == Status::Future);
        let news = news.map(|news| match news.sentence {
            WAITS if !nothing_runs => News { sentence: "What you bought is below.", ..news },
            _ => news,
        });
        let past = account.subscriptions.iter().rev().filter(|row| row.status == Status::Cancelled);
        Self {
            // It is the id until a webhook tells the name.
            organization: match &organization.display_name {
                name if name == organization.id.as_str() => "Your organization".to_owned(),
                name => name.clone(),
            },
            version: organization.version,
            // Whoever waited for a checkout is told when it is done.
            again: if news.as_ref().is_some_and(|news| news.after_checkout) {
                "/billing?success=1"
            } else {
                "/billing"
            },
            news,
            needs,
            subscriptions: subscriptions.into_iter().map(|row| desk.card(row)).collect(),
            past: past.take(5).map(|row| desk.card(row)).collect(),
            default_plan: catalog
                .default_plan()
                .filter(|_| nothing_runs)
                .map(|plan| DefaultPlan { title: plan.title.clone(), lines: words::grants(plan) }),
            has_customer: account.customer(&organization.billing_provider).is_some(),
            contact: Contact {
                email: organization.email.clone().unwrap_or_default(),
                locale: organization.locale.clone().unwrap_or_default(),
            },
            frame,
        }
    }
}

/// What is the same for every card.
#[derive(Clone, Copy)]
struct Desk<'a> {
    overview: &'a Overview,
    catalog: &'a Catalog,
    now: Timestamp,
    may_change: bool,
}

impl Desk<'_> {
    fn card(self, row: &Subscription) -> Card {
        let id = row.id.as_str();
        let href = |path| with_query(path, &[("subscription", id)]);
        let several = self.catalog.plans().windows(2).any(|two| two[0].group != two[1].group);
        Card {
            id: id.to_owned(),
            title: words::plan_title(self.catalog, row.plan.as_ref()),
            group: (several && row.plan_group != DEFAULT_GROUP).then(|| words::feature(&row.plan_group)),
            standing: standing(row, self.catalog, self.now),
            facts: self.facts(row),
            seats: self.seats(row),
            scheduled: scheduled(row, self.catalog),
            can: if self.may_change { Can::of(row) } else { Can::default() },
            change_href: href("/billing/change"),
            cancel_href: href("/billing/cancel"),
            pause_href: href("/billing/pause"),
        }
    }

    fn facts(self, row: &Subscription) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut fact = |name, value| facts.push(Fact { name, value });
        if let Some(price) = self.price(row) {
            fact("Price", price);
        }
        if row.status.is_live()
            && row.status != Status::InTrial
            && let Some((start, end)) = row.period_start.zip(row.period_end)
        {
            let is_paid = matches!(row.status, Status::Active | Status::NonRenewing);
            fact(if is_paid { "Paid period" } else { "Period" }, words::span(start, end));
        }
        let addons: Vec<_> = row
            .items
            .iter()
            .filter(|item| item.item_type == ItemType::Addon)
            .map(|item| {
                let title = match self.catalog.sold(&row.provider, &item.item_price_id) {
                    Some(Sold::Addon(addon, _)) => addon.title.clone(),
                    Some(Sold::Plan(..)) | None => item.item_price_id.to_string(),
                };
                if item.quantity == 1 { title } else { format!("{title} × {}", item.quantity) }
            })
            .collect();
        if !addons.is_empty() {
            fact("Add-ons", addons.join(", "));
        }
        facts
    }

    /// What the recurring lines cost together, as far as that is known.
    fn price(self, row: &Subscription) -> Option<String> {
        let recurring = || row.items.iter().filter(|item| item.item_type != ItemType::Charge);
        let line = |item: &tollkeeper_core::snapshot::Item| {
            let currency = item.currency.or(self.overview.account.organization.currency)?;
            let sold = self.catalog.sold_in(&row.provider, &item.item_price_id, currency).map(|sold| sold.price());
            let listed = || {
                let price = sold.filter(|price| price.currency == currency)?;
                let times = if price.per_seat { item.quantity } else { 1 };
                price.amount.checked_mul(times)
            };
            let told = item.amount.or_else(|| item.unit_price?.checked_mul(item.quantity));
            Some((told.or_else(listed)?, currency, sold.map(|price| price.interval)))
        };
        let plan = recurring().find(|item| item.item_type == ItemType::Plan)?;
        let (_, currency, interval) = line(plan)?;
        let mut sum = 0_i64;
        for item in recurring() {
            let (amount, paid_in, paid_every) = line(item)?;
            // What is paid in another rhythm has no place in one sum.
            if paid_in != currency || paid_every != interval {
                return None;
            }
            sum = sum.checked_add(amount)?;
        }
        let every = interval.map_or(String::new(), |interval| format!(" {}", words::per(interval)));
        Some(format!("{}{every}", words::money(sum, currency, &row.provider)))
    }

    fn seats(self, row: &Subscription) -> Option<Seats> {
        let limit = seat_limit(self.catalog, row)?;
        let used = self.overview.holders as u64;
        row.status.is_live().then_some(Seats { used, limit, over: used > limit })
    }
}

/// After a checkout of which the provider has told nothing yet.
const WAITS: &str = "The checkout is done. What you bought is below as soon as the provider has told of it.";

/// Reads the words that the checkout's return addresses carry, and those of our own forms. A payment that is still pending
/// comes with both of the checkout's.
pub(crate) fn news(uri: &Uri) -> Option<News> {
    let of = |name| query::value(uri, name);
    let (tone, title, sentence) = match (of("checkout").as_deref(), of("success").as_deref(), of("done").as_deref()) {
        (Some("pending"), ..) => (
            "info",
            "Almost there",
            "The payment is not confirmed yet. Your plan starts by itself as soon as it is, and this page shows it.",
        ),
        (Some("failed"), ..) => (
            "bad",
            "The checkout did not work",
            "Nothing was changed by this checkout. You can start a new one at any time.",
        ),
        (Some("cancelled" | "canceled" | "abandoned"), ..) => {
            ("info", "Checkout given up", "You left the checkout before it was finished. Nothing was changed.")
        }
        (_, Some("1" | "true"), _) => ("good", "Thank you", WAITS),
        // A payment leaves no subscription behind.
        (_, _, Some("paid")) => {
            ("good", "Paid", "The invoice of your payment is below as soon as the billing provider has made it.")
        }
        (_, _, Some("changed")) => ("good", "Changed", "What you have is below."),
        (_, _, Some("scheduled")) => {
            ("good", "Scheduled", "The change waits for the end of the period. Until then it can be taken back.")
        }
        (_, _, Some("cancelled")) => ("info", "Cancelled", "Below is until when everything stays as it is."),
        (_, _, Some("ended")) => ("info", "Ended", "It ended at once. Nothing more is charged for it."),
        (_, _, Some("restored")) => ("good", "Taken back", "It is as if nothing had been scheduled."),
        (_, _, Some("paused")) => ("info", "Paused", "Below is what that means and when it goes on."),
        (_, _, Some("resumed")) => ("good", "Resumed", "It goes on."),
        (_, _, Some("already")) => (
            "info",
            "Nothing was left to do",
            "It was done before, or what it was about is over. How it stands is below.",
        ),
        (_, _, Some("contact")) => ("good", "Saved", "The billing provider knows the new contact."),
        _ => return None,
    };
    let after_checkout = matches!(title, "Almost there" | "Thank you");
    Some(News { tone, after_checkout, title, sentence })
}

//! What an organization has now, until when and why; and each of its subscriptions.

use tollkeeper::Story;
use tollkeeper_core::{
    catalog::{Catalog, DEFAULT_GROUP, Plan, Sold},
    gate::{self, Access, Reason, View, access},
    snapshot::Item,
    status::Status,
    subscription::Subscription,
    time::Timestamp,
};

use super::{organization::Fact, stamp};
use crate::pages::{
    billing::standing::{Tone, by_status, scheduled},
    words,
};

/// The answer to "what does it have?".
pub(crate) struct Now {
    /// What opens its gates, or what keeps them closed.
    pub(crate) holdings: Vec<Holding>,
    /// Everything that it may use, add-ons counted in.
    pub(crate) grants: Vec<String>,
    pub(crate) seats: Option<Seats>,
}

/// One reason for what it has.
pub(crate) struct Holding {
    pub(crate) title: String,
    pub(crate) tone: &'static str,
    pub(crate) badge: &'static str,
    pub(crate) why: &'static str,
    /// As the API and the log spell why.
    pub(crate) reason: &'static str,
    pub(crate) until: Option<String>,
    /// The row that it comes from.
    pub(crate) subscription: Option<String>,
}

pub(crate) struct Seats {
    pub(crate) used: String,
    pub(crate) limit: Option<u64>,
    pub(crate) is_over: bool,
}

impl Now {
    /// As the gates decide at business time `now`.
    pub(crate) fn of(story: &Story, catalog: &Catalog, now: Timestamp) -> Self {
        let view = View::of(&story.account);
        let all = gate::entitlements(&view, catalog, now);
        let rows = story.account.subscriptions.iter().map(|row| (row, access(row, catalog.policy(), now)));
        let mut holdings: Vec<_> = rows
            .filter(|(_, access)| access.granted && !view.deleted)
            .map(|(row, access)| Holding {
                subscription: Some(row.id.to_string()),
                ..Holding::new(words::plan_title(catalog, row.plan.as_ref()), access, now)
            })
            .collect();
        if holdings.is_empty() {
            holdings.push(match catalog.default_plan().filter(|plan| all.plans.contains(&plan.name)) {
                Some(plan) => Holding::of_everybody(plan, now),
                None => {
                    let decision = gate::decide(&view, catalog, "subscription", now);
                    let explains = |row: &&Subscription| access(row, catalog.policy(), now).reason == decision.reason;
                    let row = story.account.subscriptions.iter().rev().find(explains);
                    let closed = Access { granted: false, reason: decision.reason, until: None };
                    Holding {
                        subscription: row.map(|row| row.id.to_string()),
                        ..Holding::new("Nothing".to_owned(), closed, now)
                    }
                }
            });
        }
        let held = story.members.iter().filter(|member| member.active()).count() as u64;
        let seats = (!view.deleted).then(|| Seats {
            used: format!("{}{}", words::number(held), if story.more_members { "+" } else { "" }),
            limit: story.seats,
            is_over: story.seats.is_some_and(|limit| held > limit),
        });
        let grants = all.features.iter().map(|(name, grant)| words::granted(name.as_str(), *grant)).collect();
        Self { holdings, grants, seats }
    }
}

impl Holding {
    fn new(title: String, access: Access, now: Timestamp) -> Self {
        let tone = match access.reason {
            Reason::Active | Reason::InTrial | Reason::DefaultPlan => Tone::Good,
            Reason::NonRenewing | Reason::PastDueGrace | Reason::PausedAccess => Tone::Careful,
            _ if access.granted => Tone::Good,
            Reason::PastDue | Reason::Unpaid | Reason::PlanUnknown => Tone::Bad,
            Reason::Paused | Reason::CollectionPaused | Reason::Incomplete => Tone::Careful,
            _ => Tone::Calm,
        };
        Self {
            title,
            tone: tone.class(),
            badge: if access.granted { "open" } else { "closed" },
            why: why(access.reason),
            reason: access.reason.as_str(),
            until: access.until.map(|at| away(at, now)),
            subscription: None,
        }
    }

    fn of_everybody(plan: &Plan, now: Timestamp) -> Self {
        Self::new(plan.title.clone(), Access { granted: true, reason: Reason::DefaultPlan, until: None }, now)
    }
}

/// `2026-04-01 00:00:00, in 20 days`
fn away(at: Timestamp, now: Timestamp) -> String {
    let away = words::away(at, now).map_or_else(String::new, |away| format!(", {away}"));
    format!("{}{away}", stamp(at.as_micros()))
}

/// A reason for whoever has to explain it.
const fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::Active => "Its subscription renews.",
        Reason::InTrial => "It is in its trial.",
        Reason::NonRenewing => "It was cancelled, and stays open until its end.",
        Reason::PastDueGrace => "A payment failed, and the grace lasts.",
        Reason::PausedAccess => "It is paused, and the policy leaves it open.",
        Reason::DefaultPlan => "Nothing is paid for: everybody without a live subscription has this plan.",
        Reason::PastDue => "A payment failed, and the grace is over.",
        Reason::Unpaid => "An invoice is unpaid, and the provider has stopped asking.",
        Reason::Paused => "It is paused.",
        Reason::CollectionPaused => {
            "Somebody paused the collection at the provider, and the policy closes it meanwhile."
        }
        Reason::Cancelled => "Its subscription is over.",
        Reason::Ended => "The end that was asked for has passed.",
        Reason::Expired => "Its checkout was not finished.",
        Reason::NotStarted => "Its checkout is not finished, or its start lies ahead.",
        Reason::Incomplete => "Its first payment is not done.",
        Reason::NoSubscription => "It never had a subscription, and there is no plan for everybody.",
        Reason::PlanUnknown => "What it bought is not in the catalog.",
        Reason::PlanLacksFeature => "Its plan lacks this.",
        Reason::LimitReached => "All of it is used.",
        Reason::UnknownFeature => "Nobody has heard of this.",
        Reason::OrganizationDeleted => "It was deleted.",
    }
}

/// One subscription.
pub(crate) struct SubscriptionCard {
    pub(crate) id: String,
    pub(crate) plan: String,
    pub(crate) group: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) is_over: bool,
    /// What is, and what comes next.
    pub(crate) sentences: Vec<String>,
    /// What somebody should know or look at.
    pub(crate) notes: Vec<Note>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) lines: Vec<Line>,
}

/// Something about a subscription that explains what is odd about it.
pub(crate) struct Note {
    pub(crate) tone: &'static str,
    pub(crate) sentence: String,
    /// The row that it speaks of.
    pub(crate) subscription: Option<String>,
}

/// A line of what was bought.
pub(crate) struct Line {
    pub(crate) title: Option<String>,
    pub(crate) price: String,
    pub(crate) quantity: i64,
    pub(crate) amount: Option<String>,
}

impl SubscriptionCard {
    pub(crate) fn of(row: &Subscription, catalog: &Catalog, now: Timestamp) -> Self {
        let plan = match (&row.plan, &row.price_id) {
            (None, None) => "Nothing bought yet".to_owned(),
            (plan, _) => words::plan_title(catalog, plan.as_ref()),
        };
        let standing = by_status(row, catalog, now, &plan);
        let mut sentences = vec![standing.sentence];
        sentences.extend(standing.more);
        Self {
            id: row.id.to_string(),
            plan,
            group: Some(row.plan_group.clone()).filter(|group| group != DEFAULT_GROUP),
            status: row.status.as_str(),
            tone: standing.tone.class(),
            is_over: row.status.is_over(),
            sentences,
            notes: notes(row, catalog, now),
            facts: facts(row, access(row, catalog.policy(), now), now),
            lines: row.items.iter().map(|item| Line::of(item, row, catalog)).collect(),
        }
    }
}

fn notes(row: &Subscription, catalog: &Catalog, now: Timestamp) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |tone: Tone, sentence: String, subscription: Option<String>| {
        notes.push(Note { tone: tone.class(), sentence, subscription });
    };
    if let Some(first) = &row.duplicate_of {
        let sentence = "A duplicate: it was paid although there was this one already:".to_owned();
        note(Tone::Bad, sentence, Some(first.to_string()));
    }
    if row.status.is_live() && row.plan.is_none() {
        let sentence = "Its price is not in the catalog: it opens no feature. Name the price there.".to_owned();
        note(Tone::Bad, sentence, None);
    }
    if row.collection_paused {
        let rest = match catalog.policy().collection_paused_access {
            true => "the policy leaves it open",
            false => "the policy closes it meanwhile",
        };
        note(Tone::Careful, format!("Somebody paused the collection of its invoices at the provider; {rest}."), None);
    }
    if let Some(sentence) = scheduled(row, catalog) {
        note(Tone::Calm, sentence, None);
    }
    if let Some(owed) = &row.owed_change {
        let at = away(owed.look_at, now);
        note(
            Tone::Careful,
            format!("The second half of a change is still owed to the provider; it is looked at by {at}."),
            None,
        );
    }
    notes
}

fn facts(row: &Subscription, access: Access, now: Timestamp) -> Vec<Fact> {
    let mut facts = vec![match access.granted {
        true => Fact::said("Gates", format!("open: {}", access.reason.as_str())),
        false => Fact::said("Gates", format!("closed: {}", access.reason.as_str())),
    }];
    if let Some(until) = access.until {
        facts.push(Fact::said("Open until", away(until, now)));
    }
    if let Some(seats) = row.seats {
        facts.push(Fact::said("Seats bought", seats.to_string()));
    }
    let is_begun = row.status == Status::Future;
    let dates = [
        ("Period from", row.period_start),
        ("Period until", row.period_end),
        ("Trial until", row.trial_end),
        ("Change at", row.scheduled.as_ref().map(|change| change.at)),
        ("Pauses at", row.pause_at),
        ("Past due since", row.dues.as_ref().map(|dues| dues.since)),
        ("Grace until", row.grace_until),
        ("Cancelled", row.cancelled_at),
        ("Ends at", row.cancel_at),
        ("Ended", row.ended_at),
        ("Checkout until", row.checkout.as_ref().filter(|_| is_begun).map(|checkout| checkout.expires_at)),
        ("Provider seen", row.observed_at),
    ];
    facts.extend(dates.into_iter().filter_map(|(name, at)| Some(Fact::said(name, stamp(at?.as_micros())))));
    facts.push(Fact::code("Row", row.id.to_string()));
    match &row.provider_subscription_id {
        Some(id) => facts.push(Fact::code("At the provider", format!("{} {id}", row.provider))),
        None => facts.push(Fact::said("At the provider", format!("none yet at {}", row.provider))),
    }
    if let Some(word) = &row.provider_status {
        facts.push(Fact::said("The provider’s word", word));
    }
    facts
}

impl Line {
    fn of(item: &Item, row: &Subscription, catalog: &Catalog) -> Self {
        let title = catalog.sold(&row.provider, &item.item_price_id).map(|sold| match sold {
            Sold::Plan(plan, _) => plan.title.clone(),
            Sold::Addon(addon, _) => addon.title.clone(),
        });
        let amount = item.amount.or_else(|| item.unit_price?.checked_mul(item.quantity));
        Self {
            title,
            price: item.item_price_id.to_string(),
            quantity: item.quantity,
            amount: amount.zip(item.currency).map(|(amount, currency)| words::money(amount, currency, &row.provider)),
        }
    }
}

//! Subscriptions of both billing providers, and what somebody could do to them in the provider's dashboard.

use super::{Notes, SHOWN, Section, newest};
use crate::chargebee::site::Site;
use crate::chargebee::site::catalog::ItemType;
use crate::chargebee::site::model::{Status, Subscription};
use crate::pages::layout::{escape, instant};
use crate::pages::parts;
use crate::stripe::account::Account;
use crate::stripe::account::model::{Status as StripeStatus, Subscription as StripeSubscription};
use crate::world::World;

pub(super) fn panel(world: &World, notes: &Notes) -> String {
    let (site, account) = (&world.site, &world.stripe);
    let total = site.subscriptions.len() + account.subscriptions.len();
    let mut rows: Vec<(i64, Row)> =
        site.subscriptions.iter().rev().take(SHOWN).map(|row| of_chargebee(site, row)).collect();
    let of_stripe = account.subscriptions.rows().iter().enumerate().rev().take(SHOWN);
    rows.extend(of_stripe.map(|(position, row)| of_stripe_row(account, position, row)));
    rows.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    let rows: String = rows.iter().take(SHOWN).map(|(_, row)| row.render()).collect();
    let content = match rows.as_str() {
        "" => "<p class=\"soft\">None yet.</p>".to_owned(),
        rows => format!("<ul class=\"items\">{rows}</ul>"),
    };
    Section::Subscriptions.panel(notes, &newest(total, "/sandbox/truth"), &content)
}

/// A subscription of any provider, as the page shows it.
struct Row {
    provider: &'static str,
    id: String,
    organization: Option<String>,
    status: &'static str,
    items: Vec<(String, Option<i64>)>,
    /// Instants that matter, with their names.
    dates: Vec<(&'static str, i64)>,
    /// The seats, where they can be changed.
    seats: Option<i64>,
    fails_next: bool,
    owes: bool,
    actions: Vec<(&'static str, &'static str)>,
}

impl Row {
    fn render(&self) -> String {
        let id = escape(&self.id);
        let mut facts: String = self.dates.iter().map(|(name, at)| parts::fact(name, &instant(*at))).collect();
        if let Some(organization) = &self.organization {
            facts.push_str(&parts::fact("Organization", &format!("<code>{}</code>", escape(organization))));
        }
        let items: Vec<String> = self
            .items
            .iter()
            .map(|(price, quantity)| match quantity {
                Some(quantity) => format!("{} × {quantity}", escape(price)),
                None => escape(price),
            })
            .collect();
        let mut badges = parts::badge(self.status);
        if self.owes {
            badges.push_str(" <span class=\"badge bad\">dues</span>");
        }
        if self.fails_next {
            badges.push_str(" <span class=\"badge wait\">next payment fails</span>");
        }
        let head = format!(
            "<div class=\"head\"><h3><code>{id}</code></h3><span class=\"soft small\">{}</span><span>{badges}</span></div>\
             <p class=\"small\">{}</p><dl class=\"facts small\">{facts}</dl>",
            self.provider,
            items.join(", "),
        );
        if self.actions.is_empty() {
            return format!("<li>{head}</li>");
        }
        let form = Section::Subscriptions.form("row");
        let hidden = format!("<input type=\"hidden\" name=\"id\" value=\"{id}\">");
        let seats = self.seats.map(|seats| {
            format!(
                "{form}{hidden}<div class=\"field short\"><label for=\"seats-{id}\">Seats</label>\
                 <input type=\"number\" id=\"seats-{id}\" name=\"seats\" value=\"{seats}\" min=\"1\" required></div>\
                 <button name=\"action\" value=\"seats\">Change seats</button></form>"
            )
        });
        let buttons: String = self
            .actions
            .iter()
            .map(|(action, words)| {
                let class = if action.starts_with("cancel") { " class=\"danger\"" } else { "" };
                format!("<button name=\"action\" value=\"{action}\"{class}>{words}</button>")
            })
            .collect();
        format!(
            "<li>{head}<details><summary>Change<span class=\"hidden\"> {id}</span></summary><div class=\"drawer\">{seats}\
             {form}{hidden}{buttons}</form></div></details></li>",
            seats = seats.unwrap_or_default(),
        )
    }
}

/// What can be done to a subscription that has not ended.
fn actions(
    ends: bool,
    paused: bool,
    pausable: bool,
    fails_next: bool,
    owes: bool,
) -> Vec<(&'static str, &'static str)> {
    let mut actions = Vec::new();
    if owes {
        actions.push(("pay_dues", "Pay what is open"));
    }
    if paused {
        actions.push(("resume", "Resume"));
    } else if pausable {
        actions.push(("pause", "Pause"));
    }
    actions.push(if fails_next {
        ("fail_not", "Let the next payment be")
    } else {
        ("fail_next", "Fail the next payment")
    });
    if ends {
        actions.push(("keep", "Do not cancel"));
    } else if !paused {
        actions.push(("cancel_at_end", "Cancel at period end"));
    }
    actions.push(("cancel", "Cancel now"));
    actions
}

fn of_chargebee(site: &Site, row: &Subscription) -> (i64, Row) {
    let is_over = row.status == Status::Cancelled;
    let ends = row.scheduled_cancel.as_ref().filter(|_| !is_over).map(|cancel| cancel.at);
    let dates = [
        ("Trial until", row.trial_end.filter(|_| row.status == Status::InTrial)),
        ("Period until", row.term.map(|term| term.end).filter(|_| !is_over)),
        ("Ends on", ends),
        ("Changes on", row.scheduled_change.as_ref().map(|change| change.at)),
        ("Ended on", row.cancelled_at.filter(|_| is_over)),
    ];
    let plan = row.items.iter().find(|item| item.item_type == ItemType::Plan);
    let is_paused = row.status == Status::Paused;
    let owes = !row.unpaid.is_empty();
    let shown = Row {
        provider: "Chargebee",
        id: row.id.clone(),
        organization: site.organization_of_subscription(row),
        status: row.status.as_str(),
        items: row.items.iter().map(|item| (item.item_price_id.clone(), Some(item.quantity))).collect(),
        dates: dates.into_iter().filter_map(|(name, at)| Some((name, at?))).collect(),
        seats: plan.filter(|_| !is_over && !is_paused).map(|plan| plan.quantity),
        fails_next: row.fail_next_payment,
        owes,
        actions: if is_over || row.deleted {
            Vec::new()
        } else {
            actions(ends.is_some(), is_paused, row.status == Status::Active, row.fail_next_payment, owes)
        },
    };
    (row.created_at, shown)
}

fn of_stripe_row(account: &Account, position: usize, row: &StripeSubscription) -> (i64, Row) {
    let is_over = row.status.is_over();
    let ends = row.cancel_at.or(row.cancel_at_period_end.then_some(row.period_end)).filter(|_| !is_over);
    let is_trial = row.status == StripeStatus::Trialing;
    let dates = [
        ("Trial until", row.trial_end.filter(|_| is_trial)),
        ("Period until", Some(row.period_end).filter(|_| !is_over && !is_trial)),
        ("Ends on", ends),
        ("Ended on", row.ended_at),
    ];
    let is_paused = row.status == StripeStatus::Paused;
    let owes = matches!(row.status, StripeStatus::PastDue | StripeStatus::Unpaid);
    let pausable = matches!(row.status, StripeStatus::Active | StripeStatus::Trialing | StripeStatus::PastDue);
    let shown = Row {
        provider: "Stripe",
        id: row.id.clone(),
        organization: account.organization_of_subscription(position),
        status: row.status.as_str(),
        items: row.items.iter().map(|item| (item.price.clone(), item.quantity)).collect(),
        dates: dates.into_iter().filter_map(|(name, at)| Some((name, at?))).collect(),
        seats: row.items.first().filter(|_| !is_over && !is_paused).and_then(|item| item.quantity),
        fails_next: row.fail_next_payment,
        owes,
        actions: if is_over {
            Vec::new()
        } else {
            actions(ends.is_some(), is_paused, pausable, row.fail_next_payment, owes)
        },
    };
    (row.created, shown)
}

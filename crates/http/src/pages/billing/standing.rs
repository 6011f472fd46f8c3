//! How a subscription stands, in words, and what leads out of it.

use tollkeeper_core::{
    catalog::Catalog,
    gate::access,
    status::Status,
    subscription::Subscription,
    time::{DAY, Timestamp},
};

use crate::pages::words;

/// How good the news is; never told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Calm,
    Careful,
    Bad,
}

impl Tone {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Careful => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The way out of how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// On the provider's page: how one pays.
    Portal(&'static str),
    /// Take the end back.
    Restore(String),
    /// End the pause, or take it back.
    Resume(&'static str),
    /// Go on with a checkout that is open. The provider's page may be over before our row knows.
    Checkout,
}

/// How a subscription stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) tone: Tone,
    /// One or two words.
    pub(crate) badge: &'static str,
    /// What is, and what comes next.
    pub(crate) sentence: String,
    /// What that means, where something must be done or known.
    pub(crate) more: Vec<String>,
    pub(crate) remedy: Option<Remedy>,
    /// Days of a trial: gone, and in all.
    pub(crate) trial: Option<(u64, u64)>,
}

/// Says how a row stands at business time `now`.
pub(crate) fn standing(row: &Subscription, catalog: &Catalog, now: Timestamp) -> Standing {
    let title = words::plan_title(catalog, row.plan.as_ref());
    let mut standing = by_status(row, catalog, now, &title);
    if row.collection_paused {
        let goes_on = if catalog.policy().collection_paused_access {
            "what you have goes on"
        } else {
            "what it includes is closed until then"
        };
        standing.more.push(format!("The billing provider does not collect its invoices at the moment; {goes_on}."));
        if standing.tone == Tone::Good {
            (standing.tone, standing.badge) = (Tone::Careful, "Collection paused");
        }
    }
    if row.status.is_live() && row.plan.is_none() {
        standing.more.push(
            "It sells a price that is not in the catalog, so that nobody knows what it includes. \
            Whoever sells this to you can mend it."
                .to_owned(),
        );
    }
    if row.duplicate_of.is_some() {
        standing
            .more
            .push("It was paid although there is another one already. Cancel the one you do not want.".to_owned());
        standing.tone = Tone::Careful;
    }
    standing
}

/// The same without what the row says beside its status.
pub(crate) fn by_status(row: &Subscription, catalog: &Catalog, now: Timestamp, title: &str) -> Standing {
    let calm = |badge, sentence: String| Standing {
        tone: Tone::Calm,
        badge,
        sentence,
        more: Vec::new(),
        remedy: None,
        trial: None,
    };
    let open = access(row, catalog.policy(), now).granted;
    match row.status {
        Status::Future => future(row, now, title, calm),
        Status::Incomplete => Standing {
            tone: Tone::Careful,
            remedy: Some(Remedy::Portal("Finish the payment")),
            ..calm("Payment incomplete", format!("{title} has not started: its first payment is not done."))
        },
        Status::InTrial => in_trial(row, now, calm),
        Status::Active => {
            let mut standing = Standing { tone: Tone::Good, ..calm("Active", renews(row)) };
            if let Some(at) = row.pause_at {
                standing.tone = Tone::Careful;
                standing.sentence = format!("Active. It pauses on {}{}.", words::date(at), later(at, now));
                standing.remedy = Some(Remedy::Resume("Do not pause"));
            }
            standing
        }
        Status::NonRenewing => {
            let at = row.cancel_at.or(row.period_end);
            let sentence = match at {
                Some(at) => format!("Ends on {}{}. Until then nothing changes.", words::date(at), later(at, now)),
                None => "Ends with its period. Until then nothing changes.".to_owned(),
            };
            let remedy = Some(Remedy::Restore(format!("Keep {title}")));
            Standing { tone: Tone::Careful, remedy, ..calm("Ends soon", sentence) }
        }
        Status::PastDue => past_due(row, catalog, now, calm),
        Status::Unpaid => {
            let sentence = match &row.dues {
                Some(dues) => format!("An invoice is unpaid since {}.", words::date(dues.since)),
                None => "An invoice is unpaid.".to_owned(),
            };
            let more =
                "It is not tried again by itself, and what the plan includes is closed. Once it is paid, everything \
                        opens again."
                    .to_owned();
            let remedy = Some(Remedy::Portal("Pay now"));
            Standing { tone: Tone::Bad, more: vec![more], remedy, ..calm("Unpaid", sentence) }
        }
        Status::Paused => {
            let what = if open { "what it includes stays open" } else { "what it includes is closed" };
            let sentence = format!("Paused. Nothing is charged, and {what}.");
            Standing { tone: Tone::Careful, remedy: Some(Remedy::Resume("Resume now")), ..calm("Paused", sentence) }
        }
        Status::Cancelled => calm(
            "Ended",
            row.ended_at.map_or_else(|| "Ended.".to_owned(), |at| format!("Ended on {}.", words::date(at))),
        ),
        Status::Expired => calm("Not finished", "The checkout was not finished. Nothing was charged.".to_owned()),
    }
}

/// What a change that waits leads to, and when.
pub(crate) fn scheduled(row: &Subscription, catalog: &Catalog) -> Option<String> {
    let change = row.scheduled.as_ref()?;
    let seats = change.seats.and_then(|seats| u64::try_from(seats).ok());
    let seats = seats.map(|seats| words::count(seats, "seat", "seats"));
    let plan = change.plan.as_ref().filter(|plan| row.plan.as_ref() != Some(plan));
    let what = match (plan.map(|plan| words::plan_title(catalog, Some(plan))), seats) {
        (Some(plan), Some(seats)) => format!("{plan} with {seats}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "another plan".to_owned(),
    };
    Some(format!("From {} on: {what}.", words::date(change.at)))
}

fn future(
    row: &Subscription,
    now: Timestamp,
    title: &str,
    calm: impl FnOnce(&'static str, String) -> Standing,
) -> Standing {
    if let Some(checkout) = row.checkout.as_ref().filter(|_| row.is_open_checkout(now)) {
        let until = words::moment(checkout.expires_at);
        let sentence = format!("A checkout of {title} is open. It can be finished until {until}.");
        return Standing { remedy: Some(Remedy::Checkout), ..calm("Checkout open", sentence) };
    }
    let start = row.period_start.or(row.trial_start).filter(|at| *at > now);
    let sentence = match start {
        Some(at) => format!("{title} starts on {}{}.", words::date(at), later(at, now)),
        None => format!("{title} has not started yet."),
    };
    calm("Not started", sentence)
}

fn in_trial(row: &Subscription, now: Timestamp, calm: impl FnOnce(&'static str, String) -> Standing) -> Standing {
    let ends = row.trial_end.or(row.period_end);
    let days = |from: Timestamp, to: Timestamp| to.since(from).as_secs().div_ceil(DAY.as_secs());
    let trial = row.trial_start.zip(ends).map(|(start, end)| {
        let all = days(start, end).max(1);
        (all.saturating_sub(days(now, end)).min(all), all)
    });
    let (tone, sentence, remedy) = match (row.cancel_at, ends) {
        (Some(at), _) => {
            let sentence = format!("The trial ends on {}{}, and with it everything.", words::date(at), later(at, now));
            (Tone::Careful, sentence, Some(Remedy::Restore("Go on after the trial".to_owned())))
        }
        (None, Some(at)) => {
            let sentence =
                format!("The trial ends on {}{}. The first payment is taken then.", words::date(at), later(at, now));
            (Tone::Good, sentence, None)
        }
        (None, None) => (Tone::Good, "In its trial.".to_owned(), None),
    };
    Standing { tone, remedy, trial, ..calm("Trial", sentence) }
}

fn past_due(
    row: &Subscription,
    catalog: &Catalog,
    now: Timestamp,
    calm: impl FnOnce(&'static str, String) -> Standing,
) -> Standing {
    let access = access(row, catalog.policy(), now);
    let mut more = Vec::new();
    let sentence = match &row.dues {
        Some(dues) => {
            let tries = match dues.attempts {
                0 | 1 => String::new(),
                attempts => format!(" It was tried {attempts} times."),
            };
            if let Some(next) = dues.next_attempt_at {
                more.push(format!("It is tried again on {}.", words::moment(next)));
            }
            format!("The payment that was due on {} did not go through.{tries}", words::date(dues.since))
        }
        None => "A payment did not go through.".to_owned(),
    };
    more.push(match (access.granted, access.until) {
        (true, Some(until)) => {
            format!("Everything stays open until {}{}.", words::date(until), later(until, now))
        }
        (true, None) => "Everything stays open for now.".to_owned(),
        (false, _) => "What the plan includes is closed until it is paid.".to_owned(),
    });
    let remedy = Some(Remedy::Portal("Mend the payment"));
    Standing { tone: Tone::Bad, more, remedy, ..calm("Payment failed", sentence) }
}

fn renews(row: &Subscription) -> String {
    match row.period_end {
        Some(end) => format!("Renews on {}.", words::date(end)),
        None => "Active.".to_owned(),
    }
}

/// `, in 13 days`
fn later(at: Timestamp, now: Timestamp) -> String {
    words::away(at, now).map_or_else(String::new, |away| format!(", {away}"))
}

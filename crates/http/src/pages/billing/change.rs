//! Another plan, other seats: chosen, shown with what it costs, and confirmed.

use askama::Template;
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{StatusCode, Uri};
use tollkeeper::{Action, Error, Overview, Preview, Settings, UpdateRequest, Updated, ports::ChangeWhen};
use tollkeeper_core::{
    catalog::{Catalog, Interval, Plan, Price},
    ids::PlanName,
    money::Currency,
    subscription::Subscription,
    time::Timestamp,
};

use super::can::{Can, named};
use crate::{
    asked::{begin_form, look},
    body::{Fields, NAME, TOKEN},
    landing::see_other,
    pages::{
        frame::{Frame, Here, Person, Visitor},
        leave, page, words,
    },
    problem::{Problem, Told},
    router::{App, Shared},
};

/// `/billing/change`
#[derive(Template)]
#[template(path = "billing/change.html")]
pub(crate) struct ChangePage {
    pub(crate) frame: Frame,
    pub(crate) subscription: String,
    /// What there is now.
    pub(crate) now: String,
    pub(crate) plans: Vec<Offer>,
    /// None where there is only one.
    pub(crate) intervals: Vec<(&'static str, &'static str, bool)>,
    pub(crate) seats: i64,
    /// The plan that the seats stand there for.
    pub(crate) before: String,
    pub(crate) most: Option<u64>,
    /// What the seats mean for the price.
    pub(crate) hint: String,
    /// What stands in the way.
    pub(crate) note: Option<(&'static str, String)>,
    pub(crate) shown: Option<Shown>,
}

pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) lines: String,
    pub(crate) price: String,
    pub(crate) chosen: bool,
    pub(crate) current: bool,
}

/// What a change would cost.
pub(crate) struct Shown {
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) due: String,
    pub(crate) credit: Option<String>,
    pub(crate) when: String,
    pub(crate) next: Option<String>,
    pub(crate) plan: String,
    pub(crate) interval: &'static str,
    pub(crate) at_once: bool,
    pub(crate) label: String,
    pub(crate) token: String,
}

/// What a person has chosen, beside the row that it is about.
#[derive(Clone)]
pub(crate) struct Choice<'a> {
    row: &'a Subscription,
    plan: Option<PlanName>,
    /// How often it is paid now, where the catalog knows its price.
    current: Option<Interval>,
    /// As chosen, else as it is now.
    interval: Option<Interval>,
    seats: i64,
    currency: Currency,
}

/// What became of what was asked.
pub(crate) enum Outcome {
    /// Nothing was chosen yet.
    Open,
    Costs(Preview),
    /// It is so already.
    Nothing,
    /// It costs another amount than was seen.
    Outdated(Box<Preview>),
    Refused(Problem),
}

/// `GET /billing/change`
pub(crate) async fn show(State(app): State<Shared>, visitor: Visitor, uri: Uri) -> Result<Response, Problem> {
    let asked = look(&app, &visitor.caller, &uri, Action::Preview).await?;
    let person = Person::of(&asked.actor);
    let overview = app.engine.overview(&asked.actor).await?;
    let row = named(&overview, asked.fields.text("subscription", NAME)?.as_deref());
    let Some(row) = row.filter(|row| Can::of(row).change) else {
        return Ok(see_other("/billing"));
    };
    let choice = Choice::of(row, &overview, &app.engine.catalog(), app.engine.settings(), &asked.fields)?;
    let wanted = choice.request();
    let outcome = if ["plan", "interval", "seats"].iter().any(|name| asked.fields.has(name)) {
        match asked.act(|engine, actor| async move { engine.preview(&actor, &wanted).await }).await {
            Ok(preview) => Outcome::Costs(preview),
            Err(problem) if problem.code() == "nothing_changes" => Outcome::Nothing,
            Err(problem) => Outcome::Refused(problem),
        }
    } else {
        Outcome::Open
    };
    answer(&app, person, &overview, &choice, outcome)
}

/// `POST /billing/change`
pub(crate) async fn apply(State(app): State<Shared>, visitor: Visitor, request: Request) -> Result<Response, Problem> {
    let asked = begin_form(&app, &visitor.caller, request, Action::Update).await?;
    let person = Person::of(&asked.actor);
    let overview = app.engine.overview(&asked.actor).await?;
    let Some(row) = named(&overview, asked.fields.text("subscription", NAME)?.as_deref()) else {
        return Ok(see_other("/billing"));
    };
    let choice = Choice::of(row, &overview, &app.engine.catalog(), app.engine.settings(), &asked.fields)?;
    let token = asked.fields.text("previewToken", TOKEN)?.ok_or_else(|| {
        Problem::field("previewToken", "preview_required", "Look at what the change costs first, then confirm it")
    })?;
    if choice.waits(&app.engine.catalog()) {
        // Who clicks twice sees the second answer only.
        return Ok(see_other("/billing?done=scheduled"));
    }
    let wanted = UpdateRequest { preview_token: Some(token), ..choice.request() };
    let updated = asked.try_act(|engine, actor| async move { engine.update(&actor, &wanted).await }).await?;
    let outcome = match updated {
        Ok(Updated::Applied(subscription)) => {
            let waits = subscription.scheduled_change.is_some() && subscription.scheduled_change != row.scheduled;
            return Ok(see_other(if waits { "/billing?done=scheduled" } else { "/billing?done=changed" }));
        }
        Ok(Updated::Hosted(url)) => return leave::to(url, "the page of the billing provider"),
        Err(Error::PreviewOutdated(preview)) => Outcome::Outdated(preview),
        // The first one made the change.
        Err(Error::Invalid { code: "nothing_changes", .. }) => return Ok(see_other("/billing?done=changed")),
        Err(error) => Outcome::Refused(error.into()),
    };
    answer(&app, person, &overview, &choice, outcome)
}

/// The page, with the status of what it tells.
fn answer(
    app: &App,
    person: Person,
    overview: &Overview,
    choice: &Choice<'_>,
    outcome: Outcome,
) -> Result<Response, Problem> {
    let frame = Frame::new(app, "Change the plan", Here::Billing, Some(person));
    let mut answer = page(&choice.page(frame, overview, &app.engine.catalog(), &outcome, app.engine.now()))?;
    match outcome {
        Outcome::Open | Outcome::Costs(_) | Outcome::Nothing => {}
        Outcome::Outdated(_) => *answer.status_mut() = StatusCode::CONFLICT,
        Outcome::Refused(problem) => {
            *answer.status_mut() = problem.status();
            answer.extensions_mut().insert(Told(problem));
        }
    }
    Ok(answer)
}

impl Outcome {
    fn note(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Open | Self::Costs(_) => None,
            Self::Nothing => Some(("info", "This is what you have already.".to_owned())),
            Self::Outdated(_) => {
                Some(("warn", "What it costs has changed since you looked. This is what it costs now.".to_owned()))
            }
            Self::Refused(problem) => Some(("bad", problem.sentence())),
        }
    }

    fn preview(&self) -> Option<&Preview> {
        match self {
            Self::Costs(preview) => Some(preview),
            Self::Outdated(preview) => Some(preview),
            Self::Open | Self::Nothing | Self::Refused(_) => None,
        }
    }
}

impl<'a> Choice<'a> {
    /// Reads what was chosen; what was not stays as it is, as far as the plan allows.
    pub(crate) fn of(
        row: &'a Subscription,
        overview: &Overview,
        catalog: &Catalog,
        settings: &Settings,
        fields: &Fields,
    ) -> Result<Self, Problem> {
        let paid_in = row.items.iter().find_map(|item| item.currency).or(overview.account.organization.currency);
        let current =
            row.price_id.as_ref().and_then(|id| catalog.sold(&row.provider, id)).map(|it| it.price().interval);
        let named = fields.text("interval", NAME)?.and_then(|word| Interval::parse(&word));
        let plan = fields.text("plan", NAME)?.map(PlanName::from).or_else(|| row.plan.clone());
        let mut choice = Self {
            row,
            plan,
            current,
            interval: named.filter(|it| *it != Interval::Once).or(current),
            seats: row.seats.unwrap_or(1),
            currency: paid_in.unwrap_or(settings.default_currency),
        };
        let chosen = choice.plan.as_ref().and_then(|name| catalog.plan(name));
        let per_seat = chosen.and_then(|plan| choice.price(plan)).is_some_and(|price| price.per_seat);
        let most = chosen.and_then(|plan| plan.seats).and_then(|most| i64::try_from(most).ok());
        // Seats that stood there for another plan were not chosen for this one.
        let before = fields.text("before", NAME)?.map(PlanName::from);
        let left_alone = fields.integer("seats")? == fields.text("seatsBefore", NAME)?.and_then(|it| it.parse().ok());
        let meant_for_another = left_alone && before.is_some() && before != choice.plan;
        choice.seats = match fields.integer("seats")?.filter(|_| !meant_for_another) {
            Some(seats) => seats,
            None if choice.plan == row.plan => choice.seats,
            // Whom seats cost nothing has all of them; whom they do has those that are needed.
            None if !per_seat => most.unwrap_or(choice.seats),
            None => i64::try_from(overview.holders).unwrap_or(i64::MAX).max(1),
        };
        if choice.plan != row.plan
            && let Some(most) = most
        {
            choice.seats = choice.seats.min(most);
        }
        Ok(choice)
    }

    /// As the engine is asked: a plan is only named where it is another one, so that everything else stays.
    fn request(&self) -> UpdateRequest {
        let moves = self.plan != self.row.plan || self.interval != self.current;
        UpdateRequest {
            plan: self.plan.as_ref().filter(|_| moves).map(ToString::to_string),
            interval: moves.then(|| self.every().as_str().to_owned()),
            seats: Some(self.seats).filter(|seats| moves || Some(*seats) != self.row.seats),
            subscription_id: Some(self.row.id.to_string()),
            ..UpdateRequest::default()
        }
    }

    /// Whether this very choice waits for the end of the period already.
    fn waits(&self, catalog: &Catalog) -> bool {
        let price = self.plan.as_ref().and_then(|name| catalog.plan(name)).and_then(|plan| self.price(plan));
        self.row.scheduled.as_ref().zip(price).is_some_and(|(change, price)| {
            change.seats == Some(self.seats) && change.items.iter().any(|item| item.price_id == price.id)
        })
    }

    /// How often prices are paid that are shown: by the month where nobody says otherwise.
    fn every(&self) -> Interval {
        self.interval.unwrap_or(Interval::Month)
    }

    fn price<'c>(&self, plan: &'c Plan) -> Option<&'c Price> {
        plan.price(&self.row.provider, self.every(), self.currency)
    }

    /// What the change costs, in words.
    fn shown(&self, catalog: &Catalog, preview: &Preview, now: Timestamp) -> Shown {
        let money = |amount| words::money(amount, preview.currency, &self.row.provider);
        let at_once = preview.when == ChangeWhen::Now;
        let end = self.row.period_end.filter(|end| *end > now);
        let title = words::plan_title(catalog, self.plan.as_ref());
        let next = preview.next_invoice.as_ref().map(|invoice| match invoice.at.or(end) {
            Some(at) => format!("{} on {}", money(invoice.amount), words::date(at)),
            None => format!("{} with the next invoice", money(invoice.amount)),
        });
        Shown {
            lines: preview.lines.iter().map(|line| (line.description.clone(), money(line.amount))).collect(),
            due: money(preview.amount_due),
            credit: (preview.credit > 0).then(|| money(preview.credit)),
            when: match (at_once, end) {
                (true, _) => "At once, as soon as you confirm.".to_owned(),
                (false, Some(end)) => format!("On {}. Until then nothing changes.", words::date(end)),
                (false, None) => "At the end of the period. Until then nothing changes.".to_owned(),
            },
            next,
            plan: self.plan.as_ref().map(ToString::to_string).unwrap_or_default(),
            interval: self.interval.map(Interval::as_str).unwrap_or_default(),
            at_once,
            label: match (at_once, preview.amount_due) {
                (true, due) if due > 0 => format!("Confirm and pay {}", money(due)),
                (true, _) => "Confirm the change".to_owned(),
                (false, _) => format!("Schedule {title}"),
            },
            token: preview.preview_token.clone(),
        }
    }

    pub(crate) fn page(
        &self,
        frame: Frame,
        overview: &Overview,
        catalog: &Catalog,
        outcome: &Outcome,
        now: Timestamp,
    ) -> ChangePage {
        let of_group = || catalog.plans().iter().filter(|plan| plan.group == self.row.plan_group);
        let is_current = |plan: &Plan| self.row.plan.as_ref() == Some(&plan.name);
        let offers = of_group().filter_map(|plan| {
            let price = match self.price(plan) {
                Some(price) => {
                    let amount = words::money(price.amount, price.currency, &price.provider);
                    format!("{amount} {}", words::each(price))
                }
                // Not sold like this any more, but kept by whoever has it.
                None if is_current(plan) => "as it is".to_owned(),
                None => return None,
            };
            Some(Offer {
                name: plan.name.to_string(),
                title: plan.title.clone(),
                lines: words::grants(plan).join(" · "),
                price,
                chosen: self.plan.as_ref() == Some(&plan.name),
                current: is_current(plan),
            })
        });
        // A plan that the catalog does not know is kept by naming no other.
        let unknown = (!of_group().any(is_current)).then(|| Offer {
            name: self.row.plan.as_ref().map(ToString::to_string).unwrap_or_default(),
            title: words::plan_title(catalog, self.row.plan.as_ref()),
            lines: String::new(),
            price: "as it is".to_owned(),
            chosen: self.plan == self.row.plan,
            current: true,
        });
        let prices = || of_group().flat_map(|plan| &plan.prices).filter(|price| price.provider == self.row.provider);
        let intervals: Vec<_> = [(Interval::Month, "month", "Monthly"), (Interval::Year, "year", "Yearly")]
            .into_iter()
            .filter(|(interval, ..)| prices().any(|price| price.interval == *interval))
            .map(|(interval, word, label)| (word, label, self.interval == Some(interval)))
            .collect();
        let chosen = self.plan.as_ref().and_then(|name| catalog.plan(name));
        let seats = u64::try_from(self.row.seats.unwrap_or(0)).unwrap_or(0);
        ChangePage {
            frame,
            subscription: self.row.id.to_string(),
            now: format!(
                "{} with {}",
                words::plan_title(catalog, self.row.plan.as_ref()),
                words::count(seats, "seat", "seats")
            ),
            plans: unknown.into_iter().chain(offers).collect(),
            intervals: if intervals.len() > 1 { intervals } else { Vec::new() },
            seats: self.seats,
            before: self.plan.as_ref().map(ToString::to_string).unwrap_or_default(),
            most: chosen.and_then(|plan| plan.seats),
            hint: hint(overview, chosen, chosen.and_then(|plan| self.price(plan))),
            note: outcome.note(),
            shown: outcome.preview().map(|preview| self.shown(catalog, preview, now)),
        }
    }
}

/// What the number of seats means.
fn hint(overview: &Overview, plan: Option<&Plan>, price: Option<&Price>) -> String {
    let people = words::count(overview.holders as u64, "seat is", "seats are");
    let per_seat = price.is_some_and(|price| price.per_seat);
    match plan.and_then(|plan| plan.seats.map(|most| (plan, most))) {
        Some((plan, most)) if !per_seat => {
            format!("{people} in use. {} has up to {}, at the same price.", plan.title, number_of(most))
        }
        Some((plan, most)) => format!("{people} in use. {} has up to {}.", plan.title, number_of(most)),
        None if per_seat => format!("{people} in use. Each is paid for."),
        None => format!("{people} in use."),
    }
}

fn number_of(most: u64) -> String {
    words::count(most, "seat", "seats")
}

//! What a request selects: the fields that a checkout, a preview and a change have in common.

use tollkeeper::{CreateRequest, UpdateRequest, ports::ChangeWhen};

use crate::{
    body::{ADDRESS, Fields, NAME, TOKEN},
    problem::Problem,
    wanted,
};

/// When a change takes effect; `auto` is the same as nothing.
const WHEN: [(&str, Option<ChangeWhen>); 3] =
    [("now", Some(ChangeWhen::Now)), ("period_end", Some(ChangeWhen::PeriodEnd)), ("auto", None)];

/// A selection, and how the caller spelled its fields where there are two spellings.
pub(crate) struct Selection {
    plan: Option<String>,
    price_ids: Vec<String>,
    interval: Option<String>,
    currency: Option<String>,
    seats: Option<i64>,
    addons: Option<Vec<(String, i64)>>,
    spelling: Spelling,
}

/// How fields with two names were spelled.
#[derive(Clone, Copy)]
pub(crate) struct Spelling {
    prices: &'static str,
    success: &'static str,
}

impl Spelling {
    /// A problem that names fields as the caller did.
    pub(crate) fn of(self, problem: Problem) -> Problem {
        problem.spelled("itemPriceId", self.prices).spelled("successUrl", self.success)
    }
}

impl Selection {
    pub(crate) fn read(fields: &Fields) -> Result<Self, Problem> {
        let (price_ids, prices) = match (fields.texts("itemPriceId")?, fields.texts("priceId")?) {
            (Some(_), Some(_)) => {
                return Err(Problem::field("priceId", "ambiguous_plan", "Give itemPriceId or priceId, not both"));
            }
            (Some(ids), None) => (ids, "itemPriceId"),
            (None, Some(ids)) => (ids, "priceId"),
            (None, None) => (Vec::new(), "itemPriceId"),
        };
        Ok(Self {
            plan: fields.text("plan", NAME)?,
            price_ids,
            interval: fields.text("interval", NAME)?,
            currency: fields.text("currency", NAME)?,
            seats: fields.integer("seats")?,
            addons: fields.quantities("addons", &["name", "addon"], true)?,
            spelling: Spelling { prices, success: "successUrl" },
        })
    }

    /// With what only a checkout has.
    pub(crate) fn create(self, fields: &Fields) -> Result<(CreateRequest, Spelling), Problem> {
        let request = CreateRequest {
            plan: self.plan,
            price_ids: self.price_ids,
            interval: self.interval,
            currency: self.currency,
            seats: self.seats,
            addons: self.addons.unwrap_or_default(),
            success_url: fields.text("successUrl", ADDRESS)?,
            cancel_url: fields.text("cancelUrl", ADDRESS)?,
            trial: fields.boolean("trial")?,
            metadata: fields.object("metadata")?,
        };
        Ok((request, self.spelling))
    }

    /// With what only a change has, and its preview.
    pub(crate) fn update(mut self, fields: &Fields) -> Result<(UpdateRequest, Spelling), Problem> {
        let (success, back) = (fields.text("successUrl", ADDRESS)?, fields.text("returnUrl", ADDRESS)?);
        if success.is_none() && back.is_some() {
            self.spelling.success = "returnUrl";
        }
        let request = UpdateRequest {
            plan: self.plan,
            price_ids: self.price_ids,
            interval: self.interval,
            currency: self.currency,
            seats: self.seats,
            addons: self.addons,
            when: fields.word("when", &WHEN)?.flatten(),
            preview_token: fields.text("previewToken", TOKEN)?,
            hosted: fields.boolean("hosted")?.unwrap_or(false),
            success_url: success.or(back),
            cancel_url: fields.text("cancelUrl", ADDRESS)?,
            subscription_id: wanted::named(fields)?,
        };
        Ok((request, self.spelling))
    }
}

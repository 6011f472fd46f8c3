//! Who asks, and what is sold.

use crate::description::{
    operation::{Content, Operation, Tag, Who},
    schema::{named, one_of},
};

/// `GET /api/session`
pub(crate) fn show() -> Operation {
    let who = one_of([named("Session"), named("KeySession")]);
    Operation::new(Tag::Session, Who::Member, "getSession", "Who I am")
        .text("What the access token or the API key proves, with what can be bought. A key of all organizations needs to name none here.")
        .answers_with(200, "A person, or a key.", Content::Json(who))
        .looks_up()
}

/// `GET /api/plans`
pub(crate) fn plans() -> Operation {
    Operation::new(Tag::Session, Who::Anybody, "listPlans", "What is sold")
        .text("Plans, prices by interval and currency, and what each plan grants. The same for everybody.")
        .answers("Plans", "The catalog, as the billing provider of new organizations sells it.")
}

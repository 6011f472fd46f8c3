//! What people ask for, in few words.

use tollkeeper::{Actor, Error, Preview, SubscriptionView, UpdateRequest, Updated, ports::ChangeWhen};

use crate::world::{ORG, World};

/// Another plan.
pub(crate) fn to(plan: &str) -> UpdateRequest {
    UpdateRequest { plan: Some(plan.into()), ..UpdateRequest::default() }
}

/// So many seats, and nothing else.
pub(crate) fn seats(count: i64) -> UpdateRequest {
    UpdateRequest { seats: Some(count), ..UpdateRequest::default() }
}

/// The whole set of add-ons.
pub(crate) fn with_addons(addons: &[(&str, i64)]) -> UpdateRequest {
    let addons = addons.iter().map(|(name, quantity)| ((*name).to_owned(), *quantity)).collect();
    UpdateRequest { addons: Some(addons), ..UpdateRequest::default() }
}

pub(crate) fn at(when: ChangeWhen, request: UpdateRequest) -> UpdateRequest {
    UpdateRequest { when: Some(when), ..request }
}

pub(crate) fn as_shown(preview: &Preview, request: UpdateRequest) -> UpdateRequest {
    UpdateRequest { preview_token: Some(preview.preview_token.clone()), ..request }
}

impl World {
    pub(crate) async fn update(&self, request: UpdateRequest) -> Result<SubscriptionView, Error> {
        applied(self.engine().update(&self.actor(ORG).await, &request).await)
    }

    pub(crate) async fn preview(&self, request: UpdateRequest) -> Result<Preview, Error> {
        self.engine().preview(&self.actor(ORG).await, &request).await
    }

    /// An update that goes on while the test does something else.
    pub(crate) async fn begin_update(
        &self,
        request: UpdateRequest,
    ) -> tokio::task::JoinHandle<Result<SubscriptionView, Error>> {
        let (engine, actor): (_, Actor) = (self.engine().clone(), self.actor(ORG).await);
        tokio::spawn(async move { applied(engine.update(&actor, &request).await) })
    }
}

fn applied(updated: Result<Updated, Error>) -> Result<SubscriptionView, Error> {
    match updated? {
        Updated::Applied(view) => Ok(*view),
        Updated::Hosted(url) => panic!("hosted at {url}"),
    }
}

/// The field and the code of a refusal.
pub(crate) fn refusal(error: &Error) -> (Option<&str>, &str) {
    match error {
        Error::Invalid { field, code, .. } => (field.as_deref(), code),
        Error::Conflict { code, .. } => (None, code),
        other => panic!("not a refusal: {other:?}"),
    }
}

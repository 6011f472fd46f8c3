//! A product that listens: it writes down what it hears, and sometimes misbehaves.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;
use tollkeeper::{
    Action, Event, HookError, Hooks, Notice,
    ids::{OrganizationId, UserId},
};

use super::Stop;

type Told = Result<(), HookError>;

/// What a hook does instead of listening.
pub(crate) enum Deed {
    Fail,
    Panic,
    Hang(Arc<Stop>),
}

/// Remembers what it took, and what it refused.
#[derive(Default)]
pub(crate) struct Recorder {
    taken: Mutex<Vec<Notice>>,
    events: Mutex<Vec<String>>,
    script: Mutex<HashMap<String, VecDeque<Deed>>>,
    /// Which organizations are being told at this moment.
    running: Mutex<HashSet<String>>,
    overlaps: Mutex<Vec<String>>,
    /// Who wanted to do something.
    asked: Mutex<Vec<String>>,
    slow: AtomicBool,
    /// Nobody may do anything from now on.
    strict: AtomicBool,
}

impl Recorder {
    /// The next time that `key` is told (`org_1:customer.created`, or the id of an event), this happens instead.
    pub(crate) fn next(&self, key: &str, deed: Deed) {
        self.script.lock().unwrap().entry(key.into()).or_default().push_back(deed);
    }

    /// Every notice that was taken, in the order of taking.
    pub(crate) fn taken(&self) -> Vec<Notice> {
        self.taken.lock().unwrap().clone()
    }

    /// The kinds that one organization's hooks took, in order.
    pub(crate) fn kinds(&self, organization: &str) -> Vec<&'static str> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|it| it.organization_id.as_str() == organization).map(|it| it.kind.as_str()).collect()
    }

    /// How often one organization was told of `kind`.
    pub(crate) fn count(&self, organization: &str, kind: &str) -> usize {
        self.kinds(organization).into_iter().filter(|it| *it == kind).count()
    }

    /// From now on it takes its time, so that others come in between.
    pub(crate) fn slow_down(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    /// Who wanted to do something so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// From now on nobody may do anything.
    pub(crate) fn deny(&self) {
        self.strict.store(true, Ordering::Relaxed);
    }

    /// What the newest notice of a kind carried.
    pub(crate) fn last(&self, organization: &str, kind: &str) -> Value {
        let taken = self.taken.lock().unwrap();
        let mut ours = taken.iter().rev().filter(|it| it.organization_id.as_str() == organization);
        ours.find(|it| it.kind.as_str() == kind).unwrap().data.clone()
    }

    /// Organizations that were told two things at once.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        self.overlaps.lock().unwrap().clone()
    }

    /// Every event that was taken.
    pub(crate) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    async fn misbehave(&self, key: &str) -> Told {
        let deed = self.script.lock().unwrap().get_mut(key).and_then(VecDeque::pop_front);
        match deed {
            None => {}
            Some(Deed::Fail) => return Err(HookError("the product is closed today".into())),
            Some(Deed::Panic) => panic!("played"),
            Some(Deed::Hang(stop)) => stop.pass().await,
        }
        Ok(())
    }

    async fn hear(&self, notice: &Notice) -> Told {
        let organization = notice.organization_id.to_string();
        if !self.running.lock().unwrap().insert(organization.clone()) {
            self.overlaps.lock().unwrap().push(organization.clone());
        }
        if self.slow.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        let told = self.misbehave(&format!("{organization}:{}", notice.kind.as_str())).await;
        self.running.lock().unwrap().remove(&organization);
        told?;
        self.taken.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

#[async_trait]
impl Hooks for Recorder {
    async fn on_customer_created(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_created(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_completed(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_updated(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_cancelled(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_deleted(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_trial_started(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_trial_ending(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_subscription_duplicated(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_trial_ended(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_payment_failed(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_payment_recovered(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn on_entitlements_changed(&self, notice: &Notice) -> Told {
        self.hear(notice).await
    }
    async fn authorize(&self, user: &UserId, _: &OrganizationId, _: Action) -> Result<bool, HookError> {
        self.asked.lock().unwrap().push(user.to_string());
        Ok(!self.strict.load(Ordering::Relaxed))
    }
    async fn on_event(&self, event: &Event) -> Told {
        self.misbehave(event.id.as_str()).await?;
        self.events.lock().unwrap().push(event.id.to_string());
        Ok(())
    }
}

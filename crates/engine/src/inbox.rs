//! The worker of the inbox: subject by subject, with one refresh for all that waits about it.

use std::{collections::HashSet, time::Duration};

use tollkeeper_core::{
    ids::{ProviderCustomerId, ProviderSubscriptionId, Source},
    organization::Customer,
    ports::{Billing, Content, ErrorKind, Hint, ProviderError, Subject, Verified},
    reduce,
    snapshot::Snapshot,
    time::MachineTime,
};
use tollkeeper_store::{inbox, link::LinkKind};

use crate::{
    Error, Tollkeeper, backoff,
    decide::{Deliveries, cause},
    hooks::{self, Event},
    sweep::Listed,
    sync::News,
};

/// How many subjects are looked for at once.
const SUBJECTS: i64 = 64;

/// What a provider that says "later" is believed: neither a loop nor a delivery that waits for ever.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Something that deliveries wait about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) source: Source,
    pub(crate) subject: String,
}

impl Waiting {
    fn key(&self) -> String {
        format!("inbox/{}/{}", self.source, self.subject)
    }
}

/// One delivery, read.
struct Read {
    hint: Hint,
    event: Event,
}

/// What a subject came to.
enum Fate {
    /// The deliveries were settled together with what they caused.
    Settled,
    /// They are of no concern, and why.
    Ignored(String),
    /// They are done without anything to write.
    Done(String),
}

impl Tollkeeper {
    /// What deliveries wait about, going round among all that wait, and when its lease was taken.
    pub(crate) async fn waiting_subjects(&self, not: HashSet<Waiting>) -> Result<Vec<(Waiting, MachineTime)>, Error> {
        let (mut last, now) = (self.inner.last_waiting.lock().await, self.machine_now());
        let mut conn = self.inner.db.read().await?;
        let listing = self.inner.sweeps.listing();
        let except = listing.as_ref();
        let mut found = inbox::pending_subjects(conn.c(), &last, now, except, SUBJECTS).await?;
        let room = SUBJECTS - i64::try_from(found.len()).unwrap_or(SUBJECTS);
        let begin = (Source::from(""), String::new());
        // From the beginning there is nothing to go round.
        if room > 0 && *last != begin {
            let end = std::mem::replace(&mut *last, begin.clone());
            let round = inbox::pending_subjects(conn.c(), &begin, now, except, room).await?;
            found.extend(round.into_iter().take_while(|subject| *subject <= end));
        }
        drop(conn);
        if room == 0 {
            self.inner.sweeps.crowd(found.iter().map(|(source, _)| source));
        }
        if let Some(newest) = found.last() {
            last.clone_from(newest);
        }
        let found = found.into_iter().map(|(source, subject)| Waiting { source, subject });
        let found = found.filter(|waiting| !not.contains(waiting)).collect();
        let (ours, at) = self.take_all(&self.inner.answered, found, Waiting::key).await?;
        Ok(ours.into_iter().map(|waiting| (waiting, at)).collect())
    }

    /// Works on one subject, unless somebody else does: then `false`.
    pub(crate) async fn work_subject(&self, waiting: &Waiting, taken_at: MachineTime) -> Result<bool, Error> {
        let work = Box::pin(self.answer_subject(waiting));
        Ok(self.with_taken_lease(&self.inner.answered, waiting.key(), taken_at, work).await?.unwrap_or(false))
    }

    /// Reads which deliveries wait, then asks the provider, then settles exactly these. Says whether there were any.
    async fn answer_subject(&self, waiting: &Waiting) -> Result<bool, Error> {
        let Waiting { source, subject } = waiting;
        let mut rows = self.together(waiting.clone()).await?;
        let about = Subject::parse(subject);
        let mut listed = match &about {
            Subject::Subscription(id) => self.inner.sweeps.take(source, id),
            Subject::Organization(_) | Subject::Customer(_) | Subject::Other => None,
        };
        if let Some(Listed { noted, .. }) = &listed {
            // What came after the list was begun is not answered by it.
            let known: Vec<_> = rows.iter().filter(|row| noted.deliveries.contains(&row.event_id)).cloned().collect();
            match known.is_empty() {
                true => listed = None,
                false => rows = known,
            }
        }
        let mut reads = Vec::new();
        for row in &rows {
            match self.read(source, row) {
                Ok(read) => reads.push((read, row)),
                // Poison never blocks others, also not those about the same subject.
                Err(error) => self.fail(source, subject, &[row], &error).await?,
            }
        }
        // A hook that fails keeps its own delivery waiting, never the truth that it tells of.
        let (mut told, mut untold) = (Vec::new(), Vec::new());
        for (read, row) in &reads {
            // What is not told before the engine stops is told when it starts again.
            if self.inner.stopping.is_cancelled() {
                break;
            }
            match hooks::guarded(self.inner.hooks.on_event(&read.event)).await {
                Ok(()) => told.push(*row),
                Err(error) => untold.push((*row, error)),
            }
        }
        if !reads.is_empty() {
            let hints: Vec<_> = reads.iter().map(|(read, _)| &read.hint).collect();
            let ids = told.iter().map(|row| row.event_id.clone()).collect();
            let deliveries = Deliveries { source: source.clone(), ids };
            match self.answer(source, &about, &hints, &deliveries, listed).await {
                Ok(Fate::Settled) => {}
                Ok(Fate::Done(why)) => self.close(&deliveries, &why, false).await?,
                Ok(Fate::Ignored(why)) => self.close(&deliveries, &why, true).await?,
                Err(error) => self.fail(source, subject, &told, &error).await?,
            }
        }
        for (row, error) in untold {
            self.fail(source, subject, &[row], &error).await?;
        }
        Ok(!rows.is_empty())
    }

    fn read(&self, source: &Source, row: &inbox::InboxRow) -> Result<Read, Error> {
        let inbound = self.inbound(source).ok_or_else(|| Error::NotConfigured(source.to_string()))?;
        let verified = Verified::vouched(source.clone(), row.body.clone());
        let hint = inbound.decode(&verified)?;
        Ok(Read {
            hint,
            event: Event {
                source: source.clone(),
                id: row.event_id.clone(),
                event_type: row.event_type.clone(),
                body: row.body.clone(),
            },
        })
    }

    async fn answer(
        &self,
        source: &Source,
        subject: &Subject,
        hints: &[&Hint],
        deliveries: &Deliveries,
        listed: Option<Listed>,
    ) -> Result<Fate, Error> {
        if self.inner.identity.source() == *source {
            return match subject {
                Subject::Organization(id) => {
                    self.answer_organization(id, hints).await?;
                    Ok(Fate::Done("the organization is as the identity provider says".into()))
                }
                Subject::Subscription(_) | Subject::Customer(_) | Subject::Other => {
                    Ok(Fate::Ignored("stored and told; nothing here depends on it".into()))
                }
            };
        }
        let billing = self
            .inner
            .billing
            .values()
            .find(|billing| billing.source() == *source)
            .ok_or_else(|| Error::NotConfigured(source.to_string()))?;
        match subject {
            Subject::Subscription(id) => {
                self.answer_subscription(billing.as_ref(), id, hints, deliveries, listed).await
            }
            Subject::Customer(id) => self.answer_customer(billing.as_ref(), id, hints, deliveries).await,
            Subject::Organization(_) | Subject::Other => {
                Ok(Fate::Ignored("stored and told; nothing here depends on it".into()))
            }
        }
    }

    async fn answer_subscription(
        &self,
        billing: &dyn Billing,
        id: &ProviderSubscriptionId,
        hints: &[&Hint],
        deliveries: &Deliveries,
        listed: Option<Listed>,
    ) -> Result<Fate, Error> {
        let content = newest_content(hints);
        let Some(owner) = self.owner_of(billing, id, content).await? else {
            return Ok(Fate::Ignored("unknown customer".into()));
        };
        let cause = cause::inbox(deliveries.ids.last().map_or("", |id| id.as_str()));
        let news = News { deliveries, content, listed };
        match self.refresh_for(&owner, &billing.provider(), id, &cause, Some(news)).await {
            Ok(_) => Ok(Fate::Settled),
            // A stranger is shown, never linked by itself.
            Err(Error::Reduce(refusal)) => Ok(Fate::Ignored(format!("not applied: {refusal}"))),
            Err(error @ Error::NotThere(..)) => Ok(Fate::Ignored(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Reads the billing contact back. Looks at everything that the customer pays for when the news is about money rather
    /// than about the customer, and lets go of a customer that is gone.
    async fn answer_customer(
        &self,
        billing: &dyn Billing,
        id: &ProviderCustomerId,
        hints: &[&Hint],
        deliveries: &Deliveries,
    ) -> Result<Fate, Error> {
        let provider = billing.provider();
        let Some(owner) = self.linked(&provider, LinkKind::Customer, id.as_str()).await? else {
            return Ok(Fate::Ignored("unknown customer".into()));
        };
        let cause = cause::inbox(deliveries.ids.last().map_or("", |id| id.as_str()));
        let record = billing.customer(id).await?;
        let gone = record.as_ref().is_none_or(|record| record.deleted);
        if gone || hints.iter().any(|hint| hint.content.is_none()) {
            for row in self.account(&owner).await?.subscriptions {
                let bought = row.provider_subscription_id.filter(|_| row.provider == provider && row.status.is_live());
                if let Some(bought) = bought {
                    self.refresh(&owner, &provider, &bought, &cause).await?;
                }
            }
        }
        if gone {
            self.close_checkouts(&owner, &cause, "its customer was deleted at the provider").await?;
            let customer = Customer { provider, id: id.clone() };
            self.decide(&owner, &cause, |account, _, _| Ok(reduce::customer_gone(account, &customer))).await?;
            return Ok(Fate::Done("the customer is gone at the provider; what it paid for is over".into()));
        }
        if let Some(email) = record.and_then(|record| record.email) {
            self.decide(&owner, &cause, |account, _, _| Ok(reduce::contact(account, Some(&email), None))).await?;
        }
        Ok(Fate::Done("the customer is as the provider says".into()))
    }

    async fn close(&self, deliveries: &Deliveries, why: &str, ignored: bool) -> Result<(), Error> {
        let Deliveries { source, ids } = deliveries;
        self.inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    match ignored {
                        true => inbox::ignore(tx, source, ids, why).await,
                        false => inbox::settle(tx, source, ids, why).await,
                    }
                })
            })
            .await?;
        Ok(())
    }

    async fn fail(
        &self,
        source: &Source,
        subject: &str,
        rows: &[&inbox::InboxRow],
        error: &Error,
    ) -> Result<(), Error> {
        let waits = error.throttled().map(|after| after.clamp(SHORTEST_WAIT, LONGEST_WAIT));
        // Poison cannot be cured by waiting. A deletion goes on until the provider has confirmed it.
        let hopeless = matches!(error, Error::Decode(_));
        let endless = matches!(Subject::parse(subject), Subject::Organization(_));
        // Nor is it the delivery's fault that the database is away or busy.
        let counts = waits.is_none() && !matches!(error, Error::Store(error) if error.is_unavailable());
        let exhausted = |row: &inbox::InboxRow| counts && row.attempts + 1 >= backoff::TRIES && !endless;
        let (over, again): (Vec<&inbox::InboxRow>, Vec<&inbox::InboxRow>) =
            rows.iter().copied().partition(|row| hopeless || exhausted(row));
        let ids = |rows: Vec<&inbox::InboxRow>| rows.into_iter().map(|row| row.event_id.clone()).collect::<Vec<_>>();
        let attempts = again.iter().map(|row| row.attempts).max().unwrap_or(0);
        let (over, again, text) = (&ids(over)[..], &ids(again)[..], error.to_string());
        if !over.is_empty() {
            tracing::error!(%error, %source, subject, dead = over.len(), "deliveries are dead: they stay in the inbox with this error");
            metrics::counter!("tollkeeper_deliveries_dead_total", "source" => source.to_string())
                .increment(over.len() as u64);
        }
        let pause = waits.unwrap_or_else(|| self.retry_pause(attempts));
        if !again.is_empty() {
            let expected = matches!(
                error,
                Error::Provider(ProviderError { kind: ErrorKind::Throttled(_) | ErrorKind::Transient, .. })
            );
            if expected {
                tracing::info!(%error, %source, subject, attempts, ?pause, "deliveries are tried again");
            } else {
                tracing::warn!(%error, %source, subject, attempts, ?pause, "deliveries are tried again");
            }
        }
        let (text, next) = (text.as_str(), self.machine_now().plus(pause));
        self.inner
            .db
            .write(|tx| {
                Box::pin(async move {
                    inbox::dead(tx, source, over, text).await?;
                    inbox::retry(tx, source, again, text, next, counts).await
                })
            })
            .await?;
        Ok(())
    }
}

/// The newest state that the deliveries carry; `None` when one of them carries none, for then only the provider knows.
fn newest_content<'a>(hints: &[&'a Hint]) -> Option<&'a Snapshot> {
    let mut newest: Option<&Snapshot> = None;
    for hint in hints {
        let Some(Content::Subscription(content)) = &hint.content else { return None };
        if newest.is_none_or(|known| content.version > known.version) {
            newest = Some(content);
        }
    }
    newest
}

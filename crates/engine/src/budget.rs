//! The request budget of one provider: a bucket that holds a minute's worth, a quarter of it kept for people who wait.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tollkeeper_core::ports::Pace;

const MINUTE: Duration = Duration::from_secs(60);
/// What background work leaves in the bucket.
const RESERVE: Duration = Duration::from_secs(15);
/// How long a person waits for a turn before hearing to come back.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long background work waits: it has a queue to go back to, and must not hold up what needs no provider.
const BACKGROUND: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// Set while a person waits for the answer.
    static PERSON: ();
}

/// Runs what a person waits for: its calls to providers may use the reserve.
pub(crate) fn for_a_person<'a, T>(work: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(PERSON.scope((), work))
}

/// What may be asked of one provider.
///
/// The bucket is a span of time that refills by itself, up to a minute; a request costs a minute divided by how many a
/// minute may have.
#[derive(Debug)]
pub(crate) struct Budget {
    cost: Duration,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    left: Duration,
    at: Instant,
    /// The provider's own word counts more than our count.
    closed_until: Instant,
}

impl Budget {
    pub(crate) fn per_minute(requests: u32) -> Arc<Self> {
        let now = Instant::now();
        let cost = MINUTE / requests.max(1);
        Arc::new(Self { cost, level: Mutex::new(Level { left: MINUTE, at: now, closed_until: now }) })
    }

    /// Takes one request out of the bucket, or says how long until there is one.
    fn take(&self, floor: Duration) -> Result<(), Duration> {
        let now = Instant::now();
        let mut level = self.level.lock().expect("nobody panics while holding it");
        level.left = (level.left + (now - level.at)).min(MINUTE);
        level.at = now;
        if now < level.closed_until {
            return Err(level.closed_until - now);
        }
        // A reserve never keeps the last request of a small budget.
        let wanted = (self.cost + floor).min(MINUTE);
        if level.left < wanted {
            return Err(wanted - level.left);
        }
        level.left -= self.cost;
        Ok(())
    }
}

#[async_trait]
impl Pace for Budget {
    async fn permit(&self) -> Result<(), Duration> {
        let a_person_waits = PERSON.try_with(|()| ()).is_ok();
        let (floor, patience) = if a_person_waits { (Duration::ZERO, PATIENCE) } else { (RESERVE, BACKGROUND) };
        let until = Instant::now() + patience;
        loop {
            let Err(wait) = self.take(floor) else { return Ok(()) };
            if Instant::now() + wait > until {
                metrics::counter!("tollkeeper_provider_budget_exhausted_total").increment(1);
                return Err(wait);
            }
            sleep(wait).await;
        }
    }

    fn throttled(&self, after: Duration) {
        metrics::counter!("tollkeeper_provider_throttled_total").increment(1);
        let mut level = self.level.lock().expect("nobody panics while holding it");
        level.closed_until = level.closed_until.max(Instant::now() + after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many requests get through at once before one would have to come back.
    async fn at_once(budget: &Budget) -> usize {
        let mut passed = 0;
        while budget.take(RESERVE).is_ok() {
            passed += 1;
        }
        passed
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_leaves_a_quarter_for_people() {
        let budget = Budget::per_minute(120);
        assert_eq!(at_once(&budget).await, 90);
        let mut people = 0;
        while budget.take(Duration::ZERO).is_ok() {
            people += 1;
        }
        assert_eq!(people, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_gets_its_turn_when_the_bucket_refills() {
        let budget = Budget::per_minute(60);
        at_once(&budget).await;
        while budget.take(Duration::ZERO).is_ok() {}
        let begun = Instant::now();
        for _ in 0..5 {
            for_a_person(budget.permit()).await.unwrap();
        }
        let wait = budget.permit().await.unwrap_err();
        assert!(wait > RESERVE, "the background has a queue to wait in: {wait:?}");
        assert_eq!(begun.elapsed().as_secs(), 5, "one a second");
    }

    #[tokio::test(start_paused = true)]
    async fn the_providers_word_counts_for_everybody() {
        let budget = Budget::per_minute(6_000);
        budget.throttled(Duration::from_secs(3));
        let begun = Instant::now();
        for_a_person(budget.permit()).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(3));
        budget.throttled(Duration::from_secs(60));
        let wait = budget.permit().await.unwrap_err();
        assert!(wait > Duration::from_secs(50), "nobody waits that long: {wait:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_of_one_is_not_shut_for_ever() {
        let budget = Budget::per_minute(1);
        assert!(budget.take(RESERVE).is_ok());
        tokio::time::advance(MINUTE).await;
        assert!(budget.take(RESERVE).is_ok());
    }
}

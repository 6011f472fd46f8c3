//! The request budget of one provider: so many in any minute, a quarter of them kept for people who wait. Background work
//! also keeps to so many in any second, for most providers count seconds too, and a person shall find room in each.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tollkeeper_core::ports::Pace;

/// A minute, and what a request may take to arrive: the provider counts when it hears it, not when it was permitted.
const WINDOW: Duration = Duration::from_secs(61);
const SECOND: Duration = Duration::from_secs(1);
/// What background work may have in any second even where the budget is small. Source: the strictest limit of seconds that
/// is documented is 25, of Stripe's sandboxes.
const LEAST_PER_SECOND: usize = 15;
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

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Somebody waits for the answer: may use the reserve.
    Person,
    Background,
}

/// What may be asked of one provider: never more in any minute than it allows, however it counts its minutes.
#[derive(Debug)]
pub(crate) struct Budget {
    requests: usize,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// When the requests of the last minute were permitted, oldest first.
    taken: VecDeque<Instant>,
    /// The provider's own word counts more than our count.
    closed_until: Instant,
}

impl Budget {
    pub(crate) fn per_minute(requests: u32) -> Arc<Self> {
        let level = Level { taken: VecDeque::new(), closed_until: Instant::now() };
        Arc::new(Self { requests: requests.max(1) as usize, level: Mutex::new(level) })
    }

    /// Takes one request, or answers how long until there is one: for background work, one that leaves the reserve and
    /// keeps to its part of the second.
    fn take(&self, asker: Asker) -> Result<(), Duration> {
        let (reserve, per_second) = match asker {
            Asker::Person => (0, usize::MAX),
            Asker::Background => (self.reserve(), self.per_second()),
        };
        let now = Instant::now();
        let mut level = self.level.lock().expect("nobody panics while holding it");
        while level.taken.front().is_some_and(|at| *at + WINDOW <= now) {
            level.taken.pop_front();
        }
        if now < level.closed_until {
            return Err(level.closed_until - now);
        }
        if let Some(too_many) = level.taken.len().checked_sub(per_second)
            && let Some(at) = level.taken.get(too_many)
            && *at + SECOND > now
        {
            return Err(*at + SECOND - now);
        }
        // A reserve never keeps the last request of a small budget.
        let allowed = self.requests.saturating_sub(reserve).max(1);
        match level.taken.len().checked_sub(allowed) {
            Some(too_many) => Err(level.taken[too_many] + WINDOW - now),
            None => {
                level.taken.push_back(now);
                Ok(())
            }
        }
    }

    /// What background work leaves for people.
    fn reserve(&self) -> usize {
        self.requests / 4
    }

    /// What background work may have in any second: its share of a second's part of the minute.
    fn per_second(&self) -> usize {
        ((self.requests - self.reserve()) / 60).max(LEAST_PER_SECOND)
    }
}

#[async_trait]
impl Pace for Budget {
    async fn permit(&self) -> Result<(), Duration> {
        let (asker, patience) = match PERSON.try_with(|()| ()) {
            Ok(()) => (Asker::Person, PATIENCE),
            Err(_) => (Asker::Background, BACKGROUND),
        };
        let until = Instant::now() + patience;
        loop {
            let Err(wait) = self.take(asker) else { return Ok(()) };
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
    use super::{Asker::*, *};

    /// How many requests get through at once before one would have to come back.
    fn at_once(budget: &Budget, asker: Asker) -> usize {
        (0..).take_while(|_| budget.take(asker).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_keeps_to_its_part_of_each_second_and_people_find_room() {
        let budget = Budget::per_minute(1_200);
        for _ in 0..3 {
            assert_eq!(at_once(&budget, Background), 15);
            tokio::time::advance(SECOND).await;
        }
        assert_eq!(at_once(&budget, Background), 15);
        assert!(budget.take(Person).is_ok());
        tokio::time::advance(SECOND / 2).await;
        assert_eq!(budget.take(Background).unwrap_err(), SECOND / 2);
        assert_eq!(at_once(&Budget::per_minute(60_000), Background), 750);
        assert_eq!(
            at_once(&Budget::per_minute(120), Background),
            15,
            "where little is allowed, a burst is not drawn out"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_leaves_a_quarter_for_people() {
        let budget = Budget::per_minute(120);
        for _ in 0..6 {
            assert_eq!(at_once(&budget, Background), 15);
            tokio::time::advance(SECOND).await;
        }
        assert_eq!(at_once(&budget, Background), 0);
        assert_eq!(at_once(&budget, Person), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_than_is_allowed() {
        let budget = Budget::per_minute(60);
        let begun = Instant::now();
        let mut permitted = Vec::new();
        while begun.elapsed() < Duration::from_secs(300) {
            if let Err(wait) = budget.take(Person) {
                tokio::time::advance(wait.min(Duration::from_secs(7))).await;
            } else {
                permitted.push(begun.elapsed());
            }
        }
        let within =
            |from: Duration| permitted.iter().filter(|at| (from..from + Duration::from_secs(60)).contains(at)).count();
        assert_eq!(permitted.iter().map(|from| within(*from)).max(), Some(60));
        assert!(permitted.len() >= 290, "and hardly less: {}", permitted.len());
    }

    #[tokio::test(start_paused = true)]
    async fn the_background_is_sent_back_to_its_queue_and_people_wait_for_their_turn() {
        let budget = Budget::per_minute(60);
        assert_eq!(at_once(&budget, Person), 60);
        tokio::time::advance(Duration::from_secs(55)).await;
        assert_eq!(budget.permit().await.unwrap_err(), Duration::from_secs(6));
        let asked = Instant::now();
        for_a_person(budget.permit()).await.unwrap();
        assert_eq!(asked.elapsed().as_secs(), 6);
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
        assert!(budget.take(Background).is_ok());
        tokio::time::advance(WINDOW).await;
        assert!(budget.take(Background).is_ok());
    }
}

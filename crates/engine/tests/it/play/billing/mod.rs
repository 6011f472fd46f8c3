//! A billing provider that is played: it keeps books, remembers every call, and fails by script.

mod books;
mod port;
mod without_us;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tollkeeper_core::{
    ports::{ErrorKind, Invoice, Pace, PaymentRequest, ProviderError},
    snapshot::{Item, ItemType},
    time::days,
};

use self::books::Books;
use super::{Clocks, Stop};

/// How long a hosted page can be paid.
pub(crate) const PAGE: Duration = Duration::from_secs(3 * 60 * 60);
/// How long what is paid runs.
pub(crate) const PERIOD: Duration = days(30);

/// What becomes of a call.
pub(crate) enum Outcome {
    /// It is answered as if nobody had written a script.
    Fine,
    /// It fails, and nothing was done.
    Fail(ErrorKind),
    /// It fails with the provider's own code, and nothing was done.
    Coded(ErrorKind, &'static str),
    /// It is done, and nobody learns of it.
    Lost,
    /// It is held up before anything is done.
    Held(Arc<Stop>),
    /// It is held up, and then it fails, and nothing was done.
    HeldAndFailed(Arc<Stop>, ErrorKind),
    /// It is done, and its answer is held up.
    Answered(Arc<Stop>),
}

/// Bills nobody.
pub(crate) struct PlayedBilling {
    books: Mutex<Books>,
    clock: Arc<Clocks>,
    /// How many rows a page of a list has.
    page_rows: AtomicUsize,
    pace: OnceLock<Arc<dyn Pace>>,
    paced: AtomicBool,
    cheap_lists: AtomicBool,
}

impl PlayedBilling {
    pub(crate) fn new(clock: Arc<Clocks>) -> Self {
        Self {
            books: Mutex::default(),
            clock,
            page_rows: AtomicUsize::new(100),
            pace: OnceLock::new(),
            paced: AtomicBool::new(false),
            cheap_lists: AtomicBool::new(false),
        }
    }

    /// The next call of `what` ends like this; several of them one after the other.
    pub(crate) fn next(&self, what: &'static str, outcome: Outcome) {
        self.books().script.entry(what).or_default().push_back(outcome);
    }

    /// Every call fails like this from now on, or works again.
    pub(crate) fn down(&self, kind: Option<ErrorKind>) {
        self.books().down = kind;
    }

    /// What is asked about this never succeeds.
    pub(crate) fn refuse(&self, about: &str, kind: Option<ErrorKind>) {
        let mut books = self.books();
        match kind {
            Some(kind) => books.refused.insert(about.into(), kind),
            None => books.refused.remove(about),
        };
    }

    /// From now on every request waits for its turn, as an adapter's does.
    pub(crate) fn keep_pace(&self) {
        self.paced.store(true, Ordering::Relaxed);
    }

    /// From now on it is said that deliveries carry nothing, and that a page tells of many.
    pub(crate) fn lists_are_cheap(&self) {
        self.cheap_lists.store(true, Ordering::Relaxed);
    }

    pub(crate) fn rows_per_page(&self, rows: usize) {
        self.page_rows.store(rows, Ordering::Relaxed);
    }

    /// What was asked so far: the call, and what it was about.
    pub(crate) fn calls(&self) -> Vec<(&'static str, String)> {
        self.books().calls.clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.books().calls.iter().filter(|(call, _)| *call == what).count()
    }

    /// The one-time payments that pages were made for.
    pub(crate) fn payments(&self) -> Vec<PaymentRequest> {
        self.books().payments.clone()
    }

    /// Sends an invoice.
    pub(crate) fn bill(&self, invoice: Invoice) {
        self.books().invoices.insert(0, invoice);
    }

    /// From now on a list of invoices has those of others too.
    pub(crate) fn mix_invoices(&self) {
        self.books().mixes_invoices = true;
    }

    /// Forgets what was asked, not what is in the books.
    pub(crate) fn forget_calls(&self) {
        self.books().calls.clear();
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn pace(&self) -> Option<&Arc<dyn Pace>> {
        self.pace.get().filter(|_| self.paced.load(Ordering::Relaxed))
    }

    /// Answers a call as the script says, else by doing `work`.
    async fn answer<T>(
        &self,
        what: &'static str,
        about: &str,
        work: impl FnOnce(&mut Books) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        if let Some(pace) = self.pace() {
            pace.permit().await.map_err(|after| failure(what, ErrorKind::Throttled(after), None))?;
        }
        let (outcome, down) = {
            let mut books = self.books();
            books.calls.push((what, about.to_owned()));
            let down = books.down.or_else(|| books.refused.get(about).copied());
            (books.script.get_mut(what).and_then(VecDeque::pop_front), down)
        };
        if let Some(kind) = down {
            return Err(failure(what, kind, None));
        }
        match outcome {
            None | Some(Outcome::Fine) => work(&mut self.books()),
            Some(Outcome::Fail(kind)) => {
                if let (Some(pace), ErrorKind::Throttled(after)) = (self.pace(), kind) {
                    pace.throttled(after);
                }
                Err(failure(what, kind, None))
            }
            Some(Outcome::Coded(kind, code)) => Err(failure(what, kind, Some(code))),
            Some(Outcome::Lost) => {
                work(&mut self.books())?;
                Err(failure(what, ErrorKind::OutcomeUnknown, None))
            }
            Some(Outcome::Held(stop)) => {
                stop.pass().await;
                work(&mut self.books())
            }
            Some(Outcome::HeldAndFailed(stop, kind)) => {
                stop.pass().await;
                Err(failure(what, kind, None))
            }
            Some(Outcome::Answered(stop)) => {
                let answer = work(&mut self.books());
                stop.pass().await;
                answer
            }
        }
    }
}

fn failure(operation: &'static str, kind: ErrorKind, code: Option<&str>) -> ProviderError {
    ProviderError {
        kind,
        source_name: "chargebee".into(),
        operation,
        code: code.map(ToOwned::to_owned),
        message: "played".into(),
        request_id: None,
        cause: None,
    }
}

pub(crate) fn item(price: &str) -> Item {
    Item {
        item_price_id: price.into(),
        item_type: ItemType::Plan,
        quantity: 1,
        unit_price: None,
        amount: None,
        currency: Some("USD".parse().unwrap()),
    }
}

//! The two times, apart from each other, so that whoever takes one for the other is found out.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use tollkeeper_core::time::{Clock, MachineTime, Timestamp};

/// Both stand still until they are moved.
pub(crate) struct Clocks {
    business: AtomicI64,
    machine: AtomicI64,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { business: AtomicI64::new(1_750_000_000_000_000), machine: AtomicI64::new(1_900_000_000_000_000) }
    }
}

impl Clocks {
    pub(crate) fn advance_business(&self, span: Duration) {
        self.business.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn advance_machine(&self, span: Duration) {
        self.machine.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn set_machine_back(&self, span: Duration) {
        self.machine.fetch_sub(i64::try_from(span.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Clocks {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.business.load(Ordering::Relaxed))
    }
    fn machine_now(&self) -> MachineTime {
        MachineTime::from_micros(self.machine.load(Ordering::Relaxed))
    }
}

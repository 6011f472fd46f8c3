//! A place where somebody is held up until the test lets go.

use tokio::sync::Semaphore;

/// A place to wait at.
pub(crate) struct Stop {
    arrived: Semaphore,
    released: Semaphore,
}

impl Default for Stop {
    fn default() -> Self {
        Self { arrived: Semaphore::new(0), released: Semaphore::new(0) }
    }
}

impl Stop {
    /// Waits here until released.
    pub(crate) async fn pass(&self) {
        self.arrived.add_permits(1);
        self.released.acquire().await.unwrap().forget();
    }

    /// Waits until somebody is held up here.
    pub(crate) async fn reached(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one go on.
    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }
}

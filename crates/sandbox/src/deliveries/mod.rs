//! Webhooks on their way out: what is owed (`outbox`), what faults keep back (`held`), how it is authenticated
//! (`signing`), and who sends it (`sender`).

mod held;
pub(crate) mod outbox;
pub(crate) mod sender;
pub(crate) mod signing;

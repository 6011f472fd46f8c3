//! Webhooks on their way out: what is owed (`outbox`), how it is authenticated (`signing`), and who sends it
//! (`sender`).

pub(crate) mod outbox;
pub(crate) mod sender;
pub(crate) mod signing;

//! Emptying a database that a demo made.

use crate::{Error, Tx};

/// Removes every row of every table; the schema stays.
///
/// # Errors
/// Only the database's own.
pub async fn empty(tx: &mut Tx) -> Result<(), Error> {
    // Children before parents.
    sql!(tx.c(), exec, "DELETE FROM subscription_item")?;
    sql!(tx.c(), exec, "DELETE FROM subscription")?;
    sql!(tx.c(), exec, "DELETE FROM provider_link")?;
    sql!(tx.c(), exec, "DELETE FROM customer")?;
    sql!(tx.c(), exec, "DELETE FROM member")?;
    sql!(tx.c(), exec, "DELETE FROM history")?;
    sql!(tx.c(), exec, "DELETE FROM outbox")?;
    sql!(tx.c(), exec, "DELETE FROM inbox")?;
    sql!(tx.c(), exec, "DELETE FROM lease")?;
    sql!(tx.c(), exec, "DELETE FROM cursor")?;
    sql!(tx.c(), exec, "DELETE FROM api_key")?;
    sql!(tx.c(), exec, "DELETE FROM drift")?;
    sql!(tx.c(), exec, "DELETE FROM session")?;
    sql!(tx.c(), exec, "DELETE FROM organization")?;
    Ok(())
}

//! Leases: who works on what, for a while. They save work and never carry correctness.

use tollkeeper_core::time::MachineTime;

use crate::{Error, Tx, value::At};

/// Takes or renews a lease until `until`; `false` when somebody else has it and it has not expired by `now`.
///
/// # Errors
/// Only the database's own.
pub async fn acquire(tx: &mut Tx, key: &str, owner: &str, now: MachineTime, until: MachineTime) -> Result<bool, Error> {
    let rows = sql!(
        tx.c(),
        exec,
        "
        INSERT INTO lease (key, owner, expires_at)
        VALUES ($1, $2, $4)
        ON CONFLICT (key) DO UPDATE
        SET owner = excluded.owner, expires_at = excluded.expires_at
        WHERE lease.owner = excluded.owner
           OR lease.expires_at <= $3",
        key,
        owner,
        At(now),
        At(until)
    )?;
    Ok(rows == 1)
}

/// Gives a lease back; does nothing when it is somebody else's by now.
///
/// # Errors
/// Only the database's own.
pub async fn release(tx: &mut Tx, key: &str, owner: &str) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        DELETE FROM lease
        WHERE key = $1
          AND owner = $2",
        key,
        owner
    )?;
    Ok(())
}

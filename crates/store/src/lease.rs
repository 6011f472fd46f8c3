//! Leases: who works on what, for a while. They save work and never carry correctness.

use std::collections::{BTreeSet, HashSet};

use tollkeeper_core::time::MachineTime;

use crate::{Error, Tx, value::At};

/// Takes or renews a lease until `until`; `false` when somebody else has it and it has not expired by `now`.
///
/// # Errors
/// Only the database's own.
pub async fn acquire(tx: &mut Tx, key: &str, owner: &str, now: MachineTime, until: MachineTime) -> Result<bool, Error> {
    Ok(!acquire_many(tx, &[key], owner, now, until).await?.is_empty())
}

/// Takes or renews many leases in one statement; answers the keys of those that are ours until `until`.
///
/// # Errors
/// Only the database's own.
pub async fn acquire_many(
    tx: &mut Tx,
    keys: &[&str],
    owner: &str,
    now: MachineTime,
    until: MachineTime,
) -> Result<HashSet<String>, Error> {
    row! { struct Taken { key: String } }
    // Each once, and in an order that everybody keeps: two that take the same leases do not wait for each other in turns.
    let keys: BTreeSet<&str> = keys.iter().copied().collect();
    let rows: Vec<Taken> = sql!(
        tx.c(),
        all Taken rows keys,
        "INSERT INTO lease (key, owner, expires_at, acquired_at)",
        "
        ON CONFLICT (key) DO UPDATE
        SET owner = excluded.owner, expires_at = excluded.expires_at, acquired_at = excluded.acquired_at
        WHERE lease.owner = excluded.owner
           OR lease.expires_at <= excluded.acquired_at
        RETURNING key",
        |key| (*key, owner, At(until), At(now))
    )?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

/// Gives leases back; does nothing to those that are somebody else's by now.
///
/// # Errors
/// Only the database's own.
pub async fn release(tx: &mut Tx, keys: &[&str], owner: &str) -> Result<(), Error> {
    sql!(tx.c(), exec among keys, "DELETE FROM lease WHERE key", "AND owner = $2", owner)?;
    Ok(())
}

/// Gives back all that somebody has.
///
/// # Errors
/// Only the database's own.
pub async fn release_all(tx: &mut Tx, owner: &str) -> Result<(), Error> {
    sql!(tx.c(), exec, "DELETE FROM lease WHERE owner = $1", owner)?;
    Ok(())
}

//! How far something has read: small texts by name.

use crate::{C, Error, Tx};

/// Reads a cursor; `None` when it was never set.
///
/// # Errors
/// Only the database's own.
pub async fn get(c: C<'_>, name: &str) -> Result<Option<String>, Error> {
    row! { struct Row { value: String } }
    let row: Option<Row> = sql!(
        c,
        opt Row,
        "
        SELECT value
        FROM cursor
        WHERE name = $1",
        name
    )?;
    Ok(row.map(|row| row.value))
}

/// Sets a cursor.
///
/// # Errors
/// Only the database's own.
pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<(), Error> {
    sql!(
        tx.c(),
        exec,
        "
        INSERT INTO cursor (name, value)
        VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE
        SET value = excluded.value",
        name,
        value
    )?;
    Ok(())
}

//! The promises, under everything that can go wrong. Small in the usual run; `TOLLKEEPER_PROVE=full` runs the figures of
//! `docs/proof.md`, and `TOLLKEEPER_PROOF_FILE` collects them, one JSON object a line.

mod bad_input;
mod chaos;
mod dice;
mod durable;
mod few_calls;
mod money;
mod truth;

use std::{fs::OpenOptions, io::Write as _};

use serde_json::{Value, json};

/// Whether the figures of the record are wanted, or the small ones.
pub(crate) fn full() -> bool {
    std::env::var("TOLLKEEPER_PROVE").is_ok_and(|size| size == "full")
}

/// Writes a figure down where somebody collects them.
pub(crate) fn figure(row: &str, place: &str, what: Value) {
    let line = json!({ "row": row, "where": place, "figures": what }).to_string();
    println!("{line}");
    if let Some(file) = std::env::var_os("TOLLKEEPER_PROOF_FILE") {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

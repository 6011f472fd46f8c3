//! Every benchmark but `idle` runs to its end, with sizes so small that its figures mean nothing.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::process::Command;

use serde_json::Value;

/// Runs one and answers its figures.
fn figures(work: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_tollkeeper-bench"))
        .args(["--quick", "--engine", "sqlite", "--json", "--folder", env!("CARGO_TARGET_TMPDIR"), work])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{work} ended with {}: {told}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["figures"].as_array().unwrap().clone()
}

/// How many figures of this kind of work there are that speak of `what`.
fn count(figures: &[Value], what: &str) -> usize {
    figures.iter().filter(|line| line["figure"].as_str().unwrap().contains(what)).count()
}

#[test]
fn ingest_measures_every_provider() {
    let figures = figures("ingest");
    for provider in ["chargebee", "stripe", "scalekit"] {
        assert_eq!(count(&figures, &format!("{provider}: ratio")), 1, "{provider}");
    }
}

#[test]
fn apply_measures_transitions() {
    assert_eq!(count(&figures("apply"), "transitions"), 1);
}

#[test]
fn lag_measures_both_billing_providers_and_a_person() {
    let figures = figures("lag");
    for provider in ["chargebee", "stripe"] {
        assert_eq!(count(&figures, &format!("{provider}: delivery to open gate")), 2, "{provider}");
    }
    assert_eq!(count(&figures, "a person's call"), 2);
}

#[test]
fn gates_are_measured_over_http_and_in_process() {
    let figures = figures("gate");
    assert_eq!((count(&figures, "ratio"), count(&figures, "in process")), (1, 1));
}

#[test]
fn reconcile_compares_everything_and_finds_nothing() {
    assert_eq!(count(&figures("reconcile"), "everything of"), 1);
}

#[test]
fn every_page_is_measured() {
    let figures = figures("pages");
    assert_eq!((count(&figures, "/pricing"), count(&figures, "/billing"), count(&figures, "/console")), (1, 1, 4));
}

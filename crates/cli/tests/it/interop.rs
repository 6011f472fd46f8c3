//! The providers' own clients, and a browser, against this program: the suites of `interop/`, run by Node's test runner.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{bare, run};

/// Runs one folder of `interop/`, which must hold tests, and shows what Node said when one fails.
fn suite(folder: &str) {
    part(folder, "");
}

/// Runs the tests of a folder whose files begin with a word.
fn part(folder: &str, begin: &str) {
    let interop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop");
    let node = bare("node").arg("--version").output();
    assert!(node.is_ok(), "node is missing: run scripts/test, which installs it");
    assert!(
        interop.join("node_modules/.package-lock.json").exists(),
        "interop/node_modules is missing: run scripts/test, which installs it"
    );
    // Named one by one: what a folder means to Node depends on its version.
    let entries = fs::read_dir(interop.join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.retain(|path| name(path).starts_with(begin) && name(path).ends_with(".test.js"));
    files.sort();
    assert!(!files.is_empty(), "interop/{folder} holds no tests that begin with {begin:?}");
    let mut command = bare("node");
    command.args(["--test", "--test-reporter=spec"]).args(files);
    command.env("TOLLKEEPER_BIN", env!("CARGO_BIN_EXE_tollkeeper"));
    // Where the browser is and where it leaves its pictures, for whoever wants it otherwise.
    for name in ["TOLLKEEPER_CHROMIUM", "TOLLKEEPER_SHOTS"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let (succeeded, said) = run(&mut command);
    assert!(succeeded, "{said}");
}

#[test]
fn in_a_browser_nothing_wrong_goes_unseen() {
    part("browser", "eye");
}

#[test]
fn in_a_browser_a_guest_sees_the_pages_for_everybody() {
    part("browser", "guest");
}

#[test]
fn in_a_browser_keys_and_forms_are_enough_with_chargebee() {
    part("browser", "hands-chargebee");
}

#[test]
fn in_a_browser_keys_and_forms_are_enough_with_stripe() {
    part("browser", "hands-stripe");
}

#[test]
fn in_a_browser_somebody_buys_changes_and_leaves_with_chargebee() {
    part("browser", "story-chargebee");
}

#[test]
fn in_a_browser_somebody_buys_changes_and_leaves_with_stripe() {
    part("browser", "story-stripe");
}

#[test]
fn chargebees_own_client_works_with_the_sandbox_and_the_server() {
    suite("chargebee");
}

#[test]
fn scalekits_own_client_works_with_the_sandbox_and_the_server() {
    suite("scalekit");
}

#[test]
fn standard_webhooks_own_library_agrees_with_the_sandbox_and_the_server() {
    suite("standardwebhooks");
}

#[test]
fn stripes_own_clients_work_with_the_sandbox_and_the_server() {
    suite("stripe");
}

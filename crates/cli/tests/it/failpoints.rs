//! Places where a test may kill the server: in the program that tests run, and in no other.

use std::{path::Path, process::Command};

use crate::support::{World, run, tollkeeper};

#[tokio::test]
async fn the_server_dies_where_it_was_told_to() {
    let world = World::start().await;
    let database = format!("sqlite://{}", world.folder.path().join("t.db").display());
    let place = [("TOLLKEEPER_FAILPOINT", "provisioning.organization")];
    let mut server = world.serve_with(world.app, &database, &[], &place).await;
    world.organization("Acme Inc").await;
    let status = server.process.end().await;
    assert_eq!(status.code(), None, "it was killed, so that it has no code: {status}");
}

#[test]
fn a_place_that_is_none_stops_the_start_and_names_them_all() {
    for command in ["serve", "demo"] {
        let (good, said) = run(tollkeeper(&[command]).env("TOLLKEEPER_FAILPOINT", "nowhere"));
        assert!(!good && said.contains("TOLLKEEPER_FAILPOINT") && said.contains("`nowhere`"), "{said}");
        assert!(tollkeeper::PLACES.iter().all(|place| said.contains(place)), "{said}");
    }
}

/// Which features of the engine the program is built with.
fn features(edges: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "tollkeeper-cli", "--edges", edges, "--invert", "tollkeeper"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes text")
}

#[test]
fn what_people_build_has_no_such_places() {
    const FEATURE: &str = "tollkeeper feature \"failpoints\"";
    let built = features("normal,build,features");
    assert!(built.contains("tollkeeper-cli") && !built.contains(FEATURE), "{built}");
    assert!(features("normal,build,dev,features").contains(FEATURE), "tests have them");
}

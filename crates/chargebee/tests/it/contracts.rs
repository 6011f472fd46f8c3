//! The provider's contract, read from the folder `TOLLKEEPER_CONTRACTS`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The folder of this provider's contract.
pub(crate) struct Contracts(PathBuf);

impl Contracts {
    /// Opens it. Where it is not there, the test says so and is over; on CI that is a failure.
    pub(crate) fn open(test: &str) -> Option<Self> {
        let root = env::var_os("TOLLKEEPER_CONTRACTS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/contracts"), PathBuf::from);
        let folder = root.join("chargebee");
        if folder.is_dir() {
            return Some(Self(folder));
        }
        assert!(env::var("CI").as_deref() != Ok("true"), "{test}: the contracts are missing at {}", folder.display());
        eprintln!("{test}: skipped, because there are no contracts at {}", folder.display());
        None
    }

    /// One JSON file of it.
    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.bytes(path)).unwrap()
    }

    /// One file of it.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A recorded answer.
    pub(crate) fn response(&self, name: &str) -> Value {
        self.json(&format!("fixtures/responses/{name}.json"))
    }

    /// A delivery.
    pub(crate) fn event(&self, name: &str) -> Vec<u8> {
        self.bytes(&format!("fixtures/events/{name}.json"))
    }

    /// The names of all deliveries, without `.json`.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.join("fixtures/events"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        names
    }
}

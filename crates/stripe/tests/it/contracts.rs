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
        let folder = root.join("stripe");
        if folder.is_dir() {
            return Some(Self(folder));
        }
        assert!(env::var("CI").as_deref() != Ok("true"), "{test}: the contracts are missing at {}", folder.display());
        eprintln!("{test}: skipped, because there are no contracts at {}", folder.display());
        None
    }

    /// One JSON file of it.
    pub(crate) fn json(&self, path: &str) -> Value {
        let bytes = fs::read(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_slice(&bytes).unwrap()
    }
}

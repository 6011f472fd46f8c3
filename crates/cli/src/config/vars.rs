//! Environment variables, each also as `*_FILE`.

use std::{collections::BTreeMap, fs};

use super::problems::Problems;

/// A set of variables: the process's own, or those of a demo.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vars(BTreeMap<String, String>);

impl Vars {
    /// The process's environment. Values that are not UTF-8 are left out.
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// These variables over those.
    pub(crate) fn with(mut self, over: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(over);
        self
    }

    /// The first of several names that is set: by value, or by the file that `NAME_FILE` names. Empty counts as not set.
    pub(crate) fn get(&self, names: &[&str], problems: &Problems) -> Option<String> {
        let mut found: Option<(String, String)> = None;
        for name in names {
            let file = format!("{name}_FILE");
            let direct = self.0.get(*name).filter(|value| !value.is_empty());
            let path = self.0.get(&file).filter(|value| !value.is_empty());
            let value = match (direct, path) {
                (Some(_), Some(_)) => {
                    problems.add(name, format!("is set by value and by {file}: keep one"));
                    continue;
                }
                (Some(value), None) => value.clone(),
                (None, Some(path)) => match fs::read_to_string(path) {
                    Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
                    Ok(_) => {
                        problems.add(file, format!("{path} is empty"));
                        continue;
                    }
                    Err(error) => {
                        problems.add(file, format!("{path} cannot be read: {error}"));
                        continue;
                    }
                },
                (None, None) => continue,
            };
            match &found {
                Some((other, known)) if *known != value => {
                    problems.add(name, format!("says something else than {other}: keep one"));
                }
                Some(_) => {}
                None => found = Some(((*name).to_owned(), value)),
            }
        }
        found.map(|(_, value)| value)
    }

    /// The values of one name, separated by commas; empty ones do not count.
    pub(crate) fn list(&self, name: &str, problems: &Problems) -> Vec<String> {
        let text = self.get(&[name], problems).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// As [`Vars::get`], and a problem when it is not there.
    pub(crate) fn need(&self, names: &[&str], what: &str, problems: &Problems) -> String {
        self.get(names, problems).unwrap_or_else(|| {
            problems.add(names[0], format!("is not set: {what}"));
            String::new()
        })
    }
}

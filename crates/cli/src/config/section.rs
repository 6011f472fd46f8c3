//! Reading a table of `tollkeeper.toml`: every value with its full path in what is said about it.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use toml::{Table, Value};

use super::{
    problems::Problems,
    schema::{Asked, Shape},
    vars::Vars,
};

/// One table, with where it stands and what was asked of it so far.
pub(crate) struct Section<'a> {
    path: String,
    table: Option<&'a Table>,
    asked: RefCell<BTreeSet<&'static str>>,
    problems: &'a Problems,
    /// Who wants to know what is asked of it, and where it stands for them.
    shape: Option<(&'a Shape, String)>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(crate) fn root(table: &'a Table, problems: &'a Problems, shape: Option<&'a Shape>) -> Self {
        let shape = shape.map(|shape| (shape, String::new()));
        Self { path: String::new(), table: Some(table), asked: RefCell::default(), problems, shape }
    }

    /// The full path of a key in it.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Tells who wants to know that this was asked for.
    fn ask(&self, key: &'static str, what: Asked) {
        if let Some((shape, begin)) = &self.shape {
            shape.asked(format!("{begin}{key}"), what, false);
        }
    }

    /// The same, of something inside of `key`.
    fn shape_of(&self, key: &str, inside: &str) -> Option<(&'a Shape, String)> {
        self.shape.as_ref().map(|(shape, begin)| (*shape, format!("{begin}{key}{inside}.")))
    }

    fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.table.and_then(|table| table.get(key))
    }

    fn wrong<T>(&self, key: &str, found: &Value, wanted: &str) -> Option<T> {
        let kind = found.type_str();
        let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
        self.problems.add(self.path_of(key), format!("is {article} {kind}: {wanted} is wanted"));
        None
    }

    /// A text.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.ask(key, Asked::Text);
        match self.value(key)? {
            Value::String(text) => Some(text.clone()),
            other => self.wrong(key, other, "a text"),
        }
    }

    /// A text that must be there.
    pub(crate) fn need_text(&self, key: &'static str) -> String {
        if let Some((shape, begin)) = &self.shape {
            shape.asked(format!("{begin}{key}"), Asked::Text, true);
        }
        if self.value(key).is_none() {
            self.problems.add(self.path_of(key), "is missing");
        }
        self.text(key).unwrap_or_default()
    }

    /// Yes or no.
    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        self.ask(key, Asked::Flag);
        match self.value(key)? {
            Value::Boolean(flag) => Some(*flag),
            other => self.wrong(key, other, "true or false"),
        }
    }

    /// A whole number in a range.
    pub(crate) fn whole(&self, key: &'static str, least: i64, most: i64) -> Option<i64> {
        self.ask(key, Asked::Whole(least, most));
        match self.value(key)? {
            Value::Integer(number) if (least..=most).contains(number) => Some(*number),
            Value::Integer(number) => {
                self.problems.add(self.path_of(key), format!("is {number}: {least} to {most} are possible"));
                None
            }
            other => self.wrong(key, other, "a whole number"),
        }
    }

    /// A list of texts, or one text.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.ask(key, Asked::Texts);
        match self.value(key)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(items) => {
                let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect();
                texts.or_else(|| self.wrong(key, &items[0], "a list of texts"))
            }
            other => self.wrong(key, other, "a list of texts"),
        }
    }

    /// A span of time such as `30s`, `10m`, `12h` or `3d`; none at all may be the number 0.
    pub(crate) fn span(&self, key: &'static str) -> Option<Duration> {
        self.ask(key, Asked::Span);
        if let Some(Value::Integer(0)) = self.value(key) {
            return Some(Duration::ZERO);
        }
        self.read(key, "a time such as 30s, 10m, 12h or 3d", parse_span)
    }

    /// A share such as `1%` or `0.25%`, in hundredths of a percent.
    pub(crate) fn percent(&self, key: &'static str) -> Option<u32> {
        self.ask(key, Asked::Percent);
        self.read(key, "a share from 0% to 100% such as 1% or 0.25%", parse_percent)
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.ask(key, Asked::Words(known.iter().map(ToString::to_string).collect()));
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.read(key, &known.join(" or "), find)
    }

    /// A text that `parse` can read, else a problem that says what is wanted.
    pub(super) fn read<T>(&self, key: &'static str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.ask(key, Asked::Text);
        let text = match self.value(key)? {
            Value::String(text) => text,
            other => return self.wrong(key, other, wanted),
        };
        parse(text).or_else(|| {
            self.problems.add(self.path_of(key), format!("is `{text}`: {wanted} is wanted"));
            None
        })
    }

    /// A table in it; one that is not there reads as empty.
    pub(crate) fn section(&self, key: &'static str) -> Self {
        self.ask(key, Asked::Table);
        let table = match self.value(key) {
            Some(Value::Table(table)) => Some(table),
            Some(other) => self.wrong(key, other, "a table"),
            None => None,
        };
        let shape = self.shape_of(key, "");
        Self { path: self.path_of(key), table, asked: RefCell::default(), problems: self.problems, shape }
    }

    /// The tables in a table, by name (`[plans.NAME]`), in the file's order.
    pub(crate) fn named(&self, key: &'static str) -> Vec<(String, Self)> {
        self.ask(key, Asked::Named);
        let section = self.section(key);
        let tables = section.table.into_iter().flatten().filter_map(|(name, value)| match value {
            Value::Table(table) => {
                let path = section.path_of(name);
                let (asked, shape) = (RefCell::default(), self.shape_of(key, ".*"));
                let inner = Self { path, table: Some(table), asked, problems: self.problems, shape };
                Some((name.clone(), inner))
            }
            other => section.wrong(name, other, "a table"),
        });
        tables.collect()
    }

    /// A list of tables (`[[…]]`).
    pub(crate) fn listed(&self, key: &'static str) -> Vec<Self> {
        self.ask(key, Asked::Listed);
        let items = match self.value(key) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => self.wrong(key, other, "a list of tables").unwrap_or_default(),
            None => &[],
        };
        let tables = items.iter().enumerate().filter_map(|(i, item)| match item {
            Value::Table(table) => {
                let path = format!("{}[{i}]", self.path_of(key));
                let (asked, shape) = (RefCell::default(), self.shape_of(key, "[]"));
                Some(Self { path, table: Some(table), asked, problems: self.problems, shape })
            }
            other => self.wrong(key, other, "a list of tables"),
        });
        tables.collect()
    }

    /// Every entry of a table whose keys are names of the reader's own.
    pub(crate) fn entries(&self, key: &'static str) -> Vec<(String, &'a Value)> {
        self.ask(key, Asked::Features);
        let section = self.section(key);
        section.table.into_iter().flatten().map(|(name, value)| (name.clone(), value)).collect()
    }

    /// Complains about what nobody asked for: a misspelled setting must not be silence.
    pub(crate) fn done(self) {
        let asked = self.asked.borrow();
        for key in self.table.into_iter().flat_map(Table::keys).filter(|key| !asked.contains(key.as_str())) {
            let known: Vec<_> = asked.iter().copied().collect();
            self.problems.add(self.path_of(key), format!("is not a setting: {} are", known.join(", ")));
        }
    }
}

/// Replaces every text `env:NAME` by the variable of that name.
pub(crate) fn fill_in(value: &mut Value, path: &str, vars: &Vars, problems: &Problems) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("env:") {
                match vars.get(&[name], problems) {
                    Some(found) => *text = found,
                    None => problems.add(path, format!("wants the variable {name}, which is not set")),
                }
            }
        }
        Value::Array(items) => {
            items.iter_mut().enumerate().for_each(|(i, item)| fill_in(item, &format!("{path}[{i}]"), vars, problems));
        }
        Value::Table(table) => {
            for (key, item) in table.iter_mut() {
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                fill_in(item, &path, vars, problems);
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// What `30s`, `10m`, `12h` or `3d` says.
pub(super) fn parse_span(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    count.checked_mul(unit).map(Duration::from_secs)
}

fn parse_percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, hundredths) = number.split_once('.').map_or((number, "0"), |(whole, rest)| (whole, rest));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(hundredths) || hundredths.len() > 2 {
        return None;
    }
    let share = whole.parse::<u32>().ok()?.checked_mul(100)? + format!("{hundredths:0<2}").parse::<u32>().ok()?;
    (share <= 10_000).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_reads_as_hundredths_of_a_percent() {
        for (text, share) in [("0%", 0), ("1%", 100), ("0.5%", 50), ("0.25%", 25), ("12.05 %", 1_205), ("100%", 10_000)]
        {
            assert_eq!(parse_percent(text), Some(share), "{text}");
        }
        for text in ["", "%", "1", "-1%", "+1%", "1.%", ".5%", "0.005%", "100.01%", "99999999999%", "1e2%", "1,5%"] {
            assert_eq!(parse_percent(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_reads_with_its_unit() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("10m", 600), ("12h", 43_200), ("3d", 259_200)] {
            assert_eq!(parse_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "3", "d", "3 d", "-3d", "3w", "1.5h", "99999999999999999999d"] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}

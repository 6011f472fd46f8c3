//! What was measured: one table, or the same as JSON.

use serde_json::{Value, json};

/// Everything of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) lines: Vec<Line>,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Line {
    /// The subcommand.
    pub(crate) work: &'static str,
    /// What the figure is of.
    pub(crate) what: String,
    /// The database; `-` where none takes part.
    pub(crate) engine: &'static str,
    pub(crate) value: u64,
    pub(crate) unit: Unit,
    /// What is promised; a figure without stands beside another one that has it.
    pub(crate) bar: Option<Bar>,
    /// What one must know to read it.
    pub(crate) note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    /// A ratio in thousandths.
    Thousandths,
    Nanoseconds,
    Microseconds,
    Kibibytes,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bar {
    AtLeast(u64),
    AtMost(u64),
}

impl Bar {
    const fn is_met(self, value: u64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

impl Unit {
    fn show(self, value: u64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Thousandths => format!("{}.{:02}", value / 1000, value % 1000 / 10),
            Self::Nanoseconds => format!("{} ns", grouped(value)),
            Self::Microseconds if value < 10_000 => format!("{} us", grouped(value)),
            Self::Microseconds if value < 10_000_000 => format!("{}.{} ms", grouped(value / 1000), value % 1000 / 100),
            Self::Microseconds => format!("{}.{} s", value / 1_000_000, value % 1_000_000 / 100_000),
            Self::Kibibytes => format!("{}.{} MiB", value / 1024, value % 1024 * 10 / 1024),
            Self::Count => grouped(value),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "perSecond",
            Self::Thousandths => "thousandths",
            Self::Nanoseconds => "nanoseconds",
            Self::Microseconds => "microseconds",
            Self::Kibibytes => "kibibytes",
            Self::Count => "count",
        }
    }
}

fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Report {
    pub(crate) fn add(&mut self, line: Line) {
        // Whoever watches a long run wants to see how it goes; what is printed at the end is the report.
        eprintln!("  {} {} [{}]: {}", line.work, line.what, line.engine, line.unit.show(line.value));
        self.lines.push(line);
    }

    /// How many figures miss their bar.
    pub(crate) fn misses(&self) -> usize {
        self.lines.iter().filter(|line| line.outcome() == "MISS").count()
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{:#}", self.json());
            return;
        }
        for (name, value) in &self.environment {
            println!("{name}: {value}");
        }
        println!();
        let head = ["work", "figure", "database", "value", "bar", "", "notes"].map(str::to_owned);
        let rows: Vec<[String; 7]> = std::iter::once(head).chain(self.lines.iter().map(Line::cells)).collect();
        let widths: [usize; 7] =
            std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        for (number, row) in rows.iter().enumerate() {
            println!("{}", aligned(row, &widths));
            if number == 0 {
                let rule: [String; 7] = std::array::from_fn(|column| "-".repeat(widths[column].min(40)));
                println!("{}", aligned(&rule, &widths));
            }
        }
    }

    fn json(&self) -> Value {
        let environment: serde_json::Map<_, _> =
            self.environment.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let lines: Vec<_> = self.lines.iter().map(Line::json).collect();
        json!({ "environment": environment, "figures": lines })
    }
}

impl Line {
    fn outcome(&self) -> &'static str {
        match self.bar {
            None => "",
            Some(bar) if bar.is_met(self.value) => "pass",
            Some(_) => "MISS",
        }
    }

    fn cells(&self) -> [String; 7] {
        let bar = match self.bar {
            None => String::new(),
            Some(Bar::AtLeast(bar)) => format!(">= {}", self.unit.show(bar)),
            Some(Bar::AtMost(bar)) => format!("<= {}", self.unit.show(bar)),
        };
        let value = self.unit.show(self.value);
        let outcome = self.outcome().to_owned();
        [self.work.to_owned(), self.what.clone(), self.engine.to_owned(), value, bar, outcome, self.note.clone()]
    }

    fn json(&self) -> Value {
        let bar = self.bar.map(|bar| match bar {
            Bar::AtLeast(bar) => json!({ "atLeast": bar }),
            Bar::AtMost(bar) => json!({ "atMost": bar }),
        });
        json!({
            "work": self.work, "figure": self.what, "database": self.engine, "value": self.value,
            "unit": self.unit.name(), "bar": bar, "met": self.bar.map(|bar| bar.is_met(self.value)), "note": self.note,
        })
    }
}

fn aligned(row: &[String; 7], widths: &[usize; 7]) -> String {
    let mut text = String::new();
    for (column, cell) in row.iter().enumerate() {
        let room = widths[column].saturating_sub(cell.chars().count());
        // Figures stand under each other by their ends.
        let (before, after) = if (3..=4).contains(&column) { (room, 0) } else { (0, room) };
        text.extend([" ".repeat(before).as_str(), cell, " ".repeat(after + 2).as_str()]);
    }
    text.trim_end().to_owned()
}

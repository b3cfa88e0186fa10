//! The table of what is to be compared with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::scenarios::Scenario;

/// What stands before the compiler and whatever else the counts depend on.
const MADE_WITH: &str = "# made with ";
const HEAD: &str = "scenario\tunit\tinstructions\n";

/// Instructions per unit, by scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Baseline {
    /// What the counts depend on besides the code; empty if there are none.
    pub(crate) made_with: String,
    rows: BTreeMap<String, (String, f64)>,
}

impl Baseline {
    /// Reads a table; an empty one if there is none.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text)
                .ok_or_else(|| io::Error::other(format!("{} is not a table", path.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rows = BTreeMap::new();
        let (made_with, table) = text.strip_prefix(MADE_WITH)?.split_once('\n')?;
        for line in table.strip_prefix(HEAD)?.lines() {
            let mut cells = line.split('\t');
            let (name, unit) = (cells.next()?.to_owned(), cells.next()?.to_owned());
            let instructions = cells.next()?.parse().ok()?;
            rows.insert(name, (unit, instructions));
        }
        Some(Self { made_with: made_with.to_owned(), rows })
    }

    /// Instructions per unit of a scenario, if it was measured before, by the same unit.
    pub(crate) fn of(&self, scenario: &Scenario) -> Option<f64> {
        let (unit, instructions) = self.rows.get(scenario.name)?;
        (unit == scenario.unit).then_some(*instructions)
    }

    /// Takes over what was measured now, and forgets scenarios that there are no more.
    pub(crate) fn renew(&mut self, measured: &[&Scenario], counts: &[f64], all: &[Scenario]) {
        for (scenario, count) in measured.iter().zip(counts) {
            self.rows.insert(scenario.name.to_owned(), (scenario.unit.to_owned(), *count));
        }
        self.rows.retain(|name, _| all.iter().any(|scenario| scenario.name == name));
    }

    /// Writes the table.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.text())
    }

    fn text(&self) -> String {
        let mut text = format!("{MADE_WITH}{}\n{HEAD}", self.made_with);
        for (name, (unit, instructions)) in &self.rows {
            // Writing to a string does not fail.
            let _: Result<(), _> = writeln!(text, "{name}\t{unit}\t{instructions:.1}");
        }
        text
    }
}

#[cfg(test)]
mod tests;

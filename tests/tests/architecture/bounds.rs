//! The table of bounds in `docs/bounds.md` says what the sources say.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Source, none, sources_of};

/// Crates with bounds. Paths in the table are those of the first, or begin with the name of another.
const CRATES: &[&str] = &["quic-core", "driver", "driver-tokio", "driver-smol", "qlog"];
/// Crates with tests.
const TESTED: &[&str] = &["quic-core", "driver", "qlog", "tests"];
/// What a constant is called that bounds something.
const PREFIXES: &[&str] = &["MAX_", "MAXIMUM_", "MOST_"];
/// Names that come from the RFCs, or of what tests and fuzzers use alone.
const PASSED_OVER: &[&str] = &["wire/frame/mod.rs", "fuzzing", "wire/arbitrary"];

/// A constant, by where it is and what it is called, and its value as it is written.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Constant {
    file: String,
    name: String,
    value: String,
}

/// A row of the first table.
struct Entry<'a> {
    /// What bounds it.
    bound: &'a str,
    value: &'a str,
    test: &'a str,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> String {
    fs::read_to_string(root().join("docs/bounds.md")).unwrap()
}

/// The cells of the rows of a table with so many columns, but for its head and its sections.
fn rows(document: &str, columns: usize) -> Vec<Vec<&str>> {
    let lines = document.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let cells = lines.map(|line| line.split(" | ").map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter(|cells| cells.len() == columns);
    rows.filter(|cells| cells.iter().any(|cell| cell.starts_with('`'))).collect()
}

/// The parts of a cell that are code.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn table(document: &str) -> Vec<Entry<'_>> {
    let entries = rows(document, 6).into_iter().filter_map(|row| match *row {
        [_, bound, value, _, _, test] => Some(Entry { bound, value, test }),
        _ => None,
    });
    entries.collect()
}

/// The constant of a line of code, if it is one.
fn constant(file: &str, line: &str) -> Option<Constant> {
    let (_, rest) = line.trim_start().split_once("const ")?;
    let (name, rest) = rest.split_once(": ")?;
    let (_, value) = rest.split_once(" = ")?;
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(is_name).then(|| Constant {
        file: file.to_owned(),
        name: name.to_owned(),
        value: value.trim_end().trim_end_matches(';').to_owned(),
    })
}

/// What the table calls the file.
fn place(krate: &str, source: &Source) -> String {
    let place = source.place().to_str().unwrap();
    if krate == "quic-core" { place.to_owned() } else { format!("{krate}/src/{place}") }
}

/// All constants outside of tests.
fn constants() -> BTreeSet<Constant> {
    let mut found = BTreeSet::new();
    for krate in CRATES {
        for source in sources_of(krate).iter().filter(|source| !source.is_test()) {
            let file = place(krate, source);
            if PASSED_OVER.iter().any(|passed| file.starts_with(passed)) {
                continue;
            }
            found.extend(source.code().filter_map(|(_, line)| constant(&file, line)));
        }
    }
    found
}

#[test]
fn each_bound_of_the_table_is_in_the_sources_with_its_value() {
    let (document, constants) = (document(), constants());
    let sources = sources_of("quic-core");
    let config: Vec<&Source> = sources.iter().filter(|it| it.module() == "config").collect();
    let mut faults = Vec::new();
    let bounds = table(&document);
    assert!(bounds.len() > 60, "the table is not where it was");
    for Entry { bound, value, .. } in bounds {
        let value = code(value).concat();
        let is_right = match *code(bound) {
            [file, name] => {
                let (file, name) = (file.to_owned(), name.to_owned());
                constants.contains(&Constant { file, name, value: value.clone() })
            }
            [field] => field.split_once("::").is_some_and(|(name, field)| {
                let default = format!("{field}: {value},");
                let of = |it: &&&Source| it.text.contains(&format!("pub struct {name} "));
                config.iter().filter(of).any(|it| it.text.contains(&default))
            }),
            _ => false,
        };
        if !is_right {
            faults.push(format!("{bound} is not {value}"));
        }
    }
    none(&faults);
}

#[test]
fn each_constant_that_is_called_a_bound_is_in_one_of_the_tables() {
    let (document, constants) = (document(), constants());
    let mut known: BTreeSet<Vec<&str>> = table(&document).iter().map(|it| code(it.bound)).collect();
    let others: Vec<Vec<&str>> =
        rows(&document, 2).iter().filter_map(|row| Some(code(row.first()?))).collect();
    let mut faults = Vec::new();
    for other in &others {
        if !constants.iter().any(|it| **other == [it.file.as_str(), it.name.as_str()]) {
            faults.push(format!("{other:?} is in no source"));
        }
    }
    known.extend(others);
    for Constant { file, name, .. } in &constants {
        let is_bound = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if is_bound && !known.contains(&vec![file.as_str(), name.as_str()]) {
            faults.push(format!("{file} {name} is in neither table of docs/bounds.md"));
        }
    }
    none(&faults);
}

/// The names of all functions in the Rust files below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let name = line.trim_start().strip_prefix("fn ")?.split('(').next()?;
                Some(name.to_owned())
            });
            found.extend(names);
        }
    }
}

#[test]
fn each_test_of_the_table_exists() {
    let document = document();
    let mut found = BTreeSet::new();
    for krate in TESTED {
        for folder in ["src", "tests"].map(|folder| root().join(krate).join(folder)) {
            if folder.is_dir() {
                functions(&folder, &mut found);
            }
        }
    }
    let tests = table(&document);
    let missing = tests.iter().filter(|it| !found.contains(&code(it.test).concat()));
    none(&missing.map(|it| format!("there is no test {}", it.test)).collect::<Vec<_>>());
}

//! The rules of the house that a program can check.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a rule that cannot be checked is broken")]

mod bounds;
mod dependencies;

use std::fs;
use std::path::{Path, PathBuf};

/// The layers of `quic-core`, lowest first. A module may use those of lower layers and of its own.
const LAYERS: &[&[&str]] = &[
    &["instant", "deadline", "memory", "net", "transmit"],
    &["wire"],
    &["error", "event", "recorder"],
    &["crypto", "congestion"],
    &["config", "buffer", "packet", "quic_lb"],
    COMPONENTS,
    &["connection"],
    &["server", "packet_handler_manager", "packet_handler_map"],
    &["endpoint", "multiplexer", "socket_multiplexer"],
    &["fuzzing", "lib"],
];

/// What a connection is made of. None of them knows another, but for the values that pass
/// between all of them.
const COMPONENTS: &[&str] = &["ack_frequency", "datagrams", "ids", "paths", "recovery", "streams"];

/// Longest source file, in lines.
const MAXIMUM_LINES: usize = 700;

/// What a pure state machine has no use for: clocks, threads, locks, sockets, luck.
const FORBIDDEN: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "thread::",
    "thread_local",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "RefCell",
    " rand::",
    "(rand::",
    "getrandom",
    "std::env",
    "std::fs",
];

/// What drivers have no use for either, but for the files in which time and chance come in.
const FORBIDDEN_IN_DRIVERS: &[&str] = &[
    "Instant::now",
    ".elapsed()",
    "SystemTime",
    "thread::",
    "thread_local",
    " rand::",
    "(rand::",
    "getrandom",
    "RandomState",
    "HashMap::new",
    "HashSet",
    "std::env",
    "std::fs",
];

/// Where `driver` reads the system's clock and draws the system's randomness, if it has to.
const SOURCES_OF_TIME_AND_CHANCE: &[&str] = &["clock.rs", "chance.rs"];

/// A source file of a crate.
struct Source {
    root: PathBuf,
    path: PathBuf,
    text: String,
}

impl Source {
    /// Where it is in the sources. What is above them has names of its own.
    fn place(&self) -> &Path {
        self.path.strip_prefix(&self.root).unwrap()
    }

    /// The top-level module that the file belongs to.
    fn module(&self) -> String {
        let first = self.place().components().next().unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    }

    fn is_test(&self) -> bool {
        let name = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        self.place().iter().any(name)
    }

    /// The lines of code outside of tests and comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let code = lines.take_while(|(_, line)| *line != "mod tests {");
        code.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }
}

fn sources() -> Vec<Source> {
    sources_of("quic-core")
}

fn sources_of(name: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { root: root.clone(), path, text });
            }
        }
    }
    let code = sources.iter().filter(|source| !source.is_test());
    assert!(code.count() > 0, "the sources of {name} are not where they were");
    sources
}

fn layer_of(module: &str) -> usize {
    let layer = LAYERS.iter().position(|layer| layer.contains(&module));
    layer.unwrap_or_else(|| panic!("the module {module} is in no layer; add it to LAYERS"))
}

/// The modules that a line of code names from the root of the crate.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit());
        let module = rest.get(..end.unwrap_or(rest.len()))?;
        // What begins with a capital, or a macro, is no module.
        let path = rest.get(module.len()..).is_some_and(|rest| rest.starts_with("::"));
        (path && !module.is_empty()).then_some(module)
    })
}

/// Fails with all that is wrong, so that it can be mended at once.
#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn layers_only_look_down() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let own = layer_of(&source.module());
        for (number, line) in source.code() {
            for module in used(line).filter(|module| layer_of(module) > own) {
                faults.push(format!("{}:{number} looks up to {module}", source.path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn components_do_not_know_each_other() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let own = source.module();
        if !COMPONENTS.contains(&own.as_str()) {
            continue;
        }
        for (number, line) in source.code() {
            for module in used(line).filter(|used| *used != own && COMPONENTS.contains(used)) {
                faults.push(format!("{}:{number} knows {module}", source.path.display()));
            }
        }
    }
    none(&faults);
}

#[test]
fn files_stay_short() {
    let sources = sources();
    let long = sources.iter().filter(|source| source.text.lines().count() > MAXIMUM_LINES);
    none(&long.map(|source| source.path.display().to_string()).collect::<Vec<_>>());
}

/// Where code outside of tests has one of the words.
fn occurrences(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}:{number} has {word}", source.path.display()));
            }
        }
    }
    faults
}

#[test]
fn the_core_is_pure() {
    none(&occurrences(&sources(), FORBIDDEN));
}

#[test]
fn time_and_chance_come_into_the_driver_at_two_places() {
    let (named, others): (Vec<Source>, Vec<Source>) =
        sources_of("driver").into_iter().partition(|it| {
            SOURCES_OF_TIME_AND_CHANCE.iter().any(|name| it.place() == Path::new(name))
        });
    assert_eq!(named.len(), SOURCES_OF_TIME_AND_CHANCE.len(), "they are not where they were");
    none(&occurrences(&others, FORBIDDEN_IN_DRIVERS));
}

//! Each promise on each driver, and the table of them in the documentation.

use std::iter;

/// Makes a test of each promise for each driver, and [`PROMISES`] for the table.
macro_rules! promises {
    ($($room:ident: $($promise:ident),+;)+) => {
        on_driver! { simulated, Simulated, $($room: $($promise),+;)+ }
        on_driver! { tokio_multi_thread, TokioMultiThread, $($room: $($promise),+;)+ }
        on_driver! { tokio_current_thread, TokioCurrentThread, $($room: $($promise),+;)+ }
        on_driver! { smol, Smol, $($room: $($promise),+;)+ }
        on_driver! { async_std, AsyncStd, $($room: $($promise),+;)+ }

        /// The promises of each room.
        pub(crate) const PROMISES: &[(&str, &[&str])] =
            &[$((stringify!($room), &[$(stringify!($promise)),+]),)+];
    };
}

/// The tests of one driver.
macro_rules! on_driver {
    ($name:ident, $driver:ident, $($room:ident: $($promise:ident),+;)+) => {
        mod $name {
            use crate::drivers::{Driver, $driver};

            $(mod $room {
                use super::*;
                $(#[test]
                fn $promise() {
                    $driver::run(crate::$room::$promise);
                })+
            })+
        }
    };
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/drivers.md");
const BEGIN: &str = "<!-- promises -->\n";
const END: &str = "<!-- end of promises -->";

/// The rows for all promises: a test that exists passes, or this run fails.
fn table() -> String {
    let head = "| promise | simulated | tokio, many threads | tokio, one thread | smol | async-std |\n\
                | --- | --- | --- | --- | --- | --- |\n";
    let promises = crate::PROMISES.iter().flat_map(|(room, promises)| {
        promises.iter().map(move |promise| format!("{room}: {promise}").replace('_', " "))
    });
    let rows =
        promises.map(|promise| format!("| {promise} | kept | kept | kept | kept | kept |\n"));
    iter::once(head.to_owned()).chain(rows).collect()
}

/// `QUIC_WRITE_DOCS=1` writes it.
#[test]
fn the_table_in_the_documentation_has_every_promise() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("QUIC_WRITE_DOCS").is_some() {
        std::fs::write(DOCUMENT, [before, BEGIN, &table(), END, after].concat()).unwrap();
    } else {
        assert!(written == table(), "run it with QUIC_WRITE_DOCS=1");
    }
}

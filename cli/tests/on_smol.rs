//! The command line on `driver-smol`.

mod command_line;

const DRIVER: &str = "smol";

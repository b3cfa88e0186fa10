//! What counts depend on besides the code.

use std::process::Command;
use std::{env, iter};

/// The compiler, valgrind, and what cryptography and copying choose by.
pub(crate) fn made_with() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let versions = [Command::new(rustc), Command::new("valgrind")].map(|mut command| {
        let said = command.arg("--version").output().map(|output| output.stdout);
        String::from_utf8_lossy(&said.unwrap_or_default()).trim().to_owned()
    });
    let features = features().into_iter().filter_map(|(name, is_there)| is_there.then_some(name));
    let processor: Vec<&str> = iter::once(env::consts::ARCH).chain(features).collect();
    format!("{}, {}", versions.join(", "), processor.join(" "))
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<(&'static str, bool)> {
    use std::arch::is_x86_feature_detected as has;
    vec![
        ("aes", has!("aes")),
        ("avx", has!("avx")),
        ("avx2", has!("avx2")),
        ("bmi2", has!("bmi2")),
        ("adx", has!("adx")),
        ("pclmulqdq", has!("pclmulqdq")),
        ("erms", has!("ermsb")),
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<(&'static str, bool)> {
    Vec::new()
}

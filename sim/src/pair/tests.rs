use super::*;

#[test]
fn a_pair_connects() {
    let mut pair = Pair::new(1);
    pair.connect();
}

#[test]
fn a_pair_with_rustls_connects() {
    let mut pair = Pair::with_rustls(1);
    pair.connect();
}

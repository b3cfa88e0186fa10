use super::*;

fn scenario(name: &'static str, unit: &'static str) -> Scenario {
    Scenario { name, unit, play: |_| {} }
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let (a, b) = (scenario("a/1", "packet"), scenario("b", "ACK"));
    let mut baseline = Baseline { made_with: "rustc 1".to_owned(), ..Baseline::default() };
    baseline.renew(&[&a, &b], &[1234.5, 7.0], &[a, b]);
    let rows = "scenario\tunit\tinstructions\na/1\tpacket\t1234.5\nb\tACK\t7.0\n";
    assert_eq!(baseline.text(), format!("# made with rustc 1\n{rows}"));
    assert_eq!(Baseline::parse(&baseline.text()), Some(baseline));
    assert_eq!(Baseline::parse("something else"), None);
    assert_eq!(Baseline::parse(&format!("{MADE_WITH}it\n{HEAD}a\tpacket\tmany\n")), None);
}

#[test]
fn what_is_measured_by_another_unit_is_not_compared() {
    let (packet, byte) = (scenario("a", "packet"), scenario("a", "byte"));
    let mut baseline = Baseline::default();
    baseline.renew(&[&packet], &[10.0], &[packet]);
    assert_eq!((baseline.of(&packet), baseline.of(&byte)), (Some(10.0), None));
}

#[test]
fn renewing_some_keeps_others_and_forgets_what_is_gone() {
    let [a, b, gone] = ["a", "b", "gone"].map(|name| scenario(name, "packet"));
    let mut baseline = Baseline::default();
    baseline.renew(&[&a, &b, &gone], &[1.0, 2.0, 3.0], &[a, b, gone]);
    baseline.renew(&[&b], &[4.0], &[a, b]);
    assert_eq!([a, b, gone].map(|it| baseline.of(&it)), [Some(1.0), Some(4.0), None]);
}

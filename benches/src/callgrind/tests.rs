use super::*;

#[test]
fn the_sum_of_what_was_counted_is_found_in_what_callgrind_writes() {
    let written = "events: Ir\nsummary: 123456\n\n\nfn=(1) main\n16 400\ntotals: 7\n";
    assert_eq!(number_after(written, SUMMARY), Some(123_456.0));
    assert_eq!(number_after("", SUMMARY), None);
}

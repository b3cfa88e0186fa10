use super::*;

#[test]
fn what_grows_by_more_than_three_percent_is_refused() {
    assert_eq!(Verdict::of(Some(1000.0), 1029.9), Verdict::Same);
    assert_eq!(Verdict::of(Some(1000.0), 1030.1), Verdict::Grown);
    assert_eq!(Verdict::of(Some(1000.0), 970.1), Verdict::Same);
    assert_eq!(Verdict::of(Some(1000.0), 969.9), Verdict::Shrunk);
    assert_eq!(Verdict::of(None, 1.0), Verdict::New);
}

use yiping::targets::{Part, parts};

#[test]
fn an_unknown_target_lists_the_valid_ones() {
    let error = parts(&["buss".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("'buss'") && error.contains("hotline") && error.contains("all"), "{error}");
}

#[test]
fn a_target_named_twice_runs_once_and_what_lets_events_in_starts_last() {
    let names: Vec<String> = ["gateway", "all", "bus"].map(str::to_owned).into();
    let parts = parts(&names).unwrap();
    assert_eq!(parts.len(), 8);
    assert_eq!(parts[6..], [Part::Gateway, Part::Pull]);
}

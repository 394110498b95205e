//! Logging starts once, with a filter that parses.

use yiping_runtime::telemetry::{LogFormat, init};

#[test]
fn a_filter_that_does_not_parse_is_named_and_logging_starts_once() {
    let error = init(LogFormat::Text, Some("info,=nonsense=")).unwrap_err();
    assert!(error.to_string().contains("info,=nonsense="), "{error}");
    init("json".parse().unwrap(), Some("warn")).unwrap();
    assert!(init(LogFormat::Text, None).is_err());
    assert_eq!("yaml".parse::<LogFormat>().unwrap_err(), "\"yaml\" is neither text nor json");
}

//! The published schemas and the Rust types say the same, and the examples are what they say they are.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it has to say")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use yiping_event::{TYPES, decode};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/events")
}

fn examples(name: &str) -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder().join("examples").join(name))
        .unwrap_or_else(|e| panic!("{name} has no examples: {e}"));
    let mut examples: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| {
            (format!("{name}/{}", path.file_name().unwrap().display()), std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    examples.sort();
    examples
}

fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(&serde_json::from_str(schema).unwrap()).unwrap()
}

#[test]
fn every_type_has_a_schema_and_two_examples_and_nothing_else_lies_there() {
    let names: BTreeSet<_> = TYPES.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(names.len(), TYPES.len());
    let listed = |folder: PathBuf, suffix: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        files
            .filter(|name| name != "examples")
            .map(|name| name.strip_suffix(suffix).unwrap_or(&name).to_owned())
            .collect()
    };
    assert_eq!(listed(folder(), ".schema.json"), names);
    assert_eq!(listed(folder().join("examples"), ""), names);
    for name in &names {
        let files: Vec<_> = examples(name).into_iter().map(|(file, _)| file).collect();
        assert!(
            files.contains(&format!("{name}/minimal.json")) && files.contains(&format!("{name}/full.json")),
            "{files:?}"
        );
    }
    for kind in &TYPES {
        let schema: Value = serde_json::from_str(kind.schema).unwrap();
        jsonschema::meta::validate(&schema).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
        assert_eq!(schema["properties"]["type"]["const"], kind.name);
    }
}

#[test]
fn every_example_decodes_to_its_own_type_and_survives_being_written_again() {
    for kind in &TYPES {
        for (file, text) in examples(kind.name) {
            let event = decode(text.as_bytes()).unwrap_or_else(|reject| panic!("{file}: {reject}"));
            assert_eq!((event.type_name(), event.stream()), (kind.name, kind.stream), "{file}");
            let written = event.to_json();
            assert_eq!(decode(written.as_bytes()).as_ref(), Ok(&event), "{file}: {written}");
            assert!(validator(kind.schema).is_valid(&serde_json::from_str(&written).unwrap()), "{file}: {written}");
        }
    }
}

/// What each text member of data is, that is neither a closed list nor a time and has no `x-personal` rule: none of these is a person's.
/// A new one stands here, or gets a rule.
const NOBODYS: [(&str, &[&str]); 17] = [
    ("vehicle_id", &["city.bus.position", "city.bus.stop", "city.bus.trip"]), // a bus of the fleet
    ("route_id", &["city.bus.position", "city.bus.stop", "city.bus.trip"]),
    ("stop_id", &["city.bus.stop"]),
    ("trip_id", &["city.bus.position", "city.bus.stop", "city.bus.trip"]), // of the timetable
    (
        "lot_id",
        &[
            "city.parking.snapshot",
            "city.parking.entry",
            "city.parking.exit",
            "city.parking.payment",
            "city.parking.credit",
        ],
    ),
    ("floor", &["city.parking.snapshot", "city.parking.entry", "city.parking.exit"]),
    ("gate", &["city.parking.entry", "city.parking.exit"]),
    ("call_id", &["city.hotline.call", "city.elder.call"]), // numbers of the hotline's own, one a call
    ("order_id", &["city.hotline.order", "city.hotline.callback", "city.elder.order", "city.elder.callback"]),
    ("case_id", &["city.elder.sos"]),
    (
        "district",
        &[
            "city.parking.snapshot",
            "city.hotline.call",
            "city.hotline.order",
            "city.hotline.callback",
            "city.elder.call",
            "city.elder.sos",
            "city.elder.order",
            "city.elder.callback",
            "city.elder.heartbeat",
        ],
    ),
    ("category", &["city.hotline.order", "city.hotline.callback", "city.elder.order"]),
    ("agency", &["city.hotline.order"]),
    ("service_code", &["city.elder.order"]),
    ("provider_id", &["city.elder.order"]), // the company
    ("source_name", &["city.source.heartbeat"]),
    ("hash", &["city.config"]), // settings, never a department's
];

#[test]
fn i11_every_text_that_may_be_a_persons_has_a_rule() {
    let mut without = BTreeSet::new();
    for kind in &TYPES {
        let schema: Value = serde_json::from_str(kind.schema).unwrap();
        for (name, member) in schema["properties"]["data"]["properties"].as_object().unwrap() {
            let rule = member["x-personal"].as_str();
            assert!(matches!(rule, None | Some("drop" | "hmac" | "cell")), "{}: {name}: {rule:?}", kind.name);
            let is_text =
                member["type"] == "string" || member["type"].as_array().is_some_and(|t| t.contains(&json!("string")));
            let is_open = member.get("enum").is_none() && member.get("format").is_none();
            // places are the other thing that may be a person's
            let is_place = matches!(name.as_str(), "lon" | "lat") && kind.name != "city.bus.position";
            if rule.is_none() && (is_text && is_open && name != "text" || is_place) {
                without.insert((name.clone(), kind.name));
            }
        }
    }
    let listed =
        NOBODYS.iter().flat_map(|(name, kinds)| kinds.iter().map(|kind| ((*name).to_owned(), *kind))).collect();
    assert_eq!(without, listed);
}

#[test]
fn the_full_example_holds_every_member_and_the_minimal_one_only_the_required_ones() {
    for kind in &TYPES {
        let schema: Value = serde_json::from_str(kind.schema).unwrap();
        let data = &schema["properties"]["data"];
        // (what is left behind in any case stands in no example)
        let wanted =
            data["properties"].as_object().unwrap().iter().filter(|(_, member)| member["x-personal"] != "drop");
        let all: BTreeSet<_> = wanted.map(|(name, _)| name.clone()).collect();
        let required: BTreeSet<_> =
            data["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect();
        for (file, text) in examples(kind.name) {
            let example: Value = serde_json::from_str(&text).unwrap();
            let members: BTreeSet<_> = example["data"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(&members, if file.ends_with("full.json") { &all } else { &required }, "{file}");
        }
    }
}

/// What is put in place of each member, good and bad; each type's own words are added.
fn replacements() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!({}),
        json!({"offered": null}),
        json!({"a": {"b": 1}}),
    ];
    for number in [
        0.0, -0.0, 0.5, 1.0, 1.5, 3.0, 5.0, 6.0, -1.0, -1.5, 90.0, 90.001, 91.0, -90.0, -90.5, 180.0, 180.5, -180.0,
        -181.0, 300.0, 300.5, 360.0, 361.0,
    ] {
        values.push(json!(number));
    }
    for number in [
        0,
        1,
        2,
        3,
        5,
        6,
        -1,
        1_000,
        1_001,
        10_000,
        10_001,
        86_400,
        86_401,
        604_800,
        604_801,
        1_000_000,
        1_000_001,
        -1_000_000,
        -1_000_001,
        1_000_000_000_000,
        1_000_000_000_001,
        i64::MIN,
        i64::MAX,
    ] {
        values.push(json!(number));
    }
    values.extend([json!(u64::MAX), json!(1e19), json!(-1e19), json!(1e300), json!(1e12), json!(0.999_999_999_999)]);
    for text in [
        "",
        " ",
        "x",
        "1",
        "1.0",
        "1.1",
        "null",
        "nonsense",
        "Offered",
        "wgs84 ",
        "a b",
        "a\tb",
        "a\u{7}b",
        "a\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{a0}",
        "a\"b\\c/d",
        "威海",
        "👩‍👩‍👧",
        "\u{feff}",
        "2026-11-20T10:41:07Z",
        "2026-11-20T18:41:07.123456789+08:00",
        "1970-01-01T00:00:00-00:00",
        "2099-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-11-20t10:41:07Z",
        "2026-11-20T10:41:07z",
        "2026-11-20 10:41:07Z",
        "2026-11-20T10:41:07",
        "2026-11-20T10:41:07.Z",
        "2026-11-20T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-20T10:41:07+0800",
        "2026-11-20T10:41:07+24:00",
        "1969-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2026-11-20",
        "1795171267000",
        "2026-11-20T10:41:07Z\n",
    ] {
        values.push(json!(text));
    }
    for (letter, lengths) in [("x", [64, 65, 128, 129]), ("威", [64, 65, 128, 129]), ("𠮷", [64, 65, 128, 129])] {
        values.extend(lengths.map(|length| json!(letter.repeat(length))));
    }
    values
}

/// Every single change of `object`'s members: each known one removed or replaced, and an unknown one added.
fn changes<'a>(
    object: &'a Map<String, Value>,
    properties: &'a Value,
    replacements: &'a [Value],
) -> impl Iterator<Item = (String, Map<String, Value>)> + 'a {
    let known = properties.as_object().unwrap().iter();
    let changed = known.flat_map(move |(name, schema)| {
        let words = schema["enum"].as_array().into_iter().flatten();
        let replaced = replacements.iter().chain(words).map(move |value| {
            let mut object = object.clone();
            object.insert(name.clone(), value.clone());
            (format!("{name} = {value}"), object)
        });
        let mut without = object.clone();
        without.remove(name);
        replaced.chain([(format!("no {name}"), without)])
    });
    let unknown = [json!(null), json!(1e300), json!({"deep": [[["x"]]]}), json!("")].into_iter().map(|value| {
        let mut object = object.clone();
        object.insert("nobody_knows".to_owned(), value);
        ("an unknown member".to_owned(), object)
    });
    changed.chain(unknown).chain([("nothing".to_owned(), object.clone())])
}

#[test]
fn schema_and_decoder_agree_on_every_change_of_every_example() {
    let replacements = replacements();
    let (mut accepted, mut refused, mut disagreements) = (0, 0, Vec::new());
    for kind in &TYPES {
        let schema: Value = serde_json::from_str(kind.schema).unwrap();
        let validator = validator(kind.schema);
        let mut judge = |what: String, event: Value| {
            let text = event.to_string();
            let decoded = decode(text.as_bytes());
            let verdict = validator.validate(&event);
            if decoded.is_ok() {
                accepted += 1
            } else {
                refused += 1
            }
            if decoded.is_ok() != verdict.is_ok() {
                let schema = verdict
                    .map_or_else(|e| format!("refuses at {}: {e}", e.instance_path()), |()| "accepts".to_owned());
                let rust = decoded.map_or_else(|reject| format!("refuses {reject}"), |_| "accepts".to_owned());
                disagreements.push(format!("{} with {what}: the schema {schema}; the decoder {rust}", kind.name));
            }
        };
        for (file, text) in examples(kind.name) {
            let example: Value = serde_json::from_str(&text).unwrap();
            for (what, changed) in changes(example.as_object().unwrap(), &schema["properties"], &replacements) {
                judge(format!("{file}: {what}"), Value::Object(changed));
            }
            // what is required depends on the event's word
            let words =
                schema["properties"]["data"]["properties"]["event"]["enum"].as_array().cloned().unwrap_or_default();
            let mut bases = vec![example.clone()];
            bases.extend(words.into_iter().map(|word| {
                let mut base = example.clone();
                base["data"]["event"] = word;
                base
            }));
            for base in bases {
                for (what, changed) in changes(
                    base["data"].as_object().unwrap(),
                    &schema["properties"]["data"]["properties"],
                    &replacements,
                ) {
                    let mut event = base.clone();
                    event["data"] = Value::Object(changed);
                    judge(format!("{file} ({}): data: {what}", base["data"]["event"]), event);
                }
            }
        }
    }
    println!("{accepted} accepted and {refused} refused by both");
    assert!(
        disagreements.is_empty(),
        "{} disagreements:\n{}",
        disagreements.len(),
        disagreements[..disagreements.len().min(40)].join("\n")
    );
    assert!(accepted > 10_000 && refused > 10_000);
}

//! An event whose type stands before its data is read in one go, any other in two steps: what comes out may not depend on it.

use std::path::Path;

use serde_json::{Map, Value, json};
use yiping_event::decode;

/// Members as they are written: some may stand twice.
type Members = Vec<(String, String)>;

fn members(object: &Map<String, Value>) -> Members {
    object.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

fn written(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// The same with one thing about one member changed.
fn changed(members: &Members) -> Vec<Members> {
    const OTHERS: [&str; 10] = ["null", "\"text\"", "\"\"", "7", "-1", "3.0", "1e99", "true", "[]", "{\"a\":[{}]}"];
    let mut all = vec![members.clone()];
    for at in 0..members.len() {
        let (name, value) = &members[at];
        let mut without = members.clone();
        without.remove(at);
        let twice = [members.as_slice(), &[(name.clone(), value.clone())]].concat();
        let of_other_name = [without.as_slice(), &[(format!("{name}_"), value.clone())]].concat();
        all.extend([without, twice, of_other_name]);
        all.extend(OTHERS.iter().map(|other| {
            let mut members = members.clone();
            members[at].1 = (*other).to_owned();
            members
        }));
    }
    all
}

/// The envelope with its data first, and with it last: read in two steps and in one.
fn both_ways(envelope: &Members, data: &str) -> [String; 2] {
    let data = vec![("data".to_owned(), data.to_owned())];
    [written(&[data.as_slice(), envelope].concat()), written(&[envelope, data.as_slice()].concat())]
}

#[test]
fn the_order_of_an_events_members_makes_no_difference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/events/examples");
    let (mut read, mut refused) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap().flat_map(|kind| std::fs::read_dir(kind.unwrap().path()).unwrap()) {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let Value::Object(mut envelope) = serde_json::from_str(&text).unwrap() else { panic!("no object: {text}") };
        let Some(Value::Object(data)) = envelope.remove("data") else { panic!("no data: {text}") };
        let (envelope, data) = (members(&envelope), members(&data));
        let mut pairs: Vec<[String; 2]> =
            changed(&data).iter().map(|data| both_ways(&envelope, &written(data))).collect();
        pairs.extend(changed(&envelope).iter().map(|envelope| both_ways(envelope, &written(&data))));
        // an array in the order of the members, which serde would take for a struct
        let values: Vec<&str> = data.iter().map(|(_, value)| value.as_str()).collect();
        pairs.extend(
            [format!("[{}]", values.join(",")), "null".to_owned(), "7".to_owned(), "[]".to_owned()]
                .map(|data| both_ways(&envelope, &data)),
        );
        for [first, last] in pairs {
            let (in_two_steps, in_one) = (decode(first.as_bytes()), decode(last.as_bytes()));
            assert_eq!(in_two_steps, in_one, "{last}");
            match in_one {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 500 && refused > 2_000, "{read} read, {refused} refused: too few to mean anything");
}

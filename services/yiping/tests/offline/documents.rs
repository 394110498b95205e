//! `schemas/asyncapi.yaml` has the topics of the code, and what goes into each.

use std::collections::BTreeSet;

use yaml_rust2::{Yaml, YamlLoader};
use yiping_event::{Stream, TYPES};
use yiping_gateway::{REJECTS_TOPIC, in_topic};
use yiping_runner::LATE_TOPIC;

fn keys(of: &Yaml) -> BTreeSet<&str> {
    of.as_hash().unwrap().keys().map(|key| key.as_str().unwrap()).collect()
}

#[test]
fn the_topics_and_their_events_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/asyncapi.yaml");
    let document = YamlLoader::load_from_str(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0);
    let topics: BTreeSet<&str> =
        Stream::ALL.into_iter().flat_map(|of| [of.topic(), in_topic(of)]).chain([REJECTS_TOPIC, LATE_TOPIC]).collect();
    let channels = &document["channels"];
    assert_eq!(keys(channels), topics);
    for topic in topics {
        assert_eq!(channels[topic]["address"].as_str(), Some(topic));
    }
    let types = |wanted: &dyn Fn(Option<Stream>) -> bool| -> BTreeSet<&str> {
        TYPES.iter().filter(|of| wanted(of.stream)).map(|of| of.name).collect()
    };
    for stream in Stream::ALL {
        // (None: what any stream's topic may carry)
        let own = types(&|of| of.is_none() || of == Some(stream));
        assert_eq!(keys(&channels[stream.topic()]["messages"]), own);
        let sent = types(&|of| of == Some(stream)).into_iter().chain(["city.source.heartbeat"]).collect();
        assert_eq!(keys(&channels[in_topic(stream)]["messages"]), sent);
    }
    assert_eq!(keys(&channels[LATE_TOPIC]["messages"]), types(&|of| of.is_some()));
    assert_eq!(keys(&channels[REJECTS_TOPIC]["messages"]), BTreeSet::from(["reject", "replayed"]));
    assert_eq!(
        keys(&document["components"]["messages"]),
        types(&|_| true).into_iter().chain(["reject", "replayed"]).collect()
    );
}

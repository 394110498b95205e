//! `schemas/openapi.yaml` says what the code does. (tests/contract/run drives a running gateway from it.)

use std::collections::BTreeSet;

use reqwest::Method;
use yaml_rust2::{Yaml, YamlLoader};
use yiping_event::{Code, Stream, TYPES};

use crate::fixture::*;

fn document() -> Yaml {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/openapi.yaml");
    YamlLoader::load_from_str(&std::fs::read_to_string(path).unwrap()).unwrap().remove(0)
}

fn keys(of: &Yaml) -> BTreeSet<String> {
    of.as_hash().unwrap().keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_route_is_in_the_document_and_the_other_way_round() {
    let document = document();
    let routes: BTreeSet<String> = yiping_gateway::paths().into_iter().map(str::to_owned).collect();
    assert_eq!(keys(&document["paths"]), routes);
    let gateway = Fixture::start().await;
    for path in routes {
        let methods: BTreeSet<String> =
            keys(&document["paths"][path.as_str()]).into_iter().map(|name| name.to_uppercase()).collect();
        let url = format!("{}{}", gateway.base, path.replace("{name}", "lots"));
        let refused = gateway.client.request(Method::PATCH, url).send().await.unwrap();
        assert_eq!(refused.status(), 405, "{path}");
        let allowed: BTreeSet<String> =
            refused.headers()["allow"].to_str().unwrap().split(',').map(str::to_owned).collect();
        // (HEAD comes with GET)
        assert_eq!(allowed.into_iter().filter(|name| name != "HEAD").collect::<BTreeSet<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn the_document_has_the_types_codes_and_limits_of_the_code() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let listed = |of: &Yaml| -> Vec<String> {
        of.as_vec().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&schemas["Code"]["enum"]), Code::ALL.map(Code::as_str));
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/接入指南.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let rows: String = guide.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(Code::ALL.iter().all(|code| rows.contains(&format!("`{}`", code.as_str()))), "a code is not in the guide");
    let sent = keys(&schemas["Event"]["discriminator"]["mapping"]);
    let known: BTreeSet<String> =
        TYPES.iter().map(|of| of.name.to_owned()).filter(|name| name != "city.config").collect();
    assert_eq!(sent, known);
    let files: BTreeSet<String> = schemas["Event"]["oneOf"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|one| {
            one["$ref"].as_str().unwrap().trim_start_matches("events/").trim_end_matches(".schema.json").to_owned()
        })
        .collect();
    assert_eq!(files, known);

    let gateway = Fixture::start().await;
    let offer = gateway.get(&gateway.token("bus", &[Stream::Bus]), "/v1/streams").await.1;
    let body = &document["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let offered: BTreeSet<String> =
        offer["content_types"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    assert_eq!(keys(body), offered);
    let most = body["application/cloudevents-batch+json"]["schema"]["maxItems"].as_i64();
    assert_eq!(most, offer["max_events"].as_i64());
    assert_eq!(keys(&schemas["Offer"]["properties"]), offer.as_object().unwrap().keys().cloned().collect());
}

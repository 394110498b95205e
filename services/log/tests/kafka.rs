//! What only the Kafka log promises, on librdkafka's mock cluster: headers, retries, options.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use yiping_log::{KafkaLog, Log, LogError, NewRecord};

fn record(payload: &'static str) -> NewRecord {
    NewRecord {
        topic: "city.test".to_owned(),
        partition: Some(0),
        key: None,
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_say_what_they_are() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("city.test", 1, 1).unwrap();
    let log = KafkaLog::open(&cluster.bootstrap_servers(), &BTreeMap::new()).unwrap();
    log.append(vec![record("x")]).await.unwrap();

    let plain: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "plain")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("city.test", 0, Offset::Beginning).unwrap();
    plain.assign(&list).unwrap();
    let begun = Instant::now();
    let message = loop {
        assert!(begun.elapsed() < Duration::from_secs(20));
        if let Some(message) = plain.poll(Duration::from_millis(100)) {
            break message.unwrap();
        }
    };
    let expected = Header { key: "content-type", value: Some(&b"application/cloudevents+json"[..]) };
    assert_eq!(message.headers().unwrap().get(0), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_had_to_be_tried_again_is_there_once() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("city.test", 1, 1).unwrap();
    let log = KafkaLog::open(&cluster.bootstrap_servers(), &BTreeMap::new()).unwrap();
    log.append(vec![record("first")]).await.unwrap();
    let passing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    cluster.request_errors(RDKafkaApiKey::Produce, &[passing, passing]);
    assert_eq!(log.append(vec![record("second")]).await.unwrap(), [(0, 1)]);
    assert_eq!(log.range("city.test", 0).await.unwrap(), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_setting_is_named_before_anything_runs() {
    let options = BTreeMap::from([("kafka.no.such.setting".to_owned(), "1".to_owned())]);
    let error = yiping_log::open("kafka://127.0.0.1:1", &options).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no.such.setting"), "{error}");
    assert!(!error.is_retriable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_log_is_refused() {
    for url in ["", "kafka://", "kafka:b:9092", "embedded:", "memory:x", "postgres://h"] {
        let opened = yiping_log::open(url, &BTreeMap::new()).await;
        assert!(matches!(opened.map(|_| ()), Err(LogError::BadUrl(bad)) if bad == url), "{url}");
    }
}

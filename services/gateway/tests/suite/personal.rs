//! Nothing that names a person gets in (I11).

use crate::fixture::*;
use serde_json::{Value, json};
use yiping_event::{Stream, decode};
use yiping_gateway::legible;

const PHONE: &str = "13800138000";
/// The example of GB 11643-1999.
const ID_NUMBER: &str = "11010519491231002X";
const PLATE: &str = "鲁K12345";

/// An event as departments send it, with a text in the place of one that is in order.
fn planted(text: &str, place: &str) -> Value {
    let mut order = json!({
        "specversion": "1.0", "id": "order-1", "source": "/12345", "type": "city.hotline.order", "time": "2026-11-20T10:00:00Z",
        "data": {"order_id": "o1", "event": "created", "category": "路灯", "district": "环翠区", "street": "竹岛街道"},
    });
    *order.pointer_mut(place).unwrap() = text.into();
    order
}

/// Everything that the log holds, without opening what is sealed; and what is sealed.
async fn kept(gateway: &Fixture) -> (String, String) {
    let (mut open, mut sealed) = (String::new(), String::new());
    for topic in ["city.hotline", "city.parking", "city.elder", "city.rejects"] {
        for (_, key, value) in gateway.records(topic).await {
            open += &format!("{key} {value}\n");
            if let Some(bytes) = value["sealed"].as_str() {
                sealed += &legible(&gateway.secret.open(bytes).unwrap());
            }
        }
    }
    (open, sealed)
}

#[tokio::test]
async fn i11_an_event_with_a_number_or_a_plate_in_any_text_is_refused_and_nothing_of_it_is_kept_unsealed() {
    let gateway = Fixture::start().await;
    let token = gateway.token("hotline", &[Stream::Hotline]);
    for text in [PHONE, ID_NUMBER, PLATE] {
        for place in ["/id", "/source", "/data/order_id", "/data/district", "/data/category"] {
            let (status, answer) = gateway.send(&token, ONE, planted(text, place).to_string()).await;
            let reject = &answer["rejected"][0];
            assert_eq!(
                (status, &reject["code"], &reject["pointer"]),
                (422, &json!("personal_data"), &json!(place)),
                "{answer}"
            );
            assert!(!answer.to_string().contains(text), "{answer}");
        }
    }
    let (kept, sealed) = kept(&gateway).await;
    assert_eq!(kept.lines().count(), 15, "a reject each, and no event: {kept}");
    for text in [PHONE, ID_NUMBER, PLATE] {
        assert!(!kept.contains(text) && sealed.contains(text), "{kept}");
    }
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_kept_without_them_too() {
    let gateway = Fixture::start().await;
    let token = gateway.token("hotline", &[Stream::Hotline]);
    let broken = format!("{{\"caller\": \"{PHONE}\", \"plate\": \"{PLATE}\", \"n\": ");
    gateway.send(&token, ONE, broken).await;
    let mut unknown = planted("竹岛街道", "/data/street");
    unknown["type"] = "city.hotline.complaint".into();
    unknown["id"] = PHONE.into();
    unknown["data"]["text"] = format!("我的身份证是{ID_NUMBER}").into();
    gateway.send(&token, ONE, unknown.to_string()).await;
    let (kept, sealed) = kept(&gateway).await;
    assert_eq!(kept.lines().count(), 2, "{kept}");
    for text in [PHONE, ID_NUMBER, PLATE, "我的身份证"] {
        assert!(!kept.contains(text) && sealed.contains(text), "{kept}");
    }
}

/// The control: without the tripwire the same events would be written with all that stands in them; and members that nobody knows
/// are left behind, whatever they hold.
#[tokio::test]
async fn only_the_tripwire_keeps_it_out() {
    let event = planted(PHONE, "/data/category").to_string();
    assert!(decode(event.as_bytes()).unwrap().to_json().contains(PHONE));
    let gateway = Fixture::start().await;
    let token = gateway.token("hotline", &[Stream::Hotline]);
    let mut event = planted("竹岛街道", "/data/street");
    event["data"]["caller_phone"] = PHONE.into();
    assert_eq!(gateway.send(&token, ONE, event.to_string()).await.0, 202);
    let (kept, _) = kept(&gateway).await;
    assert!(kept.contains("竹岛街道") && !kept.contains(PHONE), "{kept}");
}

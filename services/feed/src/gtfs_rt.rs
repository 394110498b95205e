//! GTFS-Realtime (protobuf), as far as the maps need it: trip updates and vehicle positions, decoded into the very JSON
//! that the JSON form of a poll has (snake_case members, enums as numbers, absent members absent), so that one map
//! serves both. Field numbers are those of gtfs-realtime.proto 2.0; unknown fields and extensions are skipped.
//!
//! The message types are written out here instead of taken from a crate, since those on offer call `protoc` when they
//! are built, a program that a developer's machine need not have.

use prost::Message;
use serde::Serialize;
use serde_json::Value;

/// The JSON of one protobuf poll: `{header, entity: […]}`.
pub fn to_json(bytes: &[u8]) -> Result<Value, String> {
    let message = FeedMessage::decode(bytes).map_err(|e| e.to_string())?;
    serde_json::to_value(message).map_err(|e| e.to_string())
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct FeedMessage {
    #[prost(message, required, tag = "1")]
    pub header: FeedHeader,
    #[prost(message, repeated, tag = "2")]
    pub entity: Vec<FeedEntity>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct FeedHeader {
    #[prost(string, required, tag = "1")]
    pub gtfs_realtime_version: String,
    #[prost(int32, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incrementality: Option<i32>,
    #[prost(uint64, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct FeedEntity {
    #[prost(string, required, tag = "1")]
    pub id: String,
    #[prost(bool, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_deleted: Option<bool>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trip_update: Option<TripUpdate>,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<VehiclePosition>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct TripUpdate {
    #[prost(message, required, tag = "1")]
    pub trip: TripDescriptor,
    #[prost(message, repeated, tag = "2")]
    pub stop_time_update: Vec<StopTimeUpdate>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<VehicleDescriptor>,
    #[prost(uint64, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    #[prost(int32, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<i32>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct StopTimeUpdate {
    #[prost(uint32, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_sequence: Option<u32>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival: Option<StopTimeEvent>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub departure: Option<StopTimeEvent>,
    #[prost(string, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_id: Option<String>,
    #[prost(int32, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_relationship: Option<i32>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct StopTimeEvent {
    /// Seconds behind the timetable.
    #[prost(int32, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<i32>,
    /// Seconds since 1970.
    #[prost(int64, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    #[prost(int32, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<i32>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct TripDescriptor {
    #[prost(string, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trip_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[prost(string, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    #[prost(int32, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule_relationship: Option<i32>,
    #[prost(string, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_id: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction_id: Option<u32>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct VehicleDescriptor {
    #[prost(string, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[prost(string, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[prost(string, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_plate: Option<String>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct VehiclePosition {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trip: Option<TripDescriptor>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    #[prost(uint32, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_stop_sequence: Option<u32>,
    #[prost(int32, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_status: Option<i32>,
    #[prost(uint64, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    #[prost(string, optional, tag = "7")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_id: Option<String>,
    #[prost(message, optional, tag = "8")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<VehicleDescriptor>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
pub struct Position {
    #[prost(float, required, tag = "1")]
    pub latitude: f32,
    #[prost(float, required, tag = "2")]
    pub longitude: f32,
    #[prost(float, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearing: Option<f32>,
    /// Metres.
    #[prost(double, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odometer: Option<f64>,
    /// Metres per second.
    #[prost(float, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_members_stay_absent_and_negative_delays_stay_negative() {
        let bytes = FeedMessage {
            header: FeedHeader { gtfs_realtime_version: "1.0".into(), incrementality: Some(0), timestamp: Some(100) },
            entity: vec![FeedEntity {
                id: "e".into(),
                trip_update: Some(TripUpdate {
                    stop_time_update: vec![StopTimeUpdate {
                        stop_sequence: Some(3),
                        departure: Some(StopTimeEvent { delay: Some(-7), time: Some(90), uncertainty: None }),
                        ..Default::default()
                    }],
                    ..Default::default()
                }),
                ..Default::default()
            }],
        }
        .encode_to_vec();
        let expected = json!({
            "header": {"gtfs_realtime_version": "1.0", "incrementality": 0, "timestamp": 100},
            "entity": [{"id": "e", "trip_update": {"trip": {}, "stop_time_update": [
                {"stop_sequence": 3, "departure": {"delay": -7, "time": 90}}]}}]
        });
        assert_eq!(to_json(&bytes).unwrap(), expected);
        assert!(to_json(&bytes[..bytes.len() - 1]).is_err());
    }
}

//! Where an event goes and when its turn is: the record's key, and the order within one millisecond.

use crate::{Data, Event};

impl Event<'_> {
    /// The log record's key. All events of one entity have one key, so that they meet in one partition in order.
    ///
    /// Empty for ticks and settings: they belong to a partition and not to an entity.
    #[must_use]
    pub fn key(&self) -> &str {
        match &self.data {
            Data::BusPosition(d) => &d.vehicle_id,
            // by route, because headways are gaps between the vehicles of a route
            Data::BusStop(d) => &d.route_id,
            Data::BusTrip(d) => &d.route_id,
            Data::ParkingSnapshot(d) => &d.lot_id,
            Data::ParkingEntry(d) => &d.lot_id,
            Data::ParkingExit(d) => &d.lot_id,
            Data::ParkingPayment(d) => &d.lot_id,
            Data::ParkingCredit(d) => &d.lot_id,
            Data::HotlineCall(d) => &d.call_id,
            Data::HotlineOrder(d) => &d.order_id,
            Data::HotlineCallback(d) => &d.order_id,
            Data::ElderCall(d) => &d.call_id,
            Data::ElderSos(d) => &d.case_id,
            Data::ElderOrder(d) => &d.order_id,
            Data::ElderCallback(d) => &d.order_id,
            Data::ElderHeartbeat(d) => &d.device_id,
            Data::SourceHeartbeat(d) => &d.source_name,
            Data::Tick(_) | Data::Config(_) => "",
        }
    }

    /// The turn among events of one entity in the same millisecond; after it, the id decides.
    ///
    /// Counts through the contract's table, stream by stream: the types in their order, in each its `event` words in
    /// theirs. So a call's offered is 0 and its ended 3, and a callback comes after every event of its order.
    #[must_use]
    pub const fn rank(&self) -> u8 {
        match &self.data {
            Data::BusPosition(_) | Data::ParkingSnapshot(_) => 0,
            Data::BusStop(d) => 1 + d.event as u8,
            Data::BusTrip(d) => 3 + d.event as u8,
            Data::ParkingEntry(_) => 1,
            Data::ParkingExit(_) => 2,
            Data::ParkingPayment(_) => 3,
            Data::ParkingCredit(d) => 4 + d.event as u8,
            Data::HotlineCall(d) => d.event as u8,
            Data::HotlineOrder(d) => 4 + d.event as u8,
            Data::HotlineCallback(_) => 14,
            Data::ElderCall(d) => d.event as u8,
            Data::ElderSos(d) => 4 + d.event as u8,
            Data::ElderOrder(d) => 11 + d.event as u8,
            Data::ElderCallback(_) => 18,
            Data::ElderHeartbeat(_) => 19,
            Data::SourceHeartbeat(_) | Data::Tick(_) | Data::Config(_) => 0,
        }
    }
}

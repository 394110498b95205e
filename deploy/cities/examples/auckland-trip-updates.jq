# GTFS-Realtime trip updates (gtfs-rt-json or gtfs-rt) into arrivals and departures at stops, as Auckland Transport
# publishes them: every poll tells, for each vehicle, the last stop it was at, with the actual time and the delay.
#
#   yiping replay --stream bus --format gtfs-rt-json --map auckland-trip-updates.jq POLL.json…
#
# What makes two polls' updates the same event: the same vehicle, trip, stop, kind, time and delay. All of them are in
# the event and nothing of the poll is but `receivedtime`, so the content's hash, its id, is the same: the repeat is a
# duplicate. An update whose time or stop was corrected by a later poll is another event: under one id the correction
# would be dropped. Not the trip and the stop's number alone: a trip has the same ids every day.
#
# - A time after its poll is a forecast, not an event: left out. So are skipped stops, stops without data, and updates
#   without a vehicle, a route or a time.
# - Route and trip ids carry the timetable's version behind a dash ("27402-20160512154122_v40.34"): cut off for routes,
#   so that a route stays one over a change of timetable; kept for trips, whose numbers a new timetable gives anew.
# - The feed names no direction: 0 then.
# - scheduled time = actual time - delay; without a delay there is none, and the figure for punctuality leaves it out.
. as $entity
| .trip_update // empty
| select(($entity.is_deleted // false) | not)
| . as $update
| .stop_time_update[]?
| select((.schedule_relationship // 0) == 0)
| . as $stop
| ({event: "arrived", at: .arrival}, {event: "departed", at: .departure})
| select(.at.time and $update.vehicle.id and $update.trip.route_id and $stop.stop_id)
| select($entity.poll == null or .at.time <= $entity.poll)
| {
    type: "city.bus.stop",
    source: "auckland/bus",
    time: (.at.time | todate),
    data: ({
      vehicle_id: $update.vehicle.id,
      route_id: ($update.trip.route_id | sub("-[0-9]{14}_v[0-9.]+$"; "")),
      direction: ($update.trip.direction_id // 0),
      stop_id: $stop.stop_id,
      event: .event,
      trip_id: $update.trip.trip_id,
      stop_seq: $stop.stop_sequence,
      scheduled_time: (if .at.delay then .at.time - .at.delay | todate else null end)
    } | with_entries(select(.value != null)))
  }
| if $entity.poll then .receivedtime = ($entity.poll | todate) else . end

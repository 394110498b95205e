# GTFS-Realtime (gtfs-rt or gtfs-rt-json) with its static timetable: vehicle positions and trip updates, both in one map, since
# a feed may carry either. Needs the feed's settings `timetable` (a folder) and, for positions, `datum` where it is not WGS-84.
#
# - A position's route and direction come from the timetable by its trip; without a trip the vehicle is on no duty, and is left out.
# - A position's time is the vehicle's, else the poll's.
# - Of a stop, what lies ahead of the poll is a forecast, not an event: left out. A stop with a delay and no time is due by the
#   timetable, and that much later. Skipped stops and stops without data are left out.
# - What two polls say alike is one event: nothing of the poll is in it but `receivedtime`.
def direction($trip): $trip.direction_id // 0;
def present: with_entries(select(.value != null));

. as $entity
| select((.is_deleted // false) | not)
| (
    .vehicle // empty
    | select(.position and .trip.trip_id)
    | (.trip.trip_id | trip) as $trip
    | {
        type: "city.bus.position",
        time: ((.timestamp // $entity.poll) | tonumber | todate),
        data: ({
          vehicle_id: (.vehicle.id // $entity.id),
          route_id: $trip.route_id,
          direction: direction($trip),
          trip_id: .trip.trip_id,
          lon: .position.longitude,
          lat: .position.latitude,
          bearing: .position.bearing,
          speed_kmh: (if .position.speed then .position.speed * 3.6 else null end)
        } | present)
      }
  ), (
    .trip_update // empty
    | . as $update
    | select($update.trip.trip_id and $update.vehicle.id)
    | ($update.trip.trip_id | trip) as $trip
    | .stop_time_update[]?
    | select((.schedule_relationship // 0) | . == 0 or . == "SCHEDULED")
    | . as $stop
    | (if .stop_sequence != null and $update.trip.start_date then
         .stop_sequence as $n | $update.trip | .start_date as $day | .trip_id | scheduled($n; $day)
       else {} end) as $due
    | ({event: "arrived", at: .arrival, due: $due.arrival}, {event: "departed", at: .departure, due: $due.departure})
    | .due as $planned
    | (if .at.time then .at.time | tonumber
       elif .at.delay != null and $planned then ($planned | fromdate) + .at.delay
       else null end) as $actual
    | select($actual != null and ($entity.poll == null or $actual <= $entity.poll))
    | {
        type: "city.bus.stop",
        time: ($actual | todate),
        data: ({
          vehicle_id: $update.vehicle.id,
          route_id: $trip.route_id,
          direction: direction($trip),
          stop_id: ($stop.stop_id // $due.stop_id),
          event: .event,
          trip_id: $update.trip.trip_id,
          stop_seq: $stop.stop_sequence,
          scheduled_time: $planned
        } | present)
      }
  )
| if $entity.poll then .receivedtime = ($entity.poll | todate) else . end

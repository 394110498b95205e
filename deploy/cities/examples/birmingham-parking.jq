# Birmingham's car parks (CSV: SystemCodeNumber, Capacity, Occupancy, LastUpdated), one snapshot a row.
#
#   yiping replay --stream parking --format csv --map birmingham-parking.jq FILE.csv
#
# Times are local. The hour that a clock change repeats (in 2016: 30 October, 01:00-02:00) is read as the first of the
# two; the car parks report by day only, so it decides nothing here.
# No id is given: it becomes the hash of the content, so a row that is repeated exactly is a duplicate and counts once.
# Occupancy above capacity or below 0 passes as it is: to clamp it and to count it as a violation is the service's work.
{
  type: "city.parking.snapshot",
  source: "birmingham/parking",
  time: (.LastUpdated | to_rfc3339("Europe/London")),
  data: {
    lot_id: .SystemCodeNumber,
    capacity: (.Capacity | tonumber),
    occupied: (.Occupancy | tonumber)
  }
}

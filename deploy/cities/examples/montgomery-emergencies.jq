# Montgomery County's emergency calls (CSV without header: lat, lon, kind, time, township, address), one row a call.
#
#   yiping replay --stream elder --format csv --columns lat,lon,kind,time,township,address \
#       --map montgomery-emergencies.jq FILE.csv
#
# - Raised is all that the file tells: each stays open and unacknowledged. District = township. Times are local, in minutes.
# - The address and the place are personal data and stay out, and so does the kind of the emergency.
# - The file has no case number. The minute and a checksum over the row stand for one: below a million, enough to tell the
#   calls of a minute apart (16 at most), too small to say which address it was. An exact repeat of a row is a duplicate.
#   A dispatch system's own case number is better where there is one.
def checksum: explode | reduce .[] as $letter (7; (. * 31 + $letter) % 1000003);

(.time | to_rfc3339("America/New_York"; "%Y-%m-%d %H:%M")) as $time
| {
    type: "city.elder.sos",
    source: "montgomery/emergencies",
    time: $time,
    data: {
      case_id: (.time + " " + ([.lat, .lon, .kind, .township, .address] | join("|") | checksum | tostring)),
      event: "raised",
      district: .township
    }
  }

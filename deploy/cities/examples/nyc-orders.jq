# New York City's service requests ("311", CSV of its open data), one row an order, with its state when the file was made.
#
#   yiping replay --stream hotline --format csv --map nyc-orders.jq FILE.csv
#
# - Two events at most: created, and closed where there is a closing time; the status is not asked. Between them the file
#   tells nothing.
# - Times are local. District = borough, "Unspecified" included; category = the complaint's type.
# - Addresses, crossings and positions stay out: an order is counted by borough.
def local: to_rfc3339("America/New_York");

{order_id: .unique_key} as $order
| {
    at: .created_date,
    data: {event: "created", category: .complaint_type, district: .borough, agency: .agency,
           due: (.due_date | if . == "" then null else local end)}
  },
  (select(.closed_date != "") | {at: .closed_date, data: {event: "closed"}})
| {type: "city.hotline.order", source: "nyc/orders", time: (.at | local),
   data: ($order + (.data | with_entries(select(.value != null))))}

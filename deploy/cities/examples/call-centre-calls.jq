# A call centre's day (CSV: call_id, vru_entry, vru_exit, q_start, q_exit, q_time, outcome, ser_start, ser_exit, ser_time …:
# the times in the menu, in the queue and with the agent), one row a call.
#
#   yiping replay --stream hotline --format csv --map call-centre-calls.jq FILE.csv
#
# - The file names no day: 1 January 2000 stands for it, and UTC for its zone. 0:00:00 says "never", not midnight.
# - Offered when the menu lets the caller go. The menu's entry is not used, so its clock, at times after its exit, decides
#   nothing. A hang-up in the menu (no queue, no agent) was never offered: no event.
# - The outcome decides, not the times: a HANG is abandoned when the queue ends, also where an agent's line shows time;
#   an AGENT is answered when the queue ends, and at once where there was no queue. The agent's clock is a second or two
#   behind the queue's: it only says when the call ended, and how long it took.
# - PHANTOM: no call, left out. A call without the agent's times has no end.
# - A call's number is unique on its line only. Who called and who answered stay out.
def clock: "2000-01-01 " + . | to_rfc3339("UTC"; "%Y-%m-%d %H:%M:%S");
def happened: . != "0:00:00";

select(.outcome != "PHANTOM")
| select((.q_start | happened) or (.ser_start | happened))
| {call_id: (.["vru+line"] + "-" + .call_id)} as $call
| (if .q_start | happened then {at: .q_exit, wait: (.q_time | tonumber)} else {at: .vru_exit, wait: 0} end) as $decided
| {at: .vru_exit, data: {event: "offered"}},
  {at: $decided.at, data: {event: (if .outcome == "AGENT" then "answered" else "abandoned" end), wait_s: $decided.wait}},
  (select(.outcome == "AGENT" and (.ser_start | happened))
   | {at: .ser_exit, data: {event: "ended", talk_s: (.ser_time | tonumber)}})
| {type: "city.hotline.call", source: "call-centre/calls", time: (.at | clock), data: ($call + .data)}

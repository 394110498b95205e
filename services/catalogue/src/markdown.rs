//! The catalogue as a page for readers: `schemas/METRICS.md`.

use std::fmt::Write;

use yiping_event::Stream;

use crate::{Catalogue, Direction, Entry, Threshold};

const HEAD: &str = "# Metrics

Made from `metrics.toml` (`UPDATE_GOLDEN=1 cargo test -p yiping-catalogue` writes it anew). Windows are [end − span, end) in event time; they move by
10 s (`1m`), 30 s (`5m`), a minute (`15m` `30m` `1h`), 5 minutes (`24h`); `day` is the calendar day of the city's zone, `now` an instant, taken every full
minute. `value` is NULL below the least n. Every row also has numerator, denominator and n. Level `district_category` has keys `district/category`, `floor`
has `lot/floor`.

How partitions merge: *sum* adds integers; *moments* adds four; *histogram* adds buckets (relative error ≤ 1 %); *min* takes the least. *Derived* figures are
made of merged rows; a surge has no rows, it is a breach. Of a gauge n is how many were ever counted in it. Limits are defaults, which a city's profile overrides: **w** warning, **c** critical; for how long beyond until a breach opens; behind
what it closes; where it is judged; from when on, where what was before the first event matters.
";

impl Catalogue {
    /// The page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = HEAD.to_owned();
        for stream in Stream::ALL {
            let _ = write!(page, "\n## {}\n\n", stream.as_str()); // writing to a String can't fail
            page.push_str("| id | name | unit | what | kind | levels | spans | least n | better | limits |\n");
            page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
            for entry in self.entries.iter().filter(|entry| entry.stream == stream) {
                page.push_str(&row(entry));
            }
        }
        page
    }
}

fn row(entry: &Entry) -> String {
    let kind = match &entry.derived {
        Some(derived) => format!("{}, derived of `{}`", entry.value.as_str(), derived.of),
        None => format!("{}, {}", entry.value.as_str(), format!("{:?}", entry.merge).to_lowercase()),
    };
    let better = match entry.higher_is {
        Direction::Better => "higher",
        Direction::Worse => "lower",
        Direction::Neutral => "–",
    };
    let mut limits: Vec<String> = entry.thresholds.iter().map(limit).collect();
    limits.extend(entry.warm_up.as_ref().map(|time| format!("from {time} after the first figure on")));
    let cells = [
        format!("`{}`", entry.id),
        format!("{} {}", entry.name_zh, entry.name_en),
        entry.unit.clone(),
        entry.formula.clone(),
        kind,
        entry.levels.join(" "),
        entry.spans.join(" "),
        entry.min_n.to_string(),
        better.to_owned(),
        if limits.is_empty() { "–".to_owned() } else { limits.join("<br>") },
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn limit(threshold: &Threshold) -> String {
    let share = match (&threshold.of, threshold.norm) {
        (Some(of), _) => format!(" × `{of}`"),
        (None, true) => " × norm".to_owned(),
        (None, false) => String::new(),
    };
    let clear = threshold.clear.map_or_else(String::new, |clear| format!(", clear {clear}"));
    let hours = threshold.hours.as_ref().map_or_else(String::new, |hours| format!(", {hours}"));
    let spans =
        if threshold.spans.is_empty() { String::new() } else { format!(", over {}", threshold.spans.join(" ")) };
    format!(
        "**{}** {} {}{share}, for {}{clear}; {}{spans}{hours} ({})",
        threshold.severity.as_str(),
        threshold.when.as_str(),
        threshold.limit,
        threshold.for_,
        threshold.levels.join(" "),
        threshold.source,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_for_readers_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/METRICS.md");
        let page = Catalogue::builtin().unwrap().markdown();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(there == page, "schemas/METRICS.md is stale: UPDATE_GOLDEN=1 cargo test -p yiping-catalogue");
    }
}

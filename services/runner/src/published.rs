//! What all partitions said of all windows, and the rows that are published of it: made one by one as they are read, since a city's
//! day has millions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use serde::Serialize;
use yiping_catalogue::{Catalogue, Entry, Figure, Sums};
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Level, Name, Row, Span, span::Days};

/// A row with the columns of `city.metrics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfflineRow {
    pub stream: &'static str,
    pub metric: Name,
    pub level: &'static str,
    pub key: Name,
    pub span: &'static str,
    pub window_start: Name,
    pub window_end: Name,
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
    pub is_final: bool,
    pub revision: u64,
    pub watermark: Name,
}

/// What a partition said last of a window, as small as can be.
#[derive(Debug)]
struct Part {
    end: i64,
    num: i64,
    den: i64,
    n: i64,
    /// The second two sums and the histogram, of the few metrics that have them.
    more: Option<Box<Sums>>,
    revision: u64,
    gone: bool,
}

impl Part {
    fn sums(&self) -> Sums {
        let Part { num, den, n, .. } = *self;
        self.more.as_deref().cloned().unwrap_or(Sums { num, den, n, ..Sums::default() })
    }
}

type Series = (Name, Level, Name, Span);

/// The windows of a series, in order, by partition.
type Partitions = BTreeMap<u32, Vec<Part>>;

/// All that was said. Of a window that was revised the last word stays.
#[derive(Default)]
pub(crate) struct Heard {
    numbers: HashMap<Series, usize, RandomState>,
    series: Vec<Partitions>,
}

impl Heard {
    pub fn keep(&mut self, partition: u32, rows: &mut Vec<Row>) {
        for row in rows.drain(..) {
            let Row { metric, level, key, span, end, num, den, n, num2, den2, hist, gone, offset, .. } = row;
            let number = *self.numbers.entry((metric, level, key, span)).or_insert(self.series.len());
            if number == self.series.len() {
                self.series.push(Partitions::new());
            }
            let more =
                (num2 != 0 || den2 != 0 || !hist.is_empty()).then(|| Box::new(Sums { num, den, n, num2, den2, hist }));
            let part = Part { end: end.0, num, den, n, more, revision: (1 << 48) | offset, gone };
            let parts = self.series[number].entry(partition).or_default();
            if parts.last().is_none_or(|last| last.end < part.end) {
                parts.push(part);
                continue;
            }
            match parts.binary_search_by_key(&part.end, |known| known.end) {
                Ok(at) => parts[at] = part,
                Err(at) => parts.insert(at, part),
            }
        }
    }

    pub fn publish(self, stream: Stream, catalogue: &Catalogue, city: &City, watermark: TimeMs) -> Published {
        let Heard { numbers, series: mut heard } = self;
        let entries: Vec<Arc<Entry>> =
            catalogue.entries.iter().filter(|entry| entry.stream == stream).cloned().map(Arc::new).collect();
        let entry = |metric: &Name| entries.iter().find(|entry| *metric == entry.id).cloned();
        let mut series: Vec<Told> = numbers
            .into_iter()
            .filter_map(|((metric, level, key, span), number)| {
                let partitions = std::mem::take(&mut heard[number]).into_values().collect();
                let entry = entry(&metric)?;
                let is_of_fleet = entry.constant.as_deref() == Some("fleet") && level == Level::City;
                let constant = is_of_fleet.then_some(i64::from(city.fleet));
                Some(Told { metric, level, key, span, entry, constant, partitions })
            })
            .collect();
        series.sort_by(|a, b| a.order().cmp(&b.order()));
        let derived = entries.iter().filter_map(|entry| derive(entry, &series)).collect();
        Published { stream, days: Days::new(city.zone.clone()), watermark, series, derived }
    }
}

/// A series and what was told of its windows.
#[derive(Debug)]
struct Told {
    metric: Name,
    level: Level,
    key: Name,
    span: Span,
    entry: Arc<Entry>,
    /// The denominator that is the profile's.
    constant: Option<i64>,
    /// By partition, the windows in their order.
    partitions: Vec<Vec<Part>>,
}

impl Told {
    fn order(&self) -> (&str, &str, &str, &str) {
        (&self.metric, self.level.as_str(), &self.key, self.span.as_str())
    }

    /// Its windows as they are published: end, figure, revision.
    fn windows(&self) -> impl Iterator<Item = (i64, Figure, u64)> {
        let mut rest: Vec<&[Part]> = self.partitions.iter().map(Vec::as_slice).collect();
        let mut next = move || {
            let end = rest.iter().filter_map(|parts| Some(parts.first()?.end)).min()?;
            let (mut sums, mut revision, mut gone) = (None::<Sums>, 0, true);
            for parts in &mut rest {
                let Some((part, after)) = parts.split_first().filter(|(part, _)| part.end == end) else {
                    continue;
                };
                *parts = after;
                revision = revision.max(part.revision);
                gone &= part.gone;
                match &mut sums {
                    Some(sums) => sums.merge(&part.sums(), self.entry.merge),
                    None => sums = Some(part.sums()),
                }
            }
            Some((end, sums.unwrap_or_default(), revision, gone))
        };
        std::iter::from_fn(move || {
            loop {
                let (end, sums, revision, gone) = next()?;
                if !gone {
                    return Some((end, self.entry.publish(&sums, TimeMs(end), self.constant), revision));
                }
            }
        })
    }
}

/// A figure made of others, of the city, at each full minute: how many of them lie beyond the limit.
#[derive(Debug)]
struct Derived {
    metric: Name,
    /// By the minute (ms): how many there are, how many lie beyond, the newest revision.
    minutes: BTreeMap<i64, Beyond>,
}

#[derive(Debug, Default)]
struct Beyond {
    n: i64,
    beyond: i64,
    revision: u64,
}

/// The views of the store do the same: at each full minute up to the last one that is `now`.
fn derive(entry: &Entry, series: &[Told]) -> Option<Derived> {
    let derived = entry.derived.as_ref()?;
    let (when, limit) = derived.when.zip(derived.limit)?;
    let of_now = series.iter().filter(|told| told.span == Span::Now);
    // (a window that is gone again stands at the end of none)
    let last = of_now.filter_map(|told| told.windows().map(|window| window.0).last()).max()?;
    let mut minutes: BTreeMap<i64, Beyond> = BTreeMap::new();
    let is_source = |told: &&Told| {
        told.metric == derived.of && told.level.as_str() == derived.level && told.span.as_str() == derived.span
    };
    for told in series.iter().filter(is_source) {
        for (end, figure, revision) in told.windows().filter(|window| window.0 % 60_000 == 0 && window.0 <= last) {
            let minute = minutes.entry(end).or_default();
            if let Some(value) = figure.value {
                minute.n += 1;
                minute.beyond += i64::from(when.holds(value, limit));
            }
            minute.revision = minute.revision.max(revision);
        }
    }
    (!minutes.is_empty()).then(|| Derived { metric: entry.id.as_str().into(), minutes })
}

/// The rows of a stream's complete log, sorted by (metric, level, key, span, window_start).
#[derive(Debug)]
pub struct Published {
    stream: Stream,
    days: Days,
    watermark: TimeMs,
    series: Vec<Told>,
    derived: Vec<Derived>,
}

impl Published {
    /// Hands out every row. It ends with the first error.
    ///
    /// # Errors
    /// Whatever `each` returns.
    pub fn each<E>(&self, mut each: impl FnMut(OfflineRow) -> Result<(), E>) -> Result<(), E> {
        let mut texts = Texts::default();
        let watermark = texts.of(self.watermark.0);
        let mut derived: Vec<&Derived> = self.derived.iter().collect();
        derived.sort_by(|a, b| b.metric.cmp(&a.metric));
        for told in &self.series {
            while let Some(next) = derived.pop_if(|next| next.metric < told.metric) {
                self.derived(next, &mut texts, &mut each)?;
            }
            for (end, figure, revision) in told.windows() {
                each(OfflineRow {
                    stream: self.stream.as_str(),
                    metric: told.metric.clone(),
                    level: told.level.as_str(),
                    key: told.key.clone(),
                    span: told.span.as_str(),
                    window_start: texts.of(told.span.start_of(end, &self.days)),
                    window_end: texts.of(end),
                    value: figure.value,
                    numerator: figure.numerator,
                    denominator: figure.denominator,
                    n: figure.n,
                    is_final: true,
                    revision,
                    watermark: watermark.clone(),
                })?;
            }
        }
        while let Some(next) = derived.pop() {
            self.derived(next, &mut texts, &mut each)?;
        }
        Ok(())
    }

    fn derived<E>(
        &self,
        derived: &Derived,
        texts: &mut Texts,
        each: &mut impl FnMut(OfflineRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let (city, watermark) = (Name::from(Level::City.as_str()), texts.of(self.watermark.0));
        for (end, minute) in &derived.minutes {
            let end = texts.of(*end);
            each(OfflineRow {
                stream: self.stream.as_str(),
                metric: derived.metric.clone(),
                level: Level::City.as_str(),
                key: city.clone(),
                span: Span::Now.as_str(),
                window_start: end.clone(),
                window_end: end,
                value: Some(minute.beyond as f64),
                numerator: minute.beyond as f64,
                denominator: 1.0,
                n: minute.n,
                is_final: true,
                revision: minute.revision,
                watermark: watermark.clone(),
            })?;
        }
        Ok(())
    }

    /// All rows at once.
    #[must_use]
    pub fn rows(&self) -> Vec<OfflineRow> {
        let mut rows = Vec::new();
        let Ok(()) = self.each(|row| {
            rows.push(row);
            Ok::<(), std::convert::Infallible>(())
        });
        rows
    }
}

/// Times as texts, each made once.
#[derive(Default)]
struct Texts(HashMap<i64, Name, RandomState>);

impl Texts {
    fn of(&mut self, ms: i64) -> Name {
        self.0.entry(ms).or_insert_with(|| Name::from(TimeMs(ms).to_string().as_str())).clone()
    }
}

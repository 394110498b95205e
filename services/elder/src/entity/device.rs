//! A device at home, by its heartbeats: enrolled for 30 days after each, silent from 24 hours after the newest.
//!
//! There are tens of thousands of devices, and each is heard of every hour. Current figures are rows of full minutes, so a heartbeat
//! counts from the next full minute on: nobody sees the difference, and of a minute 8 bytes are enough. Kept are the minutes within
//! the lateness, in order, and the one before them: a heartbeat that comes late finds its place, and only what follows from the gap
//! that it falls into is taken back.

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;
use yiping_window::KeyId;

const MINUTE_MS: i64 = 60_000;

/// Without a heartbeat for so many minutes a device is silent.
const SILENT_AFTER: u32 = 24 * 60;

/// Without a heartbeat for so many minutes it isn't enrolled any more.
const GONE_AFTER: u32 = 30 * 24 * 60;

/// No district: no heartbeat has told one.
const NOWHERE: u16 = u16::MAX;

/// A minute with heartbeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beat {
    /// The full minute at or after them, since 1970.
    minute: u32,
    /// Of the newest that told a district: its ms within the minute, and the district's place in [`Device::districts`].
    told_ms: u16,
    district: u16,
}

/// What is known of a device. Written without names: there are very many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Device {
    /// The newest minute that nothing can come before any more.
    settled: Option<Beat>,
    /// The minutes after it, in order.
    beats: Vec<Beat>,
    /// The districts that they name: one, for nearly every device.
    districts: Vec<KeyId>,
}

type Written = (Option<(u32, u16, u16)>, Vec<(u32, u16, u16)>, Vec<KeyId>);

/// What changes at a full minute in a district: devices silent, devices enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: TimeMs,
    /// `None`: no heartbeat has told one.
    pub district: Option<KeyId>,
    pub silent: i64,
    pub enrolled: i64,
}

impl Device {
    /// Takes a heartbeat in. `late`: it is too late for its windows, and counts only if it is the newest (I5). Of two in the same
    /// millisecond that tell different districts, `wins` says whether the new one's goes before the other.
    pub fn heard(&mut self, time: TimeMs, district: Option<KeyId>, late: bool, wins: impl Fn(KeyId, KeyId) -> bool) {
        let minute = u32::try_from((time.0 + MINUTE_MS - 1).div_euclid(MINUTE_MS)).unwrap_or(0); // 1970 to 2099
        let newest = self.beats.last().or(self.settled.as_ref()).map(|beat| beat.minute);
        let before_settled = self.settled.is_some_and(|settled| minute <= settled.minute);
        if before_settled || (late && newest.is_some_and(|newest| minute <= newest)) {
            return;
        }
        let told_ms = (time.0 - (i64::from(minute) - 1) * MINUTE_MS) as u16; // 1 to 60,000
        let new = Beat { minute, told_ms, district: district.map_or(NOWHERE, |district| self.place_of(district)) };
        match self.beats.binary_search_by_key(&minute, |beat| beat.minute) {
            Err(at) => self.beats.insert(at, new),
            Ok(at) => {
                let known = self.beats[at];
                let newer = match (self.district(new), self.district(known)) {
                    (Some(new_one), Some(known_one)) => {
                        new.told_ms > known.told_ms || (new.told_ms == known.told_ms && wins(new_one, known_one))
                    }
                    (new_one, _) => new_one.is_some(),
                };
                if newer {
                    self.beats[at] = new;
                }
            }
        }
    }

    fn place_of(&mut self, district: KeyId) -> u16 {
        let at = self.districts.iter().position(|known| *known == district).unwrap_or_else(|| {
            self.districts.push(district);
            self.districts.len() - 1
        });
        u16::try_from(at).unwrap_or(NOWHERE) // never: there is one a minute at most, and a day of minutes
    }

    fn district(&self, beat: Beat) -> Option<KeyId> {
        self.districts.get(usize::from(beat.district)).copied()
    }

    /// All that changes by the heartbeats known, in the order of time, apart from what can't change any more.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::with_capacity(4);
        let mut say = |minute: u32, district, silent, enrolled| {
            changes.push(Change { at: TimeMs(i64::from(minute) * MINUTE_MS), district, silent, enrolled });
        };
        let mut last: Option<(u32, Option<KeyId>)> = self.settled.map(|beat| (beat.minute, self.district(beat)));
        for &beat in &self.beats {
            let told = self.district(beat);
            let silence = last.map(|(minute, _)| beat.minute - minute);
            last = match last.zip(silence) {
                // for the first time, or after so long that it is as good as new
                None => {
                    say(beat.minute, told, 0, 1);
                    Some((beat.minute, told))
                }
                Some(((before, district), silence)) if silence >= GONE_AFTER => {
                    say(before + SILENT_AFTER, district, 1, 0);
                    say(before + GONE_AFTER, district, -1, -1);
                    say(beat.minute, told, 0, 1);
                    Some((beat.minute, told))
                }
                Some(((before, district), silence)) => {
                    if silence > SILENT_AFTER {
                        say(before + SILENT_AFTER, district, 1, 0);
                        say(beat.minute, district, -1, 0);
                    }
                    let now = told.or(district);
                    if now != district {
                        say(beat.minute, district, 0, -1);
                        say(beat.minute, now, 0, 1);
                    }
                    Some((beat.minute, now))
                }
            };
        }
        if let Some((minute, district)) = last {
            say(minute + SILENT_AFTER, district, 1, 0);
            say(minute + GONE_AFTER, district, -1, -1);
        }
        changes
    }

    /// Settles the minutes before the horizon; false when the device is gone since before it.
    pub fn settle(&mut self, horizon: TimeMs) -> bool {
        let settled = self.beats.partition_point(|beat| i64::from(beat.minute) * MINUTE_MS < horizon.0);
        if let Some(last) = settled.checked_sub(1) {
            self.settled = Some(self.as_of(last));
            self.beats.drain(..settled);
            if self.beats.capacity() > 2 * self.beats.len() + 8 {
                self.beats.shrink_to(self.beats.len() + 4);
            }
            if self.districts.len() > 1 {
                self.drop_districts();
            }
        }
        let gone = |beat: &Beat| i64::from(beat.minute + GONE_AFTER) * MINUTE_MS < horizon.0;
        !self.beats.last().or(self.settled.as_ref()).is_none_or(gone)
    }

    /// A kept minute, with the district as of then.
    fn as_of(&self, at: usize) -> Beat {
        let mut last = self.settled;
        for beat in &self.beats[..=at] {
            let keeps = last.filter(|last| beat.district == NOWHERE && beat.minute - last.minute < GONE_AFTER);
            last = Some(keeps.map_or(*beat, |last| Beat { district: last.district, ..*beat }));
        }
        last.unwrap_or(self.beats[at])
    }

    /// Forgets districts that no kept minute names.
    fn drop_districts(&mut self) {
        let known = std::mem::take(&mut self.districts);
        let mut beats = std::mem::take(&mut self.beats);
        for beat in self.settled.iter_mut().chain(&mut beats).filter(|beat| beat.district != NOWHERE) {
            let Some(district) = known.get(usize::from(beat.district)) else { continue };
            let at = self.districts.iter().position(|other| other == district).unwrap_or(self.districts.len());
            if at == self.districts.len() {
                self.districts.push(*district);
            }
            beat.district = u16::try_from(at).unwrap_or(NOWHERE);
        }
        self.beats = beats;
    }
}

impl From<Device> for Written {
    fn from(device: Device) -> Self {
        let plain = |beat: &Beat| (beat.minute, beat.told_ms, beat.district);
        (device.settled.as_ref().map(plain), device.beats.iter().map(plain).collect(), device.districts)
    }
}

impl From<Written> for Device {
    fn from((settled, beats, districts): Written) -> Self {
        let beat = |(minute, told_ms, district)| Beat { minute, told_ms, district };
        Device { settled: settled.map(beat), beats: beats.into_iter().map(beat).collect(), districts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    #[test]
    fn i9_a_device_of_hourly_heartbeats_takes_so_much() {
        let mut device = Device::default();
        for hour in 0..24 * 40 {
            let time = TimeMs(1_700_000_000_000 + hour * HOUR_MS);
            device.heard(time, Some(KeyId(7)), false, |_, _| false);
            assert!(device.settle(TimeMs(time.0 - 24 * HOUR_MS)));
        }
        let bytes = size_of::<Device>() + device.beats.capacity() * size_of::<Beat>() + device.districts.capacity() * 4;
        println!("a device: {} minutes kept, {bytes} bytes beside its id and key", device.beats.len());
        assert_eq!(device.beats.len(), 25); // now, and each full hour of the lateness
        assert!(bytes <= 500, "{bytes}");
        // nothing that a reader sees is kept twice: silent in a day, gone in thirty
        assert_eq!(device.changes().len(), 2);
    }

    #[test]
    fn a_device_that_names_a_new_district_every_minute_stays_small() {
        let mut device = Device::default();
        for minute in 0..4 * 24 * 60 {
            let time = TimeMs(1_700_000_000_000 + minute * MINUTE_MS);
            device.heard(time, Some(KeyId(minute as u32)), false, |_, _| false);
            device.settle(TimeMs(time.0 - 24 * HOUR_MS));
        }
        assert!(device.beats.len() <= 1_441 && device.districts.len() <= 1_442, "{}", device.districts.len());
        assert_eq!(device.changes().last().unwrap().district, Some(KeyId(4 * 24 * 60 - 1)));
    }

    #[test]
    fn a_device_is_forgotten_when_nothing_of_it_lies_ahead_of_the_horizon() {
        let mut device = Device::default();
        let heard = TimeMs(1_700_000_000_000);
        device.heard(heard, None, false, |_, _| false);
        let gone = device.changes().last().unwrap().at;
        assert!(device.settle(gone));
        assert!(!device.settle(TimeMs(gone.0 + 1)));
    }
}

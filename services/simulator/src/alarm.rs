//! An SOS case, from the button to its end.

use crate::agenda::MINUTE_MS;
use crate::draws::{Draws, ms};
use crate::incident::Span;

/// What is said of a case; `rank` tells its events apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) event: &'static str,
    pub(crate) rank: i64,
}

type Steps = Vec<(i64, Step)>;

fn say(steps: &mut Steps, at: i64, event: &'static str, rank: i64) {
    steps.push((at, Step { event, rank }));
}

/// A case from `raised` on. The norms: 97.5 of 100 acknowledged within a minute and 99 within three (telecare services'
/// standard; here somewhat better), 18 to 20 not connected at the first attempt, 90 of those attended within 45 minutes
/// and all within the hour. One of three is false, one of six needs nobody to come.
pub(crate) fn alarm(raised: i64, draws: &mut Draws) -> Steps {
    let mut steps = Steps::new();
    say(&mut steps, raised, "raised", 0);
    let mut at = raised + ms(draws.between(4.0, 14.0));
    let mut connected = true;
    if draws.chance(0.19) {
        say(&mut steps, at, "not_connected", 1);
        at += ms(draws.between(6.0, 16.0));
        // some never answer: somebody goes there
        connected = draws.chance(0.6);
    }
    if connected {
        say(&mut steps, at, "connected", 2);
    }
    at = match draws.pick(&[980, 18, 2]) {
        0 => at + ms(draws.between(4.0, 24.0)),
        1 => raised + ms(draws.between(66.0, 170.0)),
        _ => raised + ms(draws.between(190.0, 300.0)),
    };
    let end = if connected { draws.pick(&[32, 16, 52]) } else { 2 };
    if end == 0 && draws.chance(0.3) {
        // whoever pressed by mistake says so at once: that acknowledges and closes
        say(&mut steps, at, "false_alarm", 4);
        return steps;
    }
    say(&mut steps, at, "acknowledged", 3);
    match end {
        0 => say(&mut steps, at + ms(draws.between(20.0, 240.0)), "false_alarm", 4),
        1 => say(&mut steps, at + ms(draws.between(180.0, 1_500.0)), "closed", 6),
        _ => {
            let soon = draws.chance(0.93);
            at = raised + if soon { ms(draws.between(540.0, 2_640.0)) } else { ms(draws.between(2_730.0, 3_560.0)) };
            say(&mut steps, at, "arrived", 5);
            say(&mut steps, at + ms(draws.between(600.0, 3_000.0)), "closed", 6);
        }
    }
    steps
}

/// A case that nobody acknowledges as long as the incident lasts.
pub(crate) fn unanswered(span: &Span) -> impl Iterator<Item = (i64, Step)> + use<> {
    [
        (span.start, "raised", 0),
        ((span.start + 8_000).min(span.end), "not_connected", 1),
        (span.end, "acknowledged", 3),
        (span.end + 2_000, "connected", 2),
        (span.end + 4 * MINUTE_MS, "closed", 6),
    ]
    .into_iter()
    .map(|(at, event, rank)| (at, Step { event, rank }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::For;

    /// Of 20,000 cases shares have standard deviations of 0.1 to 0.4 %: bounds of about five around the norms.
    #[test]
    fn alarms_are_acknowledged_and_arrived_at_as_the_telecare_standard_asks() {
        let mut draws = Draws::new(1, For::Sos, 0, 0);
        let (mut minute, mut three, mut failed, mut attended, mut door) = (0, 0, 0, 0, 0);
        for _ in 0..20_000 {
            let steps = alarm(0, &mut draws);
            assert!(steps.is_sorted_by_key(|&(at, _)| at), "{steps:?}");
            assert!(matches!(steps.last(), Some((_, Step { event: "closed" | "false_alarm", .. }))));
            let acknowledged =
                steps.iter().find(|(_, step)| matches!(step.event, "acknowledged" | "false_alarm")).unwrap().0;
            minute += i32::from(acknowledged <= MINUTE_MS);
            three += i32::from(acknowledged <= 3 * MINUTE_MS);
            failed += i32::from(steps[1].1.event == "not_connected");
            if let Some((at, _)) = steps.iter().find(|(_, step)| step.event == "arrived") {
                attended += 1;
                door += i32::from(*at <= 45 * MINUTE_MS);
                assert!(*at <= 60 * MINUTE_MS);
            }
        }
        assert!((19_500..19_700).contains(&minute), "{minute}");
        assert!(three >= 19_900, "{three}");
        assert!((3_600..4_000).contains(&failed), "{failed}");
        assert!((attended * 92..attended * 94).contains(&(door * 100)), "{door} of {attended}");
    }
}

use clap::{CommandFactory, Parser};
use yiping::cli::{Cli, Command, PlannedIncident};
use yiping_event::TimeMs;
use yiping_simulator::IncidentKind;

fn parsed(arguments: &[&str]) -> Result<Command, String> {
    let all = ["yiping"].iter().chain(arguments);
    Cli::try_parse_from(all).map(|cli| cli.command).map_err(|error| error.to_string())
}

pub fn incident(text: &str) -> Result<PlannedIncident, String> {
    match parsed(&["demo", &format!("--incident={text}")])? {
        Command::Demo(args) => Ok(args.incident[0]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn durations_have_a_unit() {
    let duration = |text: &str| -> Result<i64, String> {
        let length = format!("--duration={text}");
        match parsed(&["simulate", "--seed=1", "--start=2026-11-20T00:00:00Z", &length])? {
            Command::Simulate(args) => Ok(args.duration),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(duration("90s"), Ok(90_000));
    assert_eq!(duration("24h"), Ok(86_400_000));
    for wrong in ["", "90", "-1s", "0h", "1w", "h", "1时"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_incident_has_a_name_and_perhaps_an_offset_and_a_length() {
    let planned = |offset_m: i64, minutes: i64| PlannedIncident {
        kind: IncidentKind::LotFull,
        offset: offset_m * 60_000,
        duration: minutes * 60_000,
    };
    assert_eq!(incident("lot-full"), Ok(planned(30, 60)));
    assert_eq!(incident("lot-full@2h"), Ok(planned(120, 60)));
    assert_eq!(incident("lot-full@0s+45m"), Ok(planned(0, 45)));
    assert_eq!(planned(10, 5).after(TimeMs(1_000)).to, TimeMs(901_000));
    for wrong in ["lot-full@", "lot-full@10m+", "lot-full@10m+0m", "lot-full+10m", "lot-full@-1s"] {
        assert!(incident(wrong).is_err(), "{wrong}");
    }
    assert!(incident("earthquake").unwrap_err().contains("bus-bunching"));
}

#[test]
fn the_help_names_every_incident() {
    for command in ["demo", "simulate"] {
        let help = parsed(&[command, "--help"]).unwrap_err();
        assert!(IncidentKind::ALL.iter().all(|kind| help.contains(kind.as_str())), "{help}");
    }
}

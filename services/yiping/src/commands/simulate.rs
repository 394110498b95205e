//! `yiping simulate`: the synthetic city as NDJSON.

use yiping_simulator::{Options, Simulator, write};

use super::output;
use crate::{assembly::city_at, cli::SimulateArgs};

pub fn simulate(args: SimulateArgs) -> anyhow::Result<()> {
    let city = city_at(args.profile.as_deref())?;
    let options = Options {
        seed: args.seed,
        start: args.start,
        duration_ms: Some(args.duration),
        streams: args.streams,
        scale: args.scale,
        faults: args.faults,
        incidents: args.incident.iter().map(|incident| incident.after(args.start)).collect(),
        opening: args.opening,
    };
    output(&args.out, |out| {
        write(Simulator::new(&city, &options), &mut &mut *out)?;
        Ok(())
    })
}

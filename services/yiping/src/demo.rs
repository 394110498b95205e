//! `yiping demo`: the whole system on one machine, fed by the synthetic city through the real gateway.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, bail};
use yiping_event::Stream;
use yiping_gateway::{Right, new_token};
use yiping_runtime::{Config, clock::unix_ms, config::DataDir};

use crate::{
    assembly::Process,
    cli::DemoArgs,
    feeder::{Feeder, Valves},
    keys,
    story::Story,
    targets::TARGETS,
};

pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    if !(args.speed.is_finite() && args.speed > 0.0) {
        bail!("--speed {} is no pace: a number above 0", args.speed);
    }
    let mut config = Config::load(None)?;
    config.data_dir = DataDir(args.data_dir.clone());
    config.wall.listen.set_port(args.port);
    config.check()?;
    std::fs::create_dir_all(&args.data_dir).with_context(|| format!("making {}", args.data_dir.display()))?;

    keys::of_demo(&config)?;
    let parts = TARGETS[0].parts;
    let mut process = Process::build(config, parts).await?;
    // the past that a new demo begins with is no news
    process.judged_since = unix_ms();
    // only now: a demo that already runs on this folder keeps its token, and this one has been told so
    let made = new_token("demo", Stream::ALL.to_vec(), vec!["*".to_owned()], BTreeSet::from([Right::SetReceived]))?;
    made.save(&process.config.tokens_path())?;
    process.endpoints.token = Some(made.secret.clone());
    process.endpoints.write(&args.data_dir).context("writing endpoints.json")?;

    let valves = Valves::new();
    process.start(parts, valves.routes()).await?;
    let gateway = process.endpoints.gateway.clone().context("the demo has a gateway")?;
    let feeder = Feeder {
        story: Story::of(&args.data_dir, args.seed, args.faults, &args.incident)?,
        dir: args.data_dir.clone(),
        city: process.city(),
        gateway,
        token: made.secret,
        speed: args.speed,
        valves,
    };
    process.life.spawn("city", Duration::from_secs(1), |cancel| feeder.run(cancel));
    let wall = process.endpoints.wall.clone().unwrap_or_default();
    eprintln!(
        "\n  一屏 · the wall: {wall}/\n  data, addresses and the token: {}/endpoints.json\n  ctrl-C stops it; started again, it goes on\n",
        args.data_dir.display()
    );
    process.run().await
}

//! `yiping monitoring`: what Prometheus, Alertmanager and Grafana are told of this city.

use anyhow::Context;
use yiping_catalogue::Catalogue;
use yiping_runtime::Config;

use crate::{assembly, cli::MonitoringArgs};

pub fn monitoring(args: MonitoringArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    let files = yiping_monitoring::files(&Catalogue::builtin()?, &assembly::city(&config)?)?;
    for file in &files {
        let path = args.out.join(&file.path);
        let folder = path.parent().unwrap_or(&args.out);
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        std::fs::write(&path, &file.text).with_context(|| format!("writing {}", path.display()))?;
    }
    eprintln!("{} files in {}", files.len(), args.out.display());
    Ok(())
}

//! What is behind the only binary, `yiping`: the command line, the table of targets, and what puts a process together. It alone
//! knows all other crates; none of them knows it.
//!
//! | file | what |
//! | --- | --- |
//! | `cli.rs` | the commands and their arguments |
//! | `targets.rs` | the table of targets: what each does and needs |
//! | `assembly.rs` | a process from its targets: log, store, listeners, parts |
//! | `clickhouse.rs` | ClickHouse, the one of the settings or the embedded one |
//! | `feeds.rs` | departments' own payloads: settings made real |
//! | `keys.rs` | the gateway's keys: read, or made where that does no harm |
//! | `demo.rs`, `feeder.rs`, `story.rs` | the whole system fed by the synthetic city |
//! | `commands/` | the commands that do one thing and end |

mod assembly;
pub mod cli;
mod clickhouse;
mod commands;
mod demo;
mod feeder;
mod feeds;
mod keys;
pub mod story;
pub mod targets;

#[doc(hidden)] // for its own test: that a wrong count is seen
pub use commands::counting;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Exit codes: 0 done, 1 failed, 2 usage (clap's own), 78 bad configuration.
const BAD_CONFIGURATION: u8 = 78;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    // the embedded ClickHouse is this same program, started again by itself
    yiping_store::embedded::run_child_if_asked();
    let cli = Cli::parse();
    if let Err(error) = yiping_runtime::telemetry::init(cli.log_format, cli.log_lines()) {
        eprintln!("yiping: {error:#}");
        return ExitCode::from(2);
    }
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(faults) = error.downcast_ref::<yiping_runtime::ConfigErrors>() {
                eprintln!("yiping: {faults}");
                return ExitCode::from(BAD_CONFIGURATION);
            }
            eprintln!("yiping: {error:#}");
            // (the city's folder is configuration, too)
            if error.chain().any(|cause| cause.is::<yiping_city::CityError>()) {
                return ExitCode::from(BAD_CONFIGURATION);
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Run(args) => block_on(assembly::run(args)),
        Command::Targets => commands::targets(),
        Command::Simulate(args) => commands::simulate(args),
        Command::Replay(args) => block_on(commands::replay(args)),
        Command::Compute(args) => commands::compute(args),
        Command::Bench(args) => block_on(commands::bench(args)),
        Command::Judge(args) => commands::judge(args),
        Command::Monitoring(args) => commands::monitoring(args),
        Command::Migrate(args) => block_on(commands::migrate(args)),
        Command::Check(args) => commands::check(args),
        Command::Log(cli::LogCommand::Export(args)) => commands::log_export(args),
        Command::Heal(args) => block_on(commands::heal(args)),
        Command::Rebuild(args) => block_on(commands::rebuild(args)),
        Command::Move(args) => block_on(commands::relocate(args)),
        Command::Feed(cli::FeedCommand::Test(args)) => commands::feed_test(args),
        Command::Token(cli::TokenCommand::New(args)) => commands::token_new(args),
        Command::Key(cli::KeyCommand::New(args)) => commands::key_new(args),
        Command::Rejects(cli::RejectsCommand::List(args)) => block_on(commands::rejects_list(args)),
        Command::Rejects(cli::RejectsCommand::Show(args)) => block_on(commands::rejects_show(args)),
        Command::Rejects(cli::RejectsCommand::Replay(args)) => block_on(commands::rejects_replay(args)),
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

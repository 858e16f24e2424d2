//! The command line: parses, wires, prints, exits.
//!
//! In: arguments and the environment. Out: an exit code: 0 done, 1 failed, 2 wrong use. Never: logic worth a unit test.

mod check;
mod controllers;
mod crds;
pub mod run;

use std::{io::Write, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use crate::{
    process::{
        COMMIT, VERSION,
        otlp::Otlp,
        settings::{Environment, Flags, InvalidSetting, Settings},
        telemetry,
    },
    reconcile::prices::Prices,
};

/// Builds and watches the private path from IBM Unified Key Orchestrator to Azure Key Vault.
#[derive(Parser)]
#[command(name = "uko-operator", version = VERSION, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the operator.
    Run(Box<Flags>),
    /// Proves that an installed operator works: makes one object in mode Plan, waits for its status, deletes it.
    Check(check::Flags),
    /// Prints both CRDs as YAML: `uko-operator crds | kubectl apply -f -`.
    Crds,
    /// Prints version and commit.
    Version,
}

/// What `uko-operator` does from its first to its last line.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(Cli { command: Command::Run(flags) }) => return operate(*flags),
        Ok(Cli { command: Command::Check(flags) }) => check::check(&flags).and_then(|text| print(&text)),
        Ok(Cli { command: Command::Crds }) => crds::yaml().and_then(|text| print(&text)),
        Ok(Cli { command: Command::Version }) => print(&format!("uko-operator {VERSION} ({COMMIT})\n")),
        Err(usage) => return refuse(&usage),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fail(&fault),
    }
}

fn operate(flags: Flags) -> ExitCode {
    let settings = Settings::new(flags, &Environment::read());
    let (settings, otlp, prices) = match settings.and_then(|settings| {
        let prices = Prices::load(settings.flags.prices.as_deref())
            .map_err(|fault| InvalidSetting::new("--prices", fault.to_string()))?;
        let otlp = Otlp::new(&settings.otlp, &settings.identity)?;
        telemetry::install(settings.flags.log_format, &settings.log_level, otlp.as_ref())?;
        Ok((settings, otlp, prices))
    }) {
        Ok(prepared) => prepared,
        Err(invalid) => return refuse(&usage(&invalid)),
    };
    match run::run(settings, otlp, |operator, supervise| controllers::start(operator, prices, supervise)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            tracing::error!(cause = format!("{fault:#}"), "uko-operator ends");
            ExitCode::FAILURE
        }
    }
}

fn usage(invalid: &InvalidSetting) -> clap::Error {
    Cli::command().error(ErrorKind::ValueValidation, invalid)
}

/// clap's own code: 2 for wrong use, 0 for --help and --version.
fn refuse(usage: &clap::Error) -> ExitCode {
    let _ = usage.print(); // nobody is left to be told that standard error is closed
    u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn fail(fault: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "error: {fault:#}");
    ExitCode::FAILURE
}

/// A reader that closes early (`| head`) is not a fault worth a panic.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

//! The command line: the function's library for people at a terminal, and for scripts.

#![warn(clippy::expect_used, clippy::unwrap_used)]

mod add;
mod arguments;
mod bars;
mod check;
mod client;
mod demo;
mod doctor;
mod event;
mod failure;
mod found;
mod headers;
mod report;
mod serve;
mod show;
mod stop;
mod unit;
mod units;
mod work;

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::filter::LevelFilter;

use crate::arguments::{Arguments, Command, HeadersCommand};
use crate::failure::Failure;
use crate::stop::asked_to_stop;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // The demonstration prints what fails among the rest.
    let level = if matches!(command, Command::Demo) { LevelFilter::OFF } else { LevelFilter::WARN };
    let warnings = tracing_subscriber::fmt().with_max_level(level).without_time().with_target(false);
    warnings.with_ansi(false).with_writer(stderr).init();
    match run(command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let said = failure.to_string();
            if !said.is_empty() {
                // Nobody may read that either.
                let _ = writeln!(stderr(), "{said}");
            }
            failure.status()
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    // These two put things in order before they stop.
    let stops_itself = matches!(command, Command::Add(_) | Command::Doctor(_));
    tokio::select! {
        // First, so that a command that waits for standard input is stopped by the signal itself.
        biased;
        result = carry_out(command) => result,
        () = asked_to_stop(), if !stops_itself => Err(Failure::Stopped("stopped".to_owned())),
    }
}

async fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(add) => add::run(add).await,
        Command::Doctor(doctor) => doctor::run(doctor).await,
        Command::Check(check) => check::run(check).await,
        Command::Headers(HeadersCommand::Set { place, names, file, options, replace }) => {
            headers::set(&place, names, file.as_deref(), options, replace).await
        }
        Command::Headers(HeadersCommand::Show { place, settings }) => headers::show(&place, &settings).await,
        Command::Event { file, settings } => event::run(&file, &settings).await,
        Command::Demo => demo::run().await,
        Command::Serve { port, settings } => serve::run(port, &settings).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "unload-header", &mut script);
            Ok(stdout().write_all(&script)?)
        }
        Command::Man { command } => Ok(stdout().write_all(&man_page(&command)?)?),
    }
}

/// The man page of a command, or of all.
fn man_page(names: &[String]) -> Result<Vec<u8>, Failure> {
    let mut all = Arguments::command();
    // Names the pages of the commands, and gives them --help.
    all.build();
    let mut command = &all;
    for name in names {
        let unknown =
            || Failure::Usage(format!("{} has no command {name:?}", command.get_display_name().unwrap_or("it")));
        command = command.find_subcommand(name).ok_or_else(unknown)?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

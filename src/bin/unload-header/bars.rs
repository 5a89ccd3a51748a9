//! How far all is, on standard error: bars on a terminal, else a plain line now and then.

use std::collections::BTreeMap;
use std::io::{Write, stderr};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use unload_header::s3::Progress;

use crate::failure::Failure;
use crate::show::{self, count, size};
use crate::work::Work;

const OF_JOB: &str = "{bar:24} {bytes:>10} of {total_bytes:<10} {msg}  {prefix}";
const OF_ALL: &str = "{bar:24} {bytes:>10} of {total_bytes:<10} {bytes_per_sec}, {eta} left; {msg}";
const WITHOUT_BYTES: &str = "{msg}";
/// How often a line is written where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);
/// How often bars are drawn.
pub const TICK: Duration = Duration::from_millis(200);

pub struct Bars {
    screen: MultiProgress,
    all: ProgressBar,
    jobs: BTreeMap<u64, ProgressBar>,
    said: Instant,
}

impl Bars {
    pub fn new() -> Bars {
        let screen = MultiProgress::new();
        let all = screen.add(ProgressBar::no_length().with_style(style(OF_ALL)));
        Bars { screen, all, jobs: BTreeMap::new(), said: Instant::now() }
    }

    /// Shows how far the work is.
    pub fn show(&mut self, work: &Work<'_>, done: u64) -> Result<(), Failure> {
        let all = work.progress();
        if self.screen.is_hidden() {
            if self.said.elapsed() >= PAUSE {
                self.said = Instant::now();
                writeln!(stderr(), "{}", line(all, done))?;
            }
            return Ok(());
        }
        // Where nothing has been written, as in a dry run, there are no bytes of which some are written.
        let (template, participle) = if all.parts == 0 { (WITHOUT_BYTES, "looked at") } else { (OF_ALL, "done") };
        self.all.set_style(style(template));
        self.all.set_length(all.bytes);
        self.all.set_position(all.bytes_written);
        self.all.set_message(format!("{} {participle}", count(done, "final object")));
        let writing = work.writing();
        self.jobs.retain(|number, bar| {
            let is_writing = writing.iter().any(|(it, ..)| it == number);
            if !is_writing {
                bar.finish_and_clear();
            }
            is_writing
        });
        for (number, uri, progress) in writing {
            let bar = self.jobs.entry(number).or_insert_with(|| {
                let bar = ProgressBar::no_length().with_style(style(OF_JOB)).with_prefix(show::line(&uri.to_string()));
                self.screen.insert_before(&self.all, bar)
            });
            bar.set_length(progress.bytes);
            bar.set_position(progress.bytes_written);
            bar.set_message(format!("{} of {}", progress.parts_written, count(progress.parts, "part")));
        }
        Ok(())
    }

    /// Does something while no bar is on the screen.
    pub fn without<T>(&self, doing: impl FnOnce() -> T) -> T {
        self.screen.suspend(doing)
    }

    pub fn end(&self) {
        self.jobs.values().chain([&self.all]).for_each(ProgressBar::finish_and_clear);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn line(all: Progress, done: u64) -> String {
    let Progress { parts, parts_written, bytes, bytes_written } = all;
    let (written, bytes) = (size(bytes_written), size(bytes));
    format!(
        "{} done; {written} of {bytes}, {parts_written} of {} written",
        count(done, "final object"),
        count(parts, "part")
    )
}

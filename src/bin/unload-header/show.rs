//! What is printed of receipts and planned objects: a line or a tree for people, and a line of JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanDuration};
use serde_json::{Value, json};
use unload_header::byte_range::ByteRange;
use unload_header::copy::PlannedIntermediate;
use unload_header::copy::part::{Origin, Piece, PlannedPart};
use unload_header::copy::plan::Plan;
use unload_header::job::{AtKey, PlannedObject};
use unload_header::receipt::{ColumnsFrom, Receipt};
use unload_header::s3::Effort;
use unload_header::uri::Uri;

/// In dollars, in us-east-1 (docs/cost.md).
const PUT: f64 = 0.005 / 1_000.0;
const GET: f64 = 0.0004 / 1_000.0;

pub fn dollars(effort: Effort) -> f64 {
    effort.puts as f64 * PUT + effort.gets as f64 * GET
}

/// `5.0 MiB`.
pub fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}

/// `1 part`, `2 parts`.
pub fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// One line for people, whatever characters the keys in it have.
pub fn line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
        line
    })
}

/// A receipt as one line.
pub fn receipt(receipt: &Receipt) -> String {
    let uri = receipt.final_uri.as_deref().or(receipt.sources.first().map(String::as_str)).unwrap_or_default();
    let mut line = format!("{:<9}  {uri}", receipt.outcome.name());
    if let Some(written) = receipt.written.as_ref().filter(|written| written.parts > 0) {
        let (parts, proof) = (count(written.parts as u64, "part"), written.proof.name());
        let through = size(written.bytes_through);
        let _ = write!(
            line,
            "  {}, {through} through, {parts}, {} requests, {proof}",
            size(written.bytes),
            receipt.requests
        );
        if written.intermediates > 0 {
            let _ = write!(line, ", {}", count(written.intermediates as u64, "intermediate object"));
        }
    }
    if let Some(reason) = &receipt.reason {
        let _ = write!(line, "  ({reason})");
    }
    self::line(&line)
}

fn at_key(object: &PlannedObject) -> &'static str {
    match object.at_key {
        AtKey::Nothing => "nothing",
        AtKey::Outdated => "an older one of this job",
        AtKey::Unsealed => "an object that unload-header did not write",
    }
}

/// Where bytes of a final object come from.
fn origin(of: Origin, range: ByteRange, sources: &[Uri]) -> String {
    match of {
        Origin::Header => "header".to_owned(),
        Origin::Newline => "newline".to_owned(),
        Origin::Source(source) => format!("{} {range}", sources[source]),
    }
}

/// A planned object as a line of JSON: the fields of a receipt that are known, and the plan.
pub fn planned_json(object: &PlannedObject) -> Result<Value, serde_json::Error> {
    let plan = &object.forecast.plan;
    let sources: Vec<String> = object.sources.iter().map(Uri::to_string).collect();
    let columns_from: ColumnsFrom = object.columns_from;
    let intermediate = |it: &PlannedIntermediate| json!({"uri": it.uri.to_string(), "bytes": it.plan.length, "is_there": it.is_there, "plan": parts_json(&it.plan, &it.sources)});
    let mut json = json!({
        "final": object.target.to_string(), "sources": sources, "outcome": "planned", "at_key": at_key(object),
        "columns_from": serde_json::to_value(columns_from)?, "columns": object.columns,
        "bytes": plan.length, "bytes_through": object.effort.bytes_read, "parts": plan.parts.len(),
        "parts_resumed": object.forecast.resumed, "requests": object.effort.requests,
        "dollars": dollars(object.effort), "seconds": object.forecast.time.as_secs_f64(), "deletes": object.deletes,
        "plan": parts_json(plan, &object.forecast.sources),
    });
    if !object.forecast.intermediates.is_empty() {
        json["intermediates"] = object.forecast.intermediates.iter().map(intermediate).collect();
    }
    Ok(json)
}

fn parts_json(plan: &Plan, sources: &[Uri]) -> Vec<Value> {
    let part = |(number, part): (usize, &PlannedPart)| match part {
        PlannedPart::Upload(pieces) => {
            let pieces: Vec<String> = pieces.iter().map(|Piece { of, range }| origin(*of, *range, sources)).collect();
            json!({"part": number, "bytes": part.length(), "upload": pieces})
        }
        PlannedPart::Copy { source, range } => {
            json!({"part": number, "bytes": part.length(), "copy": origin(Origin::Source(*source), *range, sources)})
        }
    };
    (1..).zip(&plan.parts).map(part).collect()
}

/// A planned object as a tree of its parts. Parts that copy ranges of one source are told together.
pub fn planned_tree(object: &PlannedObject) -> String {
    let mut tree = format!("planned    {}\n", line(&object.target.to_string()));
    let place = object.found.as_ref().map_or("the sources themselves".to_owned(), |found| line(&found.place));
    let _ = writeln!(
        tree,
        "           {} of {place}; at the key is {}",
        count(object.columns as u64, "column"),
        at_key(object)
    );
    for PlannedIntermediate { uri, plan, sources, is_there } in &object.forecast.intermediates {
        let there = if *is_there { ", which is there already" } else { "" };
        let _ = writeln!(tree, "           by the intermediate object {uri}{there}");
        branches(&mut tree, plan, sources);
        let _ = writeln!(tree, "           and then");
    }
    branches(&mut tree, &object.forecast.plan, &object.forecast.sources);
    let mut sum = Sum::new(1);
    sum.add(object);
    let _ = write!(tree, "           {sum}");
    if object.forecast.resumed > 0 {
        let _ = write!(tree, "; {} there from a run that was stopped", count(object.forecast.resumed as u64, "part"));
    }
    tree
}

/// A line for each part.
fn branches(tree: &mut String, plan: &Plan, sources: &[Uri]) {
    let parts: Vec<(usize, &PlannedPart)> = (1..).zip(&plan.parts).collect();
    let is_same_source = |one: &PlannedPart, next: &PlannedPart| matches!((one, next), (PlannedPart::Copy { source, .. }, PlannedPart::Copy { source: other, .. }) if source == other);
    let mut groups = parts.chunk_by(|(_, one), (_, next)| is_same_source(one, next)).peekable();
    while let Some(group) = groups.next() {
        let branch = if groups.peek().is_some() { "├─" } else { "└─" };
        let bytes: u64 = group.iter().map(|(_, part)| part.length()).sum();
        let numbers = match group {
            [(first, _), .., (last, _)] => format!("{first}–{last}"),
            _ => group[0].0.to_string(),
        };
        let (how, from) = match (group[0].1, group[group.len() - 1].1) {
            (PlannedPart::Upload(pieces), _) => {
                let from = pieces.iter().map(|Piece { of, range }| origin(*of, *range, sources));
                ("upload", from.collect::<Vec<_>>().join(" + "))
            }
            (PlannedPart::Copy { source, range }, PlannedPart::Copy { range: last, .. }) => {
                let whole = ByteRange { start: range.start, end: last.end };
                ("copy", origin(Origin::Source(*source), whole, sources))
            }
            (PlannedPart::Copy { .. }, PlannedPart::Upload(_)) => continue,
        };
        let _ = writeln!(tree, "           {branch} {numbers:<9} {how:<6} {:>10}  {}", size(bytes), line(&from));
    }
}

/// What planned objects take together.
pub struct Sum {
    /// How many are done at the same time.
    jobs: u32,
    parts: u64,
    bytes: u64,
    effort: Effort,
    time: Duration,
    longest: Duration,
    deletes: u64,
}

impl Sum {
    pub fn new(jobs: u16) -> Sum {
        let (effort, time) = (Effort::default(), Duration::ZERO);
        Sum { jobs: jobs.into(), parts: 0, bytes: 0, effort, time, longest: time, deletes: 0 }
    }

    pub fn add(&mut self, object: &PlannedObject) {
        self.parts += object.forecast.plan.parts.len() as u64;
        self.bytes += object.forecast.plan.length;
        self.effort = self.effort.and(object.effort);
        self.time += object.forecast.time;
        self.longest = self.longest.max(object.forecast.time);
        self.deletes += object.deletes as u64;
    }

    /// What is asked of S3 for an object that is there already, whose sources are then deleted.
    pub fn add_idle(&mut self, effort: Effort, deletes: usize) {
        self.effort = self.effort.and(Effort { bytes_read: 0, ..effort });
        self.deletes += deletes as u64;
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sum { jobs, parts, bytes, effort, time, longest, deletes } = self;
        let through = size(effort.bytes_read);
        write!(f, "{}, {}, {through} through, {} requests", count(*parts, "part"), size(*bytes), effort.requests)?;
        write!(f, ", {:.6} $, about {}", dollars(*effort), HumanDuration((*longest).max(*time / *jobs)))?;
        if *deletes > 0 { write!(f, "; then {} deleted", count(*deletes, "source")) } else { Ok(()) }
    }
}

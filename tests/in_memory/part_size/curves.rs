//! The curves of docs/part-size.md, by the function's own model and plan. `CURVES=write` makes them anew:
//!
//! ```sh
//! CURVES=write cargo test --all-features --test in_memory part_size::curves
//! ```

use std::fmt::Write;

use unload_header::copy::part::{Origin, Piece};
use unload_header::copy::plan::{Limits, plan};

use super::{GIB, MIB, TIB};

const LIMITS: Limits = Limits::AWS;
/// In dollars: a PUT or COPY, and a second of a function of 256 MB on arm64 (docs/cost.md).
const WRITE: f64 = 0.005 / 1_000.0;
const SECOND: f64 = 0.25 * 0.000_013_333_4;
/// In pixels: a panel without its margins.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 260.0;

/// Copies of one size each, and what all of it takes with so many in flight: seconds, and parts.
fn model(size: u64, part: u64, in_flight: u64) -> Option<(f64, u64)> {
    let bytes = size - LIMITS.min_part;
    let copies = bytes.div_ceil(part);
    let each = LIMITS.time(bytes / copies).as_secs_f64();
    let rounds = copies.div_ceil(in_flight) as f64;
    (copies < LIMITS.max_parts).then_some((each * rounds + LIMITS.completion_ms as f64 / 1e3, copies + 1))
}

fn dollars((seconds, parts): (f64, u64)) -> f64 {
    (parts + 2) as f64 * WRITE + seconds * SECOND
}

/// The function's choice.
fn chosen(size: u64) -> (f64, u64) {
    let pieces = [Piece::new(Origin::Header, 0, 100), Piece::new(Origin::Source(0), 0, size)];
    let parts = plan(pieces.into_iter().flatten().collect(), &LIMITS).unwrap().parts.len() as u64;
    let part = (size - LIMITS.min_part).div_ceil(parts - 1);
    model(size, part, LIMITS.in_flight).unwrap()
}

/// Values from `from` to `to`, 24 for each power of ten.
fn steps(from: u64, to: u64) -> impl Iterator<Item = u64> {
    let number = ((to as f64 / from as f64).log10() * 24.0).ceil();
    (0..=number as u32).map(move |step| {
        let value = from as f64 * (to as f64 / from as f64).powf(f64::from(step) / number);
        (value as u64).min(to)
    })
}

fn part_sizes() -> impl Iterator<Item = u64> {
    steps(LIMITS.min_part, LIMITS.max_part)
}

fn sizes() -> impl Iterator<Item = u64> {
    steps(16 * MIB, (LIMITS.max_parts - 1) * LIMITS.max_part)
}

/// What is written at its end, and its points.
type Line = (String, Vec<(u64, f64)>);

struct Panel {
    title: &'static str,
    x: (u64, u64),
    y: (f64, f64),
    unit: &'static str,
    lines: Vec<Line>,
    /// The function's choices.
    dots: Vec<(u64, f64)>,
}

impl Panel {
    fn place(&self, (x, y): (u64, f64)) -> (f64, f64) {
        let part = |value: f64, (from, to): (f64, f64)| (value / from).ln() / (to / from).ln();
        (WIDTH * part(x as f64, (self.x.0 as f64, self.x.1 as f64)), HEIGHT * (1.0 - part(y, self.y)))
    }

    /// As SVG, with its left margin at `left`.
    fn draw(&self, left: f64) -> String {
        let mut svg = format!("<g transform=\"translate({left} 46)\">\n");
        let _ = writeln!(svg, "<text class=\"title\" x=\"0\" y=\"-18\">{}</text>", self.title);
        let mut free = f64::MIN;
        for (label, size) in TICKS.iter().filter(|(_, size)| (self.x.0..=self.x.1).contains(size)) {
            let x = self.place((*size, self.y.0)).0;
            if x > free {
                free = x + 46.0;
                let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} 0V{HEIGHT}\"/>");
                let _ =
                    writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", HEIGHT + 18.0);
            }
        }
        let mut value = self.y.0;
        while value <= self.y.1 * 1.001 {
            let y = self.place((self.x.0, value)).1;
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M0 {y:.1}H{WIDTH}\"/>");
            let _ =
                writeln!(svg, "<text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{value} {}</text>", y + 4.0, self.unit);
            value = (value * 1e7).round() / 1e6;
        }
        let mut taken: Vec<f64> = Vec::new();
        for (number, (label, points)) in self.lines.iter().enumerate() {
            let places = points.iter().map(|point| self.place(*point));
            let path: Vec<String> = places.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let _ = writeln!(svg, "<path class=\"c{number}\" d=\"M{}\"/>", path.join("L"));
            let (x, mut y) = points.last().map(|point| self.place(*point)).unwrap_or_default();
            while taken.iter().any(|other| (other - y).abs() < 13.0) {
                y += 1.0;
            }
            taken.push(y);
            let _ = writeln!(svg, "<text class=\"c{number}\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>", x + 5.0, y + 4.0);
        }
        for dot in &self.dots {
            let (x, y) = self.place(*dot);
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>");
        }
        svg + "</g>\n"
    }
}

const TICKS: [(&str, u64); 10] = [
    ("16 MiB", 16 * MIB),
    ("64 MiB", 64 * MIB),
    ("256 MiB", 256 * MIB),
    ("1 GiB", GIB),
    ("4 GiB", 4 * GIB),
    ("32 GiB", 32 * GIB),
    ("256 GiB", 256 * GIB),
    ("2 TiB", 2 * TIB),
    ("16 TiB", 16 * TIB),
    ("128 TiB", 128 * TIB),
];

/// It is read on white and on black.
const STYLE: &str = "<style>
svg { background: #fff } text { font: 12px sans-serif; fill: #333 } .title { font-size: 14px; font-weight: bold }
path { fill: none; stroke-width: 2 } .grid { stroke: #ddd; stroke-width: 1 } circle { fill: #333 }
path.c0 { stroke: #0969da } path.c1 { stroke: #bf5600 } path.c2 { stroke: #1a7f37 } path.c3 { stroke: #8250df }
text.c0 { fill: #0969da } text.c1 { fill: #bf5600 } text.c2 { fill: #1a7f37 } text.c3 { fill: #8250df }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117 } text { fill: #ccc } .grid { stroke: #30363d } circle { fill: #eee }
path.c0 { stroke: #58a6ff } path.c1 { stroke: #f0883e } path.c2 { stroke: #3fb950 } path.c3 { stroke: #bc8cff }
text.c0 { fill: #58a6ff } text.c1 { fill: #f0883e } text.c2 { fill: #3fb950 } text.c3 { fill: #bc8cff } }
</style>
";

fn svg(what: &str, left: &Panel, right: &Panel) -> String {
    let view = "viewBox=\"0 0 1080 340\" width=\"1080\" height=\"340\"";
    let head = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" {view} role=\"img\" aria-label=\"{what}\">\n");
    head + STYLE + &left.draw(80.0) + &right.draw(620.0) + "</svg>\n"
}

/// A line for each of some objects, by the size of a part, and the function's choice on it.
fn by_part(of: fn((f64, u64)) -> f64) -> (Vec<Line>, Vec<(u64, f64)>) {
    let objects = [("1 GiB", GIB), ("32 GiB", 32 * GIB), ("1 TiB", TIB), ("12 TiB", 12 * TIB)];
    let line = |(label, size): (&str, u64)| {
        let points = part_sizes().filter(|part| *part < size).filter_map(|part| {
            let taken = model(size, part, LIMITS.in_flight)?;
            Some((part, of(taken)))
        });
        (label.to_owned(), points.collect())
    };
    let dot = |(_, size): (&str, u64)| {
        let taken = chosen(size);
        ((size - LIMITS.min_part) / (taken.1 - 1), of(taken))
    };
    (objects.map(line).into(), objects.map(dot).into())
}

/// The least time of an object of this size with so many parts in flight.
fn least(size: u64, in_flight: u64) -> f64 {
    let full = (1..=32).map(|rounds| (size - LIMITS.min_part).div_ceil(rounds * in_flight));
    let parts = part_sizes().chain(full).filter(|part| (LIMITS.min_part..=LIMITS.max_part).contains(part));
    parts.filter_map(|part| model(size, part, in_flight)).map(|(seconds, _)| seconds).fold(f64::MAX, f64::min)
}

fn time() -> String {
    let (lines, dots) = by_part(|(seconds, _)| seconds);
    let title = "Time by the size of a part, 192 in flight; dots: the function";
    let left = Panel { title, x: (LIMITS.min_part, LIMITS.max_part), y: (1.0, 100_000.0), unit: "s", lines, dots };
    let line = |in_flight| {
        let points = sizes().map(|size| (size, least(size, in_flight))).collect();
        (format!("{in_flight} in flight"), points)
    };
    let dots = sizes().step_by(12).map(|size| (size, chosen(size).0)).collect();
    let title = "Least time by the size of the object; dots: the function";
    let lines = vec![line(LIMITS.in_flight), line(64), line(16), line(1)];
    let right = Panel { title, x: (16 * MIB, 64 * TIB), y: (1.0, 1_000_000.0), unit: "s", lines, dots };
    svg("Seconds by the size of a part, and by the size of the object", &left, &right)
}

fn cost() -> String {
    let (lines, dots) = by_part(dollars);
    let title = "Dollars by the size of a part, 192 in flight; dots: the function";
    let left = Panel { title, x: (LIMITS.min_part, LIMITS.max_part), y: (0.00001, 0.1), unit: "$", lines, dots };
    let points = |of: fn(u64) -> Option<f64>| sizes().filter_map(|size| Some((size, of(size)?))).collect();
    let title = "Dollars by the size of the object";
    let lines = vec![
        ("the function".to_owned(), points(|size| Some(dollars(chosen(size))))),
        ("64 MiB parts".to_owned(), points(|size| model(size, 64 * MIB, LIMITS.in_flight).map(dollars))),
        ("5 GiB parts".to_owned(), points(|size| model(size, LIMITS.max_part, LIMITS.in_flight).map(dollars))),
    ];
    let right = Panel { title, x: (16 * MIB, 64 * TIB), y: (0.00001, 0.1), unit: "$", lines, dots: Vec::new() };
    svg("Dollars by the size of a part, and by the size of the object", &left, &right)
}

#[test]
fn those_in_the_docs_are_those_of_the_plan() {
    for (name, svg) in [("part-size-time.svg", time()), ("part-size-cost.svg", cost())] {
        let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var("CURVES").is_ok_and(|it| it == "write") {
            std::fs::write(&path, &svg).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == svg, "{path} is not that of the plan: see {}", file!());
    }
}

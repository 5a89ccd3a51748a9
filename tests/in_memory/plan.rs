//! The plan keeps S3's rules and, with scaled-down limits, is as good as exhaustive search finds.

use std::collections::HashMap;

use proptest::prelude::*;
use unload_header::copy::part::{Origin, Piece, PlannedPart};
use unload_header::copy::plan::{Limits, Plan, PlanError, plan};

const MIB: u64 = 1 << 20;
/// 48.82 TiB: one part carries the header, and all others are copies.
const LARGEST: u64 = (Limits::AWS.max_parts - 1) * Limits::AWS.max_part;
pub const SMALL: Limits = Limits {
    min_part: 5,
    max_part: 40,
    max_parts: 1_000,
    max_object: 40_000,
    upload: 10,
    in_flight: 4,
    in_flight_bytes: 120,
    fixed_ms: 10,
    bytes_per_ms: 1,
    completion_ms: 0,
    spare_ms: 0,
};

/// A header, and sources of which so many bytes are cut off, with a newline behind or without.
pub fn line_of(header: u64, sources: &[(u64, u64, bool)]) -> Vec<Piece> {
    let mut line: Vec<Piece> = Piece::new(Origin::Header, 0, header).into_iter().collect();
    for (index, (cut, rows, newline)) in sources.iter().enumerate() {
        line.extend(Piece::new(Origin::Source(index), *cut, cut + rows));
        line.extend(newline.then(|| Piece::new(Origin::Newline, 0, 1)).flatten());
    }
    line
}

pub fn line(header: u64, sources: &[u64]) -> Vec<Piece> {
    let sources: Vec<_> = sources.iter().map(|size| (0, *size, false)).collect();
    line_of(header, &sources)
}

/// Says what is wrong with the plan, by S3's rules; and returns the bytes that it uploads.
fn check(line: &[Piece], limits: &Limits) -> u64 {
    let plan = plan(line.to_vec(), limits).unwrap();
    obeys(&plan, line, limits);
    plan.uploaded()
}

fn source_of(piece: &Piece) -> Option<usize> {
    if let Origin::Source(source) = piece.of { Some(source) } else { None }
}

/// Whether a plan is one of these pieces, by S3's rules.
pub fn obeys(plan: &Plan, line: &[Piece], limits: &Limits) {
    let count = plan.parts.len();
    assert!(count as u64 <= limits.max_parts);
    let sizes: HashMap<usize, u64> = line.iter().filter_map(|it| Some((source_of(it)?, it.range.end))).collect();
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, part) in plan.parts.iter().enumerate() {
        assert!(part.length() <= limits.max_part && part.length() > 0, "{plan}");
        assert!(part.length() >= limits.min_part || index + 1 == count, "{plan}");
        match part {
            PlannedPart::Upload(uploaded) => {
                assert!(part.length() <= limits.upload, "what is held at a time: {plan}");
                pieces.extend(uploaded);
            }
            PlannedPart::Copy { source, range } => {
                let (of, size) = (Origin::Source(*source), sizes[source]);
                assert!(range.length() == size || size > limits.min_part, "{plan}");
                pieces.push(Piece { of, range: *range });
            }
        }
    }
    // All bytes, once, in order.
    let (mut expected, mut at) = (line.iter().peekable(), None);
    for piece in pieces {
        let whole = expected.peek().unwrap();
        assert_eq!((piece.of, piece.range.start), (whole.of, at.unwrap_or(whole.range.start)), "{plan}");
        at = Some(piece.range.end);
        if expected.next_if(|whole| whole.range.end == piece.range.end).is_some() {
            at = None;
        }
    }
    assert_eq!((expected.next(), at), (None, None), "{plan}");
}

/// The fewest bytes that any valid plan uploads: the least over all ways to cut the line into parts.
pub fn fewest(line: &[Piece], min_part: u64) -> u64 {
    // Each byte's piece and place in it.
    let bytes: Vec<(&Piece, u64)> =
        line.iter().flat_map(|piece| (piece.range.start..piece.range.end).map(move |at| (piece, at))).collect();
    let length = bytes.len();
    // best[at]: the fewest bytes uploaded of those from `at` on, if a part begins there.
    let mut best = vec![u64::MAX; length + 1];
    best[length] = 0;
    for at in (0..length).rev() {
        for end in at + 1..=length {
            let size = (end - at) as u64;
            if (size < min_part && end < length) || best[end] == u64::MAX {
                continue;
            }
            let (piece, _) = bytes[at];
            let of_one_source = matches!(piece.of, Origin::Source(_)) && bytes[end - 1].0.of == piece.of;
            let copies = of_one_source && (size == piece.range.end || piece.range.end > min_part);
            best[at] = best[at].min(best[end] + if copies { 0 } else { size });
        }
    }
    best[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn uploads_the_fewest_bytes_possible(
        header in 0_u64..8,
        sources in prop::collection::vec((prop_oneof![Just(0), 0_u64..7], 0_u64..25, prop::bool::weighted(0.2)), 0..9),
    ) {
        let line = line_of(header, &sources);
        prop_assert_eq!(check(&line, &SMALL), fewest(&line, SMALL.min_part));
    }

    /// Where the parts are just enough, or all but, there is a plan whenever copies alone allow one, and it
    /// is the least one.
    #[test]
    fn few_parts_are_enough(sources in prop::collection::vec(0_u64..25, 0..12), max_parts in 3_u64..10) {
        let limits = Limits { max_parts, ..SMALL };
        let line = line(3, &sources);
        let enough = plan(line.clone(), &SMALL).unwrap().parts.len() as u64 <= max_parts;
        match plan(line.clone(), &limits) {
            Ok(_) => prop_assert_eq!(check(&line, &limits), fewest(&line, SMALL.min_part)),
            Err(error) => prop_assert!(!enough, "{error}"),
        }
    }

    #[test]
    fn obeys_s3_for_one_source_of_any_size(header in 0..200_000_u64, size in prop_oneof![0..40 * MIB, 0..=LARGEST]) {
        check(&line(header, &[size]), &Limits::AWS);
    }

    #[test]
    fn obeys_s3_for_many_sources(header in 0..200_000_u64, sources in prop::collection::vec(0..40 * MIB, 0..200)) {
        let line = line(header, &sources);
        check(&line, &Limits::AWS);
        let uploads = plan(line, &Limits::AWS).unwrap().parts.into_iter().filter(|part| matches!(part, PlannedPart::Upload(_)));
        prop_assert!(uploads.map(|part| part.length()).max() <= Some(Limits::AWS.upload), "parts are not scarce");
    }
}

#[test]
fn a_small_object_is_one_put() {
    for size in [0, 1, 5 * MIB - 100, 5 * MIB] {
        let plan = plan(line(100, &[size]), &Limits::AWS).unwrap();
        assert!(matches!(plan.parts[..], [PlannedPart::Upload(_)]), "{size}: {plan}");
    }
}

#[test]
fn one_byte_more_is_a_copy() {
    let plan = plan(line(100, &[5 * MIB + 1]), &Limits::AWS).unwrap();
    assert_eq!(
        plan.to_string(),
        "    1  upload  header bytes=0-99 + source 0 bytes=0-5242779\n    2  copy    source 0 bytes=5242780-5242880\n"
    );
}

#[test]
fn the_least_part_is_uploaded_whatever_the_size() {
    for size in [6 * MIB, 100 * MIB, 1 << 30, 10 << 30, 6 << 40, 48 << 40] {
        assert_eq!(plan(line(1_000, &[size]), &Limits::AWS).unwrap().uploaded(), 5 * MIB, "{size}");
    }
}

#[test]
fn parts_grow_with_the_object_as_the_measured_speed_wants() {
    let parts = |size| plan(line(100, &[size]), &Limits::AWS).unwrap().parts.len();
    assert_eq!([16 * MIB, 100 * MIB, 1 << 30, 10 << 30, 320 << 30, 1 << 40].map(parts), [2, 4, 27, 120, 185, 748]);
    assert_eq!(parts(48 << 40), 9_832);
}

/// A hundredth of what S3 takes: docs/semantics.md says that a hundred events at once are no more.
#[test]
fn an_object_makes_thirty_five_copies_a_second_at_most() {
    let mut size = 16 * MIB;
    while size < LARGEST {
        let plan = plan(line(100, &[size]), &Limits::AWS).unwrap();
        let longest = plan.parts.iter().map(PlannedPart::length).max().unwrap();
        let in_flight = (plan.parts.len() as u64 - 1).min(Limits::AWS.in_flight);
        let a_second = in_flight as f64 / Limits::AWS.time(longest).as_secs_f64();
        assert!(a_second <= 35.0, "{size}: {a_second}");
        size += size / 10;
    }
}

/// 320 GiB: S3 copies them within a call, if it copies 400 MiB a second in all.
#[test]
fn no_more_bytes_are_in_flight_at_first_than_end_in_a_call() {
    assert_eq!([5 * MIB, 1 << 30, 2 << 30, 5 << 30].map(|part| Limits::AWS.at_once(part)), [192, 192, 160, 64]);
}

/// Whole copies of objects of 1, 2, 3, 5 and 10 GiB (`awslabs/aws-c-s3#288`, 2023; each the mean of three), in seconds, by
/// the size of their parts in MiB.
const PUBLISHED: [(f64, [f64; 5]); 5] = [
    (64.0, [3.60, 3.02, 2.69, 3.69, 5.84]),
    (128.0, [4.15, 3.69, 4.03, 3.69, 4.82]),
    (256.0, [5.54, 6.70, 6.04, 5.71, 5.92]),
    (512.0, [8.53, 9.06, 9.10, 9.07, 11.45]),
    (1_024.0, [15.57, 16.76, 15.77, 13.87, 17.24]),
];

/// A fixed time in seconds and MiB a second, each with its standard error, by least squares; and the residual error in
/// seconds.
fn fitted(points: &[(f64, f64)]) -> ((f64, f64), (f64, f64), f64) {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let squares: f64 = points.iter().map(|(it, _)| (it - x).powi(2)).sum();
    let slope = points.iter().map(|(it, time)| (it - x) * (time - y)).sum::<f64>() / squares;
    let fixed = y - slope * x;
    let rest: f64 = points.iter().map(|(it, time)| (time - fixed - slope * it).powi(2)).sum();
    let error = (rest / (n - 2.0)).sqrt();
    let (of_slope, of_fixed) = (error / squares.sqrt(), error * (1.0 / n + x * x / squares).sqrt());
    ((fixed, of_fixed), (1.0 / slope, of_slope / slope / slope), error)
}

/// Up to 5 GiB, at most 80 parts were in flight at once, and only their size made a difference. How many were in flight of
/// 10 GiB is not told.
#[test]
fn the_speed_is_fitted_to_the_published_times() {
    let points = |objects: usize| -> Vec<(f64, f64)> {
        PUBLISHED.iter().flat_map(|(part, times)| times[..objects].iter().map(move |time| (*part, *time))).collect()
    };
    let ((fixed, of_fixed), (speed, of_speed), error) = fitted(&points(4));
    println!("{fixed:.2} s ± {of_fixed:.2}, {speed:.1} MiB/s ± {of_speed:.1}; {error:.2} s");
    let (fixed_ms, mib) = (Limits::AWS.fixed_ms as f64 / 1e3, Limits::AWS.bytes_per_ms as f64 * 1e3 / MIB as f64);
    assert!((fixed - fixed_ms).abs() < 0.01 && (speed - mib).abs() < 0.5, "{fixed} s, {speed} MiB/s");
    assert!((of_fixed - 0.21).abs() < 0.01 && (of_speed - 2.4).abs() < 0.1 && (error - 0.61).abs() < 0.01);
    let ((fixed, _), (speed, _), error) = fitted(&points(5));
    println!("with 10 GiB: {fixed:.2} s, {speed:.1} MiB/s; {error:.2} s");
    assert!(
        (fixed - fixed_ms).abs() < 0.3 && (speed - mib).abs() < 1.0,
        "{fixed} s, {speed} MiB/s with those of 10 GiB"
    );
}

#[test]
fn sources_lend_to_each_other() {
    let uploaded = |sources: &[u64]| plan(line(0, sources), &Limits::AWS).unwrap().uploaded();
    assert_eq!(uploaded(&[100 * MIB, 1, 100 * MIB]), 5 * MIB);
    assert_eq!(uploaded(&[100 * MIB, 0, 100 * MIB]), 0);
    assert_eq!(uploaded(&[6 * MIB, 2 * MIB, 7 * MIB]), 5 * MIB, "one lends a MiB and the other two");
    assert_eq!(uploaded(&[100 * MIB, 3 * MIB]), 0, "the last part has no minimum");
}

/// In the last 5 GiB below S3's own limit, the parts would be enough only if gigabytes went through the
/// function.
#[test]
fn the_largest_source_leaves_a_part_for_the_header() {
    let tib_48_8 = 488 * (1 << 40) / 10;
    check(&line(100, &[tib_48_8]), &Limits::AWS);
    check(&line(100, &[LARGEST]), &Limits::AWS);
    let error = PlanError::TooManyParts { parts: 10_001, allowed: 10_000 };
    assert_eq!(plan(line(100, &[LARGEST + 5 * MIB]), &Limits::AWS), Err(error));
}

#[test]
fn refuses_what_s3_cannot_hold() {
    let largest = Limits::AWS.max_object;
    assert_eq!(
        plan(line(1, &[largest]), &Limits::AWS),
        Err(PlanError::TooLarge { length: largest + 1, allowed: largest })
    );
    let error = PlanError::TooManyParts { parts: 10_001, allowed: 10_000 };
    assert_eq!(plan(line(100, &vec![64 * MIB; 10_000]), &Limits::AWS), Err(error));
}

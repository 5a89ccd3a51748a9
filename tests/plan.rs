//! The plan, held against S3's rules and, at scaled-down limits, against exhaustive search.

use proptest::prelude::*;
use unload_header::copy::plan::{Limits, Origin, Part, Piece, PlanError, S3, plan};

const MIB: u64 = 1 << 20;
/// 48.82 TiB: one part carries the header, and all others are copies.
const LARGEST: u64 = (S3.max_parts - 1) * S3.max_part;
const SMALL: Limits = Limits {
    min_part: 5,
    max_part: 40,
    max_parts: 1_000,
    max_object: 40_000,
    in_flight: 4,
    fixed_ms: 10,
    bytes_per_ms: 1,
};

/// Says what is wrong with a plan, by S3's rules.
fn check(header: u64, sources: &[u64], limits: &Limits) {
    let plan = plan(header, sources, limits).unwrap();
    let count = plan.parts.len();
    assert!(count as u64 <= limits.max_parts);
    let mut line: Vec<Piece> = Vec::new();
    for (index, part) in plan.parts.iter().enumerate() {
        assert!(part.length() <= limits.max_part && part.length() > 0, "{plan}");
        assert!(part.length() >= limits.min_part || index + 1 == count, "{plan}");
        match part {
            Part::Upload(pieces) => line.extend(pieces),
            Part::Copy { source, range } => {
                let whole = range.length() == sources[*source];
                assert!(whole || sources[*source] > limits.min_part, "{plan}");
                line.push(Piece { of: Origin::Source(*source), range: *range });
            }
        }
    }
    // All bytes, once, in order.
    let mut expected = std::iter::once((Origin::Header, header))
        .chain(sources.iter().enumerate().map(|(index, length)| (Origin::Source(index), *length)))
        .filter(|(_, length)| *length > 0);
    let (mut current, mut at) = (expected.next(), 0);
    for piece in line {
        let (of, length) = current.unwrap();
        assert_eq!((piece.of, piece.range.start), (of, at), "{plan}");
        at = piece.range.end;
        if at == length {
            (current, at) = (expected.next(), 0);
        }
    }
    assert_eq!(current, None, "{plan}");
}

/// The fewest bytes that any valid plan uploads: the least over all ways to cut the line into parts.
fn fewest(header: u64, sources: &[u64], min_part: u64) -> u64 {
    let owner: Vec<Option<usize>> = std::iter::repeat_n(None, header as usize)
        .chain(
            sources.iter().enumerate().flat_map(|(index, length)| std::iter::repeat_n(Some(index), *length as usize)),
        )
        .collect();
    let length = owner.len();
    // best[at]: the fewest bytes uploaded of those from `at` on, if a part begins there.
    let mut best = vec![u64::MAX; length + 1];
    best[length] = 0;
    for at in (0..length).rev() {
        for end in at + 1..=length {
            let size = (end - at) as u64;
            if (size < min_part && end < length) || best[end] == u64::MAX {
                continue;
            }
            let one_source = owner[at].filter(|source| owner[end - 1] == Some(*source));
            let copies = one_source.is_some_and(|source| size == sources[source] || sources[source] > min_part);
            best[at] = best[at].min(best[end] + if copies { 0 } else { size });
        }
    }
    best[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn uploads_the_fewest_bytes_possible(header in 0_u64..8, sources in prop::collection::vec(0_u64..25, 0..9)) {
        check(header, &sources, &SMALL);
        prop_assert_eq!(plan(header, &sources, &SMALL).unwrap().uploaded(), fewest(header, &sources, SMALL.min_part));
    }

    #[test]
    fn obeys_s3_for_one_source_of_any_size(header in 0..200_000_u64, size in prop_oneof![0..40 * MIB, 0..=LARGEST]) {
        check(header, &[size], &S3);
    }
}

#[test]
fn a_small_object_is_one_put() {
    for size in [0, 1, 5 * MIB - 100, 5 * MIB] {
        let plan = plan(100, &[size], &S3).unwrap();
        assert!(matches!(plan.parts[..], [Part::Upload(_)]), "{size}: {plan}");
    }
}

#[test]
fn one_byte_more_is_a_copy() {
    let plan = plan(100, &[5 * MIB + 1], &S3).unwrap();
    assert_eq!(
        plan.to_string(),
        "    1  upload  header bytes=0-99 + source 0 bytes=0-5242779\n    2  copy    source 0 bytes=5242780-5242880\n"
    );
}

#[test]
fn five_mebibytes_pass_through_whatever_the_size() {
    for size in [6 * MIB, 100 * MIB, 1 << 30, 10 << 30, 6 << 40, 48 << 40] {
        assert_eq!(plan(1_000, &[size], &S3).unwrap().uploaded(), 5 * MIB, "{size}");
    }
}

#[test]
fn parts_grow_with_the_object_as_the_measured_speed_wants() {
    let parts = |size| plan(100, &[size], &S3).unwrap().parts.len();
    assert_eq!([100 * MIB, 1 << 30, 10 << 30, 320 << 30].map(parts), [5, 29, 55, 65]);
    assert_eq!(parts(48 << 40), 9_832);
}

#[test]
fn sources_lend_to_each_other() {
    let uploaded = |sources: &[u64]| plan(0, sources, &S3).unwrap().uploaded();
    assert_eq!(uploaded(&[100 * MIB, 1, 100 * MIB]), 5 * MIB);
    assert_eq!(uploaded(&[100 * MIB, 0, 100 * MIB]), 0);
    assert_eq!(uploaded(&[6 * MIB, 2 * MIB, 7 * MIB]), 5 * MIB, "one lends a MiB and the other two");
    assert_eq!(uploaded(&[100 * MIB, 3 * MIB]), 0, "the last part has no minimum");
}

/// In the last 10 GiB below S3's own limit, the parts would be enough only if gigabytes went through the
/// function.
#[test]
fn the_largest_source_leaves_a_part_for_the_header() {
    let tib_48_8 = 488 * (1 << 40) / 10;
    check(100, &[tib_48_8], &S3);
    check(100, &[LARGEST], &S3);
    let error = PlanError::TooManyParts { parts: 10_000, allowed: 9_999 };
    assert_eq!(plan(100, &[LARGEST + 5 * MIB], &S3), Err(error));
}

#[test]
fn refuses_what_s3_cannot_hold() {
    let largest = S3.max_object;
    assert_eq!(plan(1, &[largest], &S3), Err(PlanError::TooLarge { length: largest + 1, allowed: largest }));
    assert_eq!(plan(0, &vec![7 * MIB; 10_000], &S3), Err(PlanError::TooManyParts { parts: 10_000, allowed: 9_999 }));
}

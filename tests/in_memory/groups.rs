//! Which sources go by intermediate objects, where they are more than parts: the plans keep S3's rules, no byte more
//! passes through the function, and the fewest bytes are copied twice.

use proptest::prelude::*;
use unload_header::copy::groups::{Grouping, grouped};
use unload_header::copy::part::{Origin, Piece, PlannedPart};
use unload_header::copy::plan::{Limits, PlanError};

use crate::plan::{SMALL, fewest, line, line_of, obeys};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The line of each intermediate object, and that of the final one, in which they are sources.
fn lines(line: &[Piece], grouping: &Grouping) -> (Vec<Vec<Piece>>, Vec<Piece>) {
    let mut of_groups = vec![Vec::new(); grouping.groups.len()];
    let (mut last, mut source) = (Vec::new(), 0);
    for piece in line {
        if let Origin::Source(index) = piece.of {
            source = index;
        }
        let is_of = |range: &std::ops::Range<usize>| range.contains(&source);
        let group = grouping.groups.iter().position(|group| is_of(&group.sources));
        let counted = |from: usize| match piece.of {
            Origin::Source(index) => Piece { of: Origin::Source(index - from), range: piece.range },
            _ => *piece,
        };
        match group {
            Some(group) => {
                let first: &mut Vec<Piece> = &mut of_groups[group];
                if first.is_empty() {
                    let before: usize = grouping.groups[..group].iter().map(|it| it.sources.len() - 1).sum();
                    let of = Origin::Source(grouping.groups[group].sources.start - before);
                    last.extend(Piece::new(of, 0, grouping.groups[group].plan.length));
                }
                first.push(counted(grouping.groups[group].sources.start));
            }
            None => {
                let before = grouping.groups.iter().filter(|group| group.sources.end <= source);
                last.push(counted(before.map(|group| group.sources.len() - 1).sum()));
            }
        }
    }
    (of_groups, last)
}

/// Says what is wrong with a grouping, by S3's rules.
fn check(line: &[Piece], limits: &Limits) -> Result<Grouping, PlanError> {
    let grouping = grouped(line, limits)?;
    let (of_groups, last) = lines(line, &grouping);
    for (group, line) in grouping.groups.iter().zip(&of_groups) {
        obeys(&group.plan, line, limits);
        assert!(group.plan.parts.len() > 1 && group.plan.length > limits.min_part, "{}", group.plan);
    }
    obeys(&grouping.last, &last, limits);
    Ok(grouping)
}

/// The bytes of the intermediate objects.
fn copied_twice(grouping: &Grouping) -> u64 {
    grouping.groups.iter().map(|group| group.plan.length).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Slices of any size, with headers cut off and newlines added.
    #[test]
    fn no_byte_more_passes_through(
        header in 0_u64..8,
        sources in prop::collection::vec((prop_oneof![Just(0), 0_u64..7], 0_u64..30, prop::bool::weighted(0.2)), 0..30),
        max_parts in 3_u64..9,
    ) {
        let limits = Limits { max_parts, ..SMALL };
        let line = line_of(header, &sources);
        if let Ok(grouping) = check(&line, &limits) {
            prop_assert_eq!(grouping.uploaded(), fewest(&line, SMALL.min_part));
        }
    }

    /// Large slices: what is refused is what S3 can't hold, but for less than a part at each border.
    #[test]
    fn what_s3_can_hold_is_not_refused(sources in prop::collection::vec(10_u64..200, 1..60), max_parts in 4_u64..20) {
        let limits = Limits { max_parts, ..SMALL };
        let line = line(3, &sources);
        let length: u64 = line.iter().map(Piece::length).sum();
        let parts = 2 + sources.iter().map(|size| size.div_ceil(limits.max_part)).sum::<u64>();
        match check(&line, &limits) {
            Ok(grouping) => prop_assert_eq!(grouping.uploaded(), limits.min_part),
            Err(error) => {
                let groups = parts.div_ceil(max_parts) * 2;
                prop_assert!(length.div_ceil(limits.max_part) + groups > max_parts, "{} {:?}", error, sources);
            }
        }
    }

    /// One intermediate object, held against every stretch of whole slices that would do.
    #[test]
    fn the_fewest_bytes_are_copied_twice(sources in prop::collection::vec(10_u64..40, 12..40), more in 1_usize..5) {
        // The first part has the header and the beginning of the first slice.
        let max_parts = (sources.len() + 1 - more) as u64;
        let limits = Limits { max_parts, ..SMALL };
        let mut least = u64::MAX;
        for from in 1..sources.len() {
            for to in from + 1..=sources.len().min(from + max_parts as usize) {
                let bytes: u64 = sources[from..to].iter().sum();
                if (to - from) as u64 - bytes.div_ceil(limits.max_part) >= more as u64 {
                    least = least.min(bytes);
                }
            }
        }
        match check(&line(3, &sources), &limits) {
            Ok(grouping) => prop_assert!(copied_twice(&grouping) <= least, "{} {least}", copied_twice(&grouping)),
            Err(error) => prop_assert_eq!(least, u64::MAX, "{}", error),
        }
    }
}

#[test]
fn ten_thousand_parts_need_no_intermediate_object() {
    for (size, count) in [(64 * MIB, 9_999), (5 * MIB, 10_000), (6_200_000_000, 1_000)] {
        assert!(check(&line(100, &vec![size; count]), &Limits::AWS).unwrap().groups.is_empty(), "{count} of {size}");
    }
}

/// A header and 10,001 slices are 10,002 parts. So the header and the first two slices, which are three of them, become one.
#[test]
fn only_as_many_slices_as_must_go_by_intermediate_objects() {
    let grouping = check(&line(100, &vec![64 * MIB; 10_001]), &Limits::AWS).unwrap();
    let [group] = &grouping.groups[..] else { panic!("{:?}", grouping.groups) };
    assert_eq!((group.sources.clone(), group.plan.length, grouping.last.parts.len()), (0..2, 128 * MIB + 100, 10_000));
    assert_eq!(grouping.uploaded(), 5 * MIB);
    // Where one small slice is among them, it is there.
    let mut sizes = vec![64 * MIB; 10_001];
    sizes[5_000..5_004].fill(6 * MIB);
    let grouping = check(&line(100, &sizes), &Limits::AWS).unwrap();
    assert_eq!(grouping.groups[0].sources, 5_000..5_003);
}

#[test]
fn many_slices_take_few_intermediate_objects() {
    for (size, count, groups) in [
        (64 * MIB, 20_000, 2),
        (64 * MIB, 100_000, 10),
        (5 * MIB, 200_000, 20),
        (488 * MIB, 100_000, 10),
        (48 * MIB, 1_000_000, 100),
    ] {
        let grouping = check(&line(100, &vec![size; count]), &Limits::AWS).unwrap();
        let of = |bytes: u64| bytes as f64 / GIB as f64;
        println!(
            "{count} slices of {} MiB: {} intermediate objects of {:.0} GiB, {} parts in all; {:.0} GiB copied once",
            size / MIB,
            grouping.groups.len(),
            of(copied_twice(&grouping)),
            grouping.parts(),
            of(grouping.length() - 2 * copied_twice(&grouping)),
        );
        assert_eq!(grouping.groups.len(), groups, "{count} of {size}");
        assert!((5 * MIB..6 * MIB).contains(&grouping.uploaded()));
    }
}

/// Slices of 6.2 GB, UNLOAD's largest, take two parts each: 8,000 of them are 49.6 TB.
#[test]
fn large_slices_that_take_two_parts_each_are_put_together_as_well() {
    let grouping = check(&line(100, &[6_200_000_000; 8_000]), &Limits::AWS).unwrap();
    assert!(grouping.groups.len() <= 2 && grouping.last.parts.len() <= 10_000);
}

#[test]
fn what_s3_cannot_hold_is_refused() {
    let too_large = vec![6_200_000_000; 8_660];
    assert!(matches!(grouped(&line(100, &too_large), &Limits::AWS), Err(PlanError::TooLarge { .. })));
    // In the last 5 GiB below its limit, where all parts would have to be full, it depends on the sizes.
    let mut full = vec![5 * GIB; 10_000];
    full[9_999] -= 100;
    let error = PlanError::TooManyParts { parts: 10_001, allowed: 10_000 };
    assert_eq!(grouped(&line(100, &full), &Limits::AWS), Err(error));
    assert!(check(&line(100, &full[..9_999]), &Limits::AWS).unwrap().groups.is_empty());
    assert!(check(&line(100, &[5 * GIB - 1; 10_000]), &Limits::AWS).is_ok());
}

/// Each is an upload of its own before, since nothing of it can be copied.
#[test]
fn small_slices_pass_through_once() {
    let sizes = vec![5_000_000; 30_000];
    let grouping = check(&line(100, &sizes), &Limits::AWS).unwrap();
    assert_eq!(grouping.uploaded(), 100 + 5_000_000 * 30_000 - 5_000_000, "all but the last, which has no minimum");
    let copies = |part: &&PlannedPart| matches!(part, PlannedPart::Copy { .. });
    let copied = grouping.groups.iter().flat_map(|group| &group.plan.parts).filter(copies).count();
    assert!(copied <= 1, "{copied}");
}

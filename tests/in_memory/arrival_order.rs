//! In whatever order the objects of an unload arrive, and however often their events do, the final
//! objects are the same.

use local_s3::store::Headers;
use local_s3::{Content, Object};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use support::{World, is_exhaustive, rows, sample};

/// All that an unload, and the app that began it, may write. Each place that names columns has other names.
fn objects(sidecar: bool, of_slice: bool, manifest: bool) -> Vec<(&'static str, Object)> {
    let slices = ["unload/q_0000_part_00", "unload/q_0001_part_00", "unload/q_0002_part_00"];
    let entries: Vec<String> =
        slices.iter().map(|slice| format!(r#"{{"url":"s3://bucket/{slice}","mandatory":true}}"#)).collect();
    let schema = r#"{"elements":[{"name":"m1"},{"name":"m2"},{"name":"m3"}]}"#;
    let verbose = format!(r#"{{"entries":[{}],"schema":{schema}}}"#, entries.join(","));
    let mut objects =
        vec![(slices[0], Object::new("1|a|b\n")), (slices[1], Object::new("")), (slices[2], Object::new(rows(1_000)))];
    objects.extend(sidecar.then(|| ("unload/q_.headers", Object::new("s1,s2,s3"))));
    objects.extend(of_slice.then(|| ("unload/q_0001_part_00.headers", Object::new("o1,o2,o3"))));
    objects.extend(manifest.then(|| ("unload/q_manifest", Object::new(verbose))));
    objects
}

/// Objects arrive, and events are delivered, in the order of `steps`, each of which names an object:
/// the first time it arrives, then its event does. An event that failed comes again, as Lambda sees to,
/// when the others are done.
async fn finals(
    variables: &[(&str, &str)],
    objects: &[(&'static str, Object)],
    steps: &[usize],
) -> Vec<(String, Content, Headers)> {
    let world = World::in_memory().await;
    let local = world.local();
    let mut delivered = vec![0; objects.len()];
    let mut failed = Vec::new();
    for object in steps.iter().copied() {
        let (key, stored) = &objects[object];
        if local.get("bucket", key).is_none() {
            local.put("bucket", key, stored.clone());
            continue;
        }
        delivered[object] += 1;
        failed.extend(world.run(variables, &[key]).await.is_err().then_some(*key));
    }
    assert!(delivered.iter().all(|times| *times > 0), "each event is delivered once at least");
    for key in failed {
        world.run(variables, &[key]).await.unwrap();
    }
    assert!(local.uploads().is_empty());
    let finals = local.keys("bucket").into_iter().filter(|key| key.starts_with("final/"));
    let stored = finals.map(|key| (local.get("bucket", &key).unwrap(), key));
    // The seal of an unload's object names its manifest by ETag and time of arrival: other times, other seals.
    let timeless = |mut headers: Headers| {
        let seal = headers.metadata.get_mut("unload-header").unwrap();
        *seal = seal.split(" manifest=").next().unwrap().to_owned();
        headers
    };
    stored.map(|(object, key)| (key, object.content, timeless(object.headers))).collect()
}

/// What the steps leave out follows at the end.
fn with_the_rest(objects: &[(&'static str, Object)], steps: Vec<usize>) -> Vec<usize> {
    steps.into_iter().chain((0..objects.len()).flat_map(|object| [object, object])).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// 240 orders, 40 for each set of places; 60 in a sample.
#[test]
fn the_final_objects_are_the_same() {
    for (sidecar, of_slice, manifest) in [
        (true, false, false),
        (true, true, false),
        (true, false, true),
        (true, true, true),
        (false, false, true),
        (false, true, true),
    ] {
        let objects = objects(sidecar, of_slice, manifest);
        let expected = block_on(finals(&[], &objects, &with_the_rest(&objects, Vec::new())));
        assert_eq!(expected.len(), 3);
        let cases = if is_exhaustive() { 40 } else { 10 };
        let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
        let mut orders = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let steps = proptest::collection::vec(0..objects.len(), 0..30);
        let same = |steps: Vec<usize>| {
            let steps = with_the_rest(&objects, steps);
            prop_assert!(block_on(finals(&[], &objects, &steps)) == expected, "{steps:?}");
            Ok(())
        };
        orders.run(&steps, same).unwrap();
    }
}

#[test]
fn the_nearest_place_names_the_columns() {
    let names = |sidecar, of_slice, manifest| {
        let objects = objects(sidecar, of_slice, manifest);
        let finals = block_on(finals(&[], &objects, &with_the_rest(&objects, Vec::new())));
        let name = |content: &Content| String::from_utf8(content.slice(0, 2).to_bytes().to_vec()).unwrap();
        finals.iter().map(|(_, content, _)| name(content)).collect::<Vec<_>>()
    };
    assert_eq!(names(false, false, true), ["m1", "m1", "m1"]);
    assert_eq!(names(true, false, true), ["s1", "s1", "s1"]);
    assert_eq!(names(true, true, true), ["s1", "o1", "s1"]);
}

fn permutations(of: Vec<usize>) -> Vec<Vec<usize>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let mut rest = of.clone();
        let first = rest.remove(at);
        permutations(rest).into_iter().map(move |rest| [vec![first], rest].concat())
    };
    (0..of.len()).flat_map(first).collect()
}

/// OUTPUT=single: a sidecar, three slices and a manifest in all 120 orders, each of them with every event
/// once and twice, right behind its object's arrival or, as far as events can lag, behind all arrivals. A sample has
/// every seventh of these: each of the four ways with orders of its own.
#[test]
fn one_object_whatever_arrives_first() {
    const SINGLE: [(&str, &str); 1] = [("OUTPUT", "single")];
    for verbose in [true, false] {
        let mut objects = objects(true, false, true);
        if !verbose {
            let (key, object) = objects.pop().unwrap();
            let text = String::from_utf8(object.content.to_bytes().to_vec()).unwrap();
            let entries = text.split(r#","schema""#).next().unwrap();
            objects.push((key, Object::new(format!("{entries}}}"))));
        }
        let expected = block_on(finals(&SINGLE, &objects, &with_the_rest(&objects, Vec::new())));
        assert_eq!(expected.len(), 1);
        assert_eq!(expected[0].0, "final/q.csv");
        assert!(expected[0].1.slice(0, 15).to_bytes()[..] == *b"s1|s2|s3\n1|a|b\n");
        let orders = permutations((0..objects.len()).collect());
        assert_eq!(orders.len(), 120);
        let ways = orders.iter().flat_map(|order| {
            [1, 2].into_iter().flat_map(move |times| {
                // The first mention is the arrival, each one more is an event.
                let at_once: Vec<usize> =
                    order.iter().flat_map(|object| std::iter::repeat_n(*object, times + 1)).collect();
                let later: Vec<usize> = order.iter().copied().cycle().take(5 * (times + 1)).collect();
                [at_once, later]
            })
        });
        for steps in sample(ways, 7) {
            assert!(block_on(finals(&SINGLE, &objects, &steps)) == expected, "{steps:?}");
        }
    }
}

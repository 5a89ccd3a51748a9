//! Two runs at once, an older and a newer one, in every order in which their requests can reach S3: the
//! final object is the newer one's. The clock is paused, and each request waits until it is its turn.
//!
//! `make test` tries the orders in which the turn passes twice at most while the other could go on, as few bugs need
//! more (Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded programs", 2007);
//! EXHAUSTIVE=1 tries all, and where all would take hours, those in which the turn passes three times at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Content, Fault, LocalS3, Object};
use support::{MIB, World, is_exhaustive, manifest, rows};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::error::Error;
use unload_header::job::Answer;

const KEY: &str = "unload/q_0000_part_00";
const SIDECAR: &str = "unload/q_.headers";
const FINAL: &str = "final/q_0000_part_00";
/// With OUTPUT=single.
const MANIFEST: &str = "unload/q_manifest";
const LAST: &str = "unload/q_0001_part_00";
const WHOLE: &str = "final/q.csv";

/// What makes the second run the newer one.
#[derive(Clone, Copy)]
enum News {
    /// Other rows, as an UNLOAD with ALLOWOVERWRITE writes them.
    Rows,
    /// Other names, in a new sidecar.
    Names,
    /// A new sidecar, and then other rows: a whole UNLOAD with other columns.
    NamesAndRows,
    /// Other rows in all slices, and the manifest of them, with OUTPUT=single.
    Unload,
    /// None: the same event twice.
    Nothing,
    /// The same, for an unload of more slices than parts, which goes by intermediate objects.
    Slices,
}

/// The requests that wait for their turn. Others go through at once: they read what neither run writes, or
/// write to an upload of their own, so that their place in the order makes no difference.
type Gate = Arc<Mutex<VecDeque<oneshot::Sender<()>>>>;

fn gated(local: &LocalS3, news: News, large: bool) -> Gate {
    let gate = Gate::default();
    let queue = gate.clone();
    local.judge(move |request| {
        let (turn, held) = oneshot::channel();
        let changes = match news {
            // The rows of a large source are read, and then copied: the copies are pinned as well.
            News::Rows if large => request.operation == "HeadObject" || request.copy_source.is_some(),
            News::Rows => request.key == KEY,
            News::Names => request.key == SIDECAR,
            News::NamesAndRows => [KEY, SIDECAR].contains(&request.key.as_str()),
            // The last slice is looked at right behind the first.
            News::Unload => request.key == MANIFEST || request.key == KEY && request.operation == "HeadObject",
            News::Nothing | News::Slices => false,
        };
        // What both write, and each deletes.
        let is_shared = matches!(news, News::Slices)
            && request.key.starts_with(".unload-header/")
            && ["HeadObject", "CompleteMultipartUpload", "DeleteObject"].contains(&request.operation);
        let ends = ["HeadObject", "PutObject", "CompleteMultipartUpload"].contains(&request.operation);
        // A run that is done clears away the uploads that it had found. With new rows, whose orders would
        // be ten times as many, what it finds is left to when it begins one.
        let clears = match request.operation {
            "AbortMultipartUpload" => true,
            "ListMultipartUploads" => !matches!(news, News::Rows),
            _ => false,
        };
        (changes || clears || is_shared || [FINAL, WHOLE].contains(&request.key.as_str()) && ends).then(|| {
            let mut queue = queue.lock().unwrap();
            // Of what goes side by side, the sidecar is answered first, which may then be older than the rows.
            match request.key == SIDECAR {
                true => queue.push_front(turn),
                false => queue.push_back(turn),
            }
            Fault::Held(held)
        })
    });
    gate
}

/// Everything that can happen without another turn has happened when this returns, since the clock goes on only then;
/// and a run that was overtaken, which waits for a quarter of a second, has begun anew.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(260)).await;
}

fn started(world: &World, news: News) -> JoinHandle<Result<Answer, Error>> {
    let is_single = matches!(news, News::Unload | News::Slices);
    let (output, key) = if is_single { ("single", MANIFEST) } else { ("each", KEY) };
    let (handler, event) = (world.handler(&[("OUTPUT", output)]), world.created(&[key]));
    spawn_local(async move { handler.handle(&event, Deadline::after(MAX_TIMEOUT)).await })
}

/// An unload of two slices with these rows.
fn put_unload(local: &LocalS3, first: &Object) {
    local.put("bucket", KEY, first.clone());
    local.put("bucket", LAST, first.clone());
    let entries = [KEY, LAST].map(|key| (key, first.content.length()));
    local.put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &[])));
}

/// An unload of so many slices with these rows, which are more than an upload may have parts.
const SLICES: usize = 4;
const MAX_PARTS: u16 = 3;

fn put_slices(local: &LocalS3, slice: &Object) {
    let keys: Vec<String> = (0..SLICES).map(|number| format!("unload/q_{number:04}_part_00")).collect();
    keys.iter().for_each(|key| local.put("bucket", key, slice.clone()));
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), slice.content.length())).collect();
    local.put("bucket", MANIFEST, Object::new(manifest("bucket", &entries, &[])));
}

/// How often the turn passes in a sample, though whose turn it is could go on.
const PASSES: usize = 2;

/// One order: at each step in which both could go on, `passes` says whether the turn passes to the other; then it
/// does not. The older one begins. Answers with whether it passed at each of these steps.
async fn order(news: News, sources: &[Object; 2], passes: &[bool]) -> Vec<bool> {
    let max_parts = if matches!(news, News::Slices) { MAX_PARTS } else { 10_000 };
    let older = World::in_memory().await.with_max_parts(max_parts);
    let newer = World::of(older.local().beside()).await.with_max_parts(max_parts);
    let local = older.local();
    local.put("bucket", SIDECAR, Object::new("a,b,c"));
    match news {
        News::Slices => put_slices(local, &sources[0]),
        _ => put_unload(local, &sources[0]),
    }
    let large = sources[0].content.length() > 5 * MIB as u64;
    let gates = [gated(local, news, large), gated(newer.local(), news, large)];
    let first = started(&older, news);
    // The newer one begins when it is first its turn.
    let (turn, begins) = oneshot::channel();
    gates[1].lock().unwrap().push_back(turn);
    let second = spawn_local({
        let (local, newest) = (local.clone(), sources[1].clone());
        async move {
            begins.await.unwrap();
            match news {
                News::Rows => local.put("bucket", KEY, newest),
                News::Unload => put_unload(&local, &newest),
                News::Names => local.put("bucket", SIDECAR, Object::new("x,y,z")),
                News::NamesAndRows => {
                    local.put("bucket", SIDECAR, Object::new("x,y,z"));
                    local.put("bucket", KEY, newest);
                }
                News::Nothing | News::Slices => (),
            }
            started(&newer, news).await.unwrap()
        }
    });

    let (mut taken, mut turns, mut whose) = (Vec::new(), Vec::new(), 0);
    let whole = |header: &str, rows: &[&Object]| {
        let mut whole = Content::from(header.to_owned());
        rows.iter().for_each(|rows| whole.append(&rows.content));
        whole
    };
    loop {
        settle().await;
        // Names that an app wrote before it unloaded are those of all rows that come after.
        let is_wrong = |found: Object| found.content == whole("a|b|c\n", &[&sources[1]]);
        let mixes = matches!(news, News::NamesAndRows) && local.get("bucket", FINAL).is_some_and(is_wrong);
        assert!(!mixes, "{turns:?}: new rows under old names");
        let ready = gates.each_ref().map(|gate| !gate.lock().unwrap().is_empty());
        match ready {
            [false, false] if first.is_finished() && second.is_finished() => break,
            [false, false] => continue,
            [true, true] => {
                let passes = passes.get(taken.len()).copied().unwrap_or(false);
                whose = if passes { 1 - whose } else { whose };
                taken.push(passes);
            }
            [older, _] => whose = usize::from(!older),
        }
        turns.push(whose);
        let turn = gates[whose].lock().unwrap().pop_front().unwrap();
        turn.send(()).unwrap();
    }
    for run in [first, second] {
        run.await.unwrap().unwrap_or_else(|error| panic!("{turns:?}: {error}"));
    }
    let (target, header, rows) = match news {
        News::Rows => (FINAL, "a|b|c\n", vec![&sources[1]]),
        News::Unload => (WHOLE, "a|b|c\n", vec![&sources[1]; 2]),
        News::Names => (FINAL, "x|y|z\n", vec![&sources[0]]),
        News::NamesAndRows => (FINAL, "x|y|z\n", vec![&sources[1]]),
        News::Nothing => (FINAL, "a|b|c\n", vec![&sources[0]]),
        News::Slices => (WHOLE, "a|b|c\n", vec![&sources[0]; SLICES]),
    };
    assert!(local.get("bucket", target).unwrap().content == whole(header, &rows), "{turns:?}");
    assert!(local.uploads().is_empty(), "{turns:?}");
    assert!(!local.keys("bucket").iter().any(|key| key.starts_with(".unload-header/")), "{turns:?}");
    taken
}

/// How often it passes with EXHAUSTIVE=1: as often as it can, or where that would take hours, this often.
const ALL: usize = usize::MAX;
const MANY: usize = PASSES + 1;

/// Every order in which the turn passes so often, or those of the sample, each once.
async fn every_order(what: &str, news: News, size: usize, exhaustive: usize) {
    let other = rows(size).iter().map(|byte| if *byte == b'G' { b'g' } else { *byte }).collect::<Vec<_>>();
    let sources = [Object::new(rows(size)), Object::new(other)];
    let (mut passes, mut orders) = (Vec::new(), 0);
    let most = if is_exhaustive() { exhaustive } else { PASSES };
    loop {
        let taken = LocalSet::new().run_until(order(news, &sources, &passes)).await;
        orders += 1;
        // The next: the turn passes at the last step at which it did not, and may.
        let before = |step: usize| taken[..step].iter().filter(|passed| **passed).count();
        let Some(last) = (0..taken.len()).rev().find(|step| !taken[*step] && before(*step) < most) else { break };
        passes = [&taken[..last], &[true]].concat();
    }
    println!("{what}: {orders} orders, no wrong object");
    assert!(orders >= if is_exhaustive() { 10 } else { 5 }, "{orders}");
}

#[tokio::test(start_paused = true)]
async fn small_objects_with_new_rows() {
    every_order("small, new rows", News::Rows, 100, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_with_new_names() {
    every_order("small, new names", News::Names, 100, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_with_new_names_and_rows() {
    every_order("small, new names and rows", News::NamesAndRows, 100, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_with_new_names_and_rows() {
    every_order("large, new names and rows", News::NamesAndRows, 6 * MIB, MANY).await;
}

#[tokio::test(start_paused = true)]
async fn unloads_with_new_rows() {
    every_order("an unload, new rows", News::Unload, 96, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_twice() {
    every_order("small, twice", News::Nothing, 100, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn unloads_by_intermediate_objects_twice() {
    every_order("an unload by intermediate objects, twice", News::Slices, 6 * MIB, MANY).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_with_new_rows() {
    every_order("large, new rows", News::Rows, 6 * MIB, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_with_new_names() {
    every_order("large, new names", News::Names, 6 * MIB, ALL).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_twice() {
    every_order("large, twice", News::Nothing, 6 * MIB, ALL).await;
}

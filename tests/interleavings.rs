//! Two runs at once, an older and a newer one, in every order in which their requests can reach S3: the
//! final object is the newer one's. The clock is paused, and each request waits until it is its turn.

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Content, Fault, LocalS3, Object};
use support::{MIB, World, rows};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use unload_header::deadline::{Deadline, LONGEST};
use unload_header::error::Error;
use unload_header::handler::Answer;

const KEY: &str = "unload/q_0000_part_00";
const SIDECAR: &str = "unload/q_.headers";
const FINAL: &str = "final/q_0000_part_00";

/// What makes the second run the newer one.
#[derive(Clone, Copy)]
enum News {
    /// Other rows, as an UNLOAD with ALLOWOVERWRITE writes them.
    Rows,
    /// Other names, in a new sidecar.
    Names,
    /// None: the same event twice.
    Nothing,
}

/// The requests that wait for their turn. Others go through at once: they read what nobody writes, or
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
            News::Nothing => false,
        };
        let ends = ["HeadObject", "PutObject", "CompleteMultipartUpload"].contains(&request.operation);
        // A run that is done clears away the uploads that it had found. With new rows, whose orders would
        // be ten times as many, what it finds is left to when it begins one.
        let clears = match request.operation {
            "AbortMultipartUpload" => true,
            "ListMultipartUploads" => !matches!(news, News::Rows),
            _ => false,
        };
        (changes || clears || request.key == FINAL && ends).then(|| {
            queue.lock().unwrap().push_back(turn);
            Fault::Held(held)
        })
    });
    gate
}

/// Everything that can happen without another turn has happened when this returns: the clock goes on
/// only then.
async fn settle() {
    tokio::time::sleep(Duration::from_micros(1)).await;
}

fn started(world: &World) -> JoinHandle<Result<Answer, Error>> {
    let (handler, event) = (world.handler(&[]), world.created(&[KEY]));
    spawn_local(async move { handler.handle(&event, Deadline::after(LONGEST)).await })
}

/// One order: at each step in which both could go on, `choices` says who does; then the older one.
/// Answers with what was chosen, and whether there was a choice.
async fn order(news: News, sources: &[Object; 2], choices: &[usize]) -> Vec<(usize, bool)> {
    let older = World::in_memory().await;
    let newer = World::of(older.local().beside()).await;
    let local = older.local();
    local.put("bucket", SIDECAR, Object::new("a,b,c"));
    local.put("bucket", KEY, sources[0].clone());
    let large = sources[0].content.length() > 5 * MIB as u64;
    let gates = [gated(local, news, large), gated(newer.local(), news, large)];
    let first = started(&older);
    // The newer one begins when it is first its turn.
    let (turn, begins) = oneshot::channel();
    gates[1].lock().unwrap().push_back(turn);
    let second = spawn_local({
        let (local, newest) = (local.clone(), sources[1].clone());
        async move {
            begins.await.unwrap();
            match news {
                News::Rows => local.put("bucket", KEY, newest),
                News::Names => local.put("bucket", SIDECAR, Object::new("x,y,z")),
                News::Nothing => (),
            }
            started(&newer).await.unwrap()
        }
    });

    let mut taken = Vec::new();
    loop {
        settle().await;
        let ready = gates.each_ref().map(|gate| !gate.lock().unwrap().is_empty());
        let choice = match ready {
            [false, false] => break,
            [true, true] => choices.get(taken.len()).copied().unwrap_or(0),
            [older, _] => usize::from(!older),
        };
        taken.push((choice, ready == [true, true]));
        let turn = gates[choice].lock().unwrap().pop_front().unwrap();
        turn.send(()).unwrap();
    }
    for run in [first, second] {
        run.await.unwrap().unwrap_or_else(|error| panic!("{taken:?}: {error}"));
    }
    let (header, rows) = match news {
        News::Rows => ("a|b|c\n", &sources[1]),
        News::Names => ("x|y|z\n", &sources[0]),
        News::Nothing => ("a|b|c\n", &sources[0]),
    };
    let mut expected = Content::from(header);
    expected.append(&rows.content);
    assert!(local.get("bucket", FINAL).unwrap().content == expected, "{taken:?}");
    assert!(local.uploads().is_empty(), "{taken:?}");
    taken
}

/// Every order, each once.
async fn every_order(what: &str, news: News, size: usize) {
    let other = rows(size).iter().map(|byte| if *byte == b'|' { b'!' } else { *byte }).collect::<Vec<_>>();
    let sources = [Object::new(rows(size)), Object::new(other)];
    let (mut choices, mut orders) = (Vec::new(), 0);
    loop {
        let taken = LocalSet::new().run_until(order(news, &sources, &choices)).await;
        orders += 1;
        // The next: the last choice that fell on the older one falls on the newer.
        let Some(last) = taken.iter().rposition(|(choice, free)| *free && *choice == 0) else { break };
        choices = taken[..last].iter().map(|(choice, _)| *choice).collect();
        choices.push(1);
    }
    println!("{what}: {orders} orders, no wrong object");
    assert!(orders >= 10, "{orders}");
}

#[tokio::test(start_paused = true)]
async fn small_objects_with_new_rows() {
    every_order("small, new rows", News::Rows, 100).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_with_new_names() {
    every_order("small, new names", News::Names, 100).await;
}

#[tokio::test(start_paused = true)]
async fn small_objects_twice() {
    every_order("small, twice", News::Nothing, 100).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_with_new_rows() {
    every_order("large, new rows", News::Rows, 6 * MIB).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_with_new_names() {
    every_order("large, new names", News::Names, 6 * MIB).await;
}

#[tokio::test(start_paused = true)]
async fn large_objects_twice() {
    every_order("large, twice", News::Nothing, 6 * MIB).await;
}

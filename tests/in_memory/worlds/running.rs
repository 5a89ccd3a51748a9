//! Plays a world: what is written, the events of it, the calls, and what comes of them; then the same events
//! until nothing changes, and once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_s3::{Fault, Object};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use unload_header::deadline::{Deadline, MAX_TIMEOUT};
use unload_header::s3::LISTED_FROM;

use super::model::{BUCKET, Model, Write};
use super::oracle::{self, Bucket, Failure, Kind, Verdict};
use super::random::Random;
use support::World;

/// As many as take 20 seconds of one core without optimization.
const WORLDS: u64 = 60;
/// Rounds of all events within which nothing may change any more.
const ROUNDS: usize = 6;

/// A world's end, and how it came to it.
pub struct End {
    pub verdict: Verdict,
    pub story: Vec<String>,
}

struct Stage<'a> {
    world: World,
    model: &'a Model,
    random: Random,
    story: Vec<String>,
    /// What is still to be written, the last first.
    writes: Arc<Mutex<Vec<Write>>>,
    /// Events that are under way.
    events: Vec<Event>,
    /// The last event of each key that was written.
    told: BTreeMap<String, Value>,
    /// Held requests of calls that were killed: they never go on.
    dead: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
}

struct Event {
    key: String,
    /// What S3 told of the object when it was written, however much later the event comes.
    record: Value,
    tries: usize,
}

/// All objects, with ETag and content.
type Kept = BTreeMap<String, (String, String)>;

enum Came {
    Done,
    Failed(String),
    Killed,
}

/// What befalls a call at one of its requests.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Nothing,
    Killed(usize),
    /// Redshift or an app writes what comes next.
    Overtaken(usize),
}

impl Stage<'_> {
    /// Writes and events, in any order that could be.
    async fn act(&mut self) {
        let prompt = self.random.one(&[0, 30, 50, 80]);
        loop {
            let write = self.writes.lock().unwrap().last().is_some();
            match (write, self.events.len()) {
                (false, 0) => return,
                (true, waiting) if waiting == 0 || !self.random.percent(prompt) => self.write().await,
                (_, waiting) => {
                    // An event may have several records, in whatever order.
                    let count = if self.random.percent(25) { self.random.between(1, 5).min(waiting) } else { 1 };
                    let mut batch = Vec::new();
                    for _ in 0..count {
                        batch.push(self.events.swap_remove(self.random.below(self.events.len())));
                    }
                    let fate = match self.random.below(100) {
                        0..15 => Fate::Killed(self.random.between(1, 12)),
                        15..25 => Fate::Overtaken(self.random.between(1, 8)),
                        _ => Fate::Nothing,
                    };
                    let records = batch.iter().map(|event| (event.key.as_str(), &event.record)).collect();
                    let came = self.call(records, fate).await;
                    // Lambda tries twice more.
                    if !matches!(came, Came::Done) {
                        batch.retain(|event| event.tries < 2);
                        self.events.extend(batch.into_iter().map(|event| Event { tries: event.tries + 1, ..event }));
                    }
                }
            }
        }
    }

    async fn write(&mut self) {
        let Some(write) = self.writes.lock().unwrap().pop() else { return };
        tokio::time::sleep(write.after).await;
        self.world.local().put(BUCKET, &write.key, Object::new(write.body.clone()));
        self.wrote(&write, "");
    }

    fn wrote(&mut self, write: &Write, when: &str) {
        let size = write.body.len();
        self.story.push(format!("  +{:?} {} {:?}, {size} bytes{when}", write.after, write.what, write.key));
        let object = Object::new(write.body.clone());
        let mut record = self.world.record("ObjectCreated:Put", &write.key);
        record["s3"]["object"]["size"] = size.into();
        record["s3"]["object"]["eTag"] = object.etag.into();
        self.told.insert(write.key.clone(), record.clone());
        for _ in 0..if self.random.percent(25) { 2 } else { 1 } {
            self.events.push(Event { key: write.key.clone(), record: record.clone(), tries: 0 });
        }
    }

    /// A call with the records of these keys.
    async fn call(&mut self, records: Vec<(&str, &Value)>, fate: Fate) -> Came {
        let (keys, records): (Vec<&str>, Vec<&Value>) = records.into_iter().unzip();
        let (kill, killed) = oneshot::channel();
        let (mut kill, mut number) = (Some(kill), 0);
        let (writes, dead) = (self.writes.clone(), self.dead.clone());
        let overtook = Arc::new(Mutex::new(None));
        let met = overtook.clone();
        self.world.local().judge(move |_| {
            number += 1;
            match fate {
                Fate::Killed(at) if number >= at => {
                    kill.take().map(|kill| kill.send(()));
                    let (never, held) = oneshot::channel();
                    dead.lock().unwrap().push(never);
                    Some(Fault::Held(held))
                }
                Fate::Overtaken(at) if number == at => {
                    let mut writes = writes.lock().unwrap();
                    let soon = |write: &&Write| write.after < Duration::from_secs(1);
                    writes.last().filter(soon)?;
                    let write = writes.pop()?;
                    *met.lock().unwrap() = Some(write.clone());
                    let object = Object::new(write.body);
                    Some(Fault::Meanwhile(Box::new(move |store| store.put(BUCKET, &write.key, object))))
                }
                _ => None,
            }
        });
        let handler = self.world.handler(&self.model.settings.variables());
        let event = json!({"Records": records});
        let came = tokio::select! {
            biased;
            result = handler.handle(&event, Deadline::after(MAX_TIMEOUT)) => match result {
                Ok(answer) => {
                    let told = |it: &unload_header::receipt::Receipt| {
                        let target = it.final_uri.as_deref().and_then(|it| it.strip_prefix("s3://bucket/")).unwrap_or_default();
                        let reason = it.reason.as_deref().unwrap_or_default();
                        format!("{:?} {target} {reason}", it.outcome).to_lowercase().trim().to_owned()
                    };
                    let receipts: Vec<String> = answer.receipts.iter().map(told).collect();
                    self.story.push(format!("  event {keys:?}: {}", receipts.join(" | ")));
                    Came::Done
                }
                Err(error) => {
                    self.story.push(format!("  event {keys:?}: ERROR {}: {error}", error.kind()));
                    Came::Failed(error.to_string())
                }
            },
            _ = killed => {
                self.story.push(format!("  event {keys:?}: killed"));
                Came::Killed
            }
        };
        self.world.local().judge(|_| None);
        let overtaken = overtook.lock().unwrap().take();
        if let Some(write) = overtaken {
            self.wrote(&write, " (during that call)");
        }
        came
    }

    /// Every event of these once more, in an order of its own; answers with the errors, and what each call
    /// changed.
    async fn round(&mut self, of: impl Fn(&str) -> bool) -> (Vec<String>, Vec<Failure>) {
        let told = self.told.iter().filter(|(key, _)| of(key));
        let mut told: Vec<(String, Value)> = told.map(|(key, record)| (key.clone(), record.clone())).collect();
        self.random.shuffle(&mut told);
        let (mut errors, mut changes) = (Vec::new(), Vec::new());
        let mut before = self.stand();
        for (event, record) in told {
            match self.call(vec![(&event, &record)], Fate::Nothing).await {
                Came::Failed(error) => errors.push(error),
                Came::Done | Came::Killed => (),
            }
            let after = self.stand();
            for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                let content = |stand: &Kept| stand.get(key).map(|(_, content)| content.clone());
                if before.get(key) != after.get(key) {
                    let (was, is) = (content(&before), content(&after));
                    let text = format!("{key} was {was:?} and became {is:?} by {event:?} once more");
                    let about = vec![key.clone(), event.clone()];
                    changes.push(Failure { kind: Kind::Changed, text, about });
                }
            }
            before = after;
        }
        (errors, changes)
    }

    fn judged(&self, errors: &[String]) -> Verdict {
        let bucket: Bucket = self.stand().into_iter().map(|(key, (_, content))| (key, content)).collect();
        oracle::judge(self.model, &oracle::claims(self.model), &bucket, errors)
    }

    /// All objects, with ETag and content.
    fn stand(&self) -> Kept {
        let local = self.world.local();
        let object = |key: &String| {
            let object = local.get(BUCKET, key).unwrap();
            (object.etag.clone(), String::from_utf8(object.content.to_bytes().to_vec()).unwrap())
        };
        local.keys(BUCKET).into_iter().map(|key| (key.clone(), object(&key))).collect()
    }
}

pub async fn play(model: &Model, seed: u64) -> End {
    let writes = model.writes.iter().rev().cloned().collect();
    let mut stage = Stage {
        // In every other world, two slices are as many as thousands elsewhere.
        world: World::in_memory().await.with_listed_from(if (seed / 4).is_multiple_of(2) { 2 } else { LISTED_FROM }),
        model,
        random: Random::new(!seed),
        story: Vec::new(),
        writes: Arc::new(Mutex::new(writes)),
        events: Vec::new(),
        told: BTreeMap::new(),
        dead: Arc::default(),
    };
    stage.act().await;
    // A sidecar's event starts the jobs of all its objects, and a manifest's those of all that it lists:
    // slices whose events have ended in the queue by then are not left out.
    stage.story.push("  -- sidecars and manifests again".to_owned());
    let tells = |key: &str| key.ends_with(".headers") || key.ends_with("manifest");
    let (errors, _) = stage.round(tells).await;
    let mut left_out = stage.judged(&errors).failures;
    left_out.retain(|failure| failure.kind == Kind::Absent);
    left_out.iter_mut().for_each(|it| it.text.push_str(" (after its sidecar's and manifest's events)"));
    let mut errors = Vec::new();
    for round in 1..=ROUNDS {
        stage.story.push(format!("  -- all events again ({round})"));
        tokio::time::sleep(Duration::from_secs(900)).await;
        let (failed, changes) = stage.round(|_| true).await;
        errors = failed;
        if changes.is_empty() {
            break;
        }
    }
    let mut verdict = stage.judged(&errors);
    verdict.failures.extend(left_out);
    // Another order still: whatever it changes, it would change again.
    stage.story.push("  -- and once more".to_owned());
    verdict.failures.extend(stage.round(|_| true).await.1);
    End { verdict, story: stage.story }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// All worlds whose number is this by four.
pub fn all(rest: u64) {
    let seeds: Vec<u64> = match number("WORLD") {
        Some(world) => [world].into_iter().filter(|world| world % 4 == rest).collect(),
        None => (0..number("WORLDS").unwrap_or(WORLDS)).filter(|world| world % 4 == rest).collect(),
    };
    let (mut worlds, mut due, mut right, mut explained, mut unexplained) = (0, 0, 0, 0, 0);
    let mut kinds: BTreeMap<Kind, Vec<u64>> = BTreeMap::new();
    let mut first = None;
    for seed in seeds {
        let model = Model::of(seed);
        let End { verdict, story } = block_on(play(&model, seed));
        worlds += 1;
        due += verdict.due;
        right += verdict.right;
        explained += verdict.explained.len();
        unexplained += usize::from(!verdict.failures.is_empty());
        let met: BTreeSet<Kind> = verdict.failures.iter().map(|failure| failure.kind).collect();
        met.into_iter().for_each(|kind| kinds.entry(kind).or_default().push(seed));
        let whole = number("WORLD").is_some();
        if whole || first.is_none() && !verdict.failures.is_empty() {
            let told = tell(seed, &model, &verdict, &story, whole);
            if whole {
                println!("{told}");
            }
            first.get_or_insert(told);
        }
    }
    println!(
        "{worlds} worlds, {unexplained} not as they should be; of {due} final objects {right} are right, \
         {explained} are explained by errors"
    );
    for (kind, seeds) in &kinds {
        println!(
            "  {kind:?}: {} worlds, WORLD={}",
            seeds.len(),
            seeds.iter().take(30).map(u64::to_string).collect::<Vec<_>>().join(" ")
        );
    }
    if unexplained > 0 {
        panic!("{}", first.unwrap_or_default());
    }
    assert!(worlds < 10 || right * 10 >= due * 9, "of {due} final objects only {right} are right");
}

/// The story of a world: what is wrong, and all that was written and done before it.
fn tell(seed: u64, model: &Model, verdict: &Verdict, story: &[String], whole: bool) -> String {
    let mut told = vec![format!("WORLD={seed}: {:?}", model.settings)];
    told.extend(model.unloads.iter().map(|unload| format!("  {}", unload.told())));
    told.extend(verdict.failures.iter().map(|it| format!("  {:?}: {}", it.kind, it.text)));
    told.extend(verdict.explained.iter().map(|target| format!("  an error explains why {target} is not as due")));
    let about: BTreeSet<&String> = verdict.failures.iter().flat_map(|failure| &failure.about).collect();
    let matters = |line: &&String| {
        whole
            || line.starts_with("  --")
            || line.starts_with("  +")
            || about.iter().any(|key| line.contains(key.as_str()))
    };
    let mut lines: Vec<&str> = story.iter().filter(matters).map(String::as_str).collect();
    if !whole {
        // The rounds at the end tell little that is new.
        let end = lines.iter().position(|line| line.contains("(2)")).unwrap_or(lines.len());
        lines.truncate(end.min(45));
        lines.push("  … WORLD tells the rest");
    }
    told.extend(lines.into_iter().map(str::to_owned));
    told.join("\n")
}

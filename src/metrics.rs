//! CloudWatch metrics of what became of the jobs of one call, as lines of the log.
//!
//! Format: AWS, CloudWatch user guide, "Specification: Embedded metric format".

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::receipt::{Outcome, Receipt};
use crate::s3::Effort;

const NAMESPACE: &str = "UnloadHeader";
/// How many values a metric may have in one line (the same specification, "Target members").
const MAX_VALUES: usize = 100;

/// A line: the values of its dimensions, the sets of these, and its metrics with their units.
struct Line<'l> {
    function: &'l str,
    values: Vec<(&'static str, String)>,
    sets: Vec<Vec<&'static str>>,
    metrics: Vec<(&'static str, &'static str, Value)>,
}

/// The lines for what ended in one call of the function of this name, and what all of the call has asked of S3.
pub fn lines<'e>(
    function: &str,
    ended: impl Iterator<Item = &'e Result<Receipt, Error>>,
    effort: Effort,
) -> Vec<String> {
    let (mut outcomes, mut failures) = (BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    let (mut bytes, mut rows, mut durations) = (0, 0, Vec::new());
    for result in ended {
        match result {
            Ok(receipt) => {
                // What is there already was counted when it was written.
                let is_new = receipt.outcome == Outcome::Written;
                let written = receipt.written.as_ref().filter(|_| is_new);
                *outcomes.entry((receipt.outcome.name(), written.map(|it| it.proof.name()))).or_default() += 1;
                bytes += written.map_or(0, |it| it.bytes);
                rows += receipt.rows.filter(|_| is_new).unwrap_or_default();
                durations.extend(receipt.final_uri.is_some().then_some(receipt.elapsed_ms));
            }
            Err(error) => *failures.entry(error.kind()).or_default() += 1,
        }
    }
    let of_outcome = outcomes.into_iter().map(|((outcome, proof), count)| Line {
        function,
        values: [("Outcome", Some(outcome)), ("Proof", proof)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())))
            .collect(),
        sets: [vec!["FunctionName", "Outcome"]]
            .into_iter()
            .chain(proof.map(|_| vec!["FunctionName", "Proof"]))
            .collect(),
        metrics: vec![("FinalObjects", "Count", count.into())],
    });
    let of_failure = failures.into_iter().map(|(kind, count)| Line {
        function,
        values: vec![("ErrorType", kind)],
        sets: vec![vec!["FunctionName"], vec!["FunctionName", "ErrorType"]],
        metrics: vec![("Failures", "Count", count.into())],
    });
    let sums = [
        ("Bytes", "Bytes", bytes),
        ("BytesThrough", "Bytes", effort.bytes_read),
        ("Requests", "Count", effort.requests),
        ("Rows", "Count", rows),
    ];
    let of_all = |metrics| Line { function, values: Vec::new(), sets: vec![vec!["FunctionName"]], metrics };
    let sums = sums.into_iter().map(|(name, unit, sum)| (name, unit, sum.into())).collect();
    let durations = durations.chunks(MAX_VALUES).map(|chunk| of_all(vec![("Duration", "Milliseconds", json!(chunk))]));
    of_outcome.chain(of_failure).chain([of_all(sums)]).chain(durations).map(Line::json).collect()
}

impl Line<'_> {
    fn json(self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let metrics: Vec<Value> =
            self.metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": self.sets, "Metrics": metrics});
        let metadata = json!({"Timestamp": u64::try_from(now).unwrap_or_default(), "CloudWatchMetrics": [directive]});
        let mut line =
            Map::from_iter([("_aws".to_owned(), metadata), ("FunctionName".to_owned(), self.function.into())]);
        line.extend(self.values.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        line.extend(self.metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::{ColumnsFrom, Proof, Written};
    use crate::uri::Uri;

    fn parsed(ended: &[Result<Receipt, Error>]) -> Vec<Value> {
        let effort = Effort { requests: 18, bytes_read: 15, ..Effort::default() };
        lines("f", ended.iter(), effort).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn receipt(outcome: Outcome) -> Result<Receipt, Error> {
        let written = Written { bytes_through: 5, ..Written::new(ColumnsFrom::Sidecar, 1, 100, 1, "e", Proof::Size) };
        let receipt = Receipt::of_final(&Uri::new("b", "k"), vec!["s".to_owned()], outcome, Some(written));
        Ok(Receipt { rows: Some(10), requests: 6, elapsed_ms: 70, ..receipt })
    }

    /// The rules of the specification that a wrong line would break in silence: CloudWatch ignores it.
    #[test]
    fn every_line_is_in_the_embedded_metric_format() {
        let skipped = Ok(Receipt::idle(&Uri::new("b", "k"), Outcome::Skipped, "why"));
        let failed = Err(Error::OutOfTime { uri: Uri::new("b", "k") });
        for line in parsed(&[receipt(Outcome::Written), receipt(Outcome::Unchanged), skipped, failed]) {
            assert!(line["_aws"]["Timestamp"].is_u64());
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "UnloadHeader");
            for dimension in directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap())
            {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension} in {line}");
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                let value = &line[metric["Name"].as_str().unwrap()];
                assert!(value.is_u64() || value.as_array().unwrap().iter().all(Value::is_u64), "{metric} in {line}");
                assert!(["Count", "Bytes", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()));
            }
        }
    }

    #[test]
    fn the_sums_are_those_of_all_jobs() {
        let failed = || Err(Error::OutOfTime { uri: Uri::new("b", "k") });
        let skipped = Ok(Receipt::idle(&Uri::new("b", "k"), Outcome::Skipped, "no job"));
        let done = [receipt(Outcome::Written), receipt(Outcome::Written), receipt(Outcome::Unchanged)];
        let ended: Vec<_> = done.into_iter().chain([failed(), failed(), skipped]).collect();
        let lines = parsed(&ended);
        let value = |name: &str, with: &[(&str, &str)]| {
            let found = lines.iter().find(|line| line.get(name).is_some() && with.iter().all(|(k, v)| line[k] == *v));
            found.unwrap_or_else(|| panic!("{name} {with:?}"))[name].clone()
        };
        assert_eq!(value("FinalObjects", &[("Outcome", "written"), ("Proof", "size")]), 2);
        assert_eq!(value("FinalObjects", &[("Outcome", "unchanged")]), 1);
        let proofs = lines.iter().filter(|line| line.get("Proof").is_some()).map(|line| line["FinalObjects"].as_u64());
        assert_eq!(proofs.sum::<Option<u64>>(), Some(2), "what is there already was proved when it was written");
        assert_eq!(value("Failures", &[("ErrorType", "OutOfTime")]), 2);
        assert_eq!(
            (value("Bytes", &[]), value("BytesThrough", &[]), value("Requests", &[])),
            (200.into(), 15.into(), 18.into())
        );
        assert_eq!(value("Rows", &[]), 20);
        assert_eq!(value("Duration", &[]), json!([70, 70, 70]));
    }

    #[test]
    fn no_line_has_more_values_than_are_read() {
        let ended: Vec<_> = (0..250).map(|_| receipt(Outcome::Written)).collect();
        let lines = parsed(&ended);
        let counts = lines.iter().filter_map(|line| Some(line["Duration"].as_array()?.len()));
        assert_eq!(counts.collect::<Vec<_>>(), [100, 100, 50]);
    }
}

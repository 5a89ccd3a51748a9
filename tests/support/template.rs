//! template.yaml as CloudFormation and IAM would take it: its functions evaluated for given parameters,
//! and its statements asked whether they allow a call.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::{Mutex, PoisonError};

use local_s3::policy::{ACCOUNT, Grant, Prefix};
use serde_yaml_ng::Value;

/// The template's parameters by the variables that they become; keys that the function is not told of by themselves.
const PARAMETERS: [(&str, &str); 9] = [
    ("SourceKmsKeyArn", "SourceKmsKeyArn"),
    ("FinalBucketKmsKeyArn", "FinalBucketKmsKeyArn"),
    ("UNLOAD_PREFIX", "UnloadPrefix"),
    ("FINAL_BUCKET", "FinalBucketName"),
    ("FINAL_KEY", "FinalKey"),
    ("OUTPUT", "Output"),
    ("FINAL_KMS_KEY_ID", "FinalKmsKeyArn"),
    ("FINAL_BUCKET_OWNER", "FinalBucketOwner"),
    ("DELETE_SOURCE", "DeleteSource"),
];

const REGION: &str = "us-east-1";

type Parameters = Vec<(&'static str, String)>;

pub struct Template {
    root: &'static Value,
    parameters: BTreeMap<String, String>,
}

impl Template {
    /// The template, with its own defaults where a parameter is not given.
    pub fn with(parameters: &[(&str, &str)]) -> Template {
        // Every run of a test asks for its role, some tests thousands of times.
        static ROOT: OnceLock<Value> = OnceLock::new();
        let root = ROOT.get_or_init(|| {
            let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml")).unwrap();
            serde_yaml_ng::from_str(&text).unwrap()
        });
        let pseudo = [("Partition", "aws"), ("AccountId", ACCOUNT), ("Region", REGION), ("URLSuffix", "amazonaws.com")];
        let pseudo = pseudo.map(|(name, value)| (format!("AWS::{name}"), value.to_owned()));
        let mut template = Template { parameters: BTreeMap::from(pseudo), root };
        for (name, declared) in template.root["Parameters"].as_mapping().unwrap() {
            let default = declared.get("Default").map(text_of).unwrap_or_default();
            template.parameters.insert(text_of(name), default);
        }
        template.parameters.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        template
    }

    fn function(&self) -> &Value {
        &self.root["Resources"]["Function"]["Properties"]
    }

    /// The function's environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = self.function()["Environment"]["Variables"].as_mapping().unwrap();
        variables.iter().map(|(name, value)| (text_of(name), text_of(&self.evaluated(value)))).collect()
    }

    /// What its role may do.
    pub fn grants(&self) -> Vec<Grant> {
        let policies = self.evaluated(&self.function()["Policies"]);
        let policies = policies.as_sequence().unwrap().iter().filter(|policy| !policy.is_null());
        let statements = policies.flat_map(|policy| match &policy["Statement"] {
            Value::Sequence(statements) => statements.clone(),
            _ => panic!("a managed policy or a policy template of SAM's, which nobody knows here: {policy:?}"),
        });
        let statements = statements.filter(|statement| !statement.is_null());
        statements.flat_map(|statement| grants(&statement)).collect()
    }

    /// What SAM lets the role do besides (`aws/serverless-application-model`, samtranslator/model/sam_resources.py,
    /// `_construct_role`): the managed policy AWSLambdaBasicExecutionRole (AWS managed policy reference), and the
    /// destination of failed events. More would come with what the template has not got.
    pub fn grants_of_sam(&self) -> Vec<Grant> {
        let function = self.function();
        for more in ["Tracing", "VpcConfig", "Events", "DeadLetterQueue", "ManagedPolicyArns", "Role"] {
            assert!(function[more].is_null(), "{more} adds to the role: say here what");
        }
        let logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"];
        let queue =
            text_of(&self.evaluated(&function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]));
        let grant = |action: &str, resource: &str| Grant {
            action: action.to_owned(),
            resources: vec![resource.to_owned()],
            prefix: None,
            account: None,
        };
        logs.iter().map(|action| grant(action, "*")).chain([grant("sqs:SendMessage", &queue)]).collect()
    }

    /// The role of a function with these settings, whose sources lie in this bucket.
    pub fn role(bucket: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<Grant> {
        static KNOWN: Mutex<BTreeMap<Parameters, Vec<Grant>>> = Mutex::new(BTreeMap::new());
        let mut parameters = vec![("BucketName", bucket.to_owned())];
        let set = PARAMETERS.iter().filter_map(|(name, parameter)| Some((*parameter, variable(name)?)));
        parameters.extend(set);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let role = known.entry(parameters).or_insert_with_key(|parameters| {
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let template = Template::with(&parameters);
            [template.grants(), template.grants_of_sam()].concat()
        });
        role.clone()
    }

    /// Which keys the bucket tells the function or the queue of: prefixes and suffixes.
    pub fn filters(&self) -> Vec<Vec<String>> {
        let bucket = &self.root["Resources"]["Bucket"]["Properties"];
        let configuration = self.evaluated(&bucket["NotificationConfiguration"]);
        let of = |name: &str| configuration[name].as_sequence().cloned().unwrap_or_default();
        let notifications = [of("LambdaConfigurations"), of("QueueConfigurations")].concat();
        notifications.iter().map(|it| rules(&it["Filter"]["S3Key"]["Rules"])).collect()
    }

    /// Carries CloudFormation's functions out; AWS::NoValue is null.
    fn evaluated(&self, value: &Value) -> Value {
        let all = |values: &[Value]| values.iter().map(|value| self.evaluated(value)).collect::<Vec<_>>();
        match value {
            Value::Sequence(values) => Value::Sequence(all(values)),
            Value::Mapping(fields) => {
                Value::Mapping(fields.iter().map(|(name, value)| (name.clone(), self.evaluated(value))).collect())
            }
            Value::Tagged(tagged) => {
                let list = || tagged.value.as_sequence().map(Vec::as_slice).unwrap_or_default();
                match tagged.tag.to_string().as_str() {
                    "!Ref" if text_of(&tagged.value) == "AWS::NoValue" => Value::Null,
                    "!Ref" => self.parameters[&text_of(&tagged.value)].clone().into(),
                    "!GetAtt" => text_of(&tagged.value).into(),
                    "!Sub" => self.substituted(&tagged.value).into(),
                    "!Equals" => (text_of(&self.evaluated(&list()[0])) == text_of(&self.evaluated(&list()[1]))).into(),
                    "!Not" => (!self.evaluated(&list()[0]).as_bool().unwrap()).into(),
                    "!If" => {
                        let condition = self.evaluated(&self.root["Conditions"][&text_of(&list()[0])]);
                        self.evaluated(&list()[if condition.as_bool().unwrap() { 1 } else { 2 }])
                    }
                    "!Split" => {
                        let (by, text) = (text_of(&list()[0]), text_of(&self.evaluated(&list()[1])));
                        Value::Sequence(text.split(&by).map(Value::from).collect())
                    }
                    "!Select" => {
                        self.evaluated(&list()[1])[usize::try_from(list()[0].as_u64().unwrap()).unwrap()].clone()
                    }
                    other => panic!("{other} is not evaluated here"),
                }
            }
            other => other.clone(),
        }
    }

    fn substituted(&self, value: &Value) -> String {
        let (text, own) = match value {
            Value::Sequence(both) => (text_of(&both[0]), self.evaluated(&both[1])),
            text => (text_of(text), Value::Null),
        };
        let mut all = self.parameters.clone();
        all.extend(own.as_mapping().into_iter().flatten().map(|(name, value)| (text_of(name), text_of(value))));
        all.iter().fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }
}

fn rules(rules: &Value) -> Vec<String> {
    let rule = |rule: &Value| format!("{} {}", text_of(&rule["Name"]), text_of(&rule["Value"]));
    rules.as_sequence().unwrap().iter().map(rule).collect()
}

fn grants(statement: &Value) -> Vec<Grant> {
    assert_eq!(statement["Effect"], "Allow");
    let texts = |value: &Value| match value {
        Value::Sequence(values) => values.iter().map(text_of).collect(),
        one => vec![text_of(one)],
    };
    let resources = texts(&statement["Resource"]);
    let (mut prefix, mut account) = (None, None);
    for (operator, key, value) in conditions(statement) {
        match (operator.as_str(), key.as_str()) {
            ("StringLike", "s3:prefix") => prefix = Some(Prefix { pattern: text_of(value), if_exists: false }),
            ("StringLikeIfExists", "s3:prefix") => prefix = Some(Prefix { pattern: text_of(value), if_exists: true }),
            ("StringEquals", "aws:ResourceAccount") => account = Some(text_of(value)),
            // All that the function asks of KMS, it asks by S3 and for its buckets' objects.
            ("StringEquals", "kms:ViaService") => assert_eq!(text_of(value), format!("s3.{REGION}.amazonaws.com")),
            ("StringLike", "kms:EncryptionContext:aws:s3:arn") => {
                assert!(texts(value).iter().all(|arn| arn.starts_with("arn:aws:s3:::") && arn.len() > 16), "{value:?}");
            }
            other => panic!("{other:?} is not evaluated here"),
        }
    }
    let grant =
        |action| Grant { action, resources: resources.clone(), prefix: prefix.clone(), account: account.clone() };
    texts(&statement["Action"]).into_iter().map(grant).collect()
}

/// The operators, keys and values of a statement's conditions.
fn conditions(statement: &Value) -> Vec<(String, String, &Value)> {
    let operators = statement.get("Condition").and_then(Value::as_mapping).into_iter().flatten();
    let keys = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_mapping().unwrap().iter();
        keys.map(move |(key, value)| (text_of(operator), text_of(key), value))
    });
    keys.collect()
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(bool) => bool.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

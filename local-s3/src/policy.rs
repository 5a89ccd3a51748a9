//! What IAM is asked, and what a policy answers.

/// A question to IAM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub action: String,
    pub resource: String,
    /// `s3:prefix`, if the question has one.
    pub prefix: Option<String>,
    /// `aws:ResourceAccount`: who owns the resource.
    pub account: String,
}

/// Who owns what nobody else is said to own.
pub const ACCOUNT: &str = "123456789012";

/// One action of one statement that allows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub action: String,
    pub resources: Vec<String>,
    /// The condition on `s3:prefix`, if there is one.
    pub prefix: Option<Prefix>,
    /// The condition on `aws:ResourceAccount`, if there is one.
    pub account: Option<String>,
}

/// `StringLike`; or `StringLikeIfExists`, which also holds for a question without `s3:prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub pattern: String,
    pub if_exists: bool,
}

impl Call {
    pub fn new(action: &str, resource: impl Into<String>) -> Call {
        let (action, resource, account) = (action.to_owned(), resource.into(), ACCOUNT.to_owned());
        Call { action, resource, prefix: None, account }
    }

    /// On an object, given by `bucket/key`, or on a bucket.
    pub fn on(action: &str, path: &str) -> Call {
        Call::new(action, format!("arn:aws:s3:::{path}"))
    }

    /// The permission to know which keys there are. S3 asks for it with the prefix of a list; and if a key is missing,
    /// with the key as the prefix, to choose between 404 and 403 (`ceph/ceph#68577`, "to match
    /// aws behavior"; `ceph/s3-tests`, test_head_object_404_with_policy_prefix).
    pub fn to_list(bucket: &str, prefix: &str) -> Call {
        Call { prefix: Some(prefix.to_owned()), ..Call::on("s3:ListBucket", bucket) }
    }
}

impl Grant {
    pub fn allows(&self, call: &Call) -> bool {
        let prefix = match (&self.prefix, &call.prefix) {
            (None, _) => true,
            (Some(wanted), None) => wanted.if_exists,
            (Some(wanted), Some(prefix)) => like(&wanted.pattern, prefix),
        };
        let account = self.account.as_ref().is_none_or(|account| *account == call.account);
        prefix
            && account
            && like(&self.action, &call.action)
            && self.resources.iter().any(|it| like(it, &call.resource))
    }
}

/// IAM's wildcards: `*` for any characters, `?` for one (IAM user guide, "IAM JSON policy elements: Resource").
fn like(pattern: &str, text: &str) -> bool {
    match pattern.find(['*', '?']) {
        None => pattern == text,
        Some(at) => {
            let (start, rest) = pattern.split_at(at);
            let Some(text) = text.strip_prefix(start) else { return false };
            let after = &rest[1..];
            match rest.starts_with('*') {
                true => (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(after, &text[at..])),
                false => text.chars().next().is_some_and(|one| like(after, &text[one.len_utf8()..])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text) in [("a/*", "a/"), ("a/*", "a/b/c"), ("*", ""), ("a*c", "abbc"), ("a?c", "aéc")] {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a/*", "b/"), ("a", "ab"), ("a?c", "ac"), ("a*c", "ab")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_grant_is_for_a_prefix_or_for_all() {
        let prefix = |if_exists| Some(Prefix { pattern: "unload/*".to_owned(), if_exists });
        let grant = |prefix| Grant {
            action: "s3:ListBucket".to_owned(),
            resources: vec!["arn:aws:s3:::b".to_owned()],
            prefix,
            account: Some(ACCOUNT.to_owned()),
        };
        let (below, beside) = (Call::to_list("b", "unload/x"), Call::to_list("b", "final/x"));
        let whole = Call::on("s3:ListBucket", "b");
        assert!(grant(prefix(false)).allows(&below) && grant(prefix(true)).allows(&below));
        assert!(!grant(prefix(false)).allows(&beside) && !grant(prefix(true)).allows(&beside));
        assert!(!grant(prefix(false)).allows(&whole) && grant(prefix(true)).allows(&whole));
        let of_another = Call { account: "210987654321".to_owned(), ..below.clone() };
        assert!(!grant(None).allows(&of_another));
        assert!(grant(None).allows(&beside) && !grant(None).allows(&Call::to_list("c", "unload/x")));
    }
}

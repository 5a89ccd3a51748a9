//! A statement's options as they may be shown: without secrets, and without what may be one.

use std::ops::Range;

use super::OptionsError;
use super::token::{Token, placed};

/// The texts after these options are not secret. All other texts are masked, since a misspelt SECRET_ACCESS_KEY has a
/// secret as well.
const PLAIN: [&str; 8] =
    ["DELIMITER", "FIXEDWIDTH", "NULL", "REGION", "EXTENSION", "KMS_KEY_ID", "IAM_ROLE", "ACCESS_KEY_ID"];

/// Parts of the names of options with secrets, and of `aws_secret_access_key=…`.
const MARKS: [&str; 4] = ["CREDENTIAL", "SECRET", "TOKEN", "SYMMETRIC"];

const MASK: &str = "…";

/// The options with `…` in place of each secret, and without comments.
pub fn masked(sql: &str) -> String {
    let tokens = match placed(sql) {
        Ok(tokens) if !(0..tokens.len()).any(|index| is_mispaired(&tokens, index)) => tokens,
        _ if !names_a_secret(sql) => return sql.to_owned(),
        _ => {
            // A secret may be anywhere after the first quotation mark.
            let open = ["'", "\"", "--", "/*"].iter().filter_map(|open| sql.find(open)).min();
            return open.map_or_else(|| MASK.to_owned(), |open| masked(&sql[..open]) + MASK);
        }
    };
    let (mut shown, mut end) = (String::new(), 0);
    for (index, (token, place)) in tokens.iter().enumerate() {
        let (gap, option) = (&sql[end..place.start], option_before(&tokens, index));
        shown += if gap.trim().is_empty() { gap } else { " " };
        match token {
            Token::Quoted(_) if !PLAIN.iter().any(|plain| option.is_some_and(|it| it.is(plain))) => {
                shown += &format!("'{MASK}'");
            }
            // It is not known where a secret without quotation marks ends.
            Token::Word(_) | Token::Name(_) | Token::Sign(_) if !token.is("AS") && is_secrets_name(option) => {
                return shown + MASK;
            }
            _ => shown += &sql[place.clone()],
        }
        end = place.end;
    }
    shown
}

impl OptionsError {
    /// An error shows nothing that the masked options don't.
    pub fn masked(self, sql: &str) -> OptionsError {
        let shown = masked(sql);
        let mask = |text: String| if shown.contains(&text) { text } else { MASK.to_owned() };
        match self {
            OptionsError::Unknown(text) => OptionsError::Unknown(mask(text)),
            OptionsError::OpenQuote(text) => OptionsError::OpenQuote(mask(text)),
            OptionsError::OpenComment(text) => OptionsError::OpenComment(mask(text)),
            OptionsError::Value { option, expected, found } => {
                OptionsError::Value { option, expected, found: found.map(mask) }
            }
            error => error,
        }
    }
}

type Placed = (Token, Range<usize>);

/// Whether a text contains the name of another option, so that a quotation mark before it was not closed.
fn is_mispaired(tokens: &[Placed], index: usize) -> bool {
    match &tokens[index].0 {
        Token::Quoted(text) => {
            text.contains(char::is_whitespace) && names_a_secret(text) && !is_secrets_name(option_before(tokens, index))
        }
        _ => false,
    }
}

/// The option that a value belongs to: the token before it, or before AS.
fn option_before(tokens: &[Placed], index: usize) -> Option<&Token> {
    tokens[..index].iter().rev().map(|(token, _)| token).find(|token| !token.is("AS"))
}

fn is_secrets_name(option: Option<&Token>) -> bool {
    matches!(option, Some(Token::Word(word)) if names_a_secret(word))
}

/// Whether a text may contain a secret.
pub fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    MARKS.iter().any(|mark| text.contains(mark))
}

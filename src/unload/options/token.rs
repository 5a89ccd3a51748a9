//! The words, texts and signs of a statement, without its comments.

use std::fmt;
use std::ops::Range;

use super::OptionsError;

#[derive(Debug)]
pub enum Token {
    Word(String),
    /// In `'…'`.
    Quoted(String),
    /// In `"…"`.
    Name(String),
    Sign(char),
}

impl Token {
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(it) if it.eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Word(word) => f.write_str(word),
            Token::Quoted(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Token::Name(name) => write!(f, "\"{}\"", name.replace('"', "\"\"")),
            Token::Sign(sign) => write!(f, "{sign}"),
        }
    }
}

pub fn tokens(sql: &str) -> Result<Vec<Token>, OptionsError> {
    Ok(placed(sql)?.into_iter().map(|(token, _)| token).collect())
}

/// Each token, and its range. Within a text `\'` is a quotation mark, as in the samples of AWS's page on UNLOAD. If the
/// statement can't be read so, like `DELIMITER '\'`, a backslash is a character like others.
pub fn placed(sql: &str) -> Result<Vec<(Token, Range<usize>)>, OptionsError> {
    read(sql, true).or_else(|_| read(sql, false))
}

fn read(sql: &str, escapes: bool) -> Result<Vec<(Token, Range<usize>)>, OptionsError> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let length = match comment(rest)? {
            Some(length) => length,
            None if first.is_whitespace() => first.len_utf8(),
            None => {
                let (token, length) = token(rest, first, escapes)?;
                tokens.push((token, at..at + length));
                length
            }
        };
        at += length;
    }
    Ok(tokens)
}

/// The length of the comment that the text begins with, if it begins with one: `--` up to the end of the line, or
/// `/* … */`, which may contain others (PostgreSQL 8.0, "Lexical Structure"; Redshift's comments are the same).
fn comment(rest: &str) -> Result<Option<usize>, OptionsError> {
    if rest.starts_with("--") {
        return Ok(Some(rest.find('\n').unwrap_or(rest.len())));
    } else if !rest.starts_with("/*") {
        return Ok(None);
    }
    let (mut depth, mut at) = (1, 2);
    while let Some(next) = rest[at..].find(['/', '*']).map(|next| at + next) {
        let step = match &rest.as_bytes()[next..] {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        (depth, at) = (depth + step, next + if step == 0 { 1 } else { 2 });
        if depth == 0 {
            return Ok(Some(at));
        }
    }
    Err(OptionsError::OpenComment(rest.to_owned()))
}

fn token(rest: &str, first: char, escapes: bool) -> Result<(Token, usize), OptionsError> {
    let open = || OptionsError::OpenQuote(rest.to_owned());
    Ok(match first {
        '\'' => {
            let (text, length) = quoted(rest, '\'', escapes).ok_or_else(open)?;
            (Token::Quoted(text), length)
        }
        '"' => {
            let (name, length) = quoted(rest, '"', false).ok_or_else(open)?;
            (Token::Name(name), length)
        }
        _ if first.is_alphanumeric() || first == '_' => {
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            (Token::Word(rest[..end].to_owned()), end)
        }
        _ => (Token::Sign(first), first.len_utf8()),
    })
}

/// The text within the quotation marks that `rest` begins with, and the length of it all. A doubled mark is one mark of
/// the text.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some((text, at + 1));
        } else if c == '\\' && escapes {
            // The character after it does not end the text, whatever it is.
            match chars.next() {
                Some((_, next)) if next == quote => text.push(quote),
                next => text.extend(std::iter::once(c).chain(next.map(|(_, next)| next))),
            }
        } else {
            text.push(c);
        }
    }
    None
}

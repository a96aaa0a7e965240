//! Passwords that are tried first: whoever guesses begins with them, whatever their length.
//!
//! The list beside this file has the words that most leaked passwords are made of, and phrases of 15 characters and more. It was written
//! for this project, from what everybody knows of such lists; no leaked data is in it. A password is refused if what is left of it
//! without digits and punctuation around it, or the piece that it repeats, is on the list, or if it runs along the keyboard or the
//! alphabet.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One a line, in lower case without spaces.
static LIST: LazyLock<HashSet<&'static str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

/// What fingers and children run along; either way round.
const RUNS: [&str; 6] =
    ["01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertyuiopasdfghjklzxcvbnm"];

/// Neighbours so often that the rest does not count: of 20 steps, 16.
const RUN_STEPS_OF_20: usize = 16;

/// Whether it is one of those that are tried first.
pub fn is_common(password: &str) -> bool {
    let plain: Vec<char> = password.to_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
    let letters = plain.iter().copied().skip_while(|c| !c.is_alphabetic()).collect::<String>();
    let core: Vec<char> = letters.trim_end_matches(|c: char| !c.is_alphabetic()).chars().collect();
    [&plain, &core].into_iter().any(|text| is_listed(repeated(text)) || is_listed(text)) || is_monotonous(&plain)
}

fn is_listed(text: &[char]) -> bool {
    !text.is_empty() && LIST.contains(text.iter().collect::<String>().as_str())
}

/// The shortest piece that the text is repetitions of, the last of them perhaps cut short.
fn repeated(text: &[char]) -> &[char] {
    let repeats = |length: &usize| text.iter().zip(text.iter().skip(*length)).all(|(one, other)| one == other);
    let length = (1..=text.len() / 2).find(repeats).unwrap_or(text.len());
    &text[..length]
}

/// Whether it has too few different characters, or runs along the keyboard.
fn is_monotonous(text: &[char]) -> bool {
    let different: HashSet<char> = text.iter().copied().collect();
    let is_step = |pair: &&[char]| {
        let pair: String = pair.iter().collect();
        let back: String = pair.chars().rev().collect();
        RUNS.iter().any(|run| run.contains(&pair) || run.contains(&back))
    };
    let steps = text.windows(2).filter(is_step).count();
    different.len() < 4 || steps * 20 >= (text.len() - 1) * RUN_STEPS_OF_20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_known_and_a_phrase_of_ones_own_is_not() {
        for bad in [
            "aaaaaaaaaaaaaaaa",
            "PasswordPassword",
            "Password123456789!",
            "123456789012345678",
            "qwertyuiopasdfghjkl",
            "abcdefghijklmnop",
            "iloveyouiloveyou",
            "I Love You So Much 1",
            "letmeinletmein2024",
            "thequickbrownfoxjumpsoverthelazydog",
            "abababababababab",
            "zyxwvutsrqponmlk",
        ] {
            assert!(is_common(bad), "{bad}");
        }
        for good in [
            "correct horse battery staple",
            "Tr0ub4dor&3 and more of it",
            "grüne Wolken über Brücken",
            "a b-c9 XyZ!!q0 8",
        ] {
            assert!(!is_common(good), "{good}");
        }
    }

    #[test]
    fn the_list_is_in_the_form_that_is_looked_for() {
        for line in include_str!("common.txt").lines() {
            assert!(!line.is_empty() && line == line.to_lowercase() && !line.contains(char::is_whitespace), "{line:?}");
        }
    }
}

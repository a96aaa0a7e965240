//! How far two words lie apart.

/// How many letters have to be left out, put in, changed, or swapped with the next one to get from one word to the other; swapped
/// letters are not changed again (the "optimal string alignment" distance).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, wanted) in other.iter().enumerate() {
            let changed = rows[i][j] + usize::from(letter != wanted);
            let mut least = changed.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *wanted {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// How many mistakes a word of this many letters may have: a short one with two of them is another word.
pub(super) fn mistakes_max(letters: usize) -> usize {
    match letters {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_counts_once() {
        for (typed, meant, mistakes) in [
            ("heart", "heart", 0),
            ("haert", "heart", 1),
            ("hart", "heart", 1),
            ("hearrt", "heart", 1),
            ("heart", "hears", 1),
            ("lantren", "lantern", 1),
            ("christams", "christmas", 1),
            ("cristams", "christmas", 2),
            ("", "tea", 3),
            ("käse", "kase", 1),
        ] {
            assert_eq!(distance(typed, meant), mistakes, "{typed} for {meant}");
            assert_eq!(distance(meant, typed), mistakes, "{meant} for {typed}");
        }
    }
}

//! The difference of two policy files, as the log keeps it: unified, in one hunk, whole lines. A few
//! lines of our own, as what the known crates bring along would make the PAM module a third larger.

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// The largest table of line pairs that is worked out; a change beyond that is shown as the old
/// lines, then the new.
const LARGEST: usize = 1 << 22;

/// The difference from `old` to `new`; empty where there is none.
pub fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let common = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| {
        pairs.take_while(|(one, two)| one == two).count()
    };
    let head = common(&mut old.iter().zip(&new));
    let tail = common(&mut old[head..].iter().rev().zip(new[head..].iter().rev()));
    let (gone, come) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if gone.is_empty() && come.is_empty() {
        return String::new();
    }

    let from = head.saturating_sub(CONTEXT);
    let after = tail.min(CONTEXT);
    let lengths = (old.len() - tail + after - from, new.len() - tail + after - from);
    let mut text = format!("@@ -{},{} +{},{} @@\n", from + 1, lengths.0, from + 1, lengths.1);
    let mut put = |mark: char, line: &str| {
        text.push(mark);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    };
    old[from..head].iter().for_each(|line| put(' ', line));
    changes(gone, come, &mut put);
    old[old.len() - tail..][..after].iter().for_each(|line| put(' ', line));
    text
}

/// What `old` becomes by a [`difference`]; none where it is not one from there.
pub fn apply(old: &str, diff: &str) -> Option<String> {
    let mut rest = old.split_inclusive('\n');
    let (mut text, mut taken, mut last) = (String::new(), 0, ' ');
    for line in diff.split_inclusive('\n') {
        let mark = line.chars().next()?;
        let body = line.get(1..)?;
        match mark {
            '@' => {
                let from = body.strip_prefix("@ -")?.split(',').next()?.parse::<usize>().ok()?;
                while taken + 1 < from {
                    text.push_str(rest.next()?);
                    taken += 1;
                }
            }
            '+' => text.push_str(body),
            ' ' | '-' => {
                let was = rest.next()?;
                if was.strip_suffix('\n').unwrap_or(was) != body.strip_suffix('\n')? {
                    return None;
                }
                taken += 1;
                text.push_str(if mark == ' ' { was } else { "" });
            }
            '\\' if last == '+' => drop(text.pop()),
            '\\' => {}
            _ => return None,
        }
        last = mark;
    }
    text.extend(rest);
    Some(text)
}

/// What goes, comes and stays, so that as much as possible stays: the longest common subsequence.
fn changes(gone: &[&str], come: &[&str], put: &mut dyn FnMut(char, &str)) {
    let width = come.len() + 1;
    if (gone.len() + 1).saturating_mul(width) > LARGEST {
        gone.iter().for_each(|line| put('-', line));
        come.iter().for_each(|line| put('+', line));
        return;
    }
    // The length of the longest from line i and line j on.
    let mut longest = vec![0_u32; (gone.len() + 1) * width];
    for i in (0..gone.len()).rev() {
        for j in (0..come.len()).rev() {
            longest[i * width + j] = if gone[i] == come[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < gone.len() || j < come.len() {
        if i < gone.len() && j < come.len() && gone[i] == come[j] {
            put(' ', gone[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == come.len()
            || (i < gone.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
        {
            put('-', gone[i]);
            i += 1;
        } else {
            put('+', come[j]);
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_changed_is_shown_with_the_lines_around_it() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), "");
        assert_eq!(difference("", "a\nb\n"), "@@ -1,0 +1,2 @@\n+a\n+b\n");
        assert_eq!(difference("a\n", ""), "@@ -1,1 +1,0 @@\n-a\n");
        assert_eq!(
            difference("1\n2\n3\n4\n5\nx\ny\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\nz\ny\nw\n6\n7\n8\n9\n"),
            "@@ -3,8 +3,9 @@\n 3\n 4\n 5\n-x\n+z\n y\n+w\n 6\n 7\n 8\n"
        );
        assert_eq!(
            difference("a", "a\n"),
            "@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"
        );
    }

    #[test]
    fn a_difference_is_none_of_another_text() {
        let diff = difference("a\nb\n", "a\nc\n");
        assert_eq!(apply("a\nb\n", &diff).as_deref(), Some("a\nc\n"));
        for other in ["", "a\n", "a\nx\n"] {
            assert_eq!(apply(other, &diff), None, "{other:?}");
        }
        for broken in ["x", "@@", "@@ -9,1 +9,1 @@\n", "\u{e4}"] {
            assert_eq!(apply("a\n", broken), None, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn a_difference_leads_from_the_one_to_the_other(old in "[ab@+\\\\ \n-]{0,20}", new in "[ab@+\\\\ \n-]{0,20}") {
            prop_assert_eq!(apply(&old, &difference(&old, &new)), Some(new));
        }
    }
}

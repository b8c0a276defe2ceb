//! How our lines in somebody else's file are told apart, so that they can be taken out again
//! without anything but the file itself: an added line ends with ` # jit`, a line taken out of
//! service is kept behind `#jit# `. The package's removal relies on the same two.

const ADDED: &str = " # jit";
const RETIRED: &str = "#jit# ";

/// A line of ours.
pub fn added(line: &str) -> String {
    format!("{line}{ADDED}")
}

/// A line that is out of service.
pub fn retired(line: &str) -> String {
    format!("{RETIRED}{line}")
}

/// A line that setup added; also where somebody wrote more behind the mark of one that asks us.
fn is_ours(line: &str) -> bool {
    const ASKS: &str = "pam_jit.so # jit";
    let more = |(_, after): (&str, &str)| !after.starts_with(char::is_alphanumeric);
    line.ends_with(ADDED)
        || (!line.trim_start().starts_with('#') && line.split_once(ASKS).is_some_and(more))
}

/// The lines that ask our module, each with its number.
pub fn asks_us(text: &str) -> Vec<(usize, &str)> {
    let effective = |line: &str| line.split('#').next().unwrap_or_default().contains("pam_jit.so");
    let lines = text.lines().enumerate().filter(|(_, line)| effective(line));
    lines.map(|(at, line)| (at + 1, line)).collect()
}

/// `text` without anything of ours.
pub fn original(text: &str) -> String {
    let lines = text.split('\n').filter(|line| !is_ours(line));
    lines.map(|line| line.strip_prefix(RETIRED).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_goes_and_what_somebody_else_wrote_since_stays() {
        let text = format!("a\n{}\n{}\nlater\n", retired("b"), added("B"));
        assert_eq!(original(&text), "a\nb\nlater\n");
        let extended = format!("a\n{}, ticket 4711\n", added("auth required pam_jit.so"));
        assert_eq!(original(&extended), "a\n");
        let theirs = "a\nb # jit too\n";
        assert_eq!(original(theirs), theirs);
    }

    #[test]
    fn what_still_asks_us_is_told_with_its_line() {
        let text = "# pam_jit.so\nauth required pam_jit.so debug # mine\n#auth x pam_jit.so\n";
        assert_eq!(asks_us(text), [(2, "auth required pam_jit.so debug # mine")]);
        assert_eq!(original(text), text);
    }

    #[test]
    fn the_last_line_keeps_its_end_or_its_lack_of_one() {
        assert_eq!(original(&format!("a\n{}", added("b"))), "a");
        assert_eq!(original(&format!("a\n{}\n", added("b"))), "a\n");
    }
}

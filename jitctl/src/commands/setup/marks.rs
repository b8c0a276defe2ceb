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

/// `text` without anything of ours.
pub fn original(text: &str) -> String {
    let lines = text.split('\n').filter(|line| !line.ends_with(ADDED));
    lines.map(|line| line.strip_prefix(RETIRED).unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_goes_and_what_somebody_else_wrote_since_stays() {
        let text = format!("a\n{}\n{}\nlater\n", retired("b"), added("B"));
        assert_eq!(original(&text), "a\nb\nlater\n");
        let theirs = "a\nb # jit too\n";
        assert_eq!(original(theirs), theirs);
    }

    #[test]
    fn the_last_line_keeps_its_end_or_its_lack_of_one() {
        assert_eq!(original(&format!("a\n{}", added("b"))), "a");
        assert_eq!(original(&format!("a\n{}\n", added("b"))), "a\n");
    }
}

//! Patches in the envelope that coding models write: what they say, and texts with them applied.
//!
//! Pure. `*** Begin Patch`, then files that are added, deleted or updated, then `*** End Patch`; an update has parts
//! that begin with `@@`, whose lines begin with a blank (stays), `-` (goes) or `+` (comes).
use crate::parts::shortened;
use crate::tools::likeness;

/// One file of a patch.
#[derive(Debug, PartialEq)]
pub enum Step {
    Add { path: String, text: String },
    Delete { path: String },
    Update { path: String, to: Option<String>, parts: Vec<Part> },
}

/// A place of a file and what is to stand there.
#[derive(Debug, Default, PartialEq)]
pub struct Part {
    /// Lines that stand somewhere before the place, in their order.
    after: Vec<String>,
    old: Vec<String>,
    new: Vec<String>,
    /// Whether it is the end of the file.
    is_last: bool,
}

/// The files of a patch; the error names the line and what should stand there.
pub fn parse(input: &str) -> Result<Vec<Step>, String> {
    let lines: Vec<&str> = input.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == "*** Begin Patch");
    let begin = begin.ok_or("The first line of the patch must be '*** Begin Patch'")?;
    let end = lines.iter().rposition(|line| line.trim() == "*** End Patch").filter(|end| *end > begin);
    let end = end.ok_or("The last line of the patch must be '*** End Patch'")?;
    let mut steps = Vec::new();
    for (at, line) in lines.iter().enumerate().take(end).skip(begin + 1) {
        let wrong = |what: &str| format!("line {} of the patch, {:?}: {what}", at + 1, shortened(line, 80));
        let named = |mark: &str| {
            let rest = line.trim_end().strip_prefix(mark)?.trim();
            (!rest.is_empty()).then(|| rest.to_string())
        };
        if let Some(path) = named("*** Add File:") {
            steps.push(Step::Add { path, text: String::new() });
        } else if let Some(path) = named("*** Delete File:") {
            steps.push(Step::Delete { path });
        } else if let Some(path) = named("*** Update File:") {
            steps.push(Step::Update { path, to: None, parts: Vec::new() });
        } else {
            let step = steps.last_mut().ok_or_else(|| {
                wrong("name a file first: *** Add File: path, *** Delete File: path or *** Update File: path")
            })?;
            take(step, line, named("*** Move to:")).map_err(wrong)?;
        }
    }
    if steps.is_empty() {
        return Err("the patch names no file".to_string());
    }
    Ok(steps)
}

/// Takes one more line of a file.
fn take(step: &mut Step, line: &str, target: Option<String>) -> Result<(), &'static str> {
    match step {
        Step::Add { text, .. } => {
            *text += line.strip_prefix('+').ok_or("each line of a file that is added begins with +")?;
            text.push('\n');
        }
        Step::Delete { .. } if line.trim().is_empty() => {}
        Step::Delete { .. } => return Err("nothing follows a file that is deleted"),
        Step::Update { to, parts, .. } if target.is_some() && parts.is_empty() => *to = target,
        Step::Update { parts, .. } => {
            if let Some(context) = line.strip_prefix("@@") {
                // Several of them in a row name one place.
                if !parts.last().is_some_and(|part| part.old.is_empty() && part.new.is_empty()) {
                    parts.push(Part::default());
                }
                if let Some(part) = parts.last_mut() {
                    part.after.extend(context_of(context));
                }
                return Ok(());
            }
            if parts.is_empty() {
                parts.push(Part::default());
            }
            let Some(part) = parts.last_mut() else { return Ok(()) };
            return part.take(line);
        }
    }
    Ok(())
}

/// The line that a part names as standing before it; numbers of lines, as in other patches, are none.
fn context_of(text: &str) -> Option<String> {
    let text = match text.trim_start().starts_with('-') {
        true => text.rsplit_once("@@").map_or("", |(_, rest)| rest),
        false => text,
    };
    let text = text.strip_prefix(' ').unwrap_or(text);
    (!text.trim().is_empty()).then(|| text.to_string())
}

impl Part {
    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.trim_end() == "*** End of File" {
            self.is_last = true;
            return Ok(());
        }
        let mut chars = line.chars();
        match chars.next() {
            // A blank line whose blank was lost.
            None => {
                self.old.push(String::new());
                self.new.push(String::new());
            }
            Some(' ') => {
                self.old.push(chars.as_str().to_string());
                self.new.push(chars.as_str().to_string());
            }
            Some('-') => self.old.push(chars.as_str().to_string()),
            Some('+') => self.new.push(chars.as_str().to_string()),
            Some(_) => return Err("a line of an update begins with a blank, - or +"),
        }
        Ok(())
    }
}

/// The text with all parts applied, in their order; line ends stay as the file has them.
pub fn apply(text: &str, parts: &[Part], shown: &str) -> Result<String, String> {
    let is_crlf = text.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r'));
    let ends = text.is_empty() || text.ends_with('\n');
    let mut lines: Vec<String> = text.split('\n').map(str::to_string).collect();
    if ends {
        lines.pop();
    }
    let mut from = 0;
    for part in parts {
        for context in &part.after {
            from = find(&lines, std::slice::from_ref(context), from, false)
                .ok_or_else(|| format!("Failed to find context '{context}' in {shown}"))?
                + 1;
        }
        // Without old lines it goes behind the context, or to the end.
        let at = match part.old.is_empty() {
            true if part.after.is_empty() || part.is_last => lines.len(),
            true => from,
            false => find(&lines, &part.old, from, part.is_last).ok_or_else(|| {
                format!("Failed to find expected lines in {shown}:\n{}", part.old.join("\n"))
            })?,
        };
        let put = put(&lines, at, part, is_crlf);
        from = at + put.len();
        lines.splice(at..at + part.old.len(), put);
    }
    let mut out = lines.join("\n");
    if ends && !lines.is_empty() {
        out.push('\n');
    }
    Ok(out)
}

/// What stands at a place afterwards: lines that stay are the file's own, though the patch had them a little different.
fn put(lines: &[String], at: usize, part: &Part, is_crlf: bool) -> Vec<String> {
    let mut kept = lines.iter().skip(at).zip(&part.old).collect::<Vec<_>>().into_iter().peekable();
    let mut put = Vec::new();
    for line in &part.new {
        // Lines that go are passed over until the one that stays.
        let mut rest = kept.clone();
        match rest.find(|(_, old)| *old == line) {
            Some((own, _)) => {
                kept = rest;
                put.push(own.clone());
            }
            None => put.push(if is_crlf { format!("{line}\r") } else { line.clone() }),
        }
    }
    put
}

/// Where `wanted` stands at or after `from`, or at the very end: exactly, else without blanks at the ends of lines, else
/// without those at their beginnings, else whatever its typography.
fn find(lines: &[String], wanted: &[String], from: usize, is_last: bool) -> Option<usize> {
    const WAYS: [fn(&str) -> String; 4] = [
        |line| line.strip_suffix('\r').unwrap_or(line).to_string(),
        |line| line.trim_end().to_string(),
        |line| line.trim().to_string(),
        |line| likeness::plainly(line.trim()),
    ];
    let last = lines.len().checked_sub(wanted.len())?;
    let first = if is_last { last } else { from };
    WAYS.iter().find_map(|way| {
        let wanted: Vec<String> = wanted.iter().map(|line| way(line)).collect();
        (first..=last)
            .find(|at| wanted.iter().zip(lines.iter().skip(*at)).all(|(wanted, line)| *wanted == way(line)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(text: &str, body: &str) -> Result<String, String> {
        let input = format!("*** Begin Patch\n*** Update File: f\n{body}*** End Patch");
        let steps = parse(&input)?;
        let [Step::Update { parts, .. }] = &steps[..] else { panic!("{steps:?}") };
        apply(text, parts, "f")
    }

    #[test]
    fn parts_find_their_place_and_line_ends_stay() {
        for (text, body, want) in [
            ("a\nb\nc\n", "@@\n a\n-b\n+x\n c\n", "a\nx\nc\n"),
            ("a\nb\nc\n", "-b\n", "a\nc\n"),
            ("a\nb", "-b\n+x\n", "a\nx"),
            ("a\r\nb\r\n", "-b\n+x\n+y\n", "a\r\nx\r\ny\r\n"),
            ("b\nf:\nb\n", "@@ f:\n-b\n+x\n", "b\nf:\nx\n"),
            ("b\nf:\ng:\nb\n", "@@ f:\n@@ g:\n-b\n+x\n", "b\nf:\ng:\nx\n"),
            ("f:\nb\n", "@@ f:\n+x\n", "f:\nx\nb\n"),
            ("a\n", "+x\n", "a\nx\n"),
            ("", "+x\n", "x\n"),
            ("b\na\nb\n", "-b\n+x\n*** End of File\n", "b\na\nx\n"),
            ("a  \n  b\n", " a\n-b\n+x\n", "a  \nx\n"),
            ("say \u{201c}hi\u{201d}\nb\n", " say \"hi\"\n-b\n+c\n", "say \u{201c}hi\u{201d}\nc\n"),
            ("a\n\nb\n", " a\n\n-b\n+c\n", "a\n\nc\n"),
            ("a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "a\nc\n"),
            ("a\nb\na\nb\n", "@@\n-b\n+1\n@@\n-b\n+2\n", "a\n1\na\n2\n"),
        ] {
            assert_eq!(patched(text, body).as_deref(), Ok(want), "{text:?} {body:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, body, want) in [
            ("a\n", "-b\n", "Failed to find expected lines in f:\nb"),
            ("a\n", "@@ g:\n-a\n", "Failed to find context 'g:' in f"),
            ("a\n", "b\n", "line 3 of the patch, \"b\": a line of an update begins with"),
            ("a\nb\n", "-b\n+x\n@@\n-a\n", "Failed to find expected lines"),
        ] {
            let why = patched(text, body).unwrap_err();
            assert!(why.starts_with(want), "{why}");
        }
        for (input, want) in [
            ("x", "The first line of the patch must be '*** Begin Patch'"),
            ("*** Begin Patch\n*** Delete File: a", "The last line of the patch must be"),
            ("*** Begin Patch\n*** End Patch", "the patch names no file"),
            ("*** Begin Patch\n+a\n*** End Patch", "line 2 of the patch, \"+a\": name a file first"),
            ("*** Begin Patch\n*** Add File: a\nb\n*** End Patch", "line 3 of the patch, \"b\": each line"),
            ("*** Begin Patch\n*** Add File:\n*** End Patch", "line 2 of the patch"),
        ] {
            let why = parse(input).unwrap_err();
            assert!(why.starts_with(want), "{input:?}: {why}");
        }
    }

    #[test]
    fn what_stands_around_a_patch_is_passed_over() {
        let input = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: a/b.md\n+x\n+\n*** Delete File: c\n\n*** Update File: d\n*** Move to: e\n@@\n-1\n+2\n*** End Patch\nEOF\n";
        let steps = parse(input).unwrap();
        assert_eq!(steps[0], Step::Add { path: "a/b.md".into(), text: "x\n\n".into() });
        assert_eq!(steps[1], Step::Delete { path: "c".into() });
        assert!(
            matches!(&steps[2], Step::Update { to: Some(to), parts, .. } if to == "e" && parts.len() == 1)
        );
    }
}

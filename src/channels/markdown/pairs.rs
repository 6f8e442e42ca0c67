//! Which runs of `*`, `_`, `~~` and `||` belong together, by CommonMark's rules, in one pass.
use super::Style;

/// A run of one mark, before it is known what becomes of it.
pub struct Run {
    pub mark: char,
    length: usize,
    /// Marks that belong to nothing so far, and are text.
    pub left: usize,
    opens: bool,
    closes: bool,
    /// What it begins, the innermost first; how much it ends.
    pub begun: Vec<Style>,
    pub ended: usize,
}

impl Run {
    /// A run between `before` and `after`; what ends the text counts as white space.
    pub fn new(mark: char, length: usize, before: Option<char>, after: Option<char>) -> Self {
        let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
        let is_punctuation = |c: Option<char>| c.is_some_and(|c| c.is_ascii_punctuation());
        let is_edge = |c| is_space(c) || is_punctuation(c);
        let left = !is_space(after) && (!is_punctuation(after) || is_edge(before));
        let right = !is_space(before) && (!is_punctuation(before) || is_edge(after));
        let (opens, closes) = match mark {
            '_' => (left && (!right || is_punctuation(before)), right && (!left || is_punctuation(after))),
            '*' => (left, right),
            // The others come in twos only.
            _ => (left && length == 2, right && length == 2),
        };
        Self { mark, length, left: length, opens, closes, begun: Vec::new(), ended: 0 }
    }

    /// It takes no part any more.
    pub fn settle(&mut self) {
        (self.opens, self.closes) = (false, false);
    }

    fn fits(&self, closer: &Run) -> bool {
        let is_odd = (self.closes || closer.opens)
            && (self.length + closer.length).is_multiple_of(3)
            && !(self.length.is_multiple_of(3) && closer.length.is_multiple_of(3));
        self.mark == closer.mark && !is_odd
    }

    fn kind(&self) -> usize {
        let mark = "*_~|".find(self.mark).unwrap_or_default();
        (mark * 3 + self.length % 3) * 2 + usize::from(self.opens)
    }
}

/// Pairs the runs, which come in the order of the text.
pub fn pair<'r>(runs: impl Iterator<Item = &'r mut Run>) {
    let mut open: Vec<&mut Run> = Vec::new();
    // How many of the open ones are known not to fit a run of a kind.
    let mut unfit = [0usize; 24];
    for run in runs {
        if run.closes {
            close(run, &mut open, &mut unfit);
        }
        if run.opens && run.left > 0 {
            open.push(run);
        }
    }
}

fn close(run: &mut Run, open: &mut Vec<&mut Run>, unfit: &mut [usize; 24]) {
    while run.left > 0 {
        let Some(unfit) = unfit.get_mut(run.kind()) else { return };
        let known = (*unfit).min(open.len());
        let fitting = open.iter().skip(known).rposition(|opener| opener.fits(run));
        let Some(at) = fitting.map(|at| at + known) else {
            *unfit = open.len();
            return;
        };
        open.truncate(at + 1);
        let Some(opener) = open.last_mut() else { return };
        let used = if opener.left >= 2 && run.left >= 2 { 2 } else { 1 };
        opener.begun.push(match (run.mark, used) {
            ('~', _) => Style::Strike,
            ('|', _) => Style::Spoiler,
            (_, 2) => Style::Bold,
            _ => Style::Italic,
        });
        opener.left -= used;
        run.left -= used;
        run.ended += 1;
        if opener.left == 0 {
            open.pop();
        }
    }
}

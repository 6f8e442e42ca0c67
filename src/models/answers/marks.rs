//! What a mark means where it stands: the edge of reasoning, noise, or text that only speaks of it.
//!
//! Pure, the part of `think` that judges; walking through the text and handing it on stay there.
use super::{Step, Think};
use crate::models::aside::{self, Aside, Stray};
use crate::models::fences::Code;
use crate::models::tags::Kind;
use crate::parts::Parts;

impl Think {
    /// Whether a tag means something at this place. A model that writes channels cannot write their marks as text.
    pub fn counts_here(&mut self, rest: &str) -> bool {
        let is_mark = self.in_channels && rest.starts_with("<|");
        // Reasoning quotes tags between backticks, and its code may never be closed.
        is_mark || if self.inside { self.last != '`' } else { !self.code.is_open() }
    }

    /// What a tag behind text is that may only be spoken of; `None` for every other tag.
    pub fn stray(&mut self, kind: Kind, after: &str, is_end: bool) -> Option<Stray> {
        if !self.said || !matches!(kind, Kind::Close | Kind::Open) {
            return None;
        }
        if self.inside {
            let aside = self.aside.as_ref().filter(|_| kind == Kind::Close)?;
            return aside.is_spoken_of(&self.opened, after, is_end);
        }
        let is_quoted = aside::is_quoted(self.last, after);
        if kind == Kind::Open {
            let is_unclear = after.is_empty() && !is_end && aside::is_quoted(self.last, "\"");
            return if is_unclear { Some(Stray::Unclear) } else { is_quoted.then_some(Stray::Mention) };
        }
        let text = after.trim_start();
        let space = after.head(after.len() - text.len());
        let is_alone = self.code.begins_line() && (space.contains('\n') || text.is_empty());
        let is_midway = self.last.is_whitespace() && after.starts_with([' ', ',', '.']);
        Some(match (text.is_empty(), self.reasoned) {
            (true, _) if !is_end => Stray::Unclear,
            _ if is_quoted => Stray::Mention,
            _ if self.nested > 0 && !is_midway => Stray::End,
            _ if self.is_about_tags && !is_alone => Stray::Mention,
            (_, true) if is_alone || text.is_empty() => Stray::Noise,
            (_, true) => Stray::Mention,
            (_, false) if is_alone || text.is_empty() || self.reasons => Stray::End,
            (_, false) => Stray::Mention,
        })
    }

    /// Whether a tag counts at this place.
    pub fn take(&mut self, kind: Kind, written: &str, stray: Option<Stray>, steps: &mut Vec<Step>) -> bool {
        match (self.inside, kind) {
            (_, Kind::Channel { is_thought }) if self.in_channels || !(self.said || self.inside) => {
                self.in_channels = true;
                self.inside = is_thought;
                self.opened.clear();
                self.space.clear();
            }
            (_, Kind::MessageEnd) if self.in_channels => self.inside = false,
            (true, Kind::Open) if self.is_untouched() => {
                (self.assumed, self.began_inside) = (false, Some(false));
            }
            (true, Kind::Open) if !matches!(self.last, '"' | '\'' | '“' | '‘') => {
                self.nested += 1;
                return false;
            }
            (true, Kind::Close) if stray == Some(Stray::Mention) => {
                steps.push(Step::Resay(std::mem::take(&mut self.opened)));
                (self.inside, self.skips_space, self.is_about_tags) = (false, false, true);
                (self.aside, self.nested) = (None, 0);
                return false;
            }
            (true, Kind::Close) => {
                if std::mem::take(&mut self.assumed) {
                    self.began_inside = Some(true);
                }
                self.inside = false;
                self.reasoned = true;
                self.opened.clear();
            }
            (false, Kind::Open) if stray == Some(Stray::Mention) => {
                self.is_about_tags = true;
                return false;
            }
            (false, Kind::Open) => self.open(written),
            (false, Kind::Close) if stray == Some(Stray::Mention) => return false,
            (false, Kind::Close) if stray == Some(Stray::Noise) => {}
            (false, Kind::Close) => self.end_what_was_said(steps),
            (false, Kind::FinalOpen) if !self.said => {
                self.in_final = true;
                self.space.clear();
            }
            (false, Kind::FinalClose) if self.in_final => self.in_final = false,
            (false, Kind::Empty) if !(self.said && aside::is_midway(self.last, self.visible)) => {}
            _ => return false,
        }
        self.skips_space = true;
        self.code = Code::default();
        self.last = '>';
        true
    }

    /// A block begins.
    fn open(&mut self, written: &str) {
        self.inside = true;
        self.opened = if self.said { written.to_string() } else { String::new() };
        let is_midway = !self.code.begins_line() && aside::is_midway(self.last, self.visible);
        self.aside = self.said.then(|| Aside::new(is_midway));
        self.space.clear();
    }

    /// What was said was reasoning that nothing had opened.
    fn end_what_was_said(&mut self, steps: &mut Vec<Step>) {
        if self.said {
            steps.push(Step::Unsay);
            self.took_back = true;
            self.began_inside = self.began_inside.or((!self.reasoned).then_some(true));
        }
        (self.said, self.in_final, self.reasoned) = (false, false, true);
        self.nested = self.nested.saturating_sub(1);
        self.space.clear();
    }
}

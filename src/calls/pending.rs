//! Questions that wait for an answer: each with a deadline, a way back to who asked, and who may answer it. Bounded,
//! for each caller and in all. Owned by the state thread, which looks for what has expired at the end of its turns.
use super::{Call, Caller};
use crate::error::{Error, Kind, Result};
use std::time::Duration;

/// Who may answer a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The gateway itself, when something has happened.
    Gateway,
    /// Whoever may call the method that answers.
    Operators,
    /// One connection: a node that was told to do something.
    Conn(u64),
}

pub struct Question {
    /// What is asked about; several may ask the same.
    pub id: String,
    pub party: Party,
    /// On the monotonic clock.
    pub deadline: u64,
    /// Who asked, and the way back.
    pub call: Call,
}

pub struct Pending {
    questions: Vec<Question>,
    max_each: usize,
    max: usize,
}

impl Pending {
    /// At most so many questions of one caller, and of all.
    pub fn bounded(max_each: usize, max: usize) -> Pending {
        Pending { questions: Vec::new(), max_each, max }
    }

    pub fn ask(&mut self, question: Question) -> Result<()> {
        let conn = question.call.caller.conn;
        let own = self.questions.iter().filter(|q| q.call.caller.conn == conn).count();
        if own >= self.max_each || self.questions.len() >= self.max {
            let text =
                format!("too many {} calls are open; wait for some to be answered", question.call.method);
            return Err(Error::unavailable(text).retry_in(Duration::from_secs(1)));
        }
        self.questions.push(question);
        Ok(())
    }

    /// Takes the questions about `id`, to be answered; none if nobody asks. Refused when others are to answer them.
    pub fn answer(&mut self, id: &str, by: Party) -> Result<Vec<Question>> {
        if self.questions.iter().any(|q| q.id == id && q.party != by) {
            return Err(Error::new(Kind::Forbidden, format!("{id} is not yours to answer")));
        }
        Ok(self.take(|q| q.id == id))
    }

    /// Takes the questions whose time is up.
    pub fn expire(&mut self, mono: u64) -> Vec<Question> {
        self.take(|q| mono >= q.deadline)
    }

    /// A connection is gone: what it asked is forgotten, and what only it could have answered is given back.
    pub fn leave(&mut self, conn: u64) -> Vec<Question> {
        self.questions.retain(|q| q.call.caller.conn != conn);
        self.take(|q| q.party == Party::Conn(conn))
    }

    /// Whether such a caller asks about `id`.
    pub fn is_asked(&self, id: &str, by: &dyn Fn(&Caller) -> bool) -> bool {
        self.questions.iter().any(|q| q.id == id && by(&q.call.caller))
    }

    /// When the first one expires.
    pub fn next_deadline(&self) -> Option<u64> {
        self.questions.iter().map(|q| q.deadline).min()
    }

    fn take(&mut self, is_meant: impl Fn(&Question) -> bool) -> Vec<Question> {
        if !self.questions.iter().any(&is_meant) {
            return Vec::new();
        }
        let (meant, others) = std::mem::take(&mut self.questions).into_iter().partition(is_meant);
        self.questions = others;
        meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Reply;
    use std::sync::Arc;

    fn question(id: &str, conn: u64, party: Party, deadline: u64) -> Question {
        let caller = Arc::new(Caller { conn, ..Caller::default() });
        let call = Call { caller, id: conn.to_string(), method: "agent.wait", reply: Reply::Nobody };
        Question { id: id.into(), party, deadline, call }
    }

    fn conns(questions: &[Question]) -> Vec<u64> {
        questions.iter().map(|q| q.call.caller.conn).collect()
    }

    #[test]
    fn several_ask_one_thing_and_each_expires_at_its_time() {
        let mut pending = Pending::bounded(8, 8);
        for (conn, deadline) in [(1, 30), (2, 10), (3, 20)] {
            pending.ask(question("r", conn, Party::Gateway, deadline)).unwrap();
        }
        assert_eq!((pending.next_deadline(), conns(&pending.expire(9))), (Some(10), Vec::<u64>::new()));
        assert_eq!((conns(&pending.expire(20)), pending.next_deadline()), (vec![2, 3], Some(30)));
        assert_eq!(conns(&pending.answer("r", Party::Gateway).unwrap()), [1]);
        assert_eq!(conns(&pending.answer("r", Party::Gateway).unwrap()), Vec::<u64>::new(), "answered once");
        assert_eq!(pending.next_deadline(), None);
    }

    #[test]
    fn only_the_right_party_answers() {
        let mut pending = Pending::bounded(8, 8);
        pending.ask(question("node", 1, Party::Conn(7), 10)).unwrap();
        pending.ask(question("exec", 1, Party::Operators, 10)).unwrap();
        for wrong in [Party::Conn(8), Party::Operators, Party::Gateway] {
            let Err(error) = pending.answer("node", wrong) else { panic!("{wrong:?}") };
            assert_eq!(error.kind, Kind::Forbidden);
        }
        assert!(pending.answer("exec", Party::Conn(7)).is_err());
        assert_eq!(conns(&pending.answer("node", Party::Conn(7)).unwrap()), [1]);
        assert_eq!(conns(&pending.answer("exec", Party::Operators).unwrap()), [1]);
    }

    #[test]
    fn who_leaves_asks_nothing_more_and_what_only_he_could_answer_comes_back() {
        let mut pending = Pending::bounded(8, 8);
        pending.ask(question("a", 1, Party::Conn(2), 10)).unwrap();
        pending.ask(question("a", 3, Party::Conn(2), 10)).unwrap();
        pending.ask(question("b", 3, Party::Gateway, 10)).unwrap();
        assert!(
            pending.is_asked("b", &|caller| caller.conn == 3) && !pending.is_asked("b", &|c| c.conn == 1)
        );
        assert_eq!(conns(&pending.leave(1)), Vec::<u64>::new());
        assert_eq!(conns(&pending.leave(2)), [3]);
        assert_eq!(conns(&pending.leave(3)), Vec::<u64>::new());
        assert_eq!(pending.next_deadline(), None);
    }

    #[test]
    fn there_are_so_many_of_one_and_so_many_in_all() {
        let mut pending = Pending::bounded(2, 3);
        let ask = |pending: &mut Pending, conn| pending.ask(question("r", conn, Party::Gateway, 1)).is_ok();
        let asked: Vec<bool> = [1, 1, 1, 2, 3].into_iter().map(|conn| ask(&mut pending, conn)).collect();
        assert_eq!(asked, [true, true, false, true, false]);
        pending.leave(1);
        assert!(ask(&mut pending, 3));
    }
}

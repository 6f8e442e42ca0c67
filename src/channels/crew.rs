//! The threads of one account: they end together. One that fails ends the others, and the account is started anew.
use super::house::House;
use crate::error::{Error, Result};
use crate::threads;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub struct Crew {
    house: Arc<dyn House>,
    threads: Vec<JoinHandle<()>>,
    failed: Arc<Mutex<Option<Error>>>,
}

impl Crew {
    pub fn new(house: Arc<dyn House>) -> Crew {
        Crew { house, threads: Vec::new(), failed: Arc::default() }
    }

    /// One more thread; it is to look at the house's `cancel`, or to wait by its `sleep`.
    pub fn spawn(
        &mut self,
        name: &str,
        stack: usize,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (house, failed) = (self.house.clone(), self.failed.clone());
        let fail = move |e: Error| {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
            house.end();
        };
        let died = fail.clone();
        let run = move || {
            if let Err(e) = work() {
                fail(e);
            }
        };
        let thread = threads::spawn(name, stack, run, move |what| {
            died(Error::unavailable(format!("a thread of it ended by a defect: {what}")));
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Ends all of them. Gives why the account ends: the first failure, if there was one.
    pub fn end(self, result: Result<()>) -> Result<()> {
        self.house.end();
        for thread in self.threads {
            // Its panic was told already.
            let _ = thread.join();
        }
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(e) if result.is_ok() => Err(e),
            _ => result,
        }
    }
}

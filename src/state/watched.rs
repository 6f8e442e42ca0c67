//! A piece of the state that knows whether it was changed, so that nobody who changes it has to tell who looks.
use std::ops::{Deref, DerefMut};

#[derive(Default)]
pub struct Watched<T> {
    value: T,
    revision: u64,
}

impl<T> Watched<T> {
    pub fn of(value: T) -> Watched<T> {
        Watched { value, revision: 0 }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }
}

impl<T> Deref for Watched<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Watched<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.revision += 1;
        &mut self.value
    }
}

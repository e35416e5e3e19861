//! Values that middlewares leave for themselves and each other along one exchange.

use std::any::Any;
use std::fmt;

/// One value of each type. Dropped when the exchange is over, its response body included, so that a guard released
/// by its drop covers the whole exchange. Allocates only when used.
#[derive(Default)]
pub struct Extensions(Vec<Box<dyn Any>>);

impl Extensions {
    /// Puts a value in and returns the one of its type that was there.
    pub fn insert<T: Any>(&mut self, value: T) -> Option<T> {
        let old = self.remove();
        self.0.push(Box::new(value));
        old
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.0.iter_mut().find_map(|value| value.downcast_mut())
    }

    pub fn remove<T: Any>(&mut self) -> Option<T> {
        let at = self.0.iter().position(|value| value.is::<T>())?;
        self.0.swap_remove(at).downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}

//! Values that middlewares leave for themselves and each other along one exchange.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// One value of each type. Dropped when the exchange is over, its response body included, so that a guard released
/// by its drop covers the whole exchange. Allocates only when used.
#[derive(Default)]
pub struct Extensions {
    values: Vec<Box<dyn Any>>,
    places: Vec<Place>,
}

/// Where exchanges take places, such as those that a limit has.
pub trait Places: Send + Sync {
    /// A place is given back. Called once for each that was handed to [`Extensions::hold`].
    fn leave(&self, at: usize);
}

struct Place {
    of: Arc<dyn Places>,
    at: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.leave(self.at);
    }
}

impl Extensions {
    /// Puts a value in and returns the one of its type that was there.
    pub fn insert<T: Any>(&mut self, value: T) -> Option<T> {
        let old = self.remove();
        self.values.push(Box::new(value));
        old
    }

    /// Holds a place until the exchange is over: what a guard among the values does, without an allocation for it.
    pub fn hold(&mut self, of: Arc<dyn Places>, at: usize) {
        self.places.push(Place { of, at });
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.places.clear();
    }

    pub fn get<T: Any>(&self) -> Option<&T> {
        self.values.iter().find_map(|value| value.downcast_ref())
    }

    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.values.iter_mut().find_map(|value| value.downcast_mut())
    }

    pub fn remove<T: Any>(&mut self) -> Option<T> {
        let at = self.values.iter().position(|value| value.is::<T>())?;
        self.values.swap_remove(at).downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({}, {} places)", self.values.len(), self.places.len())
    }
}

//! Memory that the connections of a worker share: heads are written into spare buffers and parsed with one table, so
//! that a connection which waits holds neither.

use pn_core::context::FieldList;
use pn_http1::Fields;
use std::cell::RefCell;

/// Write buffers that are kept, and lists of fields, and how large they may have grown.
const SPARE_MAX: usize = 16;
const SPARE_BYTES: usize = 64 << 10;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static FIELDS: RefCell<Fields> = RefCell::default();
    static LISTS: RefCell<Vec<FieldList>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn take_buffer() -> Vec<u8> {
    SPARE.with_borrow_mut(|spare| spare.pop().unwrap_or_default())
}

pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    buffer.clear();
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_MAX && (1..=SPARE_BYTES).contains(&buffer.capacity()) {
            spare.push(buffer);
        }
    });
}

/// An empty list.
pub(crate) fn take_list() -> FieldList {
    LISTS.with_borrow_mut(|spare| spare.pop().unwrap_or_default())
}

pub(crate) fn give_list(mut list: FieldList) {
    list.clear();
    LISTS.with_borrow_mut(|spare| {
        if spare.len() < SPARE_MAX && (1..=SPARE_BYTES).contains(&list.capacity()) {
            spare.push(list);
        }
    });
}

pub(crate) fn with_fields<T>(use_them: impl FnOnce(&mut Fields) -> T) -> T {
    FIELDS.with_borrow_mut(use_them)
}

//! The order of keys: that of the schema tables, what is inherited first.

use crate::schema::{COMMON, KINDS, Key, Kind, SITE_ROUTE, Type};

/// What the schema knows of the keys of a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Level {
    Root,
    /// `[defaults]`
    Defaults,
    /// A table of named nodes.
    Names(&'static Kind),
    Node(&'static Kind),
    Keys(&'static [Key]),
    /// The routes of a site.
    Routes,
    /// Keys of the author's own.
    Free,
}

impl Level {
    /// Where a key goes among those of its table. Equal ones keep their order.
    pub(super) fn rank(self, key: &str) -> usize {
        let place = |keys: &[Key]| keys.iter().position(|own| own.name == key);
        let found = match self {
            Self::Root => return usize::from(key != "include"),
            Self::Defaults | Self::Names(_) | Self::Routes | Self::Free => return 0,
            Self::Node(kind) => place(COMMON).or_else(|| place(kind.keys).map(|place| place + COMMON.len())),
            Self::Keys(keys) => place(keys),
        };
        found.unwrap_or(usize::MAX)
    }

    pub(super) fn below(self, key: &str) -> Self {
        let kind = KINDS.iter().copied().find(|kind| kind.table == key);
        let of = |keys: &'static [Key]| {
            keys.iter().find(|own| own.name == key).map_or(Self::Free, |own| Self::of(&own.ty))
        };
        match self {
            Self::Root if key == "defaults" => Self::Defaults,
            Self::Root => {
                kind.map_or(Self::Free, |kind| if kind.named { Self::Names(kind) } else { Self::Node(kind) })
            }
            Self::Defaults => kind.map_or(Self::Free, Self::Node),
            Self::Names(kind) => Self::Node(kind),
            Self::Node(kind) => of(kind.keys),
            Self::Keys(keys) => of(keys),
            Self::Routes => Self::Node(&SITE_ROUTE),
            Self::Free => Self::Free,
        }
    }

    /// Of the tables that a type may hold.
    fn of(ty: &Type) -> Self {
        match ty {
            Type::Table(keys) | Type::Short(_, keys) => Self::Keys(keys),
            Type::Inline(kind) => Self::Node(kind),
            Type::Routes => Self::Routes,
            Type::List(inner) | Type::OneOrMany(inner) => Self::of(inner),
            Type::Either(types) => {
                let known = types.iter().map(Self::of).find(|level| !matches!(level, Self::Free));
                known.unwrap_or(Self::Free)
            }
            _ => Self::Free,
        }
    }
}

//! Values that have one name each, in logs, records and filters.

/// An enum of such values, each with its name, and the list of all of them: what is named here cannot be left out of a filter.
macro_rules! named {
    ($(#[$about:meta])* pub enum $of:ident { $($(#[$what:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$about])*
        pub enum $of {
            $($(#[$what])* $value,)+
        }

        impl $of {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The name in logs and records.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)+
                }
            }
        }
    };
}

pub(crate) use named;

//! Deliberate mistakes: what a program could do wrong, written where it would, and made by the simulation alone.
//!
//! A crate that calls [`breakages!`] has a feature `breakages`. Only the package `simulation` turns it on, and a program
//! refuses to be compiled with it (`MISTAKES_CAN_BE_MADE`).

/// Names the mistakes of a crate: one variant each, with what goes wrong as its documentation.
///
/// ```ignore
/// breakage::breakages! {
///     /// A mistake that a producer could make.
///     pub enum Breakage {
///         /// The deduplication clock runs ahead of the wall clock.
///         ClockAhead,
///     }
/// }
/// ```
///
/// `Breakage::X.is_made()` stands where the mistake would be; without the feature `breakages` it is `false` at compile
/// time. With it, `Breakage::set` has the current thread make one, and `Breakage::ALL` has every one, in their order.
/// `MISTAKES_CAN_BE_MADE` says whether the crate was built with the feature.
#[macro_export]
macro_rules! breakages {
    ($(#[$about:meta])* pub enum Breakage { $($(#[$what:meta])* $name:ident,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(
            not(feature = "breakages"),
            allow(unreachable_pub, reason = "named where it could be made, and made nowhere")
        )]
        pub enum Breakage {
            $($(#[$what])* $name,)+
        }

        /// Whether the deliberate mistakes of this crate are built in. A program refuses to be.
        pub const MISTAKES_CAN_BE_MADE: bool = cfg!(feature = "breakages");

        #[cfg(feature = "breakages")]
        ::std::thread_local! {
            static ACTIVE: ::std::cell::Cell<Option<Breakage>> = const { ::std::cell::Cell::new(None) };
        }

        impl Breakage {
            /// All of them.
            #[cfg(feature = "breakages")]
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// From now on the current thread makes this mistake, or none.
            #[cfg(feature = "breakages")]
            pub fn set(mistake: Option<Self>) {
                ACTIVE.set(mistake);
            }

            #[cfg(feature = "breakages")]
            pub(crate) fn is_made(self) -> bool {
                ACTIVE.get() == Some(self)
            }

            #[cfg(not(feature = "breakages"))]
            pub(crate) const fn is_made(self) -> bool {
                false
            }
        }
    };
}

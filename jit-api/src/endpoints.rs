//! The endpoints, one type each.

/// Declares an endpoint: its line of the table, its types, and its handler, which takes what
/// [`Endpoint::handle`](crate::Endpoint::handle) does.
macro_rules! endpoint {
    ($(#[$doc:meta])* $name:ident = $word:literal, $method:ident $path:literal, $access:ident,
     $summary:literal, ($path_type:ty, $query_type:ty, $body_type:ty) -> $answer:ty,
     |$desk:pat_param, $caller:pat_param, $at:pat_param, $query:pat_param, $body:pat_param|
     $handle:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::Endpoint for $name {
            const NAME: &'static str = $word;
            const METHOD: $crate::Method = $crate::Method::$method;
            const PATH: &'static str = $path;
            const ACCESS: $crate::Access = $crate::Access::$access;
            const SUMMARY: &'static str = $summary;
            type Path = $path_type;
            type Query = $query_type;
            type Body = $body_type;
            type Answer = $answer;

            fn handle(
                $desk: &$crate::Desk<'_>,
                $caller: &$crate::Caller,
                $at: $path_type,
                $query: $query_type,
                $body: $body_type,
            ) -> Result<$answer, $crate::Failure> {
                $handle
            }
        }
    };
}

pub mod audit;
pub mod breakglass;
pub mod certificates;
pub mod decide;
pub mod enrolment;
pub mod explain;
pub mod factors;
pub mod fleet;
pub mod grants;
pub mod hosts;
pub mod inbox;
pub mod login;
pub mod me;
pub mod people;
pub mod policy;
pub mod requests;
pub mod revoke;
pub mod server;
pub mod sessions;
mod shown;
pub mod status;

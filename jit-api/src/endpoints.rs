//! The endpoints, one type each.

/// Declares an endpoint: its line of the table, its types, and its handler.
macro_rules! endpoint {
    ($(#[$doc:meta])* $name:ident = $word:literal, $method:ident $path:literal, $access:ident,
     $summary:literal, ($path_type:ty, $query:ty, $body:ty) -> $answer:ty, $handler:path) => {
        $(#[$doc])*
        pub struct $name;

        impl $crate::Endpoint for $name {
            const NAME: &'static str = $word;
            const METHOD: $crate::Method = $crate::Method::$method;
            const PATH: &'static str = $path;
            const ACCESS: $crate::Access = $crate::Access::$access;
            const SUMMARY: &'static str = $summary;
            type Path = $path_type;
            type Query = $query;
            type Body = $body;
            type Answer = $answer;

            fn handle(
                desk: &$crate::Desk<'_>,
                caller: &$crate::Caller,
                path: $path_type,
                query: $query,
                body: $body,
            ) -> Result<$answer, $crate::Failure> {
                $handler(desk, caller, path, query, body)
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

//! placeholder
pub fn run(_: &std::path::Path) -> jit_core::Result<()> { Ok(()) }

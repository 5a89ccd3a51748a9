pub mod copy;
pub mod header {
    pub mod columns;
    pub mod compress;
    pub mod encode;
    pub use columns::Columns;
    pub use encode::encode;
}
pub mod unload;
pub mod uri;

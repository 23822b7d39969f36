//! The manual's pages, made from what the program knows of itself.
//!
//! | file | page | made from |
//! |---|---|---|
//! | `verbs` | `lvs-ctl(8)`, `lvs-ctl-service(8)` … | the grammar of the command line |
//! | `ipvsadm` | `ipvsadm(8)` and its two companions | the grammar of that dialect |
//! | `configuration` | `lvs.toml(5)` | the JSON schema of the file |
//! | `page` | | what all pages are written with |

#![forbid(unsafe_code)]

mod configuration;
mod ipvsadm;
mod page;
mod verbs;

use std::{fs, io, path::Path};

pub use self::page::Page;

/// All pages; `command` is the whole grammar of `lvs-ctl`.
///
/// # Errors
/// Never in practice: they are written to memory.
pub fn pages(command: clap::Command) -> io::Result<Vec<Page>> {
    let mut pages = verbs::pages(command)?;
    pages.extend(ipvsadm::pages());
    pages.push(configuration::page());
    Ok(pages)
}

/// Writes all pages into `directory`, which is made if it is not there.
///
/// # Errors
/// The system's.
pub fn write(command: clap::Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for Page { file, text } in pages(command)? {
        fs::write(directory.join(file), text)?;
    }
    Ok(())
}

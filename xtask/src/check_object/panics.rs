//! No way to panic may be left in the object.
//!
//! The panic handler is an endless loop, of which the verifier says no more than "last insn is not
//! an exit or jmp". Here the panic has a name.

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};

/// Parts of the names, mangled, of the functions in which a panic begins.
const MARKS: &[&str] = &[
    "9panicking",
    "13unwrap_failed",
    "13expect_failed",
    "16slice_index_fail",
    "rust_begin_unwind",
    "rust_panic",
];

/// Fails when the object has such a function, naming it.
pub(crate) fn refuse(object: &[u8]) -> Result<()> {
    let file = object::File::parse(object).context("this is no object file")?;
    let symbols = file.symbols().filter_map(|symbol| symbol.name().ok());
    let found: Vec<_> = symbols.filter(|name| MARKS.iter().any(|mark| name.contains(mark))).collect();
    ensure!(
        found.is_empty(),
        "the packet program can panic: find the index, division or unwrap that calls\n    {}",
        found.join("\n    ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use object::{
        Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope,
        write::{Object, Symbol, SymbolSection},
    };

    use super::*;

    #[test]
    fn an_object_that_can_panic_is_refused_by_name() {
        let error = refuse(&object("_ZN4core9panicking18panic_bounds_check17h0123E")).unwrap_err();
        assert!(error.to_string().contains("panic_bounds_check"));
    }

    #[test]
    fn an_object_without_panics_passes() {
        refuse(&object("lvs")).unwrap();
    }

    #[test]
    fn what_is_no_object_is_refused() {
        refuse(b"no object").unwrap_err();
    }

    fn object(symbol: &str) -> Vec<u8> {
        let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
        object.add_symbol(Symbol {
            name: symbol.into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Text,
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        object.write().unwrap()
    }
}

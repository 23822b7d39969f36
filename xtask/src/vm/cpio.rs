//! The archive that a kernel unpacks as its first file system (`cpio -H newc`, the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`).

/// An archive in the making.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// Types and permissions of files, as `stat` has them.
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

impl Archive {
    /// Adds a directory; paths begin without a slash.
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY, &[]);
    }

    /// Adds a file that can be run.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8]) {
        self.entry(path, PROGRAM, bytes);
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, to: &str) {
        self.entry(path, LINK, to.as_bytes());
    }

    /// The whole of it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(bytes.len()).expect("files of an initramfs are small");
        let name_size = u32::try_from(path.len() + 1).expect("paths are short");
        // Inode, mode, user, group, links, time, size, device and its own, name's size, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_header_of_hexadecimal_numbers_a_name_and_the_bytes() {
        let mut archive = Archive::default();
        archive.file("a", b"hello");
        let bytes = archive.finish();
        let head = std::str::from_utf8(&bytes[..112]).unwrap();
        assert_eq!(&head[..14], "07070100000001");
        assert_eq!(&head[14..22], "000081ed");
        assert_eq!(&head[54..62], "00000005");
        assert_eq!(&bytes[110..120], b"a\0hello\0\0\0");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn the_end_has_its_own_name() {
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.link("bin/sh", "busybox");
        let bytes = archive.finish();
        assert!(bytes.windows(11).any(|window| window == b"TRAILER!!!\0"));
        assert!(bytes.windows(7).any(|window| window == b"busybox"));
    }
}

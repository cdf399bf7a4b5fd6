//! Captures by their path.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::compression::Source;
use crate::damage::{Damage, DamageKind};
use crate::pcapng;
use crate::reader::{CaptureReader, Start};

/// Opens the capture at *path*; `-` is standard input.
///
/// # Errors
/// As [`CaptureReader::open`]; also if the operating system does not let it be opened, with what would help.
pub fn open_path(path: &Path) -> Result<CaptureReader, Damage> {
    if path.as_os_str() == "-" {
        return CaptureReader::open(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(Damage::at_start(DamageKind::Unreadable, "is a directory, not a file"));
    }
    CaptureReader::open(Box::new(file))
}

/// True if the file at *path* starts as a capture does, compressed or not, whatever its name.
///
/// Only ordinary files are looked into: a named pipe in a directory would block the walk, a device might never end.
///
/// # Errors
/// The operating system does not let it be read.
pub fn is_probably_capture(path: &Path) -> Result<bool, Damage> {
    if !path.metadata().map_err(|error| unreadable(&error))?.is_file() {
        return Ok(false);
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let source = Source::new(Box::new(file)).map_err(|fault| Damage::at_start(fault.kind, fault.detail))?;
    let mut start = Start::new(source);
    start.read_up_to(pcapng::MAGIC_OCTETS);
    Ok(start.format().is_some())
}

fn unreadable(error: &io::Error) -> Damage {
    let detail = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied: this user may not read it".to_owned(),
        _ => format!("cannot be opened: {error}"),
    };
    Damage::at_start(DamageKind::Unreadable, detail)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::batch::FrameBatch;
    use crate::byte_order::ByteOrder;
    use crate::testing::{gzip, zstd, PcapWriter, PcapngWriter, MAGIC_US};

    /// A directory of its own for one test, removed at its end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("capture-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, content: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, content).unwrap();
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn captures_are_told_whatever_their_name() {
        let directory = Directory::new("names");
        let mut pcap = PcapWriter::new(MAGIC_US, ByteOrder::Little, 1);
        pcap.record(1, 1, b"abc");
        let pcapng = PcapngWriter::new(ByteOrder::Big).bytes;
        let cases: &[(&str, Vec<u8>, bool)] = &[
            ("a.txt", pcap.bytes.clone(), true),
            ("b.jpg", gzip(&pcap.bytes), true),
            ("c", zstd(&pcap.bytes), true),
            ("d.0", gzip(&pcapng), true),
            ("e.pcap", b"\xff\xd8\xff\xe0".to_vec(), false),
            ("f.pcap.gz", gzip(b"text"), false),
            ("g.pcap.zst", zstd(&pcap.bytes)[..5].to_vec(), false),
            ("h.pcap", Vec::new(), false),
        ];
        for (name, content, expected) in cases {
            let path = directory.write(name, content);
            assert_eq!(is_probably_capture(&path), Ok(*expected), "{name}");
            assert_eq!(open_path(&path).is_ok(), *expected, "{name}");
        }
        assert_eq!(is_probably_capture(&directory.0), Ok(false));
    }

    #[test]
    fn what_cannot_be_opened_is_told_with_its_reason() {
        let directory = Directory::new("reasons");
        let reason = |path: &Path| {
            open_path(path)
                .err()
                .map(|damage| (damage.kind, damage.detail))
                .unwrap()
        };
        let (kind, detail) = reason(&directory.0.join("absent"));
        assert_eq!(
            (kind, detail.as_str()),
            (DamageKind::Unreadable, "there is no such file")
        );
        assert!(reason(&directory.0).1.contains("directory"));
        assert_eq!(reason(&directory.write("empty", b"")).0, DamageKind::Empty);
        let (kind, detail) = reason(&directory.write("photo.pcap", b"\xff\xd8\xff\xe0\0\x10JFIF"));
        assert_eq!(kind, DamageKind::NotACapture);
        assert!(detail.contains("a JPEG image"), "{detail}");
        let denied = unreadable(&ErrorKind::PermissionDenied.into());
        assert!(denied.detail.contains("permission denied"));
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let directory = Directory::new("read");
        let mut pcap = PcapWriter::new(MAGIC_US, ByteOrder::Little, 1);
        pcap.record(1, 1, b"abc");
        let path = directory.write("x", &gzip(&pcap.bytes));
        let mut reader = open_path(&path).unwrap();
        let mut batch = FrameBatch::new();
        let mut frames = 0;
        while reader.fill(&mut batch) {
            frames += batch.len();
        }
        assert_eq!(frames, 1);
        assert_eq!(reader.octets_read(), path.metadata().unwrap().len());
        assert!(batch.is_empty() && !reader.fill(&mut batch));
    }
}

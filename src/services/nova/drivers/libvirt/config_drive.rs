//! The config drive: an ISO 9660 image with the label `config-2`.

use std::io::Cursor;
use std::sync::Arc;

use hadris_iso::read::PathSeparator;
use hadris_iso::write::options::{CreationFeatures, IsoFormatOptions};
use hadris_iso::write::{File, InputFiles, IsoImageWriter};

use crate::drivers::{DriverError, Result};

/// The label by which guests find the drive.
const LABEL: &str = "config-2";
const SECTOR: usize = 2048;

/// An image with these paths and contents. Names are kept as they are by Rock Ridge.
pub(super) fn image(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut root = Vec::new();
    for (path, content) in files {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        put(&mut root, &parts, content);
    }
    let options = IsoFormatOptions {
        volume_name: LABEL.to_owned(),
        system_id: None,
        volume_set_id: None,
        publisher_id: None,
        preparer_id: None,
        application_id: None,
        sector_size: SECTOR,
        path_separator: PathSeparator::ForwardSlash,
        // The label is lower case, as every guest expects and the standard forbids.
        strict_charset: false,
        features: CreationFeatures::rock_ridge(),
    };
    let input = InputFiles { path_separator: PathSeparator::ForwardSlash, files: root };
    let written = IsoImageWriter::create(Cursor::new(vec![0; space(files)]), input, options)
        .map_err(|source| DriverError::failed("writing the config drive", source))?;
    Ok(written.into_inner())
}

/// Puts a file at a path, making the directories on the way.
fn put(directory: &mut Vec<File>, path: &[&str], content: &[u8]) {
    match path {
        [] => {}
        [name] => directory
            .push(File::File { name: Arc::new((*name).to_owned()), contents: content.to_vec() }),
        [name, rest @ ..] => {
            for entry in directory.iter_mut() {
                if let File::Directory { name: known, children } = entry
                    && known.as_str() == *name
                {
                    return put(children, rest, content);
                }
            }
            let mut children = Vec::new();
            put(&mut children, rest, content);
            directory.push(File::Directory { name: Arc::new((*name).to_owned()), children });
        }
    }
}

/// More than enough room: the contents in whole sectors, and a few sectors a name for the tables.
fn space(files: &[(String, Vec<u8>)]) -> usize {
    let content: usize =
        files.iter().map(|(_, content)| (content.len() / SECTOR + 1) * SECTOR).sum();
    content + (64 + files.len() * 8) * SECTOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use hadris_iso::read::IsoImage;

    #[test]
    fn the_image_has_the_label_and_the_names() {
        let files = vec![
            ("openstack/latest/meta_data.json".to_owned(), b"{\"name\":\"vm1\"}".to_vec()),
            ("openstack/latest/user_data".to_owned(), b"#!/bin/sh".to_vec()),
            ("ec2/latest/meta-data.json".to_owned(), b"{}".to_vec()),
        ];
        let bytes = image(&files).unwrap();
        assert_eq!(&bytes[32808..32816], b"config-2");
        let name = b"meta_data.json";
        assert!(bytes.windows(name.len()).any(|window| window == name), "no Rock Ridge names");
        let image = IsoImage::open(Cursor::new(bytes)).unwrap();
        let root: Vec<_> =
            image.root_dir().iter(&image).entries().map(|entry| entry.unwrap()).collect();
        assert!(root.iter().any(|entry| entry.matches_name("openstack")));
    }
}

//! Reading back what libvirt says: the few values that are needed from its XML.
//!
//! libvirt writes its XML itself, always in one form (single quotes, one element a line), so a
//! search for elements and attributes suffices.

/// Every `<name …>…</name>` or `<name …/>` in the text, outermost only.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find(&open) {
        rest = &rest[start..];
        let Some(head) = rest.find('>') else { break };
        let whole_name = rest[open.len()..].starts_with([' ', '>', '/']);
        let end = if rest[..head].ends_with('/') {
            head + 1
        } else {
            rest.find(&close).map_or(head + 1, |at| at + close.len())
        };
        if whole_name {
            found.push(&rest[..end]);
            rest = &rest[end..];
        } else {
            rest = &rest[open.len()..];
        }
    }
    found
}

/// The attribute of the first such element, unescaped.
pub(super) fn attribute(xml: &str, element: &str, name: &str) -> Option<String> {
    let found = elements(xml, element);
    let head = found.first()?.split('>').next()?;
    let value = head.split_once(&format!(" {name}='"))?.1.split('\'').next()?;
    Some(unescape(value))
}

/// The text of the first such element, unescaped.
pub(super) fn text(xml: &str, element: &str) -> Option<String> {
    let found = elements(xml, element);
    let inner = found.first()?.split_once('>')?.1;
    Some(unescape(inner.rsplit_once("</")?.0))
}

/// The disk with this target device.
pub(super) fn disk<'a>(xml: &'a str, device: &str) -> Option<&'a str> {
    elements(xml, "disk")
        .into_iter()
        .find(|disk| attribute(disk, "target", "dev").as_deref() == Some(device))
}

/// The interface with this MAC address.
pub(super) fn interface<'a>(xml: &'a str, mac: &str) -> Option<&'a str> {
    elements(xml, "interface").into_iter().find(|interface| {
        attribute(interface, "mac", "address").is_some_and(|held| held.eq_ignore_ascii_case(mac))
    })
}

/// The file or block device of a disk.
pub(super) fn source(disk: &str) -> Option<String> {
    attribute(disk, "source", "file").or_else(|| attribute(disk, "source", "dev"))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<domain>
  <devices>
    <disk type='file' device='disk'>
      <source file='/a&amp;b' index='1'/>
      <backingStore type='file'><source file='/base'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/loop1'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <interface type='ethernet'>
      <mac address='fa:16:3e:00:00:01'/>
      <target dev='tap1'/>
    </interface>
    <graphics type='vnc' port='5900' autoport='yes'>
      <listen type='address' address='127.0.0.1'/>
    </graphics>
  </devices>
</domain>";

    #[test]
    fn devices_are_found_by_what_identifies_them() {
        assert_eq!(elements(XML, "disk").len(), 2);
        assert_eq!(source(disk(XML, "vda").unwrap()).as_deref(), Some("/a&b"));
        assert_eq!(source(disk(XML, "vdb").unwrap()).as_deref(), Some("/dev/loop1"));
        assert!(disk(XML, "vdc").is_none());
        let nic = interface(XML, "FA:16:3E:00:00:01").unwrap();
        assert_eq!(attribute(nic, "target", "dev").as_deref(), Some("tap1"));
        assert_eq!(attribute(XML, "graphics", "port").as_deref(), Some("5900"));
        assert_eq!(text("<cpu><model>Epyc</model></cpu>", "model").as_deref(), Some("Epyc"));
    }
}

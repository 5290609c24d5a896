//! A test that runs itself again in namespaces of its own, where it may change what it likes.

use std::path::Path;
use std::time::Duration;

use stackup_system::Program;

/// Tells the inner run from the outer one.
const MARK: &str = "STACKUP_TEST_INSIDE";

/// True in the inner run. In the outer one, runs the named test again inside and passes on its
/// verdict. `/etc` is a copy in there, and there is no device but loopback.
pub(crate) async fn inside(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    assert!(nix_root(), "these tests need root");
    let output = Program::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "sh", "-ec", PREPARE, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(MARK, "1")
        .timeout(Duration::from_secs(1800))
        .status()
        .await
        .unwrap();
    assert_eq!(output.code, 0, "{}\n{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("1 passed"), "{test} did not run:\n{}", output.stdout);
    println!("{}", output.stdout);
    false
}

const PREPARE: &str = "
    ip link set lo up
    scratch=$(mktemp -d)
    mount -t tmpfs tmpfs \"$scratch\"
    cp -a /etc/. \"$scratch\"
    mount --bind \"$scratch\" /etc
    umount -l \"$scratch\"
    rmdir \"$scratch\"
    exec \"$@\"
";

fn nix_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// What a reset must leave as it was, as text that can be compared.
pub(crate) async fn picture(state_dir: &Path) -> String {
    let name = state_dir.file_name().unwrap().to_string_lossy().into_owned();
    let looks = [
        "ip -o link | sed -E 's/^[0-9]+: //; s/ (qlen|state) [^ ]+//g'",
        "ip -o -4 addr | sed -E 's/^[0-9]+: //'",
        "ip route show table all | grep -v 'proto kernel.*fe80' | grep -v ff00",
        "nft list ruleset",
        "sysctl -a 2>/dev/null | grep -E '^net\\.(ipv4\\.ip_forward|ipv4\\.conf\\..*(forwarding|accept_redirects))'",
        "find /etc -type d -printf '%p %m %u %g\\n' -o -printf '%p %y %m %u %g %s %l\\n' | grep -vE '/(passwd|group|shadow|gshadow)-|/etc ' | sort",
        "sha256sum /etc/passwd /etc/group /etc/shadow /etc/gshadow",
        "losetup -n -O BACK-FILE | sort",
        "vgs --noheadings -o vg_name",
        "ls -d /run/netns /run/lvm /run/lock/lvm 2>/dev/null; findmnt -rno TARGET",
    ];
    let own = format!(
        "ls -d /run/{name}* {0} 2>/dev/null; ps -eo args | grep -F -e {0} | grep -v -e grep -e 'sh -c'",
        state_dir.display()
    );
    let mut picture = String::new();
    for look in looks.into_iter().chain([own.as_str()]) {
        let output = Program::new("sh").args(["-c", look]).status().await.unwrap();
        picture.push_str(&format!("--- {look}\n{}", output.stdout));
    }
    picture
}

/// The lines of one picture that are not in the other.
pub(crate) fn difference(before: &str, after: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let come = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

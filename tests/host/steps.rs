//! Every kind of step by itself: absent, applied, satisfied, applied again, reverted, absent.

use std::path::Path;

use stackup_flow::{State, Step, StepError};
use stackup_host::steps::{
    AnyStep, Backing, Bridge, Clouds, Directory, File, NftTable, Sysctl, TimeProcess, TimeServer,
    User, VolumeGroup,
};
use stackup_profile::ByteSize;

use crate::inside::{difference, inside, picture};

/// The life of a step. What it leaves must be what was there before.
async fn lives(step: &AnyStep, scratch: &Path) {
    let name = step.name();
    let before = picture(scratch).await;
    assert_ne!(step.check(&()).await.unwrap(), State::Satisfied, "{name} before");
    let mut receipt = step.prior(&()).await.unwrap();
    for _ in 0..2 {
        let told = step.apply(&()).await.unwrap();
        if let (Some(receipt), Some(told)) = (receipt.as_object_mut(), told.as_object()) {
            receipt.extend(told.clone());
        }
        assert_eq!(step.check(&()).await.unwrap(), State::Satisfied, "{name} applied");
    }
    for _ in 0..2 {
        step.revert(&(), &receipt).await.unwrap();
        assert_ne!(step.check(&()).await.unwrap(), State::Satisfied, "{name} reverted");
    }
    let after = picture(scratch).await;
    let left = difference(&before, &after);
    assert!(left.is_empty(), "{name} left:\n{left}");
}

fn file(path: impl Into<std::path::PathBuf>, content: &str) -> AnyStep {
    AnyStep::File(File {
        path: path.into(),
        content: content.to_owned(),
        mode: 0o640,
        secret: false,
    })
}

fn bridge() -> Bridge {
    Bridge { name: "br-ex".to_owned(), address: "172.24.4.1/24".parse().unwrap() }
}

fn group(scratch: &Path) -> VolumeGroup {
    let file = scratch.join("backing-file");
    let backing = Backing::Loop { file, size: ByteSize(300 << 20) };
    VolumeGroup { name: "stackup-test-volumes".to_owned(), backing }
}

#[tokio::test]
#[ignore = "needs root"]
async fn each_step_comes_and_goes() {
    if !inside("steps::each_step_comes_and_goes").await {
        return;
    }
    let scratch = tempfile::Builder::new().prefix("stackup-steps").tempdir().unwrap();
    let dir = scratch.path();
    std::fs::create_dir_all("/etc/sysctl.d").unwrap();
    stackup_system::files::write_atomic(Path::new("/etc/sysctl.d/there"), b"old", 0o600).unwrap();
    let rules = "table ip stackup {\n\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\tip saddr 172.24.4.0/24 oifname != \"br-ex\" masquerade\n\t}\n}\n";
    let steps = [
        AnyStep::Directory(Directory { path: dir.join("a/b"), mode: 0o750, keep: Vec::new() }),
        file("/etc/sysctl.d/90-new", "a = 1\n"),
        file("/etc/sysctl.d/there", "new"),
        file("/etc/some/where/deep", "x"),
        AnyStep::User(User {
            name: "stackuptest".to_owned(),
            home: "/nonexistent".to_owned(),
            reason: "test".to_owned(),
        }),
        AnyStep::Sysctl(Sysctl {
            name: "net.ipv4.ip_forward".to_owned(),
            value: "1".to_owned(),
            reason: "test".to_owned(),
        }),
        AnyStep::Bridge(bridge()),
        AnyStep::NftTable(NftTable {
            family: "ip".to_owned(),
            name: "stackup".to_owned(),
            rules: rules.to_owned(),
        }),
        AnyStep::Clouds(Clouds {
            path: "/etc/openstack/clouds.yaml".into(),
            auth_url: "http://127.0.0.1/identity".to_owned(),
            region: "RegionOne".to_owned(),
            password: "secret".to_owned(),
        }),
        AnyStep::VolumeGroup(group(dir)),
        AnyStep::TimeServer(TimeServer {
            config: dir.join("chrony.conf"),
            content: format!(
                "local stratum 10 orphan\nport 0\ncmdport 0\nbindcmdaddress {0}/c/s\npidfile {0}/chronyd.pid\n",
                dir.display()
            ),
            process: Some(TimeProcess {
                pid_file: dir.join("chronyd.pid"),
                runtime: dir.join("c"),
                log: dir.join("chronyd.log"),
            }),
        }),
    ];
    for step in &steps {
        lives(step, dir).await;
    }
}

#[tokio::test]
#[ignore = "needs root"]
async fn what_is_not_ours_is_refused_and_stays() {
    if !inside("steps::what_is_not_ours_is_refused_and_stays").await {
        return;
    }
    let add = ["link", "add", "br-ex", "type", "bridge"];
    stackup_system::Program::new("ip").args(add).run().await.unwrap();
    let step = bridge();
    let refused: StepError = step.check(&()).await.unwrap_err();
    assert_eq!(refused.id, Some("STK-NET-001"));
    step.revert(&(), &serde_json::Value::Null).await.unwrap();
    stackup_system::Program::new("ip").args(["link", "show", "br-ex"]).run().await.unwrap();
}

//! The whole of an install, killed at every moment of every step, then resumed or reset; and a
//! reset killed the same way. The machine must be as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stackup_core::SystemClock;
use stackup_flow::{Point, Position, Step, Watch};
use stackup_host::steps::{AnyStep, Backing, VolumeGroup};
use stackup_host::{Inputs, Paths, Plan};
use stackup_profile::{ByteSize, Profile};
use stackup_system::{Program, files};

use crate::inside::{difference, inside, picture};

const VERB: &str = "STACKUP_TEST_VERB";
const STATE: &str = "STACKUP_TEST_STATE";
const DIE: &str = "STACKUP_TEST_DIE";

/// Aborts the process where it is told to.
struct Doom(Option<(String, Point)>);

impl Watch for Doom {
    fn reached(&self, at: Position<'_>, point: Point) {
        if self.0.as_ref().is_some_and(|(step, when)| step == at.step && *when == point) {
            std::process::abort();
        }
    }
}

/// A machine without systemd, on which everything else is real but the service and the packages.
async fn plan_for(state_dir: &Path) -> (Profile, Plan) {
    let set = format!("state_dir={}", state_dir.display());
    let profile = stackup_profile::resolve("test", "", &[set, "listen.port=8080".to_owned()]);
    let profile = profile.unwrap().profile;
    let mut facts = stackup_host::facts(&profile).await;
    (facts.systemd, facts.time_daemon) = (false, None);
    let inputs = Inputs {
        program: state_dir.with_extension("program"),
        credentials: "{}".to_owned(),
        password: "secret".to_owned(),
        auth_url: "http://127.0.0.1:8080/identity".to_owned(),
        ports: vec![8080],
    };
    let mut plan = stackup_host::plan(&profile, &facts, &inputs).unwrap();
    plan.steps.retain(|step| !matches!(step, AnyStep::Packages(_) | AnyStep::VolumeGroup(_)));
    let file = state_dir.join("volumes");
    let group = VolumeGroup {
        name: "stackup-test-install".to_owned(),
        backing: Backing::Loop { file, size: ByteSize(300 << 20) },
    };
    let last = plan.steps.len() - 1;
    plan.steps.insert(last, AnyStep::VolumeGroup(group));
    (profile, plan)
}

/// What a child of the test does: one install or reset, perhaps not to its end.
#[tokio::test]
#[ignore = "runs as a child of the others"]
async fn child() {
    let Some(verb) = std::env::var_os(VERB) else { return };
    let state_dir = PathBuf::from(std::env::var_os(STATE).unwrap());
    let die = std::env::var_os(DIE).map(|text| text.into_string().unwrap());
    let die = die.map(|text| {
        let (step, point) = text.rsplit_once('@').unwrap();
        (step.to_owned(), Point::parse(point).unwrap())
    });
    let watch = Doom(die);
    let clock = Arc::new(SystemClock);
    if verb == "install" {
        let (profile, plan) = plan_for(&state_dir).await;
        let done = stackup_host::install(&profile, &plan, Vec::new(), clock, &watch).await.unwrap();
        println!("changes={}", done.changes());
    } else {
        let report = stackup_host::reset(&Paths::new(&state_dir), clock, &watch).await.unwrap();
        assert!(report.clean(), "{report:?}");
    }
}

struct Machine {
    state_dir: PathBuf,
    before: String,
}

impl Machine {
    async fn new(name: &str) -> Self {
        let state_dir = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let program = state_dir.with_extension("program");
        let script = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.1; done\n";
        files::write_atomic(&program, script.as_bytes(), 0o755).unwrap();
        let before = picture(&state_dir).await;
        Self { state_dir, before }
    }

    /// Runs a verb in a child; answers its output, or None when it was killed as it should be.
    async fn run(&self, verb: &str, die: Option<&str>) -> Option<String> {
        let mut child = Program::new(std::env::current_exe().unwrap())
            .args(["--exact", "install_then_reset::child", "--ignored", "--nocapture"])
            .env(VERB, verb)
            .env(STATE, &self.state_dir)
            .timeout(Duration::from_secs(120));
        if let Some(die) = die {
            child = child.env(DIE, die);
        }
        let output = child.status().await.unwrap();
        match (output.code, die) {
            (0, _) => Some(output.stdout),
            (134, Some(_)) => None,
            (code, _) => {
                panic!("{verb} {die:?} ended with {code}:\n{}\n{}", output.stdout, output.stderr)
            }
        }
    }

    async fn assert_clean(&self, when: &str) {
        let after = picture(&self.state_dir).await;
        let left = difference(&self.before, &after);
        assert!(left.is_empty(), "{when}, left:\n{left}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(std::fs::remove_file(self.state_dir.with_extension("program")));
    }
}

#[tokio::test]
#[ignore = "needs root"]
async fn killed_at_every_step_it_resumes_and_resets() {
    if !inside("install_then_reset::killed_at_every_step_it_resumes_and_resets").await {
        return;
    }
    let machine = Machine::new("stackup-kill").await;
    let (_, plan) = plan_for(&machine.state_dir).await;
    for step in plan.steps.iter().map(Step::name) {
        for point in Point::ALL {
            let die = format!("{step}@{}", point.as_str());
            let died = machine.run("install", Some(&die)).await.is_none();
            // What is so already is adopted without an effect, and there is no moment to die at.
            assert!(died || adopted(&step), "{die} was never reached");
            machine.run("reset", None).await;
            machine.assert_clean(&format!("killed at {die}, then reset")).await;

            machine.run("install", Some(&die)).await;
            machine.run("install", None).await;
            let again = machine.run("install", None).await.unwrap();
            assert!(again.contains("changes=0"), "{die}: {again}");
            machine.run("reset", Some(&die)).await;
            machine.run("reset", None).await;
            machine.assert_clean(&format!("installed and reset with a kill at {die}")).await;
        }
    }
}

/// Steps whose effect this machine may have already.
fn adopted(step: &str) -> bool {
    ["user:libvirt-qemu", "netns_root", "kernel_modules"].contains(&step)
}

#[tokio::test]
#[ignore = "needs root"]
async fn without_the_ledger_marks_are_enough() {
    if !inside("install_then_reset::without_the_ledger_marks_are_enough").await {
        return;
    }
    let machine = Machine::new("stackup-marks").await;
    // The forwarding switch and a system user carry no mark.
    stackup_system::kernel::set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    machine.run("install", None).await;
    let before = picture(&machine.state_dir).await;
    assert!(before != machine.before);
    std::fs::remove_file(machine.state_dir.join("ledger.db")).unwrap();
    let paths = Paths::new(&machine.state_dir);
    let report = stackup_host::reset(&paths, Arc::new(SystemClock), &Doom(None)).await.unwrap();
    assert!(report.errors.is_empty(), "{report:?}");
    let after = picture(&machine.state_dir).await;
    for gone in ["br-ex", "masquerade", "stackup-test-install", "/etc/openstack", "chronyd -x"] {
        assert!(!after.contains(gone), "{gone} is left:\n{}", difference(&machine.before, &after));
    }
    stackup_system::kernel::set_sysctl("net.ipv4.ip_forward", "0").unwrap();
    // The state without a ledger is not touched: it may be anybody's.
    assert_eq!(report.residue, [machine.state_dir.display().to_string()]);
    std::fs::remove_dir_all(&machine.state_dir).unwrap();
    std::fs::remove_file(paths.lock()).unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_second_install_is_told_of_the_first() {
    if !inside("install_then_reset::a_second_install_is_told_of_the_first").await {
        return;
    }
    let machine = Machine::new("stackup-lock").await;
    let (profile, plan) = plan_for(&machine.state_dir).await;
    let held = std::fs::File::create(Paths::new(&machine.state_dir).lock()).unwrap();
    held.lock().unwrap();
    let clock = Arc::new(SystemClock);
    let error = stackup_host::install(&profile, &plan, Vec::new(), clock, &Doom(None)).await;
    let error = error.unwrap_err();
    assert_eq!((error.id, error.kind as i32), ("STK-LOCK-001", 14));
    assert!(!machine.state_dir.exists());
    std::fs::remove_file(Paths::new(&machine.state_dir).lock()).unwrap();
}

//! The direction of dependencies, drawn in src/README.md: down only, never sideways, and one home for each
//! third-party crate that must stay replaceable.

use std::path::Path;

use anyhow::Result;

use crate::{
    Findings, source,
    workspace::{Crate, Dependency, Workspace},
};

/// A third-party crate and where it may be used: whole crates, or one directory inside them.
struct Home {
    package: &'static str,
    /// Crate directories that may depend on it; a closing `*` stands for every name.
    crates: &'static [&'static str],
    /// Inside the crates named here the files are restricted to this directory.
    only_in: &'static [(&'static str, &'static str)],
}

const SERVICES: &str = "src/services/*";

const HOMES: &[Home] = &[
    // The composition root hands the kernel's services to what it composes, hence stackup; the
    // tests of tier 5 are about the kernel.
    Home {
        package: "stackup-system",
        crates: &["src/host", "src/stackup", SERVICES, "tests"],
        only_in: &[(SERVICES, "drivers")],
    },
    Home {
        package: "nix",
        crates: &["src/kit/system", "src/host", "src/stackup", SERVICES],
        only_in: &[(SERVICES, "drivers")],
    },
    Home { package: "rusqlite", crates: &["src/ledger", "src/kit/store"], only_in: &[] },
    Home { package: "sqlx", crates: &["src/kit/store"], only_in: &[] },
    Home {
        package: "serde_yaml",
        crates: &["src/profile", "src/services/heat", "src/services/mistral"],
        only_in: &[],
    },
    Home { package: "indicatif", crates: &["src/stackup"], only_in: &[("src/stackup", "ui")] },
    Home {
        package: "virt",
        crates: &["src/services/nova"],
        only_in: &[("src/services/nova", "drivers")],
    },
    Home {
        package: "virt-sys",
        crates: &["src/services/nova"],
        only_in: &[("src/services/nova", "drivers")],
    },
];

/// What may lie at the root of a service (`pages` and `assets` are horizon's).
const SERVICE_ROOT: &[&str] = &[
    "Cargo.toml",
    "lib.rs",
    "config.rs",
    "error.rs",
    "policy.rs",
    "quota.rs",
    "schema.sql",
    "model",
    "store",
    "logic",
    "api",
    "tasks",
    "drivers",
    "migrations",
    "tests",
    "pages",
    "assets",
];

/// Fails when sources cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result<Findings> {
    let mut findings = Findings::default();
    for member in &workspace.crates {
        let Some(layer) = layer(&member.dir) else {
            findings
                .error(format!("{}: has no layer; say where it belongs in layers.rs", member.dir));
            continue;
        };
        for dependency in member.dependencies() {
            if let Some(target) = workspace.package(&dependency.name) {
                own(member, layer, &dependency, target, &mut findings);
            }
            home(member, &dependency, &mut findings);
        }
        files(workspace, member, &mut findings)?;
        strangers(member, &mut findings)?;
    }
    Ok(findings)
}

/// The storey of a crate. xtask (0) uses none of ours; the whole-cloud tests (6) may use all but services.
fn layer(dir: &str) -> Option<u8> {
    Some(match dir {
        "src/kit/core" | "src/xtask" => 0,
        "src/contracts" | "src/kit/system" | "src/profile" => 1,
        "src/kit/flow" | "src/kit/store" | "src/kit/policy" => 2,
        "src/kit/web" | "src/ledger" => 3,
        "src/kit/testing" | "src/host" => 4,
        "src/stackup" => 5,
        "tests" => 6,
        _ if dir.starts_with("src/services/") => 4,
        _ => return None,
    })
}

/// One dependency between two of our crates.
fn own(
    member: &Crate,
    layer: u8,
    dependency: &Dependency,
    target: &Crate,
    findings: &mut Findings,
) {
    let (from, to) = (&member.dir, &target.dir);
    if to == "src/kit/testing" {
        if !dependency.dev && from != "tests" {
            findings.error(format!("{from}: stackup-testing may be a dev-dependency only"));
        }
        return;
    }
    let service = |dir: &str| dir.starts_with("src/services/");
    if service(to) && from != "src/stackup" {
        let why = if service(from) {
            "services never use one another"
        } else {
            "only stackup names services"
        };
        findings.error(format!("{from} -> {to}: {why}; go through src/contracts"));
    } else if service(from) && ["src/host", "src/ledger", "src/profile"].contains(&to.as_str()) {
        findings.error(format!(
            "{from} -> {to}: a service knows nothing of the machine's installation"
        ));
    } else if self::layer(to).is_some_and(|below| below >= layer) {
        findings.error(format!("{from} -> {to}: a crate may use only lower layers"));
    }
}

fn home(member: &Crate, dependency: &Dependency, findings: &mut Findings) {
    let Some(home) = HOMES.iter().find(|home| home.package == dependency.name) else {
        return;
    };
    if !dependency.dev && !home.crates.iter().any(|pattern| fits(pattern, &member.dir)) {
        findings.error(format!(
            "{}: {} belongs to {}",
            member.dir,
            home.package,
            home.crates.join(", ")
        ));
    }
}

/// The homes that are a directory within a crate; test code is free.
fn files(workspace: &Workspace, member: &Crate, findings: &mut Findings) -> Result<()> {
    let restricted: Vec<_> = HOMES
        .iter()
        .flat_map(|home| {
            home.only_in.iter().map(move |(pattern, dir)| (home.package, *pattern, *dir))
        })
        .filter(|(_, pattern, _)| fits(pattern, &member.dir))
        .collect();
    if restricted.is_empty() {
        return Ok(());
    }
    for path in source::rust_files(&member.path)? {
        let text = source::read(&path)?;
        for (package, _, dir) in &restricted {
            let inside = path.starts_with(member.path.join(dir));
            let test = path.starts_with(member.path.join("tests"));
            if !inside && !test && source::names_crate(&text, &package.replace('-', "_")) {
                let shown = workspace.shown(&path);
                findings
                    .error(format!("{shown}: {package} may be used only in {}/{dir}", member.dir));
            }
        }
    }
    Ok(())
}

/// Services share one anatomy; a name that no other service has needs a reason and a line above.
fn strangers(member: &Crate, findings: &mut Findings) -> Result<()> {
    if !member.dir.starts_with("src/services/") || !Path::new(&member.path).is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&member.path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !SERVICE_ROOT.contains(&name.as_str()) {
            findings.error(format!(
                "{}/{name}: not a name that services have at their root",
                member.dir
            ));
        }
    }
    Ok(())
}

fn fits(pattern: &str, dir: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == dir, |prefix| dir.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::workspace::tests::workspace;

    const OURS: &[(&str, &str, &str)] = &[
        ("src/kit/core", "stackup-core", ""),
        ("src/kit/system", "stackup-system", "stackup-core = \"1\"\nnix = \"1\""),
        ("src/kit/store", "stackup-store", "stackup-core = \"1\"\nrusqlite = \"1\"\nsqlx = \"1\""),
        ("src/ledger", "stackup-ledger", "rusqlite = \"1\""),
        ("src/host", "stackup-host", "stackup-ledger = \"1\"\nstackup-system = \"1\""),
        ("src/services/nova", "stackup-nova", "stackup-store = \"1\"\nvirt = \"1\""),
        ("src/stackup", "stackup", "stackup-nova = \"1\"\nstackup-host = \"1\"\nindicatif = \"1\""),
    ];

    fn errors(extra: (&str, &str, &str)) -> Vec<String> {
        let mut all = OURS.to_vec();
        all.retain(|(dir, _, _)| *dir != extra.0);
        all.push(extra);
        check(&workspace(&all)).unwrap().errors
    }

    #[test]
    fn the_drawn_layers_pass() {
        assert_eq!(check(&workspace(OURS)).unwrap().errors, Vec::<String>::new());
    }

    #[test]
    fn up_and_level_are_refused() {
        assert_eq!(errors(("src/kit/core", "stackup-core", "stackup-store = \"1\"")).len(), 1);
        assert_eq!(errors(("src/kit/flow", "stackup-flow", "stackup-store = \"1\"")).len(), 1);
    }

    #[test]
    fn services_use_neither_one_another_nor_the_host() {
        let sideways = errors(("src/services/cinder", "stackup-cinder", "stackup-nova = \"1\""));
        assert!(sideways[0].contains("never use one another"), "{sideways:?}");
        for target in ["stackup-host", "stackup-ledger"] {
            let found =
                errors(("src/services/cinder", "stackup-cinder", &format!("{target} = \"1\"")));
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }

    #[test]
    fn only_stackup_names_services() {
        assert_eq!(errors(("tests", "stackup-tests", "stackup-nova = \"1\"")).len(), 1);
    }

    #[test]
    fn third_party_crates_stay_at_home() {
        for (package, dir, name) in [
            ("rusqlite", "src/services/cinder", "stackup-cinder"),
            ("sqlx", "src/ledger", "stackup-ledger"),
            ("serde_yaml", "src/host", "stackup-host"),
            ("indicatif", "src/host", "stackup-host"),
            ("virt", "src/services/cinder", "stackup-cinder"),
        ] {
            let found = errors((dir, name, &format!("{package} = \"1\"")));
            assert!(found.iter().any(|error| error.contains("belongs to")), "{package}: {found:?}");
        }
    }

    #[test]
    fn the_kernel_is_for_drivers_only() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("drivers/lvm.rs", "use stackup_system::Program;"),
            ("logic/volumes.rs", "use stackup_system::Program;"),
            ("tests/it/main.rs", "use stackup_system::Program;"),
            ("helpers/mod.rs", ""),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), text.as_bytes())
                .unwrap();
        }
        let mut workspace = workspace(&[("src/services/cinder", "stackup-cinder", "")]);
        workspace.crates[0].path = dir.path().to_path_buf();
        let errors = check(&workspace).unwrap().errors;
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("logic/volumes.rs"), "{errors:?}");
        assert!(errors[1].contains("helpers"), "{errors:?}");
    }
}

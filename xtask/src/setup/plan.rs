//! From what is there to what is to be done. Pure: nothing is run here.

use super::{
    Needs, llvm,
    machine::{BPFFS, Machine},
    packages,
};
use crate::privilege::Root;

/// What makes a Debian package.
pub(crate) const CARGO_DEB: &str = "cargo-deb";

/// Pinned: another release may lay files elsewhere.
const CARGO_DEB_VERSION: &str = "3.8.0";

/// Something missing, and the way to get it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// What is missing, as shown to the user.
    pub(crate) missing: String,
    /// Why the steps cannot be taken from here.
    pub(crate) obstacle: Option<String>,
    /// The commands that get it.
    pub(crate) steps: Vec<Step>,
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Whether it is run through sudo.
    pub(crate) through_sudo: bool,
    argv: Vec<String>,
}

impl Step {
    /// The words to run: through sudo where it needs root and we are not.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        let sudo = self.through_sudo.then_some("sudo");
        sudo.into_iter().chain(self.argv.iter().map(String::as_str))
    }

    fn own(argv: &str) -> Self {
        Self { through_sudo: false, argv: argv.split(' ').map(str::to_owned).collect() }
    }

    fn root(machine: &Machine, argv: &str) -> Self {
        Self { through_sudo: machine.root != Root::Own, ..Self::own(argv) }
    }
}

/// What must be done, in this order, before the machine has what this level needs.
pub(crate) fn plan(machine: &Machine, needs: Needs) -> Vec<Fix> {
    let mut fixes = Vec::new();
    if needs.include(Needs::Build) {
        fixes.extend(library_sources(machine));
    }
    fixes.extend(debian_packages(machine, needs));
    if needs.include(Needs::Build) {
        fixes.extend(linker(machine));
    }
    if needs.include(Needs::Package) {
        fixes.extend(cargo_deb(machine));
    }
    if needs.include(Needs::Load) {
        fixes.extend(bpffs(machine));
    }
    fixes
}

fn library_sources(machine: &Machine) -> Option<Fix> {
    let obstacle = "rustc is not rustup's: install the package with the sources of its library \
                    (on Debian rust-src or rust-web-src)";
    (!machine.library_sources).then(|| Fix {
        missing: "rust-src, the sources of `core` for the bpf target".into(),
        obstacle: (!machine.programs.contains("rustup")).then(|| obstacle.into()),
        steps: vec![Step::own("rustup component add rust-src")],
    })
}

/// All packages in one go: those of the table, and those that bpf-linker is built with.
fn debian_packages(machine: &Machine, needs: Needs) -> Option<Fix> {
    let there = |program: &str| machine.programs.contains(program);
    let tools = packages::missing(needs, there).into_iter().map(str::to_owned);
    let names: Vec<_> = tools.chain(packages_for_linker(machine, needs)).collect();
    let root = |argv: &str| Step::root(machine, argv);
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends";
    (!names.is_empty()).then(|| Fix {
        missing: names.join(", "),
        obstacle: obstacle_to_install(machine),
        steps: vec![root("apt-get update"), root(&format!("{install} {}", names.join(" ")))],
    })
}

fn packages_for_linker(machine: &Machine, needs: Needs) -> Vec<String> {
    let major = machine.rustc_llvm;
    if !needs.include(Needs::Build) || linker_fits(machine) || !llvm::is_known(major) {
        return Vec::new();
    }
    let mut names = Vec::new();
    if !machine.llvm_for_development.contains(&major) {
        names.extend([format!("llvm-{major}-dev"), format!("libpolly-{major}-dev")]);
    }
    // LLVM is C++: its library is linked with.
    if !machine.programs.contains("c++") {
        names.push("g++".into());
    }
    names
}

fn linker(machine: &Machine) -> Option<Fix> {
    let major = machine.rustc_llvm;
    let version = llvm::LINKER_VERSION;
    let missing = match &machine.linker {
        Some(found) => format!("a bpf-linker with LLVM {major} or later; found {found}"),
        None => format!("bpf-linker with LLVM {major} or later"),
    };
    let obstacle = format!(
        "bpf-linker {version} cannot be built with the LLVM {major} of this rustc: \
         use another toolchain, or build a bpf-linker that can"
    );
    (!linker_fits(machine)).then(|| Fix {
        missing,
        obstacle: (!llvm::is_known(major)).then_some(obstacle),
        steps: vec![Step::own(&format!(
            "env LLVM_PREFIX=/usr/lib/llvm-{major} cargo install bpf-linker --version {version} \
             --locked --force --no-default-features --features llvm-{major}"
        ))],
    })
}

fn cargo_deb(machine: &Machine) -> Option<Fix> {
    (!machine.programs.contains(CARGO_DEB)).then(|| Fix {
        missing: CARGO_DEB.into(),
        obstacle: None,
        steps: vec![Step::own(&format!(
            "cargo install {CARGO_DEB} --version {CARGO_DEB_VERSION} --locked"
        ))],
    })
}

fn bpffs(machine: &Machine) -> Option<Fix> {
    (!machine.bpffs).then(|| Fix {
        missing: format!("a bpf file system at {BPFFS}"),
        obstacle: (machine.root == Root::None).then(|| NO_ROOT.into()),
        steps: vec![Step::root(machine, &format!("mount -t bpf bpf {BPFFS}"))],
    })
}

const NO_ROOT: &str = "this needs root, and there is no sudo here";

fn obstacle_to_install(machine: &Machine) -> Option<String> {
    let not_debian = "this is not Debian: install what corresponds to these packages";
    let obstacles = [
        (!machine.debian).then_some(not_debian),
        (machine.root == Root::None).then_some(NO_ROOT),
    ];
    obstacles.into_iter().flatten().next().map(str::to_owned)
}

fn linker_fits(machine: &Machine) -> bool {
    machine.linker.as_ref().is_some_and(|linker| linker.reads(machine.rustc_llvm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::llvm::Linker;

    #[test]
    fn nothing_is_done_where_nothing_is_missing() {
        assert_eq!(plan(&complete(), Needs::Traffic), []);
    }

    #[test]
    fn root_installs_missing_packages_in_one_go() {
        let mut machine = complete();
        machine.programs.remove("ip");
        machine.programs.remove("curl");
        assert_eq!(
            lines(&plan(&machine, Needs::Traffic)),
            [
                "apt-get update",
                "env DEBIAN_FRONTEND=noninteractive apt-get install --yes \
                 --no-install-recommends iproute2 curl",
            ]
        );
    }

    #[test]
    fn an_ordinary_user_asks_sudo_for_packages_but_not_for_the_linker() {
        let machine = Machine { root: Root::Sudo, linker: None, ..complete() };
        let machine = Machine { llvm_for_development: [].into(), bpffs: false, ..machine };
        let fixes = plan(&machine, Needs::Traffic);
        let through_sudo = |step: &Step| (step.argv[0].clone(), step.through_sudo);
        let steps: Vec<_> = fixes.iter().flat_map(|fix| &fix.steps).map(through_sudo).collect();
        let expected = [("apt-get", true), ("env", true), ("env", false), ("mount", true)];
        assert_eq!(steps, expected.map(|(program, sudo)| (program.to_owned(), sudo)));
    }

    #[test]
    fn the_linker_is_built_with_the_llvm_of_rustc() {
        let machine = Machine { linker: None, rustc_llvm: 23, ..complete() };
        assert_eq!(
            lines(&plan(&machine, Needs::Build)),
            [
                "apt-get update",
                "env DEBIAN_FRONTEND=noninteractive apt-get install --yes \
                 --no-install-recommends llvm-23-dev libpolly-23-dev",
                "env LLVM_PREFIX=/usr/lib/llvm-23 cargo install bpf-linker --version 0.13.0 \
                 --locked --force --no-default-features --features llvm-23",
            ]
        );
    }

    #[test]
    fn a_package_asks_for_its_own_tools_only() {
        let machine = Machine { programs: ["c++"].into(), bpffs: false, ..complete() };
        let lines = lines(&plan(&machine, Needs::Package));
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with("--no-install-recommends dpkg-dev lintian"), "{lines:?}");
        assert_eq!(lines[2], "cargo install cargo-deb --version 3.8.0 --locked");
    }

    #[test]
    fn a_linker_with_an_older_llvm_is_built_again() {
        let linker = Linker { version: "bpf-linker 0.12.0".into(), llvm: Some(21) };
        let fixes = plan(&Machine { linker: Some(linker), ..complete() }, Needs::Build);
        assert_eq!(fixes.len(), 1);
        assert_eq!(
            fixes[0].missing,
            "a bpf-linker with LLVM 22 or later; found bpf-linker 0.12.0 with LLVM 21"
        );
    }

    #[test]
    fn an_llvm_that_the_linker_does_not_know_is_an_obstacle() {
        let machine = Machine { linker: None, rustc_llvm: 24, ..complete() };
        let fixes = plan(&machine, Needs::Build);
        assert_eq!(fixes.len(), 1);
        assert!(fixes[0].obstacle.is_some());
    }

    #[test]
    fn without_root_or_debian_the_user_is_told_and_nothing_is_tried() {
        let machine = Machine { programs: [].into(), ..complete() };
        let rootless = Machine { root: Root::None, ..machine.clone() };
        let elsewhere = Machine { debian: false, ..machine };
        for machine in [rootless, elsewhere] {
            let fixes = plan(&machine, Needs::Traffic);
            assert!(fixes.iter().all(|fix| fix.obstacle.is_some() && !fix.steps.is_empty()));
        }
    }

    #[test]
    fn sources_come_from_rustup_or_from_the_user() {
        let machine = Machine { library_sources: false, ..complete() };
        let fixes = plan(&machine, Needs::Build);
        assert_eq!(lines(&fixes), ["rustup component add rust-src"]);
        assert_eq!(fixes[0].obstacle, None);
        let packaged = Machine { programs: [].into(), ..machine };
        assert!(plan(&packaged, Needs::Build)[0].obstacle.is_some());
    }

    #[test]
    fn building_does_not_ask_for_bpffs_or_traffic_tools() {
        let machine = Machine { bpffs: false, programs: ["cc", "c++"].into(), ..complete() };
        assert_eq!(plan(&machine, Needs::Build), []);
        assert_eq!(lines(&plan(&machine, Needs::Load)), ["mount -t bpf bpf /sys/fs/bpf"]);
    }

    fn complete() -> Machine {
        let programs = packages::PACKAGES.iter().map(|package| package.program);
        Machine {
            root: Root::Own,
            debian: true,
            rustc_llvm: 22,
            library_sources: true,
            linker: Some(Linker { version: "bpf-linker 0.13.0".into(), llvm: Some(22) }),
            programs: programs.chain(["cc", "c++", "rustup", CARGO_DEB]).collect(),
            llvm_for_development: [22].into(),
            bpffs: true,
        }
    }

    fn lines(fixes: &[Fix]) -> Vec<String> {
        let steps = fixes.iter().flat_map(|fix| &fix.steps);
        steps.map(|step| step.words().collect::<Vec<_>>().join(" ")).collect()
    }
}

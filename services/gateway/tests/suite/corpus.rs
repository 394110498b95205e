//! What fuzzing has found worth keeping (fuzz/corpus), and the examples of the schemas, through the same functions.

use std::fs;
use std::path::Path;

use yiping_gateway::Form;

#[path = "../../../../fuzz/targets.rs"]
mod targets;

fn replay(folder: &Path, target: fn(&[u8])) -> usize {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        if let Err(panic) = std::panic::catch_unwind(|| target(&fs::read(file).unwrap())) {
            eprintln!("{}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
    files.len()
}

type Target = fn(&[u8]);

#[test]
fn the_corpus_breaks_no_promise() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let corpus = Path::new(root).join("fuzz/corpus");
    let targets: [(&str, Target); 4] =
        [("envelope", targets::envelope), ("data", targets::data), ("lines", targets::lines), ("rows", targets::rows)];
    for (name, target) in targets {
        assert!(replay(&corpus.join(name), target) >= 5, "{name}: the corpus is gone");
    }
    for kind in fs::read_dir(Path::new(root).join("schemas/events/examples")).unwrap() {
        replay(&kind.unwrap().path(), targets::envelope);
    }
}

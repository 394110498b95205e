//! The files in `deploy/` are what the catalogue says.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::path::{Path, PathBuf};

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_monitoring::files;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

#[test]
fn what_is_deployed_is_made_of_the_catalogue() {
    let made = files(&Catalogue::builtin().unwrap(), &City::weihai()).unwrap();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for file in &made {
        let path = deploy().join(&file.path);
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &file.text).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == file.text, "{} is stale: UPDATE_GOLDEN=1 cargo test -p yiping-monitoring", path.display());
    }
    for folder in ["runbooks/figures", "grafana/dashboards"] {
        for there in std::fs::read_dir(deploy().join(folder)).into_iter().flatten() {
            let path = format!("{folder}/{}", there.unwrap().file_name().to_str().unwrap());
            assert!(made.iter().any(|file| file.path == path), "{path} is of a figure that is no more: delete it");
        }
    }
}

#[test]
fn a_limit_that_is_tuned_in_the_catalogue_changes_every_place() {
    let text = include_str!("../../../schemas/metrics.toml");
    // 接通率: 95 % over 24 h, for both hotlines
    let tuned = text.replace("limit = 0.95\nclear = 0.952", "limit = 0.91\nclear = 0.952");
    assert_ne!(text, tuned);
    let (before, after) = (Catalogue::parse(text).unwrap(), Catalogue::parse(&tuned).unwrap());
    let (before, after) = (files(&before, &City::weihai()).unwrap(), files(&after, &City::weihai()).unwrap());
    let changed: Vec<&str> =
        before.iter().zip(&after).filter(|(a, b)| a != b).map(|(file, _)| file.path.as_str()).collect();
    for place in [
        "prometheus/rules/figures-hotline.yml",
        "prometheus/tests/figures-elder.yml",
        "runbooks/figures/hotline.connect_ratio.md",
    ] {
        assert!(changed.contains(&place), "{place}: {changed:?}");
    }
}

#[test]
fn a_city_tunes_its_own_limits_and_names_its_own_people() {
    let mut city = City::weihai();
    city.thresholds.iter_mut().for_each(|own| own.owner = Some("临时\"指挥部".into()));
    let made = files(&Catalogue::builtin().unwrap(), &city).unwrap();
    let file = |path: &str| &made.iter().find(|file| file.path == path).unwrap().text;
    assert!(file("prometheus/rules/figures-parking.yml").contains(r#"department: "临时\"指挥部""#));
    assert!(file("prometheus/rules/figures-parking.yml").contains("key!~\"经开区|临港区\""));
    assert!(file("alertmanager/alertmanager.yml").contains("临时"));
}

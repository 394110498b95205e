//! Alertmanager's configuration: SOS first, then the departments that the catalogue and the profile name as owners.

use std::fmt::Write;

use serde_json::Value;
use yiping_city::City;

use crate::alert::{Alert, any_of};

const HEAD: &str = r#"# 由 schemas/metrics.toml 与城市配置生成：UPDATE_GOLDEN=1 cargo test -p yiping-monitoring，或 yiping monitoring --out DIR。
# 收件人都是本机的转发器 deploy/alertmanager/robot.py（企业微信、钉钉群机器人）；地址可改成任何接受 Alertmanager webhook 的服务。
global:
  resolve_timeout: 5m

templates:
  - yiping.tmpl

route:
  receiver: operations
  group_by: [stream, kind, department]
  group_wait: 20s
  group_interval: 2m
  repeat_interval: 4h
  routes:
    # 求助最先：不等待合并，未应答就每两分钟再说一次。
    - matchers: [kind="sos"]
      receiver: sos
      group_by: [district]
      group_wait: 0s
      group_interval: 15s
      repeat_interval: 2m
    # 看不到求助与系统级的严重问题：运维立即处理。
    - matchers: [kind=~"pipeline|platform|feed", severity="critical"]
      receiver: operations
      group_by: [alertname, stream]
      group_wait: 5s
      group_interval: 1m
      repeat_interval: 30m
    - matchers: [kind=~"pipeline|platform|feed"]
      receiver: operations
      group_by: [kind, stream]
    # 养老先于其他部门。
    - matchers: [stream="elder", severity="critical"]
      receiver: elder
      group_wait: 5s
      repeat_interval: 30m
    - matchers: [stream="elder"]
      receiver: elder
"#;

const INHIBIT: &str = r#"
inhibit_rules:
  # 同一指标同一处：严重的在响，警告就不再说。求助从不被别的告警隐藏，只有自己的严重级隐藏警告级。
  - source_matchers: [severity="critical", kind="sos"]
    target_matchers: [severity="warning", kind="sos"]
    equal: [metric, district]
  - source_matchers: [severity="critical", kind="figure"]
    target_matchers: [severity="warning", kind="figure"]
    equal: [metric, level, key, span]
  # 整路数据中断，或处理落后：这一路的指标不可信，来源的静默也只是其中一部分。
  - source_matchers: [alertname="StreamSilent"]
    target_matchers: [kind="figure"]
    equal: [stream]
  - source_matchers: [alertname="StreamSilent"]
    target_matchers: [alertname=~"SourceSilent|SourceNeverHeard"]
    equal: [stream]
  - source_matchers: [alertname=~"StreamBehind|FiguresStale|FiguresMissing"]
    target_matchers: [kind="figure"]
    equal: [stream]
  - source_matchers: [alertname="StreamBehind"]
    target_matchers: [alertname=~"SourceSilent|SourceNeverHeard|StreamSilent|FiguresStale|FiguresMissing|ConsumerLag"]
    equal: [stream]
  # 进程不在：它引起的都不必再说。
  - source_matchers: [alertname="NothingScraped"]
    target_matchers: [alertname=~"FiguresMissing|SosBlind|WallDark"]
  # 长短两个窗口的错误预算：快的在响，慢的就不再说。
  - source_matchers: [alertname="VisibleLateFast"]
    target_matchers: [alertname=~"VisibleLateSteady|VisibleLateSlow"]
  - source_matchers: [alertname="VisibleLateSteady"]
    target_matchers: [alertname="VisibleLateSlow"]
  # 单个来源静默：它所服务的区市，以及全市的同类指标。
"#;

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

pub(crate) fn alertmanager(alerts: &[Alert<'_>], city: &City) -> String {
    let mut owners: Vec<&str> = Vec::new();
    for alert in alerts.iter().filter(|alert| alert.rule.stream != "elder") {
        let owner = alert.rule.threshold.owner.as_str();
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    let mut yaml = HEAD.to_owned();
    for (number, owner) in owners.iter().enumerate() {
        let receiver = receiver(number + 1);
        let _ = write!(
            // writing to a String can't fail
            yaml,
            "    # {owner}\n    - matchers: [{}]\n      receiver: {receiver}\n",
            quoted(&format!("department={}", quoted(owner)))
        );
    }
    yaml += INHIBIT;
    for source in &city.sources {
        let mut keys = vec!["city".to_owned()];
        keys.extend(source.serves.iter().cloned());
        let _ = write!(
            yaml,
            "  - source_matchers: [alertname=~\"SourceSilent|SourceNeverHeard\", {}]\n    target_matchers: [kind=\"figure\", stream=\"{}\", {}]\n",
            quoted(&format!("source={}", quoted(&source.source))),
            source.stream,
            quoted(&format!("key=~{}", quoted(&any_of(&keys))))
        );
    }
    yaml += "\nreceivers:\n";
    let fixed = [("operations", "运维"), ("sos", "12349 坐席与值班长"), ("elder", "12349 养老服务中心")];
    let named = fixed.iter().map(|(name, who)| ((*name).to_owned(), (*who).to_owned()));
    let departments = owners.iter().enumerate().map(|(number, owner)| (receiver(number + 1), (*owner).to_owned()));
    for (name, who) in named.chain(departments) {
        let _ = write!(
            yaml,
            "  - name: {name} # {who}\n    webhook_configs:\n      - url: http://127.0.0.1:9094/{name}\n        send_resolved: true\n"
        );
    }
    yaml
}

fn receiver(number: usize) -> String {
    format!("department-{number}")
}

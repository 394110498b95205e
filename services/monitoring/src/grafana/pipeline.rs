//! The dashboard of the pipeline itself: what it knows of its sources, its logs, its store and its processes.

use super::panel::{Panel, prometheus_series, row, table};

pub(crate) fn panels() -> Vec<Panel> {
    vec![
        row("数据是否可信（ClickHouse）"),
        table(
            "数据来源",
            "约定间隔 2 倍内为正常（fresh），4 倍内为迟到（late），再久为静默（silent）；从未接入为 not_connected。",
            12,
            "SELECT stream AS `流`, source AS `来源`, state AS `状态`, last_contact AS `最近联系`, last_event AS `最近事件`, expected_s AS `约定秒数`\n\
             FROM city.source_status ORDER BY state = 'fresh', stream, source",
        ),
        table(
            "分区",
            "水位：到此为止的数据已齐。前沿：到此偏移为止都已存储。",
            12,
            "SELECT stream AS `流`, partition AS `分区`, generation AS `代`, watermark AS `水位`, dateDiff('second', watermark, now64(3)) AS `落后秒数`, \
             frontier AS `前沿`, accepted AS `接受`, late AS `过晚`, duplicates AS `重复`, quarantined AS `隔离`, rejected AS `拒收`\n\
             FROM city.stream_status ORDER BY stream, partition",
        ),
        table(
            "拒收原因",
            "所选时间内，按来源与原因。",
            12,
            "SELECT stream AS `流`, source AS `来源`, code AS `原因`, pointer AS `位置`, count() AS `条数`, max(time) AS `最近`\n\
             FROM city.rejects WHERE $__timeFilter(time) GROUP BY stream, source, code, pointer ORDER BY `条数` DESC LIMIT 50",
        ),
        table(
            "待补算的过晚事件",
            "晚于容许时限、还没有计入已关闭窗口的事件；yiping heal 补算。",
            12,
            "SELECT stream AS `流`, minute AS `事件时间`, events AS `条数` FROM city.unhealed ORDER BY minute DESC LIMIT 100",
        ),
        table(
            "日志的各代",
            "日志重建、分区数改变、迁移都是新的一代；每个窗口取覆盖它的最新一代。",
            12,
            "SELECT stream AS `流`, generation AS `代`, partitions AS `分区数`, `from` AS `起`, `to` AS `止` FROM city.generations FINAL ORDER BY stream, generation",
        ),
        table(
            "存储",
            "各表的行数与磁盘占用。",
            12,
            "SELECT stream AS `流`, count() AS `最近一天的行数`, max(window_end) AS `最新窗口` FROM city.metric_rows\n\
             WHERE window_end >= now() - INTERVAL 1 DAY GROUP BY stream ORDER BY stream",
        ),
        row("进程（Prometheus）"),
        prometheus_series("在线进程", "抓取得到的进程数。", "short", &[("sum by (job) (up)", "{{job}}")]),
        prometheus_series(
            "水位落后",
            "现在减水位，各流最落后的分区。",
            "s",
            &[("time() - min by (stream) (yiping_watermark_timestamp_seconds)", "{{stream}}")],
        ),
        prometheus_series(
            "积压",
            "日志里尚未处理的记录。",
            "short",
            &[("sum by (stream) (yiping_consumer_lag_records)", "{{stream}}")],
        ),
        prometheus_series(
            "事件可见用时",
            "从追加到日志至行已存储。目标：99.9% 在 5 秒内。",
            "s",
            &[
                ("histogram_quantile(0.5, sum by (le) (rate(yiping_event_to_row_seconds_bucket[5m])))", "P50"),
                ("histogram_quantile(0.99, sum by (le) (rate(yiping_event_to_row_seconds_bucket[5m])))", "P99"),
            ],
        ),
        prometheus_series(
            "5 秒内不可见的比例",
            "错误预算 0.1%。",
            "percentunit",
            &[
                ("yiping:visible_late:ratio_rate5m", "5 分钟"),
                ("yiping:visible_late:ratio_rate1h", "1 小时"),
                ("yiping:visible_late:ratio_rate6h", "6 小时"),
            ],
        ),
        prometheus_series(
            "事件去向",
            "每秒，按结果。",
            "short",
            &[("sum by (stream, outcome) (rate(yiping_events_total[5m]))", "{{stream}} {{outcome}}")],
        ),
        prometheus_series(
            "网关请求",
            "每秒，按状态码。",
            "reqps",
            &[("sum by (status) (rate(yiping_gateway_requests_total[5m]))", "{{status}}")],
        ),
        prometheus_series(
            "检查点年龄",
            "最老的分区。",
            "s",
            &[(
                "time() - min by (stream) (max by (stream, partition) (yiping_checkpoint_timestamp_seconds))",
                "{{stream}}",
            )],
        ),
        prometheus_series(
            "存储",
            "每秒写入的行；失败次数。",
            "short",
            &[
                ("sum(rate(yiping_store_rows_total[5m]))", "行/秒"),
                ("sum(increase(yiping_store_errors_total[5m]))", "5 分钟失败"),
            ],
        ),
        prometheus_series("连接的屏", "大屏的事件流连接数。", "short", &[("sum(yiping_wall_screens)", "屏")]),
        prometheus_series(
            "打开的越限",
            "watch 判定的越限，按级别。",
            "short",
            &[("sum by (severity) (yiping_watch_breaches_open)", "{{severity}}")],
        ),
        prometheus_series(
            "时钟偏差",
            "系统时钟跳变后还没有追平的秒数。",
            "s",
            &[("yiping_clock_step_seconds", "{{instance}}")],
        ),
    ]
}

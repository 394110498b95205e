//! Chinese words for what the catalogue says in identifiers, and numbers as people and Prometheus write them.

/// A unit of the catalogue.
pub(crate) fn unit(unit: &str) -> &str {
    match unit {
        "ratio" => "",
        "s" => "秒",
        "min" => "分钟",
        "km/h" => "km/h",
        "routes" => "条",
        "lots" => "处",
        "spaces" => "个",
        "snapshots" => "条",
        "calls" => "个",
        "orders" | "cases" => "件",
        "fen" => "分",
        "sessions per space" => "次/位",
        other => other,
    }
}

pub(crate) fn span(span: &str) -> &str {
    match span {
        "now" => "当前",
        "1m" => "1 分钟",
        "5m" => "5 分钟",
        "15m" => "15 分钟",
        "30m" => "30 分钟",
        "1h" => "1 小时",
        "24h" => "24 小时",
        "day" => "当日",
        other => other,
    }
}

pub(crate) fn level(level: &str) -> &str {
    match level {
        "city" => "全市",
        "district" => "区市",
        "route" => "线路",
        "lot" => "停车场",
        "floor" => "楼层",
        "category" => "类别",
        "agency" => "承办单位",
        "channel" => "支付渠道",
        "district_category" => "区市与类别",
        other => other,
    }
}

pub(crate) fn stream(stream: &str) -> &str {
    match stream {
        "bus" => "公交",
        "parking" => "停车",
        "hotline" => "12345 热线",
        "elder" => "12349 养老",
        other => other,
    }
}

/// Four significant digits without trailing zeros: what `%.4g` prints between 0.0001 and 9999.
pub(crate) fn four_digits(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A value with its unit: `95%`, `60 秒`.
pub(crate) fn value(value: f64, of_unit: &str) -> String {
    match of_unit {
        "ratio" => format!("{}%", four_digits(value * 100.0)),
        _ => format!("{} {}", four_digits(value), unit(of_unit)).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_go_prints_them() {
        for (number, text) in
            [(0.0, "0"), (95.0, "95"), (47.5, "47.5"), (0.5, "0.5"), (1800.0, "1800"), (99.95, "99.95"), (2.0, "2")]
        {
            assert_eq!(four_digits(number), text);
        }
        assert_eq!(value(0.975, "ratio"), "97.5%");
        assert_eq!(value(60.0, "s"), "60 秒");
    }
}

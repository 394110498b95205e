-- What merged rows `r` are joined with to be published: in the place of `@joined`.
INNER JOIN (SELECT * FROM city.metric_defs FINAL) AS d ON d.metric = r.metric
LEFT JOIN (SELECT metric, level, key, den FROM city.metric_constants FINAL WHERE den IS NOT NULL) AS c
    ON c.metric = r.metric AND c.level = r.level AND c.key = r.key
LEFT JOIN city.stream_watermarks AS w ON w.stream = r.stream
ASOF LEFT JOIN city.unhealed AS l_end ON l_end.stream = r.stream AND l_end.minute < r.window_end
ASOF LEFT JOIN city.unhealed AS l_start ON l_start.stream = r.stream AND l_start.minute < toStartOfMinute(r.window_start)

// The invented city behind the mock server. All figures are made up; a seed makes them the same every time.

const H = 3_600_000;
const BOUNDS = [121.165, 36.733, 122.703, 37.56];
const CORE = [122.0, 37.408, 122.25, 37.545];
const DISTRICTS = ['环翠区', '文登区', '荣成市', '乳山市'];
const ZONES = ['经开区', '高新区', '临港区'];
const ZONE_CENTERS = [[122.165, 37.428], [122.045, 37.508], [122.035, 37.31]];
// Where people live: longitude, latitude, weight, radius in degrees.
const TOWNS = [
  [122.112, 37.492, 30, 0.04], [122.045, 37.515, 13, 0.03], [122.165, 37.428, 15, 0.035], [122.03, 37.455, 5, 0.02], [122.025, 37.315, 6, 0.02],
  [122.055, 37.195, 14, 0.035], [122.475, 37.16, 12, 0.03], [122.42, 36.9, 7, 0.02], [121.535, 36.92, 11, 0.03], [121.66, 36.86, 3, 0.015],
  [122.27, 37.4, 2, 0.01], [121.9, 36.96, 2, 0.012], [122.24, 37.0, 1, 0.008], [121.87, 37.16, 1, 0.008], [122.34, 37.12, 1, 0.008],
];
const PAIRS = [[0, 1], [0, 2], [0, 3], [3, 4], [4, 5], [2, 10], [5, 14], [14, 6], [6, 7], [5, 11], [11, 8], [8, 9], [5, 12], [12, 7], [13, 11], [13, 4], [10, 4]];
// metric, span, usual value, swing, unit kind
const FIGURES = [
  ['bus', 'bus.online_ratio', 'now', 0.99, 0.006, 1400], ['bus', 'bus.on_time_ratio', '1h', 0.961, 0.01, 5563], ['bus', 'bus.on_time_ratio', 'day', 0.957, 0.004, 61200],
  ['bus', 'bus.bunched_routes', 'now', 2, 1.4, 0], ['bus', 'bus.speed_kmh', '15m', 21.4, 0.8, 3],
  ['parking', 'parking.free_ratio', 'now', 0.314, 0.03, 17321], ['parking', 'parking.full_lots', 'now', 0, 0, 0], ['parking', 'parking.filling_lots', 'now', 3, 1.5, 0], ['parking', 'parking.payment_failure_ratio', '1h', 0.008, 0.004, 900],
  ['hotline', 'hotline.calls', '1h', 214, 12, 0], ['hotline', 'hotline.connect_ratio', '24h', 0.971, 0.003, 4210], ['hotline', 'hotline.connect_ratio', '30m', 0.982, 0.012, 104],
  ['hotline', 'hotline.wait_mean_s', '30m', 9, 3, 0], ['hotline', 'hotline.on_time_close_ratio', '24h', 0.984, 0.004, 1210], ['hotline', 'hotline.urge_ratio', 'now', 0.083, 0.006, 2410],
  ['elder', 'elder.calls', '1h', 112, 8, 0], ['elder', 'elder.sos_unacknowledged', 'now', 0, 0, 0], ['elder', 'elder.sos_ack_60s_ratio', '24h', 0.986, 0.004, 70], ['elder', 'elder.sos_ack_60s_ratio', 'day', 0.986, 0, 41], ['elder', 'elder.door_p90_s', '1h', 2280, 240, 0],
];
const NAMES = {
  'bus.online_ratio': ['公交在线率', '%', '近 3 分钟有有效定位的车辆 ÷ 在册车辆'],
  'bus.on_time_ratio': ['公交准点率', '%', '早到不超过 60 秒、晚到不超过 300 秒的发车数 ÷ 有时刻的发车数（有时间点的只计时间点）'],
  'hotline.urge_ratio': ['催办率', '%', '在办工单中被催办过的 ÷ 在办工单'],
  'bus.speed_kmh': ['平均车速', 'km/h', '相邻定位之间的路程之和 ÷ 时间之和'],
};

function random(seed) {
  let s = seed | 0;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const iso = (ms) => new Date(ms).toISOString();
const inRing = (ring, x, y) => {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [ax, ay] = ring[i];
    const [bx, by] = ring[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
};

/** Four plain quarters, for when no outline is at hand. */
function quarters() {
  const [w, s, e, n] = [121.4, 36.8, 122.6, 37.54];
  const [mx, my] = [122, 37.2];
  const box = (name, a, b, c, d) => ({ type: 'Feature', properties: { name }, geometry: { type: 'Polygon', coordinates: [[[a, b], [c, b], [c, d], [a, d], [a, b]]] } });
  return { type: 'FeatureCollection', features: [box('环翠区', mx, my, e, n), box('文登区', mx, s, e, my), box('荣成市', w, my, mx, n), box('乳山市', w, s, mx, my)] };
}

export class City {
  #feeds = new Map(['bus', 'parking', 'hotline', 'elder'].map((name) => [name, { running: true, lastMs: Date.now(), seed: name.length * 7 }]));
  #trouble = false;
  /** The longest names and the largest figures that a city may come to. */
  #big = false;
  #stalledFromMs = null;
  #random = random(20261120);
  #changed = new Set();

  constructor({ build, expectedS, outline, distanceM, tiles }) {
    this.build = build;
    this.expectedS = expectedS;
    this.distanceM = distanceM;
    this.tiles = tiles === true;
    this.outline = outline ?? quarters();
    this.rings = this.outline.features.map((f) => ({ name: f.properties.name, rings: (f.geometry.type === 'Polygon' ? [f.geometry.coordinates] : f.geometry.coordinates).flat() }));
    this.vehicles = Array.from({ length: 1386 }, (_, i) => this.#vehicle(i));
    this.lots = this.#lots();
    this.baseSos = [{ case: 'a1', district: '荣成市', street: '崖头街道', lon: 122.49, lat: 37.155, agoMs: 900_000, state: 'acknowledged' }, { case: 'a2', district: '环翠区', street: '竹岛街道', lon: 122.117, lat: 37.458, agoMs: 400_000, state: 'acknowledged' }];
    this.startMs = Date.now();
  }

  get stalled() {
    return this.#stalledFromMs !== null && Date.now() > this.#stalledFromMs;
  }

  mode(name) {
    const now = Date.now();
    this.#trouble = name === 'trouble' || name === 'big';
    this.#big = name === 'big';
    this.#stalledFromMs = name === 'lost' ? now + 3000 : null;
    for (const stream of this.#feeds.keys()) this.feed(stream, true);
    if (name === 'trouble') this.feed('hotline', false, now - 360_000);
    if (name === 'silent') [...this.#feeds.keys()].forEach((stream, i) => this.feed(stream, false, now - (this.expectedS * 1000 * [2.5, 3.4, 4.5, 40][i])));
    this.sosFromMs = now;
  }

  feed(stream, running, lastMs = Date.now()) {
    const feed = this.#feeds.get(stream);
    if (feed) Object.assign(feed, { running, lastMs });
  }

  advance(now) {
    for (const [name, feed] of this.#feeds) if (feed.running) [feed.lastMs] = [now - 400], this.#changed.add(name);
    if (!this.#feeds.get('bus').running) return;
    for (const bus of this.vehicles) this.#drive(bus);
  }

  #vehicle(i) {
    const [a, b] = i % 10 ? [TOWNS[this.#weighted()], null] : PAIRS[Math.floor(this.#random() * PAIRS.length)].map((k) => TOWNS[k]);
    return { id: `V${i}`, a, b, t: this.#random(), phase: this.#random() * 6.28, speed: 0.4 + this.#random(), lane: Math.floor(this.#random() * 9) - 4, across: this.#random() < 0.5, age: this.#random() < 0.01 ? 400 : Math.floor(this.#random() * 20), delay: this.#random() < 0.04 ? 400 : Math.floor(this.#random() * 200) };
  }

  #weighted() {
    let x = this.#random() * TOWNS.reduce((sum, t) => sum + t[2], 0);
    return Math.max(0, TOWNS.findIndex((t) => (x -= t[2]) < 0));
  }

  #drive(bus) {
    bus.t += (bus.speed * (bus.b ? 0.004 : 0.008)) % 1;
    const swing = 1 - Math.abs((bus.t % 2) - 1);
    if (bus.b) [bus.lon, bus.lat] = [bus.a[0] + (bus.b[0] - bus.a[0]) * swing + 0.01 * Math.sin(swing * 9 + bus.a[0]), bus.a[1] + (bus.b[1] - bus.a[1]) * swing];
    else {
      const r = bus.a[3];
      const along = (swing - 0.5) * 2 * r * Math.sqrt(1.05 - (bus.lane / 4.5) ** 2);
      const side = (bus.lane / 4.5) * r;
      const turn = bus.a[0] * 40;
      const [x, y] = bus.across ? [along, side] : [side, along];
      [bus.lon, bus.lat] = [bus.a[0] + (x * Math.cos(turn) - y * Math.sin(turn)) * 1.25, bus.a[1] + x * Math.sin(turn) + y * Math.cos(turn)];
    }
    bus.land = this.rings.some(({ rings }) => rings.some((ring) => inRing(ring, bus.lon, bus.lat)));
  }

  #lots() {
    const lots = [];
    for (let i = 0; i < 400 && lots.length < 53; i++) {
      const town = TOWNS[this.#weighted()];
      const angle = this.#random() * 6.28;
      const far = Math.sqrt(this.#random()) * town[3];
      const [lon, lat] = [town[0] + Math.cos(angle) * far * 1.25, town[1] + Math.sin(angle) * far];
      const land = this.rings.find(({ rings }) => rings.some((ring) => inRing(ring, lon, lat)));
      if (!land || lots.some((lot) => Math.hypot(lot.lon - lon, lot.lat - lat) < 0.012)) continue;
      const district = Math.abs(lon - 122.165) < 0.03 && lat < 37.45 && lat > 37.4 ? '经开区' : lon < 122.07 && lat > 37.49 ? '高新区' : lat < 37.35 && lat > 37.28 ? '临港区' : land.name;
      const capacity = 120 + Math.floor(this.#random() * 360);
      lots.push({ lot_id: `P${lots.length + 1}`, name: `${['火炬八街', '海滨路', '文化路', '青岛路', '世昌大道'][lots.length % 5]} P${String(lots.length + 1).padStart(2, '0')}`, district, lon, lat, capacity, occupied: Math.floor(capacity * (0.45 + 0.46 * this.#random())) });
    }
    return lots;
  }

  #value([, metric, span, usual, swing], ms) {
    const t = ms / H;
    const wave = Math.sin(t * 2.1 + metric.length) * 0.5 + Math.sin(t * 7.3 + span.length) * 0.3 + Math.sin(t * 31 + usual) * 0.2;
    let value = usual + swing * wave;
    if (this.#trouble && metric === 'bus.on_time_ratio') value -= 0.023;
    if (this.#trouble && metric === 'bus.bunched_routes') value += 3;
    if (metric === 'parking.free_ratio') value = this.#lotSum((lot) => lot.capacity - this.#occupied(lot)) / this.#lotSum((lot) => lot.capacity) + (swing / 3) * (wave - 0.4);
    if (metric === 'parking.full_lots') value = this.#lotSum((lot) => (this.#occupied(lot) >= lot.capacity ? 1 : 0));
    if (this.#big) value = metric.endsWith('ratio') ? 1 : metric.includes('calls') ? 8888 : metric.endsWith('_s') ? 5940 : metric.includes('kmh') ? 88.8 : 188;
    const whole = metric.includes('calls') || metric.includes('lots') || metric.includes('routes');
    return whole ? Math.max(0, Math.round(value)) : metric.endsWith('ratio') ? Math.min(1, value) : value;
  }

  #occupied = (lot) => (this.#trouble && Number(lot.lot_id.slice(1)) % 17 === 3 ? lot.capacity : lot.occupied);
  #lotSum = (of) => this.lots.reduce((sum, lot) => sum + of(lot), 0);

  #row(figure, ms, level = 'city', key = 'city', factor = 1) {
    const [stream, metric, span, , , den] = figure;
    const ratio = metric.endsWith('ratio');
    const value = metric === 'elder.sos_unacknowledged' ? this.sos(ms).filter((one) => one.state === 'open').length : this.#value(figure, ms) * factor;
    const denominator = ratio ? Math.round(den * (level === 'city' ? 1 : 0.2)) || 1 : 1;
    return {
      stream, metric, level, key, span,
      window_start: iso(ms - (span === '1h' ? H : 0)), window_end: iso(ms),
      value, numerator: ratio ? Math.round(value * denominator) : value, denominator, n: ratio ? denominator : metric === 'bus.bunched_routes' ? 98 : 60,
      is_final: false, revision: String(ms), watermark: iso(this.#feeds.get(stream).lastMs - 2000),
    };
  }

  metrics(now, only) {
    const rows = [];
    for (const figure of FIGURES) {
      const feed = this.#feeds.get(figure[0]);
      if (only && !only.has(figure[0])) continue;
      const ms = feed.running ? Math.floor(now / 10_000) * 10_000 : feed.lastMs;
      rows.push(this.#row(figure, ms));
      if (['bus.speed_kmh', 'hotline.calls'].includes(figure[1])) {
        [...DISTRICTS, ...(figure[0] === 'hotline' ? ZONES : ['经开区', '高新区'])].forEach((key, i) => rows.push(figure[0] === 'hotline' ? { ...this.#row(figure, ms, 'district', key), value: [74, 38, 35, 24, 31, 27, 9][i], numerator: [74, 38, 35, 24, 31, 27, 9][i] } : this.#row(figure, ms, 'district', key, 0.9 + i * 0.05)));
      }
      if (figure[1] === 'bus.on_time_ratio' && figure[2] === '1h') ['环翠区', '高新区', '经开区', '文登区', '荣成市', '乳山市', '临港区'].forEach((key, i) => rows.push(this.#row(figure, ms, 'district', key, 0.96 + i * 0.007)));
      if (figure[0] === 'bus') ['12 路', 'K7 路', '3 路', '24 路', '201 路', '7 路', '16 路'].forEach((key, i) => rows.push(this.#row(figure, ms, 'route', key, 0.84 + i * 0.02)));
    }
    return rows;
  }

  streams(now) {
    const expected = this.expectedS;
    return Object.fromEntries([...this.#feeds].map(([name, feed]) => {
      const age = (now - feed.lastMs) / 1000;
      const state = age > 4 * expected ? 'silent' : age > 2 * expected ? 'late' : 'fresh';
      const sources = [{ source: `city/${name}`, state, last_contact: iso(feed.lastMs), expected_s: expected }];
      return [name, { state, watermark: iso(feed.lastMs - 2000), last_event: iso(feed.lastMs), sources_online: state === 'silent' ? 0 : 1, sources_total: 1, sources }];
    }));
  }

  sos(now) {
    const list = this.baseSos.map(({ agoMs, ...sos }) => ({ ...sos, raised: iso(this.startMs - agoMs) }));
    if (this.#trouble) list[1] = { ...list[1], state: 'open', raised: iso(this.sosFromMs - (this.#big ? 86_000_000 : 126_000)) };
    if (this.#big) list[1].street = '初村镇旅游度假区街道';
    return list.filter((sos) => Date.parse(sos.raised) <= now);
  }

  spark(now, onlyLast) {
    const result = {};
    for (const figure of FIGURES) {
      const feed = this.#feeds.get(figure[0]);
      const end = Math.floor((feed.running ? now : feed.lastMs) / 60_000) * 60_000;
      const count = onlyLast ? 1 : 72;
      result[`${figure[1]}|city|city|${figure[2]}`] = Array.from({ length: count }, (_, i) => end - (count - 1 - i) * 200_000).map((t) => [t, figure[1] === 'elder.sos_unacknowledged' ? Math.max(0, Math.round(1.4 + Math.sin(t / H))) : this.#value(figure, t)]);
    }
    return result;
  }

  /** Of the middle of each figure's swing, with the days' width around it. */
  usual(now) {
    const end = Math.floor(now / 600_000) * 600_000;
    const of = (figure) => Array.from({ length: 27 }, (_, i) => end - (24 - i) * 600_000).map((t) => this.usualAt(figure, t));
    const shown = FIGURES.filter(([, metric, span]) => span !== 'day' && !/lots|routes|unacknowledged/.test(metric));
    return Object.fromEntries(shown.map((figure) => [`${figure[1]}|city|city|${figure[2]}`, { days: 28, points: of(figure) }]));
  }

  usualAt([, metric, , usual, swing], t) {
    const middle = (metric === 'parking.free_ratio' ? 0.33 : usual) + swing * 0.3 * Math.sin(t / H);
    return [t, middle - 0.8 * swing, middle, middle + 0.8 * swing];
  }

  usualOf(query) {
    const figure = FIGURES.find((f) => f[1] === query.get('metric') && f[2] === query.get('span'));
    if (!figure) return { days: 0, points: [] };
    const step = Number(query.get('every') ?? 1800) * 1000;
    const [from, to] = [Math.floor(Date.parse(query.get('from')) / step) * step, Date.parse(query.get('to'))];
    return { days: 28, points: Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => this.usualAt(figure, from + i * step)) };
  }

  /** More where more people live; and one street that has lost its heating. */
  orders() {
    const streets = TOWNS.map(([lon, lat, weight], i) => ({ name: `街道${i + 1}`, lon, lat, orders: Math.round(weight * (i % 3 ? 1.6 : 2.6)) }));
    return { total: streets.reduce((sum, street) => sum + street.orders, 0), streets, categories: this.#big ? [['物业管理与供热', 3888], ['市容环境卫生', 2188], ['交通运输', 1488]] : [['供暖', 38], ['物业', 21], ['噪声', 14]] };
  }

  vehiclesOf(now) {
    const shown = this.vehicles.filter((bus) => bus.land);
    const silentS = Math.floor((now - this.#feeds.get('bus').lastMs) / 1000);
    return { columns: ['lon_e5', 'lat_e5', 'age_s', 'delay_s'], ids: shown.map((bus) => bus.id), rows: shown.map((bus) => [Math.round(bus.lon * 1e5), Math.round(bus.lat * 1e5), bus.age + silentS, bus.delay * (this.#trouble && bus.delay > 150 ? 3 : 1)]) };
  }

  lotsOf() {
    return this.lots.map((lot) => ({ ...lot, occupied: this.#occupied(lot), time: iso(this.#feeds.get('parking').lastMs) }));
  }

  breaches(now) {
    if (!this.#trouble) return [];
    return [{ metric: 'bus.on_time_ratio', level: 'city', key: 'city', span: '1h', severity: 'warning', opened_at: iso(now - 840_000), closed_at: null, value: 0.938, worst: 0.935, threshold: 0.95, id: 'b1', owner: '公交集团调度中心', action: '看线路排行：是全网拥堵还是个别线路，必要时加发区间车。' },
      { metric: 'bus.bunching_ratio', level: 'route', key: '12', span: '30m', severity: 'warning', opened_at: iso(now - 480_000), closed_at: null, value: 0.34, worst: 0.36, threshold: 0.1, id: 'b2', owner: '公交集团调度中心', action: '通知首末站调整发车间隔，前车加速或后车缓行。' },
      { metric: 'parking.occupancy_ratio', level: 'lot', key: 'P3', span: '15m', severity: 'warning', opened_at: iso(now - 1_080_000), closed_at: null, value: 0.99, worst: 1, threshold: 0.98, id: 'b3', owner: '智慧停车运营方', action: '在诱导屏提示已满，分流到相邻车场。' },
      { metric: 'hotline.wait_mean_s', level: 'city', key: 'city', span: '30m', severity: 'warning', opened_at: iso(now - 9_000_000), closed_at: iso(now - 6_600_000), value: 34, worst: 51, threshold: 30, id: 'b4', owner: '12345 热线办', action: '增开坐席。' }];
  }

  snapshot(now) {
    if (this.vehicles[0].lon === undefined) this.vehicles.forEach((bus) => this.#drive(bus));
    return {
      server_time: iso(now), build: this.build,
      city: { name: '威海', title: '一屏观全城', zone: 'Asia/Shanghai', approval: '', tiles: this.tiles, fleet: 1400, mm_per_px: 1.25, distance_m: this.distanceM, bounds: BOUNDS, core: CORE, districts: DISTRICTS, zones: ZONES, zone_centers: ZONE_CENTERS },
      streams: this.streams(now), metrics: this.metrics(now), breaches: this.breaches(now), vehicles: this.vehiclesOf(now), lots: this.lotsOf(), sos: this.sos(now), sos_live: true, orders: this.orders(), usual: this.usual(now), spark: this.spark(now),
    };
  }

  delta(now) {
    const changed = this.#changed;
    this.#changed = new Set();
    return { server_time: iso(now), build: this.build, streams: this.streams(now), breaches: this.breaches(now), metrics: this.metrics(now, changed), sos: this.sos(now), spark: this.spark(now, true), ...(changed.has('bus') && { vehicles: this.vehiclesOf(now) }), ...(changed.has('parking') && { lots: this.lotsOf() }) };
  }

  catalogue() {
    return FIGURES.map(([stream, metric]) => metric).filter((m, i, all) => all.indexOf(m) === i).map((id) => {
      const [name_zh, unit, formula_zh] = NAMES[id] ?? [id, '', '（演示目录：此项未写口径）'];
      const thresholds = id.endsWith('_ratio') ? [{ severity: 'w', when: '<', limit: 0.95, source: 'set' }] : [];
      const kind = id.endsWith('_ratio') ? 'ratio' : id.endsWith('_s') ? 's' : unit;
      return { id, stream: id.split('.')[0], name_zh, unit: kind, higher_is: /(online|on_time|connect|close|ack_60s|free)_/.test(id) ? 'better' : 'worse', formula: formula_zh, formula_zh, thresholds, levels: id.startsWith('bus.') ? ['city', 'route', 'district'] : ['city', 'district'], spans: FIGURES.filter((f) => f[1] === id).map((f) => f[2]), min_n: 5 };
    });
  }

  history(query) {
    const figure = FIGURES.find((f) => f[1] === query.get('metric') && f[2] === query.get('span'));
    if (!figure) return [];
    const [from, to] = [Date.parse(query.get('from')), Math.min(Date.now(), Date.parse(query.get('to')))];
    const step = Math.max(60_000, (to - from) / 300);
    return Array.from({ length: 300 }, (_, i) => this.#row(figure, from + i * step));
  }
}

// What the four panels say: a pure view of the world at a moment. Which figure stands where is decided here and only here.

import { cardAge, figureIsOld, type CardAge, type CardState } from './ages';
import { age, clock, difference, figure, percent, wait, widthEm } from './format';
import { identity, row, timeMs, type World } from './state';
import type { MetricRow, SparkPoint, StreamId } from './types';

export interface Figure {
  /** null: nothing that could honestly be shown; a bar stands in its place. */
  text: string | null;
  unit: string;
  old: boolean;
}
export type Level = '' | 'warn' | 'crit';

export interface RowView {
  id: string;
  name: string;
  caption: string;
  figure: Figure;
  spark: SparkPoint[];
  /** Only where it differs from the panel's. */
  mark: CardState | null;
  level: Level;
  query: Query | null;
}

export interface PanelView {
  id: StreamId;
  title: string;
  lead: string;
  age: CardAge;
  figure: Figure;
  /** Right of the figure: the larger line and the smaller one. */
  lines: [string, string];
  spark: SparkPoint[];
  rows: RowView[];
  level: Level;
  /** Over its limit, the oldest wait takes the place of figure and curve: number and unit in turn. */
  alarm: { wait: string[]; place: string; limit: string } | null;
  query: Query;
}

/** Names one figure for the detail panel. */
export interface Query {
  metric: string;
  span: string;
  show: Show;
  unit: string;
}
export type Show = 'percent' | 'count' | 'one' | 'numerator';

interface RowSpec extends Query {
  name: string;
  caption: (world: World, row: MetricRow | undefined) => string;
}
export interface TrendSpec extends Query {
  name: string;
}
interface PanelSpec extends Query {
  title: string;
  lead: string;
  rows: RowSpec[];
}

/** The longest that a call for help may go unacknowledged before it is the largest thing on the wall. */
export const SOS_LIMIT_MS = 60_000;
const FULL = 0.98;
/** Width of a panel's inside, and the type in it, in units of the grid. */
const HERO = { width: 816, kpi: 184, unit: 68, line: 62, caption: 52, gap: 48 };

export const PANELS: Record<StreamId, PanelSpec> = {
  bus: {
    title: '公交',
    lead: '在线车辆',
    metric: 'bus.online_ratio',
    span: 'now',
    show: 'numerator',
    unit: '辆',
    rows: [
      { name: '在线率', metric: 'bus.online_ratio', span: 'now', show: 'percent', unit: '%', caption: (world, r) => `共 ${figure(r?.denominator || world.city.fleet)} 辆` },
      { name: '准点率', metric: 'bus.on_time_ratio', span: '1h', show: 'percent', unit: '%', caption: () => '近 1 时' },
      { name: '平均车速', metric: 'bus.speed_kmh', span: '15m', show: 'one', unit: 'km/h', caption: () => '近 15 分' },
    ],
  },
  parking: {
    title: '停车',
    lead: '空余泊位',
    metric: 'parking.free_spaces',
    span: 'now',
    show: 'count',
    unit: '位',
    rows: [
      { name: '占用率', metric: 'parking.occupancy_ratio', span: '15m', show: 'percent', unit: '%', caption: () => '近 15 分' },
      { name: '异常快照', metric: 'parking.violations', span: '1h', show: 'count', unit: '次', caption: () => '近 1 时' },
    ],
  },
  elder: {
    title: '12349',
    lead: '未结求助',
    metric: 'elder.sos_open',
    span: 'now',
    show: 'count',
    unit: '起',
    rows: [
      { name: '60 秒应答', metric: 'elder.sos_ack_60s_ratio', span: '24h', show: 'percent', unit: '%', caption: () => '近 24 时' },
      { name: '来电', metric: 'elder.calls', span: '1h', show: 'count', unit: '通/时', caption: () => '近 1 时' },
      { name: '今日来电', metric: 'elder.calls', span: 'day', show: 'count', unit: '通', caption: () => '零时起' },
    ],
  },
  hotline: {
    title: '12345',
    lead: '来电',
    metric: 'hotline.calls',
    span: '1h',
    show: 'count',
    unit: '通/时',
    rows: [
      { name: '接通率', metric: 'hotline.connect_ratio', span: '24h', show: 'percent', unit: '%', caption: () => '近 24 时' },
      { name: '接通率', metric: 'hotline.connect_ratio', span: '30m', show: 'percent', unit: '%', caption: () => '近 30 分' },
      { name: '等待 P95', metric: 'hotline.wait_p95_s', span: '30m', show: 'count', unit: '秒', caption: () => '近 30 分' },
    ],
  },
};

/** What the trend columns of the widest wall show beside each panel: the last day of two figures. */
export const TRENDS: Record<StreamId, [TrendSpec, TrendSpec]> = {
  bus: [
    { name: '在线车辆', metric: 'bus.online_ratio', span: 'now', show: 'numerator', unit: '辆' },
    { name: '准点率', metric: 'bus.on_time_ratio', span: '1h', show: 'percent', unit: '%' },
  ],
  parking: [
    { name: '空余泊位', metric: 'parking.free_spaces', span: 'now', show: 'count', unit: '位' },
    { name: '占用率', metric: 'parking.occupancy_ratio', span: '15m', show: 'percent', unit: '%' },
  ],
  elder: [
    { name: '来电', metric: 'elder.calls', span: '1h', show: 'count', unit: '通/时' },
    { name: '60 秒应答', metric: 'elder.sos_ack_60s_ratio', span: '24h', show: 'percent', unit: '%' },
  ],
  hotline: [
    { name: '来电', metric: 'hotline.calls', span: '1h', show: 'count', unit: '通/时' },
    { name: '接通率', metric: 'hotline.connect_ratio', span: '30m', show: 'percent', unit: '%' },
  ],
};

/** A figure's text by the way it is shown; null where the row has no value. */
export function shown(r: MetricRow, show: Show): string | null {
  if (show === 'numerator') return figure(r.numerator);
  if (r.value === null) return null;
  if (show === 'percent') return percent(r.value);
  return figure(r.value, show === 'one' ? 1 : 0);
}

export const points = (world: World, metric: string, span: string): SparkPoint[] => world.spark.get(identity(metric, 'city', 'city', span)) ?? [];

export function lotCounts(world: World): { free: number; capacity: number; full: number; known: number } {
  const known = [...world.lots.values()].filter((lot) => lot.occupied !== null && lot.capacity > 0);
  const share = (occupied: number, capacity: number) => Math.min(1, Math.max(0, occupied / capacity));
  return {
    known: known.length,
    capacity: known.reduce((sum, lot) => sum + lot.capacity, 0),
    free: known.reduce((sum, lot) => sum + lot.capacity * (1 - share(lot.occupied ?? 0, lot.capacity)), 0),
    full: known.filter((lot) => share(lot.occupied ?? 0, lot.capacity) >= FULL).length,
  };
}

export function panelView(world: World, id: StreamId, nowMs: number): PanelView {
  const spec = PANELS[id];
  const stream = world.streams[id];
  const cards = cardAge(stream, nowMs);
  const watermarkMs = timeMs(stream?.watermark);
  const hidden = cards.state === 'silent' || cards.state === 'not_connected' || cards.state === 'waiting';

  const rowView = (r: RowSpec): RowView => {
    const data = row(world, r.metric, r.span);
    const text = data ? shown(data, r.show) : null;
    const own = data ? figureIsOld(r.span, data.n, timeMs(data.window_end), watermarkMs) : false;
    const level = hidden ? '' : breachLevel(world, r);
    const old = own || cards.state === 'stale';
    return {
      id: `${r.metric}|${r.span}`,
      name: r.name,
      caption: cards.state === 'silent' && text !== null ? `末值 ${text}` : own ? `末次 ${clock(timeMs(data?.window_end) ?? 0, world.city.zone).hm}` : limit(world, r) ?? r.caption(world, data),
      figure: { text: hidden ? null : text, unit: r.unit, old },
      spark: points(world, r.metric, r.span),
      mark: own && !hidden && cards.state !== 'stale' ? 'stale' : null,
      level,
      query: r,
    };
  };

  const data = row(world, spec.metric, spec.span);
  const view: PanelView = {
    id,
    title: spec.title,
    lead: spec.lead,
    age: cards,
    figure: { text: data ? shown(data, spec.show) : null, unit: spec.unit, old: cards.state === 'stale' },
    lines: ['', ''],
    spark: points(world, spec.metric, spec.span),
    rows: spec.rows.map(rowView),
    level: hidden ? '' : breachLevel(world, spec),
    alarm: null,
    query: spec,
  };
  view.lines = hourAgo(view.spark, data, spec.show);
  if (id === 'parking') parking(view, world, data, hidden);
  if (id === 'elder') elder(view, world, nowMs);
  settle(view, world, hidden);
  return view;
}

/** Free spaces read best as a share of what the lots hold, where that is known. */
function parking(view: PanelView, world: World, data: MetricRow | undefined, hidden: boolean): void {
  const counts = lotCounts(world);
  const free = data?.value ?? null;
  if (free !== null && counts.capacity > 0) {
    view.figure = { ...view.figure, text: percent(Math.min(1, Math.max(0, free / counts.capacity))), unit: '%' };
    view.lines = [`余 ${figure(free)} 位`, `共 ${figure(counts.capacity)} 位`];
  }
  view.rows.splice(1, 0, {
    id: 'full-lots',
    name: '已满车场',
    caption: counts.known ? `共 ${figure(counts.known)} 座` : '',
    figure: { text: hidden || !counts.known ? null : figure(counts.full), unit: '座', old: view.age.state === 'stale' },
    spark: [],
    mark: null,
    level: '',
    query: null,
  });
}

/** Calls for help come from the live list: it is newer than any window. */
function elder(view: PanelView, world: World, nowMs: number): void {
  const open = world.sos.filter((sos) => sos.state === 'open');
  if (view.figure.text === null) view.figure.text = figure(world.sos.length);
  view.lines = [`待应答 ${open.length}`, `处置中 ${world.sos.length - open.length}`];
  const oldest = open.reduce<(typeof open)[number] | null>((a, b) => (a && a.raised <= b.raised ? a : b), null);
  const raisedMs = timeMs(oldest?.raised);
  if (!oldest || raisedMs === null || nowMs - raisedMs <= SOS_LIMIT_MS || view.age.state === 'not_connected') return;
  view.level = 'crit';
  view.lead = '最久未应答';
  view.alarm = { wait: wait(nowMs - raisedMs), place: `${oldest.district} ${oldest.street ?? ''}`.trim(), limit: `限 ${age(SOS_LIMIT_MS).replace('1 分 00 秒', '60 秒')}` };
  const calls = view.rows[1];
  view.rows = [
    { id: 'sos-open', name: '待应答', caption: `处置中 ${world.sos.length - open.length}`, figure: { text: figure(open.length), unit: '起', old: false }, spark: [], mark: null, level: 'crit', query: null },
    ...(calls ? [calls] : []),
  ];
}

/** What a state makes of figure and lines: silent takes the figure away and says what it was, stale says since when. */
function settle(view: PanelView, world: World, hidden: boolean): void {
  const { state, lastMs } = view.age;
  const at = lastMs === null ? '' : clock(lastMs, world.city.zone);
  if (state === 'silent') {
    view.lines = [at ? `末次 ${at.hm}` : '', view.figure.text === null ? '' : `末值 ${view.figure.text}${view.figure.unit === '%' ? ' %' : ''}`];
  } else if (state === 'stale') {
    view.lines = at ? ['末次', at.hms] : ['', ''];
  } else if (state === 'not_connected') {
    view.lines = ['', '待接入'];
  } else if (state === 'waiting') {
    view.lines = ['', ''];
  }
  if (hidden) view.figure = { ...view.figure, text: null };
  const taken = HERO.kpi * widthEm(view.figure.text ?? '—') + HERO.unit * widthEm(view.figure.unit) + HERO.gap;
  const room = (text: string, size: number) => (taken + size * widthEm(text) <= HERO.width ? text : '');
  view.lines = [room(view.lines[0], HERO.line), room(view.lines[1], HERO.caption)];
}

/** The difference to an hour ago, in the figure's own unit. */
function hourAgo(spark: SparkPoint[], data: MetricRow | undefined, show: Show): [string, string] {
  const last = spark[spark.length - 1];
  if (!last || !data || data.value === null) return ['', ''];
  const wanted = last[0] - 3_600_000;
  const then = spark.reduce((best, p) => (Math.abs(p[0] - wanted) < Math.abs(best[0] - wanted) ? p : best), last);
  if (then[1] === null || Math.abs(then[0] - wanted) > 600_000) return ['', ''];
  const scale = show === 'numerator' ? data.denominator : show === 'percent' ? 100 : 1;
  return [difference((data.value - then[1]) * scale, show === 'percent' || show === 'one' ? 1 : 0), '较 1 时前'];
}

const breach = (world: World, query: Query) =>
  world.breaches.find((b) => b.metric === query.metric && b.span === query.span && b.level === 'city' && b.closed_at === null);

function breachLevel(world: World, query: Query): Level {
  const found = breach(world, query);
  return found ? (found.severity === 'critical' ? 'crit' : 'warn') : '';
}

function limit(world: World, query: Query): string | null {
  const found = breach(world, query);
  if (!found) return null;
  return `限 ${thresholdText(found.metric, found.threshold)}`;
}

/** A threshold has the unit of the metric's value; shares are written as percent. */
export function thresholdText(metric: string, threshold: number): string {
  return metric.endsWith('_ratio') ? percent(threshold) : figure(threshold, Number.isInteger(threshold) ? 0 : 1);
}

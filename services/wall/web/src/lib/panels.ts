// What the four panels say: a pure view of the world at a moment. Which figure stands where is decided here and only here.

import { cardAge, figureIsOld, type CardAge, type CardState } from './ages';
import { fit, width } from './fit';
import { age, clock, difference, figure, percent, wait, widthEm } from './format';
import { identity, row, timeMs, usualAt, usualWord, type World } from './state';
import type { MetricRow, SparkPoint, StreamId, UsualPoint } from './types';

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
  usual: UsualPoint[];
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
  usual: UsualPoint[];
  rows: RowView[];
  level: Level;
  /** Over its limit, the oldest wait takes the place of figure and curve: number and unit in turn. */
  alarm: { wait: string[]; place: string; limit: string } | null;
  query: Query;
}

/** Names one figure of the city for the detail panel. */
export interface Query {
  metric: string;
  span: string;
  show: Show;
  unit: string;
}
/** A figure of any place. */
export interface Figured extends Query {
  level: string;
  key: string;
}

export const sameFigure = (a: Query | null, b: Query | null): boolean => a !== null && b !== null && a.metric === b.metric && a.span === b.span && a.show === b.show;
export type Show = 'percent' | 'count' | 'one' | 'two' | 'minutes' | 'yuan' | 'numerator';

/** A value times this is the figure that is shown. */
export const scaleOf = (show: Show): number => (show === 'percent' ? 100 : show === 'minutes' ? 1 / 60 : show === 'yuan' ? 1 / 100 : 1);
export const digitsOf = (show: Show): number => (show === 'percent' || show === 'one' ? 1 : show === 'two' ? 2 : 0);

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
const HERO = { width: 816, kpi: 184, unit: 68, line: 62, caption: 52, gap: 48, tracking: 0.02 };

export const PANELS: Record<StreamId, PanelSpec> = {
  bus: {
    title: '公交',
    lead: '在线车辆',
    metric: 'bus.online_ratio',
    span: 'now',
    show: 'numerator',
    unit: '辆',
    rows: [
      { name: '准点率', metric: 'bus.on_time_ratio', span: '1h', show: 'percent', unit: '%', caption: () => '近 1 时' },
      { name: '串车线路', metric: 'bus.bunched_routes', span: 'now', show: 'count', unit: '条', caption: (_, r) => (r?.n ? `共 ${figure(r.n)} 条` : '近 30 分') },
      { name: '平均车速', metric: 'bus.speed_kmh', span: '15m', show: 'one', unit: 'km/h', caption: () => '近 15 分' },
    ],
  },
  parking: {
    title: '停车',
    lead: '空余泊位',
    metric: 'parking.free_ratio',
    span: 'now',
    show: 'percent',
    unit: '%',
    rows: [
      { name: '已满车场', metric: 'parking.full_lots', span: 'now', show: 'count', unit: '座', caption: (world) => `共 ${figure(lotCounts(world).known)} 座` },
      { name: '将满车场', metric: 'parking.filling_lots', span: 'now', show: 'count', unit: '座', caption: () => '15 分钟内' },
      { name: '支付失败', metric: 'parking.payment_failure_ratio', span: '1h', show: 'percent', unit: '%', caption: () => '近 1 时' },
    ],
  },
  elder: {
    title: '12349',
    lead: '求助待应答',
    metric: 'elder.sos_unacknowledged',
    span: 'now',
    show: 'count',
    unit: '起',
    rows: [
      { name: '60 秒应答', metric: 'elder.sos_ack_60s_ratio', span: '24h', show: 'percent', unit: '%', caption: () => '近 24 时' },
      { name: '来电', metric: 'elder.calls', span: '1h', show: 'count', unit: '通/时', caption: () => '近 1 时' },
      { name: '上门时长', metric: 'elder.door_p90_s', span: '1h', show: 'minutes', unit: '分', caption: () => '九成以内' },
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
      { name: '平均等待', metric: 'hotline.wait_mean_s', span: '30m', show: 'count', unit: '秒', caption: () => '近 30 分' },
      { name: '按时办结', metric: 'hotline.on_time_close_ratio', span: '24h', show: 'percent', unit: '%', caption: () => '近 24 时' },
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
    { name: '空余泊位', metric: 'parking.free_ratio', span: 'now', show: 'percent', unit: '%' },
    { name: '将满车场', metric: 'parking.filling_lots', span: 'now', show: 'count', unit: '座' },
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
  return written(r.value, show);
}

/** A value of a metric as text; shares never look fuller or emptier than they are. */
export const written = (value: number, show: Show): string => (show === 'percent' ? percent(value) : figure(value * scaleOf(show), digitsOf(show)));

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
    const habit = data && !old ? usualText(world, r, data) : null;
    return {
      id: `${r.metric}|${r.span}`,
      name: r.name,
      caption: cards.state === 'silent' && text !== null ? `末值 ${text}` : own ? `末次 ${clock(timeMs(data?.window_end) ?? 0, world.city.zone).hm}` : limit(world, r) ?? (habit ? `${habit.word} ${habit.text}` : r.caption(world, data)),
      figure: { text: hidden ? null : text, unit: r.unit, old },
      spark: points(world, r.metric, r.span),
      usual: usualPoints(world, r),
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
    usual: usualPoints(world, spec),
    rows: spec.rows.map(rowView),
    level: hidden ? '' : breachLevel(world, spec),
    alarm: null,
    query: spec,
  };
  view.lines = compared(world, spec, data) ?? hourAgo(view.spark, data, spec.show);
  if (id === 'parking' && data && !usualText(world, spec, data)) view.lines = [`余 ${figure(data.numerator)} 位`, `共 ${figure(data.denominator)} 位`];
  if (id === 'elder') elder(view, world, nowMs);
  settle(view, world, hidden, id === 'elder' && world.sosLive && cards.state !== 'not_connected');
  return view;
}

const usualPoints = (world: World, query: Query): UsualPoint[] => world.usual[identity(query.metric, 'city', 'city', query.span)]?.points ?? [];

/** What a row is usually at its hour, in the unit in which it is shown; a count of a share's numerator is one of today's denominator. */
function usualText(world: World, query: Query, data: MetricRow): { word: string; text: string; value: number } | null {
  const usual = usualAt(world, query.metric, query.span, timeMs(data.window_end) ?? 0);
  if (!usual) return null;
  const median = usual.point[2];
  const value = query.show === 'numerator' ? median * data.denominator : median;
  const text = query.show === 'numerator' ? figure(value) : written(median, query.show);
  return { word: usualWord(usual.days), text, value };
}

/** The difference to what is usual, and that. */
function compared(world: World, query: Query, data: MetricRow | undefined): [string, string] | null {
  const usual = data ? usualText(world, query, data) : null;
  if (!usual || !data || data.value === null) return null;
  const now = query.show === 'numerator' ? data.numerator : data.value * scaleOf(query.show);
  const then = query.show === 'numerator' ? usual.value : usual.value * scaleOf(query.show);
  return [difference(now - then, digitsOf(query.show)), `${usual.word} ${usual.text}`];
}

/** Calls for help come from the live list: it is newer than any window, and true while the store is away. */
function elder(view: PanelView, world: World, nowMs: number): void {
  const open = world.sos.filter((sos) => sos.state === 'open');
  const today = row(world, 'elder.sos_ack_60s_ratio', 'day')?.denominator;
  if (view.figure.text !== null || world.sosLive) view.figure = { text: figure(open.length), unit: view.figure.unit, old: view.figure.old && !world.sosLive };
  view.lines = [`处置中 ${figure(world.sos.length - open.length)}`, today ? `今日 ${figure(today)}` : ''];
  const oldest = open.reduce<(typeof open)[number] | null>((a, b) => (a && a.raised <= b.raised ? a : b), null);
  const raisedMs = timeMs(oldest?.raised);
  if (!oldest || raisedMs === null || nowMs - raisedMs <= SOS_LIMIT_MS || view.age.state === 'not_connected') return;
  view.level = 'crit';
  view.lead = '最久未应答';
  view.alarm = { wait: wait(nowMs - raisedMs), place: placeOf(oldest.district, oldest.street), limit: `限 ${age(SOS_LIMIT_MS).replace('1 分 00 秒', '60 秒')}` };
  const calls = view.rows[1];
  view.rows = [
    { id: 'sos-open', name: '待应答', caption: `处置中 ${world.sos.length - open.length}`, figure: { text: figure(open.length), unit: '起', old: false }, spark: [], usual: [], mark: null, level: 'crit', query: null },
    ...(calls ? [calls] : []),
  ];
}

/** What the alarm's place may take, in ems of its type. */
const PLACE_EM = 7.4;

/** The street with its district where both fit; else the street, which says more. */
function placeOf(district: string, street: string | null): string {
  const both = `${district} ${street ?? ''}`.trim();
  return width(both) <= PLACE_EM ? both : fit(street ?? district, PLACE_EM);
}

/** What a state makes of figure and lines: silent takes the figure away and says what it was, stale says since when. */
function settle(view: PanelView, world: World, hidden: boolean, live: boolean): void {
  const { state, lastMs } = view.age;
  const at = lastMs === null ? '' : clock(lastMs, world.city.zone);
  if (live) {
    // the list of calls for help is true though the feed's figures may not be: its own lines stay
  } else if (state === 'silent') {
    view.lines = [at ? `末次 ${at.hm}` : '', view.figure.text === null ? '' : `末值 ${view.figure.text}${view.figure.unit === '%' ? ' %' : ''}`];
  } else if (state === 'stale') {
    view.lines = at ? ['末次', at.hms] : ['', ''];
  } else if (state === 'not_connected') {
    view.lines = ['', '待接入'];
  } else if (state === 'waiting') {
    view.lines = ['', ''];
  }
  if (hidden && !live) view.figure = { ...view.figure, text: null };
  const text = view.figure.text ?? '—';
  const taken = HERO.kpi * (widthEm(text) - HERO.tracking * text.length) + HERO.unit * widthEm(view.figure.unit) + HERO.gap;
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
  const scale = show === 'numerator' ? data.denominator : scaleOf(show);
  return [difference((data.value - then[1]) * scale, digitsOf(show)), '较 1 时前'];
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

/** A threshold has the unit of the metric's value; shares are written as percent, without a needless ".0". */
export function thresholdText(metric: string, threshold: number): string {
  const text = metric.endsWith('_ratio') ? percent(threshold) : figure(threshold, Number.isInteger(threshold) ? 0 : threshold < 1 ? 2 : 1);
  return text.replace(/\.0$/, '');
}

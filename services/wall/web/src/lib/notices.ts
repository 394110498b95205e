// The footer's four slots: what is wrong, worst first; the last slot counts the rest. When nothing is wrong the slots say
// so, and carry calm information instead.

import { cardAge, missing } from './ages';
import { fit, width } from './fit';
import { age, clock, figure, shortAge } from './format';
import { PANELS, SOS_LIMIT_MS, lotCounts, thresholdText } from './panels';
import { row, timeMs, type World } from './state';
import { STREAMS, type Breach } from './types';

export interface Notice {
  kind: 'crit' | 'warn' | 'ok' | 'info' | 'lost';
  title: string;
  detail: string;
  /** Who acts, and what they do: shown where there is room, and to whoever asks. */
  owner?: string;
  action?: string;
}
const SLOTS = 4;
/** What the two lines of a slot hold, in ems of their own type. */
export const TITLE_EM = 10.5;
export const DETAIL_EM = 13.2;

/** Whose a feed is when it falls silent, and whose a call for help is. */
const FEED = { owner: '数据运维', action: '核对来源平台与网络：先看该路全部来源，再看单个来源；恢复后自动转为正常。' };
const STORE = { owner: '数据运维', action: '检查 ClickHouse 与磁盘；求助由 12349 直接送达，不受影响。' };
const ALERTS = { owner: '数据运维', action: '检查 Alertmanager；指标越限与求助照常显示。' };
const SOS = { owner: '12349 养老服务中心', action: '立即回拨；无人接听即联系紧急联系人并派就近人员上门。' };

export function notices(world: World, nowMs: number, calmSinceMs: number | null): (Notice | null)[] {
  const wrong = troubles(world, nowMs);
  if (wrong.length > SLOTS) {
    const shownLast = wrong[SLOTS - 1];
    const rest = wrong.length - SLOTS;
    if (shownLast) wrong[SLOTS - 1] = { ...shownLast, detail: `${shownLast.detail.split(' · ')[0]} · 另有 ${rest} 条` }; // the first part is its age
    return wrong.slice(0, SLOTS);
  }
  const calm: Notice[] = [];
  if (wrong.length === 0) {
    const since = calmSinceMs === null ? '四路数据正常' : `${clock(calmSinceMs, world.city.zone).hm} 以来`;
    calm.push({ kind: 'ok', title: '无告警', detail: since });
  }
  const slots: (Notice | null)[] = [...wrong, ...calm, ...asides(world, nowMs)].slice(0, SLOTS);
  while (slots.length < SLOTS) slots.push(null);
  return slots;
}

/** While the server is lost nothing is known about alarms, and the footer says that first. */
export function lostNotices(world: World, nowMs: number, calmSinceMs: number | null): (Notice | null)[] {
  const before = notices(world, nowMs, calmSinceMs);
  const wrong = before.filter((n) => n?.kind === 'crit' || n?.kind === 'warn').length;
  const at = clock(nowMs, world.city.zone).hms;
  const unknown: Notice = { kind: 'lost', title: '告警情况不明', detail: wrong ? `${at} 前有 ${wrong} 条` : `${at} 前无告警` };
  return wrong ? [unknown, ...before].slice(0, SLOTS) : [unknown, ...before.slice(1)];
}

export function troubles(world: World, nowMs: number): Notice[] {
  const crit: Notice[] = [];
  const warn: Notice[] = [];
  const waiting = world.sos
    .map((sos) => ({ sos, ms: nowMs - (timeMs(sos.raised) ?? nowMs) }))
    .filter(({ sos, ms }) => sos.state === 'open' && ms > SOS_LIMIT_MS)
    .sort((a, b) => b.ms - a.ms);
  for (const { sos, ms } of waiting) crit.push({ kind: 'crit', title: `${called(sos.street || sos.district)}求助未应答`, detail: `${age(ms)} · 限 60 秒`, ...SOS });

  // before figures beyond a limit: of what is silent or stale nobody knows whether it is
  if (!world.store.ok) {
    const sinceMs = timeMs(world.store.since);
    warn.push({ kind: 'warn', title: '数据库无应答', detail: sinceMs === null ? '画面可能陈旧' : `${age(nowMs - sinceMs)} · 画面可能陈旧`, ...STORE });
  }

  for (const id of STREAMS) {
    const card = cardAge(world.streams[id], nowMs);
    if (card.state !== 'silent' && card.state !== 'stale') {
      // Alertmanager, where there is one, has an alert for each.
      if (!world.alerts) warn.push(...lacking(world, id, nowMs));
      continue;
    }
    const what = card.cause === 'figures' ? '计算停滞' : card.state === 'silent' ? '数据静默' : '数据陈旧';
    const last = card.lastMs === null ? '' : ` · 末次 ${clock(card.lastMs, world.city.zone).hms}`;
    warn.push({ kind: 'warn', title: `${PANELS[id].title} ${what}`, detail: age(card.ageMs) + last, ...FEED });
  }
  if (world.alerts && !world.alerts.ok) warn.push({ kind: 'warn', title: '告警平台无应答', detail: '系统告警情况不明', ...ALERTS });
  for (const alert of world.alerts?.firing ?? []) {
    const since = shortAge(nowMs - (timeMs(alert.starts_at) ?? nowMs));
    const detail = alert.owner ? fit(`${since} · ${alert.owner}`, DETAIL_EM) : since;
    const notice: Notice = { kind: alert.severity === 'critical' ? 'crit' : 'warn', title: fit(alert.title, TITLE_EM), detail, owner: alert.owner, action: alert.action };
    (notice.kind === 'crit' ? crit : warn).push(notice);
  }
  for (const breach of world.breaches) {
    if (breach.closed_at !== null) continue;
    // the same case, told above by its street and to the second
    if (breach.metric === 'elder.sos_oldest_wait_s' && waiting.length > 0) continue;
    const kind = breach.severity === 'critical' ? 'crit' : 'warn';
    const list = kind === 'crit' ? crit : warn;
    list.push({ kind, ...beyond(world, breach, nowMs) });
  }

  return [...crit, ...warn];
}

/** A source that nothing is heard of, by its name; several of one stream are one notice. */
function lacking(world: World, id: (typeof STREAMS)[number], nowMs: number): Notice[] {
  const gone = missing(world.streams[id]);
  const [first] = gone;
  if (!first) return [];
  const names = gone.map(({ source }) => world.city.sources?.[source] ?? source.split('/').pop() ?? source);
  const contacts = gone.map((source) => timeMs(source.last_contact)).filter((ms) => ms !== null);
  const since = contacts.length ? `${shortAge(nowMs - Math.min(...contacts))} · ` : '';
  const one = `${names[0]} 静默`;
  const named = gone.length === 1 && width(one) <= TITLE_EM;
  const rest = named ? `${PANELS[id].title}缺 1/${world.streams[id]?.sources_total ?? 1} 源` : names.join('、');
  return [{ kind: 'warn', title: named ? one : `${PANELS[id].title} ${gone.length} 源静默`, detail: since + fit(rest, DETAIL_EM - width(since)), ...FEED }];
}

/** A street's name as it is, or as people shorten it. */
function called(street: string): string {
  const room = TITLE_EM - width('求助未应答');
  return width(street) <= room ? street : fit(street.replace(/(街道|镇)$/, ''), room);
}

/** Where, what, how much, in as few words as fit; below it since when, and whose it is. What does not fit is at the desk. */
function beyond(world: World, breach: Breach, nowMs: number): Omit<Notice, 'kind'> {
  const places = placesOf(breach, world);
  const name = metricName(breach.metric);
  const value = breachValue(world, breach);
  const brief = breach.level === 'lot' ? BRIEF[breach.metric] : undefined;
  const titles = [[...places.slice(0, 1), name, value], ...(brief ? [[...places.slice(0, 1), brief, value]] : []), [name, value], [...places.slice(0, 1), name], [name]];
  const fitting = titles.map((parts) => parts.filter(Boolean).join(' ')).find((text) => width(text) <= TITLE_EM) ?? fit(name, TITLE_EM);
  const title = value || breach.metric.endsWith('.surge') || width(`${fitting}越限`) > TITLE_EM ? fitting : `${fitting}越限`;
  const since = shortAge(nowMs - (timeMs(breach.opened_at) ?? nowMs));
  const rest = [...(places[0] && !title.startsWith(`${places[0]} `) ? [places[0]] : []), ...places.slice(1)].join(' ');
  let detail = since;
  for (const part of [rest, breach.owner ?? '']) {
    const room = DETAIL_EM - width(`${detail} · `);
    // Two characters of a name tell nobody anything.
    if (part && room >= Math.min(width(part), 4)) detail += ` · ${fit(part, room)}`;
  }
  return { title, detail, owner: breach.owner ?? '', action: breach.action ?? '' };
}

/** The place of a breach in words: district, category, lot, route; nothing for the city. */
export function placesOf(breach: Pick<Breach, 'level' | 'key'>, world: World): string[] {
  if (breach.level === 'city') return [];
  if (breach.level === 'lot') return [world.lots.get(breach.key)?.name ?? breach.key];
  const words = breach.key.split('/').map((part) => CATEGORIES[part] ?? part);
  return breach.level === 'route' ? words.map((word) => (/^\d|^[A-Z]/.test(word) && !word.endsWith('路') ? `${word} 路` : word)) : words;
}

/** What it is now, where that is known; else what it was when it opened. */
export function breachValue(world: World, breach: Breach): string {
  if (breach.metric.endsWith('.surge')) return '';
  const now = row(world, breach.metric, breach.span, breach.level, breach.key);
  const value = now ? now.value : breach.value;
  if (value === null) return '';
  const share = breach.metric.endsWith('_ratio');
  return `${thresholdText(breach.metric, share ? Math.round(value * 1000) / 1000 : Math.round(value * 100) / 100)}${share ? ' %' : ''}`;
}

/** 12349's categories are words of the events; 12345's are a city's own, and Chinese already. */
export const CATEGORIES: Record<string, string> = { life_care: '生活照料', consultation: '咨询', gov_purchased: '政府购买', emergency: '紧急救援' };

/** Names of the metrics that have limits, as short as a notice is. */
export const NAMES: Record<string, string> = {
  'bus.online_ratio': '车辆在线率',
  'bus.fix_age_p95_s': '定位时延P95',
  'bus.on_time_ratio': '准点率',
  'bus.dispatch_ratio': '发车兑现率',
  'bus.headway_cv': '车距变异系数',
  'bus.bunching_ratio': '串车率',
  'bus.gap_ratio': '大间隔率',
  'bus.excess_wait_s': '额外候车',
  'bus.load_p90': '满载率P90',
  'bus.speed_kmh': '平均车速',
  'parking.free_ratio': '空位率',
  'parking.occupancy_ratio': '泊位占用率',
  'parking.minutes_to_full': '预计满位时间',
  'parking.payment_failure_ratio': '支付失败率',
  'parking.credit_overdue_ratio': '欠费逾期率',
  'parking.unmatched_exit_ratio': '无入场离场率',
  'parking.violations': '异常快照',
  'parking.silent_lots': '静默停车场率',
  'hotline.waiting': '排队等候',
  'hotline.connect_ratio': '12345接通率',
  'hotline.answer_15s_ratio': '15秒接听率',
  'hotline.wait_mean_s': '12345平均等待',
  'hotline.abandon_ratio': '放弃率',
  'hotline.handle_mean_s': '平均处理时长',
  'hotline.response_ratio': '响应率',
  'hotline.on_time_close_ratio': '按时办结率',
  'hotline.resolved_ratio': '解决率',
  'hotline.satisfied_ratio': '满意率',
  'hotline.overdue_orders': '逾期工单',
  'hotline.return_ratio': '退回率',
  'hotline.reopen_ratio': '重办率',
  'hotline.urge_ratio': '催办率',
  'hotline.surge': '12345突增',
  'elder.connect_ratio': '12349接通率',
  'elder.sos_oldest_wait_s': '最久未应答',
  'elder.sos_ack_60s_ratio': '60秒应答率',
  'elder.sos_ack_180s_ratio': '180秒应答率',
  'elder.sos_arrive_45m_ratio': '45分到场率',
  'elder.sos_arrive_60m_ratio': '60分到场率',
  'elder.accept_p90_s': '接单时长P90',
  'elder.door_p90_s': '上门时长P90',
  'elder.completion_ratio': '服务完成率',
  'elder.no_show_ratio': '爽约率',
  'elder.satisfied_ratio': '服务满意率',
  'elder.device_silent_ratio': '设备失联率',
  'elder.surge': '12349突增',
};

/** Of a car park that is named beside it. */
const BRIEF: Record<string, string> = { 'parking.occupancy_ratio': '占用' };

export function metricName(metric: string): string {
  for (const id of STREAMS) {
    const panel = PANELS[id];
    const found = panel.metric === metric ? panel.lead : panel.rows.find((r) => r.metric === metric)?.name;
    if (found) return `${panel.title}${found}`;
  }
  return NAMES[metric] ?? metric;
}

/** Worth knowing, nothing to do. Only from feeds that speak. */
function asides(world: World, nowMs: number): Notice[] {
  const speaks = (id: (typeof STREAMS)[number]) => ['fresh', 'late'].includes(cardAge(world.streams[id], nowMs).state);
  const list: Notice[] = [];
  if (speaks('parking')) {
    const lots = [...world.lots.values()].filter((lot) => lot.occupied !== null && lot.capacity > 0);
    const free = (lot: (typeof lots)[number]) => Math.max(0, lot.capacity - (lot.occupied ?? 0));
    const fullest = lots.reduce<(typeof lots)[number] | null>((a, b) => (a && free(a) / a.capacity <= free(b) / b.capacity ? a : b), null);
    const full = lotCounts(world).full;
    if (fullest && free(fullest) / fullest.capacity < 0.15) {
      const more = full > 1 ? ` · 共 ${full} 座已满` : fullest.district ? ` · ${fullest.district}` : '';
      list.push({ kind: 'info', title: `${fullest.name} ${full ? '已满' : '将满'}`, detail: `余 ${figure(free(fullest))} 位${more}` });
    }
  }
  if (speaks('bus')) {
    const slowest = extreme(world, 'bus.speed_kmh', '15m', -1);
    if (slowest) list.push({ kind: 'info', title: `${slowest.key}车速最低`, detail: `${figure(slowest.value, 1)} km/h · 近 15 分` });
  }
  if (speaks('hotline')) {
    const most = extreme(world, 'hotline.calls', '1h', 1);
    if (most) list.push({ kind: 'info', title: `${most.key}来电最多`, detail: `12345 · ${figure(most.value)} 通/时` });
  }
  if (speaks('elder')) {
    const today = row(world, 'elder.calls', 'day');
    if (today?.value) list.push({ kind: 'info', title: '12349 今日来电', detail: `${figure(today.value)} 通` });
  }
  return list;
}

function extreme(world: World, metric: string, span: string, sign: 1 | -1): { key: string; value: number } | null {
  let best: { key: string; value: number } | null = null;
  for (const district of [...world.city.districts, ...world.city.zones]) {
    const value = row(world, metric, span, 'district', district)?.value;
    if (value === null || value === undefined) continue;
    if (!best || sign * value > sign * best.value) best = { key: district, value };
  }
  return best;
}

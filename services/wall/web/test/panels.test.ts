import { beforeEach, describe, expect, it } from 'vitest';
import { width } from '../src/lib/fit';
import { DETAIL_EM, NAMES, TITLE_EM, lostNotices, notices } from '../src/lib/notices';
import { panelView } from '../src/lib/panels';
import { applyDelta, emptyWorld, identity, type World } from '../src/lib/state';
import { STREAMS, type MetricRow, type StreamStatus } from '../src/lib/types';
import { haveBuses, zoneFigures } from '../src/lib/zones';

const NOW = Date.parse('2026-11-20T10:41:07Z');
const ago = (s: number) => new Date(NOW - s * 1000).toISOString();
const status = (contactS: number): StreamStatus => ({
  state: 'fresh', watermark: ago(contactS + 3), last_event: ago(contactS), sources_online: 1, sources_total: 1,
  sources: [{ source: 'a', state: 'fresh', last_contact: ago(contactS), expected_s: 30 }],
});
const metric = (name: string, span: string, value: number | null, numerator = value ?? 0, denominator = 1): MetricRow => ({
  stream: name.split('.')[0] ?? '', metric: name, level: 'city', key: 'city', span, window_start: ago(3600), window_end: ago(5), value, numerator, denominator, n: 60, is_final: false, revision: '1', watermark: ago(3),
});
let world: World;
beforeEach(() => {
  world = applyDelta(emptyWorld(), {
    streams: Object.fromEntries(STREAMS.map((id) => [id, status(2)])),
    metrics: [metric('bus.online_ratio', 'now', 0.99, 1386, 1400), metric('parking.free_ratio', 'now', 0.25, 50, 200), metric('elder.sos_unacknowledged', 'now', 0), metric('hotline.wait_mean_s', '30m', null)],
    lots: [{ lot_id: 'p', name: 'P1', district: '高新区', lon: 122, lat: 37, capacity: 200, occupied: 150, time: ago(5) }],
  }, NOW);
});
const without = (id: 'bus' | 'elder', seconds: number) => (world = applyDelta(world, { streams: { [id]: status(seconds) } }, NOW));
const sos = (seconds: number, state: 'open' | 'acknowledged') => ({ case: 'c', district: '环翠区', street: '竹岛街道', lon: 122, lat: 37, raised: ago(seconds), state });

describe('a leading figure', () => {
  it('is the number of vehicles online, and the share of spaces that are free', () => {
    expect(panelView(world, 'bus', NOW).figure).toEqual({ text: '1,386', unit: '辆', old: false });
    expect(panelView(world, 'parking', NOW)).toMatchObject({ figure: { text: '25.0', unit: '%' }, lines: ['余 50 位', '共 200 位'] });
  });
  it('of zero is a figure, and one with too few events is none', () => {
    expect(panelView(world, 'elder', NOW).figure.text).toBe('0');
    expect(panelView(world, 'hotline', NOW).rows[1]?.figure.text).toBeNull();
  });
  it('is hatched when stale, and taken away when silent, with what it was beside it', () => {
    expect(panelView(without('bus', 100), 'bus', NOW).figure).toMatchObject({ text: '1,386', old: true });
    const silent = panelView(without('bus', 372), 'bus', NOW);
    expect(silent.figure.text).toBeNull();
    expect(silent.lines).toEqual(['末次 18:34', '末值 1,386']);
  });
  it('is compared with an hour ago in its own unit', () => {
    world.spark.set(identity('bus.online_ratio', 'city', 'city', 'now'), [[NOW - 3_600_000, 0.985], [NOW, 0.99]]);
    expect(panelView(world, 'bus', NOW).lines).toEqual(['+7', '较 1 时前']);
  });
  it('is compared with what is usual at this hour as soon as that is known', () => {
    const usual = { [identity('bus.online_ratio', 'city', 'city', 'now')]: { days: 28, points: [[NOW - 60_000, 0.99, 0.9935, 0.995]] as [number, number, number, number][] } };
    expect(panelView(applyDelta(world, { usual }, NOW), 'bus', NOW).lines).toEqual(['−5', '常时 1,391']);
    const young = Object.fromEntries(Object.entries(usual).map(([name, curve]) => [name, { ...curve, days: 3 }]));
    expect(panelView(applyDelta(world, { usual: young }, NOW), 'bus', NOW).lines[1]).toBe('近日 1,391');
  });
  it('is not compared with an hour of which nothing is known', () => {
    const usual = { [identity('bus.online_ratio', 'city', 'city', 'now')]: { days: 28, points: [[NOW - 3_600_000, 0.99, 0.9935, 0.995]] as [number, number, number, number][] } };
    expect(panelView(applyDelta(world, { usual }, NOW), 'bus', NOW).lines).toEqual(['', '']);
  });
});

describe('a call for help', () => {
  it('that waits longer than a minute becomes the largest thing on the wall', () => {
    const view = panelView(applyDelta(world, { sos: [sos(126, 'open')] }, NOW), 'elder', NOW);
    expect(view).toMatchObject({ level: 'crit', alarm: { wait: ['2', '分', '06', '秒'], place: '环翠区 竹岛街道', limit: '限 60 秒' } });
  });
  it('raises nothing within its minute, nor once somebody has answered', () => {
    for (const calm of [sos(59, 'open'), sos(900, 'acknowledged')]) {
      expect(panelView(applyDelta(world, { sos: [calm] }, NOW), 'elder', NOW).alarm).toBeNull();
    }
  });
  it('is counted while the store is away, for its service tells of it itself', () => {
    without('elder', 500);
    expect(panelView(applyDelta(world, { sos: [sos(30, 'open')] }, NOW), 'elder', NOW).figure.text).toBeNull();
    expect(panelView(applyDelta(world, { sos: [sos(30, 'open')], sos_live: true }, NOW), 'elder', NOW).figure).toMatchObject({ text: '1', old: false });
  });
  it('still alarms when its own feed has fallen silent', () => {
    without('elder', 500);
    expect(panelView(applyDelta(world, { sos: [sos(600, 'open')] }, NOW), 'elder', NOW).alarm).not.toBeNull();
  });
});

describe('the footer', () => {
  it('says that nothing is wrong, and since when', () => {
    expect(notices(world, NOW, NOW - 60_000)[0]).toEqual({ kind: 'ok', title: '无告警', detail: '18:40 以来' });
  });
  it('puts people before data, and data before information', () => {
    without('bus', 372);
    const slots = notices(applyDelta(world, { sos: [sos(126, 'open')] }, NOW), NOW, null);
    expect(slots.slice(0, 2).map((slot) => slot?.title)).toEqual(['竹岛街道求助未应答', '公交 数据静默']);
  });
  it('puts a feed that is silent before figures beyond their limits, however many', () => {
    without('bus', 372);
    const beyond = ['bus.dispatch_ratio', 'bus.on_time_ratio', 'parking.silent_lots', 'hotline.response_ratio', 'hotline.surge'];
    const breaches = beyond.map((name) => ({ metric: name, level: 'city', key: 'city', span: '1h', severity: 'warning' as const, opened_at: ago(600), closed_at: null, value: 0.5, threshold: 0.9 }));
    const slots = notices(applyDelta(world, { breaches }, NOW), NOW, null);
    expect(slots[0]?.title).toBe('公交 数据静默');
    expect(slots[3]?.detail).toContain('另有 2 条');
  });
  it('names a source that is silent while others of its stream speak, unless Alertmanager does', () => {
    const source = (name: string, state: 'fresh' | 'silent', s: number) => ({ source: name, state, last_contact: ago(s), expected_s: 30 });
    const parts = (...sources: ReturnType<typeof source>[]) => ({ ...status(2), state: 'late' as const, sources_online: 1, sources_total: sources.length, sources });
    world.city.sources = { 'weihai/bus/b': '荣成公交' };
    world.streams.bus = parts(source('weihai/bus/a', 'fresh', 2), source('weihai/bus/b', 'silent', 400));
    expect(notices(world, NOW, null)[0]).toMatchObject({ kind: 'warn', title: '荣成公交 静默', detail: '6 分 · 公交缺 1/2 源' });
    world.streams.bus = parts(source('weihai/bus/a', 'fresh', 2), source('weihai/bus/b', 'silent', 400), source('weihai/bus/c', 'silent', 90));
    expect(notices(world, NOW, null)[0]).toMatchObject({ title: '公交 2 源静默', detail: '6 分 · 荣成公交、c' });
    expect(notices({ ...world, alerts: { ok: true, firing: [] } }, NOW, null)[0]?.kind).toBe('ok');
    world.streams.bus = { ...world.streams.bus, state: 'silent' };
    expect(notices(world, NOW, null)[0]?.title).toMatch(/^公交 数据静默/);
  });
  const breach = (name: string, level: string, key: string) => ({ metric: name, level, key, span: '1h', severity: 'warning' as const, opened_at: ago(4_320), closed_at: null, value: 0.5, threshold: 0.955 });
  it('tells a call for help once, though it is beyond its limit as a figure too', () => {
    const oldest = breach('elder.sos_oldest_wait_s', 'city', 'city');
    expect(notices(applyDelta(world, { breaches: [oldest] }, NOW), NOW, null)[0]?.title).toContain('最久未应答');
    world.sos = [{ case: 'a', district: '高新区', street: '怡园街道', raised: ago(200), state: 'open', lon: null, lat: null }];
    const slots = notices(applyDelta(world, { breaches: [oldest] }, NOW), NOW, null);
    expect(slots.filter((slot) => slot?.kind === 'crit').map((slot) => slot?.title)).toEqual(['怡园街道求助未应答']);
  });
  it('names the place of what is beyond its limit, in words that people read', () => {
    const said = (name: string, level: string, key: string) => notices(applyDelta(world, { breaches: [breach(name, level, key)] }, NOW), NOW, null)[0];
    expect(said('elder.surge', 'district_category', '经开区/gov_purchased')).toMatchObject({ title: '经开区 12349突增', detail: '1 时 · 政府购买' });
    expect(said('parking.occupancy_ratio', 'lot', '鲸园 P07')).toMatchObject({ title: '鲸园 P07 占用 50 %' });
    expect(said('parking.occupancy_ratio', 'lot', '国际海水浴场西停车场')).toMatchObject({ title: '泊位占用率 50 %', detail: expect.stringMatching(/^1 时 · 国际海水浴场/) });
    expect(said('bus.bunching_ratio', 'route', '12')?.title).toBe('12 路 串车率 50 %');
  });
  it('says whose it is, and what they do', () => {
    const owned = { ...breach('bus.on_time_ratio', 'city', 'city'), owner: '公交集团调度中心', action: '看线路排行' };
    const slot = notices(applyDelta(world, { breaches: [owned] }, NOW), NOW, null)[0];
    expect(slot).toMatchObject({ title: '公交准点率 50 %', detail: '1 时 · 公交集团调度中心', action: '看线路排行' });
  });
  it('has no line that its slot does not hold', () => {
    const streets = ['环翠楼街道', '国际海水浴场西街道'].map((street) => ({ ...sos(126, 'open'), street }));
    const keys = [['city', 'city'], ['district', '高新区'], ['lot', '国际海水浴场西停车场'], ['route', '112'], ['district_category', '经开区/gov_purchased'], ['category', '物业管理与供热']] as const;
    for (const name of Object.keys(NAMES)) {
      for (const [level, key] of keys) {
        for (const slot of notices(applyDelta(world, { sos: streets, breaches: [breach(name, level, key)] }, NOW), NOW, null)) {
          expect(width(slot?.title ?? ''), slot?.title).toBeLessThanOrEqual(TITLE_EM);
          expect(width(slot?.detail ?? ''), slot?.detail).toBeLessThanOrEqual(DETAIL_EM);
        }
      }
    }
  });
  it('shows what Alertmanager has firing, and says when that does not answer', () => {
    const firing = [{ severity: 'warning' as const, title: '磁盘将满', starts_at: ago(600), owner: '数据运维', action: '清理' }];
    expect(notices(applyDelta(world, { alerts: { ok: true, firing } }, NOW), NOW, null)[0]).toMatchObject({ kind: 'warn', title: '磁盘将满', detail: '10 分 · 数据运维', action: '清理' });
    expect(notices(applyDelta(world, { alerts: { ok: false, firing: [] } }, NOW), NOW, null)[0]?.title).toBe('告警平台无应答');
  });
  it('counts in its last slot what has no slot', () => {
    const many = Array.from({ length: 6 }, (_, i) => ({ ...sos(100 + i, 'open'), case: String(i) }));
    expect(notices(applyDelta(world, { sos: many }, NOW), NOW, null)[3]?.detail).toContain('另有 2 条');
  });
  it('knows nothing of alarms while the server is lost', () => {
    expect(lostNotices(world, NOW, NOW)[0]).toEqual({ kind: 'lost', title: '告警情况不明', detail: '18:41:07 前无告警' });
  });
});

it('a zone shows what there is, and nothing of a feed that is silent', () => {
  expect(zoneFigures(world, '高新区', NOW, true).map(({ text }) => text)).toEqual([null, '25', null]);
  world.streams.parking = status(500);
  expect(zoneFigures(world, '高新区', NOW, true)[1]?.text).toBeNull();
});

it('a zone that no bus is known in shows its open orders in that place', () => {
  expect(haveBuses(world, ['高新区', '经开区'])).toBe(false);
  expect(zoneFigures(world, '高新区', NOW, false)[0]).toEqual({ label: '在办工单', text: null });
  const known = (id: string, span: string, value: number) => ({ ...metric(id, span, value), level: 'district', key: '高新区' });
  const told = applyDelta(world, { metrics: [known('hotline.open_orders', 'now', 41), known('bus.speed_kmh', '15m', 21.5)] }, NOW);
  expect(zoneFigures(told, '高新区', NOW, false)[0]).toEqual({ label: '在办工单', text: '41' });
  expect(haveBuses(told, ['高新区'])).toBe(true);
  expect(haveBuses(told, ['经开区', '高新区'])).toBe(false); // a column with a hole would say less
  expect(zoneFigures(told, '高新区', NOW, true)[0]).toEqual({ label: '车速 km/h', text: '21.5' });
});

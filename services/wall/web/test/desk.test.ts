import { describe, expect, it } from 'vitest';
import { MUTE_MS, isMuted, mute, quiet, ring } from '../src/lib/alarm-sound';
import { address, manner, viewOf, type DeskView } from '../src/lib/desk';
import { contours } from '../src/map/heat';
import { replayAddress, replayOf } from '../src/lib/replay';
import type { Sos } from '../src/lib/types';
import { nightlyReloadDue, shouldReload } from '../src/lib/upkeep';
import { pixelShift } from '../src/lib/viewport';

describe('an address at the desk', () => {
  it('comes back as what it was made of', () => {
    const views: DeskView[] = [
      { kind: 'alarms' },
      { kind: 'catalogue' },
      { kind: 'replay' },
      { kind: 'figure', back: '7d', figure: { metric: 'bus.on_time_ratio', span: '1h', level: 'route', key: 'K7 路/东', show: 'percent', unit: '%' } },
      { kind: 'figure', back: '1h', figure: { metric: 'bus.online_ratio', span: 'now', level: 'city', key: 'city', show: 'numerator', unit: '辆' } },
    ];
    for (const view of views) expect(viewOf(address(view))).toEqual(view);
    expect(address(null)).toBe('');
  });
  it('that is nonsense shows the map', () => {
    for (const hash of ['', '#', '#x', '#metric=<script>', '#metric=BUS']) expect(viewOf(hash)).toBeNull();
    expect(viewOf('#metric=bus.x&back=9y')).toMatchObject({ back: '24h' });
  });
});

it('a metric that stands nowhere on the wall is shown by its unit', () => {
  expect(manner({ id: 'hotline.urge_ratio', unit: 'ratio', value: 'ratio' })).toEqual({ show: 'percent', unit: '%' });
  expect(manner({ id: 'bus.headway_cv', unit: 'ratio', value: 'deviation' })).toEqual({ show: 'two', unit: '' });
  expect(manner({ id: 'parking.credit_open_fen', unit: 'fen', value: 'gauge' })).toEqual({ show: 'yuan', unit: '元' });
});

describe('the alarm', () => {
  const NOW = 1_000_000_000;
  const sos = (name: string, waitedS: number, state: Sos['state'] = 'open'): Sos => ({ case: name, district: 'd', street: null, lon: null, lat: null, raised: new Date(NOW - waitedS * 1000).toISOString(), state });
  it('sounds once for a new case, and every ten seconds for one beyond its limit', () => {
    let [alarm, sounds] = ring(quiet(), [sos('a', 5)], NOW);
    expect(sounds).toBe(true);
    [alarm, sounds] = ring(alarm, [sos('a', 5)], NOW + 10_000);
    expect(sounds).toBe(false);
    [alarm, sounds] = ring(alarm, [sos('a', 5)], NOW + 60_000);
    expect(sounds).toBe(true);
    [alarm, sounds] = ring(alarm, [sos('a', 5)], NOW + 65_000);
    expect(sounds).toBe(false);
    expect(ring(alarm, [sos('a', 5)], NOW + 70_000)[1]).toBe(true);
    expect(ring(alarm, [sos('a', 5, 'acknowledged')], NOW + 70_000)[1]).toBe(false);
  });
  it('is muted for a while, but not for a case that is new', () => {
    const [first] = ring(quiet(), [sos('a', 100)], NOW);
    const muted = mute(first, NOW);
    expect(ring(muted, [sos('a', 100)], NOW + 20_000)[1]).toBe(false);
    expect(isMuted(muted, NOW + MUTE_MS - 1)).toBe(true);
    expect(isMuted(muted, NOW + MUTE_MS)).toBe(false);
    const [next, sounds] = ring(muted, [sos('a', 100), sos('b', 1)], NOW + 20_000);
    expect([sounds, isMuted(next, NOW + 20_000)]).toEqual([true, false]);
  });
});

it("a replay's address says when and how fast, within bounds", () => {
  const ms = Date.parse('2026-11-20T02:00:00Z');
  expect(replayOf(replayAddress(ms, 300).slice(1))).toEqual({ fromMs: ms, speed: 300 });
  expect(replayOf('?replay=2026-11-20T02:00:00Z&speed=99999')?.speed).toBe(600);
  expect(replayOf('?replay=soon')).toBeNull();
});

describe('upkeep', () => {
  const FOUR = Date.parse('2026-11-20T20:00:20Z'); // 04:00 in Weihai
  it('reloads once a night, and never a page that was just loaded', () => {
    expect(nightlyReloadDue(FOUR, FOUR - 4_000_000, 'Asia/Shanghai')).toBe(true);
    expect(nightlyReloadDue(FOUR, FOUR - 60_000, 'Asia/Shanghai')).toBe(false);
    expect(nightlyReloadDue(FOUR + 120_000, 0, 'Asia/Shanghai')).toBe(false);
  });
  it('reloads for a new build once, whatever the server goes on to announce', () => {
    expect(shouldReload('a', 'b', null)).toBe(true);
    expect(shouldReload('a', 'b', 'b')).toBe(false);
    expect(shouldReload('a', 'a', null)).toBe(false);
  });
  it('lets no still edge burn in: the picture wanders by four pixels at the most', () => {
    const places = Array.from({ length: 100 }, (_, i) => pixelShift(i * 180_000));
    expect(places.every(([x, y]) => Math.abs(x) <= 4 && Math.abs(y) <= 4)).toBe(true);
    expect(new Set(places.map(String)).size).toBe(9);
  });
});

describe('the heat', () => {
  it('has its highest step where the orders are, and none where there are none', () => {
    const steps = contours([{ x: 10, y: 10, orders: 40 }, { x: 40, y: 10, orders: 8 }], 3, 60, 20);
    const at = (x: number, y: number) => steps[y * 60 + x];
    expect([at(10, 10), at(40, 10), at(25, 10), at(55, 19)]).toEqual([3, 1, 0, 0]);
  });
  it('stays low on a day on which nothing stands out', () => {
    expect(Math.max(...contours([{ x: 5, y: 5, orders: 1 }], 2, 10, 10))).toBe(1);
  });
});

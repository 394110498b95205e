import { expect, it } from 'vitest';
import { curve, thin } from '../src/lib/curve';
import { applyDelta, emptyWorld, extend, row } from '../src/lib/state';
import type { MetricRow, SparkPoint } from '../src/lib/types';
import { nightlyReloadDue, shouldReload } from '../src/lib/upkeep';
import { pixelShift, units } from '../src/lib/viewport';
import { counts, kindOf } from '../src/map/fleet';

const metric = (value: number): MetricRow => ({
  stream: 'bus', metric: 'bus.speed_kmh', level: 'city', key: 'city', span: '15m', window_start: '', window_end: '', value,
  numerator: value, denominator: 1, n: 9, is_final: false, revision: '1', watermark: null,
});

it('a change replaces what it names and leaves the rest', () => {
  const world = applyDelta({ ...emptyWorld(), vehiclesAtMs: 5 }, { metrics: [metric(20)] }, 1000);
  const later = applyDelta(world, { metrics: [metric(21)], sos: [] }, 2000);
  expect(row(later, 'bus.speed_kmh', '15m')?.value).toBe(21);
  expect(later.metrics.size).toBe(1);
  expect(later.vehiclesAtMs).toBe(5);
});

it('a curve grows at its end, replaces a point that comes again, and keeps four hours in 72 points at most', () => {
  const minute = (n: number): SparkPoint => [n * 60_000, n];
  expect(extend([minute(1), minute(2)], [[120_000, 9], minute(3)])).toEqual([minute(1), [120_000, 9], minute(3)]);
  expect(extend(Array.from({ length: 500 }, (_, i) => minute(i)), [minute(500)])).toHaveLength(72);
  expect(extend([minute(0)], [minute(300)])).toEqual([minute(300)]);
});

it('a flat zero lies on the floor, a gap stays a gap, a small change is no mountain', () => {
  expect(curve([[0, 0], [3_600_000, 0]]).end?.[1]).toBe(94);
  expect(curve([[0, 1], [1, null], [2, 1]]).d.match(/M/g)).toHaveLength(2);
  expect(curve([[0, 1000], [3_600_000, 1001]]).end?.[1]).toBeGreaterThan(40);
  expect(curve([])).toMatchObject({ d: '', end: null });
});

it('a curve for a narrow place keeps its newest point', () => {
  const many = Array.from({ length: 72 }, (_, i): SparkPoint => [i, i % 7]);
  expect(thin(many, 36).length).toBeLessThanOrEqual(37);
  expect(thin(many, 36).at(-1)).toEqual(many.at(-1));
});

it('the page reloads once for another build, and never in a loop', () => {
  expect(shouldReload('a', 'b', null)).toBe(true);
  expect(shouldReload('a', 'b', 'b')).toBe(false);
  expect(shouldReload('a', 'a', null)).toBe(false);
  expect(shouldReload('', 'b', null)).toBe(false);
});

it('the nightly reload is at four in the city, for a page that has run a while', () => {
  const four = Date.parse('2026-11-20T20:00:30Z');
  expect(nightlyReloadDue(four, four - 7_200_000, 'Asia/Shanghai')).toBe(true);
  expect(nightlyReloadDue(four, four - 60_000, 'Asia/Shanghai')).toBe(false);
  expect(nightlyReloadDue(four + 60_000, four - 7_200_000, 'Asia/Shanghai')).toBe(false);
});

it('a unit is one pixel on the wall and half on a desk; distance makes it grow, on a wall only, and less is shown then', () => {
  expect(units(3840, 2160)).toEqual({ unit: 1, tight: false, wide: false });
  expect(units(3840, 2160, { mm_per_px: 1.25, distance_m: 10 })).toEqual({ unit: 1, tight: false, wide: false });
  expect(units(1920, 1080, { mm_per_px: 1.25, distance_m: 30 })).toEqual({ unit: 0.5, tight: false, wide: false });
  expect(units(1440, 900).unit).toBe(0.375);
  expect(units(7680, 2160)).toEqual({ unit: 1, tight: false, wide: true });
  expect(units(3840, 2160, { mm_per_px: 1.25, distance_m: 11.5 }).unit).toBeCloseTo(1.136);
  expect(units(3840, 2160, { mm_per_px: 0.57, distance_m: 10 })).toEqual({ unit: 1.15, tight: true, wide: false });
});

it('the picture never wanders more than four pixels', () => {
  for (let i = 0; i < 40; i++) expect(Math.max(...pixelShift(i * 180_000).map(Math.abs))).toBeLessThanOrEqual(4);
});

it('a vehicle is late past five minutes, lost past three without a fix, and all are lost with their feed', () => {
  expect([kindOf(4, 35, 0, false), kindOf(4, null, 0, false), kindOf(4, 301, 0, false), kindOf(4, 301, 180, false), kindOf(4, 35, 0, true)]).toEqual(['running', 'running', 'late', 'lost', 'lost']);
  expect(counts({ columns: [], ids: ['a', 'b'], rows: [[0, 0, 1, 0], [0, 0, 1, 999]] }, 0, false)).toEqual({ running: 1, late: 1, lost: 0 });
});

it('what is usual lies under the curve from edge to edge, on the same scale', () => {
  const points: [number, number][] = [[0, 10], [1_000_000, 12]];
  const { band, middle } = curve(points, undefined, [[-600_000, 8, 10, 20], [0, 8, 10, 20], [1_200_000, 8, 10, 20]]);
  expect(band.match(/[ML]/g)).toHaveLength(4);
  expect(middle.match(/[ML]/g)).toHaveLength(2);
  // 20 is the highest of all, and the curve ends at 12: well below it
  const [top, end] = [Number(/^M\S+ ([\d.]+)/.exec(band)?.[1]), curve(points, undefined, [[0, 8, 10, 20], [1_000_000, 8, 10, 20]]).end?.[1] ?? 0];
  expect(end - top).toBeGreaterThan(30);
});

// A curve of the last hours in a box of 100 × 100, as an SVG path. Gaps stay gaps; a flat zero lies on the floor.

import type { SparkPoint } from './types';

/** A wall that was just switched on has a short history; it is not drawn over less than this. */
const LEAST_MS = 15 * 60_000;
const EDGE = 6;

export interface Curve {
  d: string;
  /** The newest point with a value. */
  end: [x: number, y: number] | null;
}

export function curve(points: SparkPoint[], untilMs?: number): Curve {
  const known = points.filter((p): p is [number, number] => p[1] !== null);
  const newest = known[known.length - 1];
  const oldest = points[0];
  if (!newest || !oldest) return { d: '', end: null };
  const toMs = Math.max(untilMs ?? newest[0], newest[0]);
  const fromMs = Math.min(oldest[0], toMs - LEAST_MS);
  const values = known.map(([, v]) => v);
  const [lo, hi] = [Math.min(...values), Math.max(...values)];
  // A change under 2 % of the figure is no mountain.
  const span = Math.max(hi - lo, 0.02 * Math.abs(hi));
  const mid = (hi + lo) / 2;
  const x = (t: number) => EDGE / 4 + ((t - fromMs) / (toMs - fromMs)) * (100 - EDGE / 2);
  const y = (v: number) => (span === 0 ? 100 - EDGE : EDGE + (0.5 - (v - mid) / span) * (100 - 2 * EDGE));
  const at = (p: [number, number]): [number, number] => [round(x(p[0])), round(y(p[1]))];
  let d = '';
  let pen = 'M';
  for (const [t, v] of points) {
    if (v === null) {
      pen = 'M';
      continue;
    }
    d += pen + at([t, v]).join(' ');
    pen = 'L';
  }
  return { d, end: at(newest) };
}

/** Fewer points for a narrow place: each the mean of its neighbours, the newest one as it is. */
export function thin(points: SparkPoint[], most: number): SparkPoint[] {
  const step = Math.ceil(points.length / most);
  if (step <= 1) return points;
  const thinned: SparkPoint[] = [];
  for (let end = points.length - 1; end > 0; end -= step) {
    const group = points.slice(Math.max(0, end - step), end);
    const values = group.map(([, v]) => v).filter((v) => v !== null);
    const time = group[group.length >> 1]?.[0] ?? 0;
    thinned.unshift([time, values.length ? values.reduce((a, b) => a + b, 0) / values.length : null]);
  }
  return [...thinned, ...points.slice(-1)];
}

const round = (n: number) => Math.round(n * 100) / 100;

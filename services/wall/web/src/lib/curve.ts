// A curve of the last hours in a box of 100 × 100, as an SVG path. Gaps stay gaps; a flat zero lies on the floor.

import type { SparkPoint, UsualPoint } from './types';

/** A wall that was just switched on has a short history; it is not drawn over less than this. */
const LEAST_MS = 15 * 60_000;
const EDGE = 6;

export interface Curve {
  d: string;
  /** The newest point with a value. */
  end: [x: number, y: number] | null;
  /** What is usual at those times: a band around it, and its middle. */
  band: string;
  middle: string;
}

export function curve(points: SparkPoint[], untilMs?: number, usual: UsualPoint[] = []): Curve {
  const known = points.filter((p): p is [number, number] => p[1] !== null);
  const newest = known[known.length - 1];
  const oldest = points[0];
  if (!newest || !oldest) return { d: '', end: null, band: '', middle: '' };
  const toMs = Math.max(untilMs ?? newest[0], newest[0]);
  const fromMs = Math.min(oldest[0], toMs - LEAST_MS);
  const beside = within(usual, fromMs, toMs);
  const values = [...known.map(([, v]) => v), ...beside.flatMap(([, low, , high]) => [low, high])];
  const [lo, hi] = [Math.min(...values), Math.max(...values)];
  // A change under 2 % of the figure is no mountain.
  const span = Math.max(hi - lo, 0.02 * Math.abs(hi));
  const mid = (hi + lo) / 2;
  const x = (t: number) => EDGE / 4 + ((t - fromMs) / (toMs - fromMs)) * (100 - EDGE / 2);
  const y = (v: number) => (span === 0 ? 100 - EDGE : EDGE + (0.5 - (v - mid) / span) * (100 - 2 * EDGE));
  const at = (t: number, v: number): [number, number] => [round(x(t)), round(y(v))];
  let d = '';
  let pen = 'M';
  for (const [t, v] of points) {
    if (v === null) {
      pen = 'M';
      continue;
    }
    d += pen + at(t, v).join(' ');
    pen = 'L';
  }
  const line = (list: [number, number][]) => list.map(([t, v], i) => (i ? 'L' : 'M') + at(t, v).join(' ')).join('');
  const upper = beside.map(([t, , , high]): [number, number] => [t, high]);
  const lower = beside.map(([t, low]): [number, number] => [t, low]).reverse();
  return {
    d,
    end: at(...newest),
    band: beside.length > 1 ? `${line([...upper, ...lower])}Z` : '',
    middle: beside.length > 1 ? line(beside.map(([t, , median]): [number, number] => [t, median])) : '',
  };
}

/** The points between two times, with those at the very ends reckoned from their neighbours. */
export function within(usual: UsualPoint[], fromMs: number, toMs: number): UsualPoint[] {
  const cut: UsualPoint[] = [];
  usual.forEach((point, i) => {
    const next = usual[i + 1];
    if (point[0] >= fromMs && point[0] <= toMs) cut.push(point);
    for (const edge of [fromMs, toMs]) {
      if (!next || point[0] >= edge || next[0] <= edge) continue;
      const f = (edge - point[0]) / (next[0] - point[0]);
      cut.push([edge, point[1] + f * (next[1] - point[1]), point[2] + f * (next[2] - point[2]), point[3] + f * (next[3] - point[3])]);
    }
  });
  return cut.sort((a, b) => a[0] - b[0]);
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

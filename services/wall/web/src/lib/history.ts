// What the desk asks the server for: a figure's last hours or days, what is usual then, and the catalogue.

import { BACKS, type Back } from './desk';
import { scaleOf, type Show } from './panels';
import { timeMs } from './state';
import type { CatalogueEntry, MetricRow, SparkPoint, UsualCurve, UsualPoint } from './types';

const DAY_MS = 86_400_000;

export interface Wanted {
  metric: string;
  span: string;
  level: string;
  key: string;
  back: Back;
}

/** From when on a history goes. A calendar day's figure has a row a day: a day of them would be one point. */
export const fromMs = ({ span, back }: Pick<Wanted, 'span' | 'back'>, toMs: number): number => toMs - (span === 'day' ? 30 * DAY_MS : BACKS[back].ms);

export async function history(wanted: Wanted, toMs: number, signal: AbortSignal): Promise<MetricRow[]> {
  const every = wanted.span === 'day' ? null : BACKS[wanted.back].everyS;
  const { rows } = (await ask('/api/metrics', wanted, fromMs(wanted, toMs), toMs, every, signal)) as { rows: MetricRow[] };
  return rows.sort((a, b) => (timeMs(a.window_end) ?? 0) - (timeMs(b.window_end) ?? 0));
}

/** What the figure usually is at those hours; for more than a day, and for calendar days, nobody asks. */
export async function usual(wanted: Wanted, toMs: number, signal: AbortSignal): Promise<UsualCurve> {
  if (wanted.back === '7d' || wanted.span === 'day') return { days: 0, points: [] };
  return (await ask('/api/usual', wanted, fromMs(wanted, toMs), toMs, wanted.back === '1h' ? 600 : 1800, signal)) as UsualCurve;
}

async function ask(path: string, { metric, span, level, key }: Wanted, from: number, to: number, everyS: number | null, signal: AbortSignal): Promise<unknown> {
  const query = new URLSearchParams({ metric, level, key, span, from: new Date(from).toISOString(), to: new Date(to).toISOString(), ...(everyS && { every: String(everyS) }) });
  const answer = await fetch(`${path}?${query}`, { signal });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** The rows as points of a curve, in the unit in which the figure is shown. */
export function historyPoints(rows: MetricRow[], show: Show): SparkPoint[] {
  const value = (r: MetricRow) => (show === 'numerator' ? r.numerator : r.value === null ? null : r.value * scaleOf(show));
  return rows.map((r) => [timeMs(r.window_end) ?? 0, value(r)]);
}

/** The same for what is usual; a count of a share's numerator is one of today's denominator. */
export function usualPoints(curve: UsualCurve, show: Show, denominator: number): UsualPoint[] {
  const scale = show === 'numerator' ? denominator : scaleOf(show);
  return curve.points.map(([t, low, median, high]) => [t, low * scale, median * scale, high * scale]);
}

let known: Promise<CatalogueEntry[]> | null = null;

/** The catalogue changes only with the server; one answer serves the page's life, a failure does not. */
export function catalogue(): Promise<CatalogueEntry[]> {
  known ??= fetch('/api/catalogue')
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`catalogue: ${answer.status}`))))
    .then(({ metrics }: { metrics: CatalogueEntry[] }) => metrics)
    .catch((error: unknown) => {
      known = null;
      throw error;
    });
  return known;
}

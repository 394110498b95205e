// What the detail panel asks the server for: a figure's last day, and the catalogue.

import { timeMs } from './state';
import type { Show } from './panels';
import type { CatalogueEntry, MetricRow, SparkPoint } from './types';

const DAY_MS = 86_400_000;

export async function history(metric: string, span: string, nowMs: number, signal: AbortSignal): Promise<MetricRow[]> {
  const query = new URLSearchParams({
    metric,
    level: 'city',
    key: 'city',
    span,
    // A calendar day's figure has a row a day: a day of them would be one point.
    from: new Date(nowMs - (span === 'day' ? 30 : 1) * DAY_MS).toISOString(),
    to: new Date(nowMs).toISOString(),
  });
  const answer = await fetch(`/api/metrics?${query}`, { signal });
  if (!answer.ok) throw new Error(`history: ${answer.status}`);
  const { rows } = (await answer.json()) as { rows: MetricRow[] };
  return rows.sort((a, b) => (timeMs(a.window_end) ?? 0) - (timeMs(b.window_end) ?? 0));
}

/** The rows as points of a curve, in the unit in which the figure is shown. */
export function historyPoints(rows: MetricRow[], show: Show): SparkPoint[] {
  const value = (r: MetricRow) => (show === 'numerator' ? r.numerator : r.value === null ? null : show === 'percent' ? r.value * 100 : r.value);
  return rows.map((r) => [timeMs(r.window_end) ?? 0, value(r)]);
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

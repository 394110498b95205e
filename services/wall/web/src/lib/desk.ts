// What the operator at the desk looks at, and its address: every figure, the list of alarms, the catalogue and the replay have
// one, so that it can be sent to somebody else. Pure: it knows neither the screen nor the server.

import { PANELS, TRENDS, type Figured, type Query, type Show } from './panels';
import { STREAMS, type CatalogueEntry } from './types';

export type Back = '1h' | '24h' | '7d';
export const BACKS: Record<Back, { word: string; ms: number; everyS: number | null }> = {
  '1h': { word: '1 时', ms: 3_600_000, everyS: null },
  '24h': { word: '24 时', ms: 86_400_000, everyS: 300 },
  '7d': { word: '7 天', ms: 7 * 86_400_000, everyS: 1800 },
};

export type DeskView = { kind: 'figure'; figure: Figured; back: Back } | { kind: 'alarms' } | { kind: 'catalogue' } | { kind: 'replay' };

/** "#metric=bus.on_time_ratio&span=1h&level=route&key=12&back=24h", "#alarms", "#catalogue", "#replay". */
export function address(view: DeskView | null): string {
  if (!view) return '';
  if (view.kind !== 'figure') return `#${view.kind}`;
  const { metric, span, level, key, show } = view.figure;
  const parts = new URLSearchParams({ metric, span, ...(level !== 'city' && { level, key }), ...(show === 'numerator' && { show }), back: view.back });
  return `#${parts}`;
}

export function viewOf(hash: string): DeskView | null {
  const text = hash.replace(/^#/, '');
  if (text === 'alarms' || text === 'catalogue' || text === 'replay') return { kind: text };
  const parts = new URLSearchParams(text);
  const metric = parts.get('metric') ?? '';
  if (!/^[a-z]+\.[a-z0-9_]+$/.test(metric)) return null;
  const back = parts.get('back') ?? '';
  const level = parts.get('level') || 'city';
  const known = onWall(metric, parts.get('show') === 'numerator');
  return {
    kind: 'figure',
    figure: { metric, span: parts.get('span') || known?.span || 'now', level, key: level === 'city' ? 'city' : (parts.get('key') ?? ''), show: known?.show ?? 'count', unit: known?.unit ?? '' },
    back: back in BACKS ? (back as Back) : '24h',
  };
}

/** How the wall itself shows a metric. */
function onWall(metric: string, numerator: boolean): Query | undefined {
  const all = STREAMS.flatMap((id): Query[] => [PANELS[id], ...PANELS[id].rows, ...TRENDS[id]]);
  return all.find((query) => query.metric === metric && (query.show === 'numerator') === numerator);
}

const UNITS: Record<string, [show: Show, unit: string]> = {
  ratio: ['percent', '%'], s: ['count', '秒'], min: ['one', '分'], 'km/h': ['one', 'km/h'], fen: ['yuan', '元'], calls: ['count', '通'], orders: ['count', '件'],
  cases: ['count', '起'], lots: ['count', '座'], spaces: ['count', '位'], routes: ['count', '条'], snapshots: ['count', '次'], 'sessions per space': ['two', '次/位'],
};

/** How the catalogue's metric is shown: by its unit, so that a new metric needs nothing here. */
export function manner(entry: Pick<CatalogueEntry, 'id' | 'unit' | 'value'>): { show: Show; unit: string } {
  const known = onWall(entry.id, false);
  if (known) return { show: known.show, unit: known.unit };
  if (entry.value === 'deviation') return { show: 'two', unit: '' };
  const [show, unit] = UNITS[entry.unit] ?? ['one', entry.unit];
  return { show, unit };
}

export const figured = (query: Query): Figured => ({ metric: query.metric, span: query.span, show: query.show, unit: query.unit, level: 'city', key: 'city' });

export const SPANS: Record<string, string> = { now: '此刻', '1m': '1 分', '5m': '5 分', '15m': '15 分', '30m': '30 分', '1h': '1 时', '24h': '24 时', day: '当日', '7d': '7 天', '30d': '30 天' };
export const LEVELS: Record<string, string> = { city: '全市', district: '按区', route: '线路', lot: '车场', floor: '楼层', category: '类别', agency: '承办单位', channel: '渠道', district_category: '区与类别' };

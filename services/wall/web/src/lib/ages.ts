// How old is what a card shows, and what does that make it? Two things age: the feed (nobody has spoken) and the figures
// (the watermark stands still though the feed speaks). The worse of the two decides. Knows nothing of the screen.

import { age, shortAge } from './format';
import { timeMs } from './state';
import type { FeedState, SourceStatus, StreamStatus } from './types';

/** `waiting`: the page has not seen its first snapshot. Losing the server is above all of these and is not one of them. */
export type CardState = 'fresh' | 'late' | 'stale' | 'silent' | 'not_connected' | 'waiting';

export interface CardAge {
  state: CardState;
  /** Which of the two is old. */
  cause: 'feed' | 'figures';
  ageMs: number;
  /** When the feed last spoke, or up to when the figures go. */
  lastMs: number | null;
  /** The words of the mark: "2 秒", "静默 1 分 40 秒". */
  text: string;
  /** Its two parts, where there is no room for more than one unit: "静默", and "1 分" or "2/3 源". */
  word: string;
  since: string;
}

/** Multiples of the interval at which a source promised to speak. */
const FEED = { late: 2, stale: 3, silent: 4 };
/** The figures follow the feed within seconds; a pane is 10 s, a window slides every minute at most. */
const FIGURES_MS = { late: 60_000, stale: 120_000, silent: 600_000 };
const EXPECTED_S = 30;

const RANK: Record<CardState, number> = { waiting: 0, fresh: 1, late: 2, stale: 3, silent: 4, not_connected: 5 };
const WORD: Record<CardState, string> = { waiting: '', fresh: '', late: '迟到', stale: '陈旧', silent: '静默', not_connected: '未接入' };

export function cardAge(stream: StreamStatus | undefined, nowMs: number): CardAge {
  if (!stream) return { state: 'waiting', cause: 'feed', ageMs: 0, lastMs: null, text: '等待数据', word: '等待数据', since: '' };
  if (stream.state === 'not_connected') return { state: 'not_connected', cause: 'feed', ageMs: 0, lastMs: null, text: WORD.not_connected, word: WORD.not_connected, since: '' };

  const contacts = [stream.last_event, ...stream.sources.map((source) => source.last_contact)].map(timeMs).filter((ms) => ms !== null);
  const contactMs = contacts.length ? Math.max(...contacts) : null;
  const expectedMs = 1000 * Math.max(...stream.sources.filter((source) => source.last_contact).map((source) => source.expected_s), 0) || EXPECTED_S * 1000;
  const feedMs = contactMs === null ? 0 : Math.max(0, nowMs - contactMs);
  const feed = worse(stream.state, byAge(feedMs, { late: FEED.late * expectedMs, stale: FEED.stale * expectedMs, silent: FEED.silent * expectedMs }));

  const watermarkMs = timeMs(stream.watermark);
  const figuresMs = watermarkMs === null ? 0 : Math.max(0, nowMs - watermarkMs);
  const figures = byAge(figuresMs, FIGURES_MS);

  if (RANK[figures] > RANK[feed]) {
    return { state: figures, cause: 'figures', ageMs: figuresMs, lastMs: watermarkMs, text: `停滞 ${age(figuresMs)}`, word: '停滞', since: shortAge(figuresMs) };
  }
  // One source of many is late or silent while others speak: the newest contact's age would say nothing about it.
  const partly = feed !== 'fresh' && byAge(feedMs, { late: FEED.late * expectedMs, stale: Infinity, silent: Infinity }) === 'fresh';
  const share = partly && stream.sources_total > 1 ? `${stream.sources_online}/${stream.sources_total} 源` : null;
  const text = `${WORD[feed]} ${share ?? age(feedMs)}`.trim();
  return { state: feed, cause: 'feed', ageMs: feedMs, lastMs: contactMs, text, word: WORD[feed], since: share ?? shortAge(feedMs) };
}

/** Sources that have fallen silent while others of their stream speak: its figures go on, and lack them. */
export function missing(stream: StreamStatus | undefined): SourceStatus[] {
  return stream && stream.state !== 'silent' ? stream.sources.filter((source) => source.state === 'silent') : [];
}

function byAge(ms: number, limits: { late: number; stale: number; silent: number }): CardState {
  if (ms > limits.silent) return 'silent';
  if (ms > limits.stale) return 'stale';
  return ms > limits.late ? 'late' : 'fresh';
}

const worse = (a: FeedState, b: CardState): CardState => (RANK[a] > RANK[b] ? a : b);

/** How far a figure's window may lie behind its stream's watermark before the figure itself is old. */
const LAG_MS: Record<string, number> = { now: 180_000, '1m': 180_000, '5m': 240_000, '15m': 300_000, '30m': 300_000, '1h': 300_000, '24h': 900_000 };

/** An emptied window (n = 0) is written once and stays true; a calendar day ends in the future. Neither grows old. */
export function figureIsOld(span: string, n: number, windowEndMs: number | null, watermarkMs: number | null): boolean {
  const lag = LAG_MS[span];
  if (lag === undefined || n === 0 || windowEndMs === null || watermarkMs === null) return false;
  return watermarkMs - windowEndMs > lag;
}

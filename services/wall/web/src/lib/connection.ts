// The line to the server, as a state machine without I/O: inputs carry the time, effects are returned as data. An open
// socket may stall without any event, and one 503 on reconnect closes an EventSource for good; so bytes are counted here,
// and every reopening is ours, with backoff and jitter.

export const HEARTBEAT_MS = 5_000;
/** No bytes for three heartbeats: the wall has lost its server. */
export const LOST_MS = 3 * HEARTBEAT_MS;
const BACKOFF_MS = { first: 1_000, most: 30_000 };
/** A line that held this long was a good one: the next failure starts from the shortest pause again. */
const STEADY_MS = 10_000;

export interface Line {
  phase: 'opening' | 'open' | 'pausing';
  /** Reopenings since the last good line. */
  attempt: number;
  startedMs: number;
  openedMs: number;
  lastByteMs: number | null;
  retryMs: number;
}

export type Input = { kind: 'bytes' } | { kind: 'failed' } | { kind: 'tick' };
export type Effect = 'open' | 'close';

export function start(nowMs: number): Line {
  return { phase: 'opening', attempt: 0, startedMs: nowMs, openedMs: nowMs, lastByteMs: null, retryMs: 0 };
}

/** `jitter` in 0…1: many walls must not come back in the same instant. */
export function step(line: Line, input: Input, nowMs: number, jitter: number): [Line, Effect[]] {
  switch (input.kind) {
    case 'bytes': {
      if (line.phase === 'pausing') return [line, []]; // the last bytes of a line that was given up
      const steady = nowMs - line.openedMs >= STEADY_MS;
      return [{ ...line, phase: 'open', lastByteMs: nowMs, attempt: steady ? 0 : line.attempt }, []];
    }
    case 'failed':
      return line.phase === 'pausing' ? [line, []] : pause(line, nowMs, jitter);
    case 'tick': {
      if (line.phase === 'pausing') {
        return nowMs < line.retryMs ? [line, []] : [{ ...line, phase: 'opening', openedMs: nowMs }, ['open']];
      }
      const heardMs = Math.max(line.openedMs, line.lastByteMs ?? 0);
      return nowMs - heardMs > LOST_MS ? pause(line, nowMs, jitter) : [line, []];
    }
  }
}

function pause(line: Line, nowMs: number, jitter: number): [Line, Effect[]] {
  const full = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** line.attempt);
  return [{ ...line, phase: 'pausing', attempt: line.attempt + 1, retryMs: nowMs + full * (0.5 + jitter / 2) }, ['close']];
}

/** How long the page has been without its server, or null while all is well. */
export function lostForMs(line: Line, nowMs: number): number | null {
  const silentMs = nowMs - (line.lastByteMs ?? line.startedMs);
  return silentMs > LOST_MS ? silentMs : null;
}

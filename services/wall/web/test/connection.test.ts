import { describe, expect, it } from 'vitest';
import { LOST_MS, lostForMs, start, step, type Effect, type Input, type Line } from '../src/lib/connection';

/** Runs inputs at their times and returns the last line with all effects. */
function run(line: Line, inputs: [ms: number, Input['kind']][], jitter = 1): [Line, [ms: number, Effect][]] {
  const effects: [number, Effect][] = [];
  for (const [ms, kind] of inputs) {
    const [next, now] = step(line, { kind }, ms, jitter);
    line = next;
    effects.push(...now.map((effect): [number, Effect] => [ms, effect]));
  }
  return [line, effects];
}
const ticks = (from: number, to: number): [number, 'tick'][] => Array.from({ length: (to - from) / 1000 }, (_, i) => [from + i * 1000, 'tick']);

describe('a line that stalls without closing', () => {
  it('is closed after three heartbeats without a byte, and opened anew', () => {
    const [, effects] = run(start(0), [[100, 'bytes'], ...ticks(1000, 18_000)]);
    expect(effects).toEqual([[16_000, 'close'], [17_000, 'open']]);
  });
  it('is given the same time again after each reopening', () => {
    const [, effects] = run(start(0), ticks(1000, 37_000));
    expect(effects).toEqual([[16_000, 'close'], [17_000, 'open'], [33_000, 'close'], [35_000, 'open']]);
  });
  it('is left alone while heartbeats come', () => {
    const beats = Array.from({ length: 100 }, (_, i): [number, 'bytes' | 'tick'][] => [[i * 5000, 'bytes'], [i * 5000 + 4999, 'tick']]).flat();
    expect(run(start(0), beats)[1]).toEqual([]);
  });
});

describe('a line that fails', () => {
  it('is reopened after growing pauses, thirty seconds at most', () => {
    let line = start(0);
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      [line] = step(line, { kind: 'failed' }, i * 100_000, 1);
      pauses.push(line.retryMs - i * 100_000);
      [line] = step(line, { kind: 'tick' }, line.retryMs, 1);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });
  it('is reopened by each wall at its own moment', () => {
    const at = (jitter: number) => step(start(0), { kind: 'failed' }, 0, jitter)[0].retryMs;
    expect([at(0), at(1)]).toEqual([500, 1000]);
  });
  it('starts from the shortest pause again only after it has held for a while', () => {
    const flapping = run(start(0), [[100, 'failed'], [2000, 'tick'], [2100, 'bytes'], [2200, 'failed']])[0];
    expect(flapping.attempt).toBe(2);
    const steady = run(flapping, [[10_000, 'tick'], [10_100, 'bytes'], [25_000, 'bytes'], [26_000, 'failed']])[0];
    expect(steady.attempt).toBe(1);
  });
  it('takes one failure as one, however often it is reported', () => {
    expect(run(start(0), [[10, 'failed'], [11, 'failed'], [12, 'bytes']])[1]).toEqual([[10, 'close']]);
  });
});

describe('the server', () => {
  it('is lost when no byte has come for three heartbeats, and counts from the last one', () => {
    const [line] = run(start(0), [[1000, 'bytes']]);
    expect(lostForMs(line, 1000 + LOST_MS)).toBeNull();
    expect(lostForMs(line, 43_000)).toBe(42_000);
  });
  it('is lost too when it never answered', () => {
    expect(lostForMs(start(0), LOST_MS + 1)).toBe(LOST_MS + 1);
  });
  it('is there again with the first byte', () => {
    const [line] = run(start(0), [[0, 'bytes'], [16_000, 'tick'], [17_000, 'tick'], [17_100, 'bytes']]);
    expect(lostForMs(line, 17_200)).toBeNull();
  });
});

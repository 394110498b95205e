import { describe, expect, it } from 'vitest';
import { cardAge, figureIsOld } from '../src/lib/ages';
import type { FeedState, StreamStatus } from '../src/lib/types';

const NOW = Date.parse('2026-11-20T10:41:07Z');
const before = (s: number) => new Date(NOW - s * 1000).toISOString();
const stream = (contactS: number, { state = 'fresh' as FeedState, watermarkS = 3, expected = 30, online = 1, total = 1 } = {}): StreamStatus => ({
  state,
  watermark: before(watermarkS),
  last_event: before(contactS),
  sources_online: online,
  sources_total: total,
  sources: [{ source: 'a', state, last_contact: before(contactS), expected_s: expected }],
});

describe('a feed that falls quiet', () => {
  it('passes from fresh over late and stale to silent, in multiples of its own interval', () => {
    expect([2, 61, 95, 121].map((s) => cardAge(stream(s), NOW).state)).toEqual(['fresh', 'late', 'stale', 'silent']);
    expect([2, 5, 7, 9].map((s) => cardAge(stream(s, { expected: 2 }), NOW).state)).toEqual(['fresh', 'late', 'stale', 'silent']);
  });
  it('says so in words', () => {
    expect([2, 61, 100, 372].map((s) => cardAge(stream(s), NOW).text)).toEqual(['2 秒', '迟到 1 分 01 秒', '陈旧 1 分 40 秒', '静默 6 分']);
    expect([2, 61, 100, 372].map((s) => { const { word, since } = cardAge(stream(s), NOW); return `${word} ${since}`.trim(); })).toEqual(['2 秒', '迟到 1 分', '陈旧 1 分', '静默 6 分']);
  });
  it('ages on the wall even while the server repeats that it is fresh', () => {
    expect(cardAge(stream(500, { state: 'fresh' }), NOW).state).toBe('silent');
  });
  it('is kept fresh by a heartbeat of its source when nothing happens', () => {
    const quiet = { ...stream(2), last_event: before(4000) };
    expect(cardAge(quiet, NOW).state).toBe('fresh');
  });
  it('is believed when the server calls it silent, though one source of several has just spoken', () => {
    expect(cardAge(stream(2, { state: 'late', online: 11, total: 12 }), NOW)).toMatchObject({ state: 'late', text: '迟到 11/12 源', word: '迟到', since: '11/12 源' });
  });
});

it('a source that was never there is not connected, which is neither silent nor zero', () => {
  expect(cardAge(stream(9999, { state: 'not_connected' }), NOW)).toMatchObject({ state: 'not_connected', text: '未接入' });
});

it('before the first snapshot a card waits, without a verdict', () => {
  expect(cardAge(undefined, NOW).state).toBe('waiting');
});

describe('figures that stand still while their feed speaks', () => {
  it('make the card late, stale and silent by the watermark, and name that cause', () => {
    expect([30, 90, 200, 700].map((watermarkS) => cardAge(stream(2, { watermarkS }), NOW).state)).toEqual(['fresh', 'late', 'stale', 'silent']);
    expect(cardAge(stream(2, { watermarkS: 200 }), NOW)).toMatchObject({ cause: 'figures', text: '停滞 3 分 20 秒' });
  });
  it('age one by one when their window stays behind the watermark', () => {
    expect(figureIsOld('1h', 12, NOW - 600_000, NOW)).toBe(true);
    expect(figureIsOld('1h', 12, NOW - 90_000, NOW)).toBe(false);
  });
  it('do not age once their window has emptied: nothing new is written for an empty one', () => {
    expect(figureIsOld('1h', 0, NOW - 7_200_000, NOW)).toBe(false);
  });
  it('of a calendar day end in the future and do not age', () => {
    expect(figureIsOld('day', 12, NOW - 86_400_000, NOW)).toBe(false);
  });
});

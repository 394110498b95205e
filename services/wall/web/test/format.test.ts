import { describe, expect, it } from 'vitest';
import { width } from '../src/lib/fit';
import { age, clock, difference, figure, percent, shortAge, wait, widthEm } from '../src/lib/format';

// measured in Chromium with the bundled font: the middle dot is as wide as an ideograph
it('a line is never wider than it was counted', () => {
  const measured: [string, number][] = [['5 分 · 鲸园 P07 · 智慧停车…', 13.642], ['·', 1], ['…', 1], ['%', 0.921], ['12:05', 2.5]];
  for (const [text, ems] of measured) {
    expect(width(text), text).toBeGreaterThanOrEqual(ems);
    expect(widthEm(text), text).toBeGreaterThanOrEqual(ems - 0.005 * text.length);
  }
});

describe('figures', () => {
  it('groups thousands and keeps the decimals asked for', () => {
    expect([figure(1386), figure(21.44, 1), figure(1234567.5, 1), figure(0)]).toEqual(['1,386', '21.4', '1,234,567.5', '0']);
  });
  it('writes a minus that is as wide as a plus, and none before a zero', () => {
    expect([figure(-5), figure(-0.04, 1), difference(-5), difference(6), difference(0.04, 1)]).toEqual(['−5', '0.0', '−5', '+6', '±0']);
  });
  it('shows a share as perfect only when it is', () => {
    expect([percent(1), percent(0.9999), percent(0.9612), percent(0.0002), percent(0)]).toEqual(['100', '99.9', '96.1', '0.1', '0']);
  });
});

describe('ages', () => {
  it('are told in two units at most', () => {
    expect([2_400, 100_000, 372_000, 7_500_000, 260_000_000].map(age)).toEqual(['2 秒', '1 分 40 秒', '6 分', '2 时 05 分', '3 天']);
  });
  it('are never negative, when a source is ahead of the server', () => {
    expect([age(-5_000), shortAge(-1)]).toEqual(['0 秒', '0 秒']);
  });
  it('take one unit in the header', () => {
    expect([59_999, 60_000, 3_600_000, 90_000_000].map(shortAge)).toEqual(['59 秒', '1 分', '1 时', '1 天']);
  });
  it('of a call for help come as numbers and units', () => {
    expect([wait(45_000), wait(126_000), wait(3_900_000)]).toEqual([['45', '秒'], ['2', '分', '06', '秒'], ['1', '时', '05', '分']]);
  });
});

describe('the clock', () => {
  it('shows the city\'s time whatever the wall\'s own zone is, midnight as 00', () => {
    expect(clock(Date.parse('2026-11-20T10:41:07Z'), 'Asia/Shanghai')).toEqual({ hm: '18:41', s: '07', hms: '18:41:07', date: '11月20日', weekday: '周五' });
    expect(clock(Date.parse('2026-11-20T16:00:00Z'), 'Asia/Shanghai').hms).toBe('00:00:00');
  });
});

it('a line\'s width is judged by its kinds of characters', () => {
  expect(widthEm('1,386')).toBeCloseTo(4 * 0.556 + 0.28);
  expect(widthEm('静默')).toBe(2);
});

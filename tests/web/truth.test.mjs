// Whether the page says what happened: its figures against a count over the raw log that shares no code with the engine, and how long
// an event takes from the gateway to the screen. Needs a running system: tests/browser.
//
//   WALL_URL, GATEWAY_URL, TOKEN, DATA_DIR, YIPING

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openWall } from './browser.mjs';

const { WALL_URL, GATEWAY_URL, TOKEN, DATA_DIR, YIPING } = process.env;
const skip = WALL_URL && GATEWAY_URL && TOKEN && DATA_DIR && YIPING ? false : 'needs a running system';
const HOUR = 3_600_000;

/**
 * Calls by id: when they were offered, and whether somebody answered. Each event counts once by source and id. An offer may be hours late, while
 * the answer or hang-up, which tells how long the caller waited, is there: then that says when it was.
 */
async function calls(stream, folder) {
  const file = join(folder, `${stream}.ndjson`);
  await promisify(execFile)(YIPING, ['log', 'export', '--stream', stream, '--log-url', `embedded:${join(DATA_DIR, 'log')}`, '--out', file]);
  const seen = new Set();
  const found = new Map();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const event = JSON.parse(line).event;
    if (event?.type !== `city.${stream}.call` || seen.has(`${event.source} ${event.id}`)) continue;
    seen.add(`${event.source} ${event.id}`);
    const call = found.get(event.data.call_id) ?? { offers: [], decisions: [], answered: false };
    const atMs = Date.parse(event.time);
    if (event.data.event === 'offered') call.offers.push(atMs);
    if (['answered', 'abandoned'].includes(event.data.event)) call.decisions.push({ atMs, beganMs: atMs - Math.round(1000 * (event.data.wait_s ?? 0)) });
    if (event.data.event === 'answered') call.answered = true;
    found.set(event.data.call_id, call);
  }
  return [...found.values()].map(({ offers, decisions, answered }) => {
    const decided = decisions.sort((a, b) => a.atMs - b.atMs)[0]?.beganMs ?? null;
    return { offeredMs: offers.length > 0 ? Math.min(...offers) : decided, answered };
  });
}

const within = (list, fromMs, toMs) => list.filter(({ offeredMs }) => offeredMs !== null && offeredMs >= fromMs && offeredMs < toMs);

test('the figures on the page are those of the raw log', { skip, timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wall-truth-'));
  // a moment that is past for good, at which windows of all spans end; figures may be two minutes behind when tests begin
  const at = Math.floor((Date.now() - 180_000) / 300_000) * 300_000;
  const { page, close } = await openWall(new URL(`?replay=${new Date(at).toISOString()}&speed=1`, WALL_URL).href, { width: 1920, height: 1080 });
  try {
    await page.waitForFunction(() => /\d/.test(document.querySelector('[data-panel=hotline] .hero [data-figure]')?.textContent ?? ''), null, { timeout: 60_000 });
    const shown = await page.evaluate(() => {
      const number = (place) => Number(document.querySelector(place)?.textContent.replaceAll(',', ''));
      return {
        time: document.querySelector('#top .clock b').textContent,
        calls12345: number('[data-panel=hotline] .hero [data-figure]'),
        connected24h: number('[data-row="hotline.connect_ratio|24h"] [data-figure]'),
        calls12349: number('[data-row="elder.calls|1h"] [data-figure]'),
      };
    });
    const weihai = new Date(at + 8 * HOUR);
    assert.equal(shown.time, weihai.toISOString().slice(11, 16), 'the page shows that moment');
    const [hotline, elder] = [await calls('hotline', folder), await calls('elder', folder)];
    const day = within(hotline, at - 24 * HOUR, at);
    const counted = {
      time: shown.time,
      calls12345: within(hotline, at - HOUR, at).length,
      connected24h: Math.round((1000 * day.filter(({ answered }) => answered).length) / day.length) / 10,
      calls12349: within(elder, at - HOUR, at).length,
    };
    console.log(`    counted over the log: ${JSON.stringify(counted)}`);
    assert.ok(counted.calls12345 > 0 && counted.calls12349 > 0, 'a demo has calls');
    assert.deepEqual(shown, counted);
  } finally {
    await close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a call for help is on the screen within two seconds of the gateway', { skip, timeout: 180_000 }, async () => {
  const ROUNDS = 25;
  const { page, close } = await openWall(WALL_URL, { width: 1920, height: 1080 });
  const send = async (round, event) => {
    const body = { specversion: '1.0', id: `latency-${process.pid}-${round}-${event}`, source: 'weihai/elder/12349', type: 'city.elder.sos', time: new Date().toISOString(), data: { case_id: `latency-${process.pid}-${round}`, event, district: `试验区${round}` } };
    const answer = await fetch(new URL('v1/events', `${GATEWAY_URL}/`), { method: 'POST', headers: { 'content-type': 'application/cloudevents+json', authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) });
    assert.equal(answer.status, 202, await answer.text());
  };
  try {
    await page.waitForSelector('[data-ready=true]', { timeout: 30_000 });
    const took = [];
    for (let round = 0; round < ROUNDS; round++) {
      const seen = page.evaluate((text) => new Promise((done) => {
        const place = document.querySelector('[aria-live=assertive]');
        const look = () => place.textContent.includes(text) && (observer.disconnect(), done(Date.now()));
        const observer = new MutationObserver(look);
        observer.observe(place, { childList: true, characterData: true, subtree: true });
        look();
      }), `试验区${round} `);
      const began = Date.now();
      await send(round, 'raised');
      took.push((await seen) - began);
      await send(round, 'closed');
    }
    took.sort((a, b) => a - b);
    const at = (share) => took[Math.min(took.length - 1, Math.floor(share * took.length))];
    console.log(`    from the gateway to the screen, ms: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, of ${took.length}`);
    // a machine that others use too gets three times as long; the distribution says what it is here
    assert.ok(at(0.99) < 6_000, took.join(' '));
  } finally {
    await close();
  }
});

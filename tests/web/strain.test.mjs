// What a wall must bear, on a city that is invented, so that it can be made as hard as it likes: the longest names and the largest
// figures, all states at once, a quarter of an hour of changes in half a minute, and a fleet that moves at the full size.
//
//   WALL_URL   takes the page from a running wall; without it from services/wall/web/dist
//   SOAK_S     how long the changes go on (default 30; tests/run --full: 3600)
//   SOAK_PACE  how many changes a second (default 30); a wall's server tells one

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { figures, openWall, overflowing, states } from './browser.mjs';

const SOAK_S = Number(process.env.SOAK_S ?? 30);
/** Thirty changes a second: half a minute has as many as a quarter of an hour of a wall's life. */
const SOAK_PACE = Number(process.env.SOAK_PACE ?? 30);
const MB = 1024 * 1024;
const mocks = [];

async function mock(...args) {
  const page = process.env.WALL_URL ? ['--page', process.env.WALL_URL] : [];
  const server = spawn(process.execPath, [fileURLToPath(new URL('mock-server.mjs', import.meta.url)), '--port', '0', ...page, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  mocks.push(server);
  return new Promise((done, fail) => {
    createInterface(server.stdout).once('line', done);
    server.once('exit', (code) => fail(new Error(`the mock server ended with ${code}`)));
  });
}

let calm;
before(async () => {
  calm = await mock('--expected', '10');
});
after(() => mocks.forEach((server) => server.kill()));

const mode = (url, name) => fetch(new URL(`mock/mode/${name}`, url), { method: 'POST' });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, condition, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (let seen; (seen = await condition()) !== true; await pause(250)) {
    assert.ok(Date.now() < deadline, `${what}: not within ${timeoutMs / 1000} s; last seen ${JSON.stringify(seen)}`);
  }
}

async function shot(page, name) {
  if (!process.env.SHOTS) return;
  await mkdir(process.env.SHOTS, { recursive: true });
  await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

const ready = (page) => until('a figure', async () => Object.values(await figures(page)).filter(Boolean).length >= 3, 30_000);

test('in a city in trouble, and in one with the longest names and the largest figures, no text overflows at any size', async () => {
  const { page, errors, close } = await openWall(calm, { width: 3840, height: 2160 });
  try {
    for (const name of ['trouble', 'big']) {
      await mode(calm, name);
      await until('a call for help', async () => /\d/.test((await figures(page)).elder ?? ''), 30_000);
      await until('four warnings at once', async () => { const seen = (await page.$$('[data-notice=crit], [data-notice=warn]')).length; return seen === 4 || seen; }, 10_000);
      if (name === 'trouble') assert.match(await page.textContent('footer'), /另有 \d+ 条/, 'the last slot counts the rest');
      for (const size of [{ width: 3840, height: 2160 }, { width: 7680, height: 2160 }, { width: 1440, height: 900 }, { width: 1920, height: 1080 }]) {
        await page.setViewportSize(size);
        await page.evaluate(() => document.fonts.ready);
        await until(`no overflowing text at ${size.width}×${size.height} (${name})`, async () => { const wrong = await overflowing(page); return wrong.length === 0 || wrong; }, 15_000);
        await shot(page, `${name}-${size.width}x${size.height}`);
      }
    }
    assert.deepEqual(errors, []);
  } finally {
    await mode(calm, 'normal');
    await close();
  }
});

test('late, stale, silent and long silent look different, and only what is true shows a figure', async () => {
  // a feed that promises to speak every 30 s is late, and stale, for more than a minute: the longest words
  const { page, close } = await openWall(await mock('--mode', 'silent', '--expected', '30'), { width: 1920, height: 1080 });
  try {
    const wanted = { bus: 'late', parking: 'stale', hotline: 'silent', elder: 'silent' };
    await until('four states', async () => { const seen = await states(page); return Object.keys(wanted).every((id) => seen[id] === wanted[id]) || seen; }, 30_000);
    const shown = await figures(page);
    assert.match(shown.bus ?? '', /\d/);
    assert.match(shown.parking ?? '', /\d/);
    assert.equal(shown.hotline, null);
    assert.ok(await page.$('[data-panel=parking] .hatched'), 'a stale figure is hatched');
    assert.equal(await page.$('[data-panel=bus] .hatched'), null);
    assert.match(await page.textContent('[data-panel=bus] .age'), /迟到/);
    assert.match(await page.textContent('[data-panel=hotline] .age'), /静默/);
    assert.match(shown.elder ?? '', /\d/, 'calls for help come from their service itself, whatever its figures do');
    assert.deepEqual(await overflowing(page), []);
    await shot(page, 'states-1920x1080');
  } finally {
    await close();
  }
});

test('an unanswered call sounds until it is muted, and visitors see the alarm without its place', async () => {
  await mode(calm, 'trouble');
  const { page, close } = await openWall(calm, { width: 1920, height: 1080 });
  try {
    await ready(page);
    assert.match(await page.textContent('[aria-live=assertive]'), /竹岛街道 求助未应答/);
    await page.keyboard.press('m');
    await until('muted', async () => (await page.$('[data-mode=muted]')) !== null, 5_000);
    await page.keyboard.press('m');
    await until('heard again', async () => (await page.$('[data-mode=muted]')) === null, 5_000);
    assert.ok((await page.textContent('main')).includes('竹岛街道'));
    await page.keyboard.press('v');
    await until('no place', async () => !(await page.textContent('main')).includes('竹岛街道'), 5_000);
    assert.match(await page.textContent('[data-panel=elder]'), /最久未应答/);
  } finally {
    await mode(calm, 'normal');
    await close();
  }
});

test('who wants no motion gets none, and nothing flashes faster than every two seconds', async () => {
  await mode(calm, 'trouble');
  const { page, close } = await openWall(calm, { width: 1920, height: 1080 });
  const moving = () => page.evaluate(() => document.getAnimations().map(({ effect, playState }) => ({ ms: effect.getTiming().duration, playState })));
  try {
    await until('a mark', async () => (await page.$('.rings')) !== null, 20_000);
    const pulses = await moving();
    assert.ok(pulses.length > 0 && pulses.every(({ ms }) => ms >= 2_000), JSON.stringify(pulses));
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await until('stillness', async () => { const seen = await moving(); return seen.length === 0 || seen; }, 5_000);
  } finally {
    await mode(calm, 'normal');
    await close();
  }
});

test('a fleet of 1,400 that moves every second leaves the page smooth at 3840×2160', async () => {
  await mode(calm, 'normal');
  const { page, close } = await openWall(calm, { width: 3840, height: 2160 });
  const frames = (seconds) =>
    page.evaluate((ms) => new Promise((done) => {
      const began = performance.now();
      let count = 0;
      const frame = (now) => { count += 1; if (now - began >= ms) done((count * 1000) / (now - began)); else requestAnimationFrame(frame); };
      requestAnimationFrame(frame);
    }), seconds * 1000);
  try {
    await ready(page);
    const driven = await frames(8);
    await page.goto('about:blank');
    const empty = await frames(4);
    console.log(`    ${driven.toFixed(1)} frames a second; an empty page here: ${empty.toFixed(1)}`);
    // a machine that others use too is measured by what it can do just now
    assert.ok(driven >= Math.min(30, empty / 2), `${driven} of ${empty}`);
  } finally {
    await close();
  }
});

test(`after ${SOAK_S} s of ${SOAK_PACE} changes a second the heap is as it was`, { timeout: (SOAK_S + 180) * 1000 }, async () => {
  const url = await mock('--expected', '10', '--every', String(Math.floor(1000 / SOAK_PACE)));
  const { page, errors, close } = await openWall(url, { width: 1920, height: 1080 });
  const line = await page.context().newCDPSession(page);
  const heap = async () => {
    await line.send('HeapProfiler.collectGarbage');
    return (await line.send('Runtime.getHeapUsage')).usedSize;
  };
  const nodes = async () => (await line.send('Memory.getDOMCounters')).nodes;
  try {
    await ready(page);
    await pause(10_000); // fonts, and curves at their full length
    const [before, nodesBefore] = [await heap(), await nodes()];
    await pause(SOAK_S * 1000);
    const [after, nodesAfter] = [await heap(), await nodes()];
    console.log(`    heap ${(before / MB).toFixed(1)} → ${(after / MB).toFixed(1)} MB, nodes ${nodesBefore} → ${nodesAfter}`);
    assert.ok(after - before < 5 * MB, `${((after - before) / MB).toFixed(1)} MB more`);
    assert.ok(nodesAfter < nodesBefore * 1.5 + 200, 'nodes are not left behind');
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

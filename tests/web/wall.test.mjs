// The wall in a real browser.
//
//   WALL_URL     a running wall; without it the mock server is started on the built page
//   CONTROL_URL  where feeds are stopped and started (POST /demo/feeds/NAME/stop); without it that test is skipped
//   CHROMIUM     the browser (default /usr/bin/chromium)
//   SHOTS        a folder for screenshots, kept for people to look at

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { figures, openWall, overflowing, states } from './browser.mjs';
import { Proxy } from './proxy.mjs';

const SIZES = [
  { width: 3840, height: 2160 },
  { width: 1920, height: 1080 },
  { width: 1440, height: 900 },
  { width: 7680, height: 2160 },
];
const PANELS = ['bus', 'parking', 'elder', 'hotline'];
/** A feed promises to speak every 30 s at the most; silent is four times that. */
const SILENT_MS = 200_000;

let wallUrl = process.env.WALL_URL;
let controlUrl = process.env.CONTROL_URL;
let mock = null;

before(async () => {
  if (wallUrl) return;
  mock = spawn(process.execPath, [fileURLToPath(new URL('mock-server.mjs', import.meta.url)), '--port', '0', '--expected', '2'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = await Promise.race([
    new Promise((done) => createInterface(mock.stdout).once('line', (line) => done([line]))),
    new Promise((_, fail) => mock.once('exit', (code) => fail(new Error(`the mock server ended with ${code}`)))),
  ]);
  wallUrl = address;
  controlUrl ??= address;
});
after(() => mock?.kill());

async function until(what, condition, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await condition();
    if (seen === true) return;
    assert.ok(Date.now() < deadline, `${what}: not within ${timeoutMs / 1000} s; last seen ${JSON.stringify(seen)}`);
    await new Promise((done) => setTimeout(done, 250));
  }
}

async function shot(page, name) {
  if (!process.env.SHOTS) return;
  await mkdir(process.env.SHOTS, { recursive: true });
  await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`) });
}

const allFigures = (page) => async () => {
  const shown = await figures(page);
  return PANELS.every((panel) => /\d/.test(shown[panel] ?? '')) || shown;
};

for (const size of SIZES) {
  test(`at ${size.width}×${size.height} every panel shows its figure, no text overflows, and nothing leaves the origin`, async () => {
    const { page, requests, errors, close } = await openWall(wallUrl, size);
    try {
      await until('figures in all four panels', allFigures(page), 20_000);
      await page.evaluate(() => document.fonts.ready);
      await until('no overflowing text', async () => { const wrong = await overflowing(page); return wrong.length === 0 || wrong; }, 5_000);
      await shot(page, `wall-${size.width}x${size.height}`);
      const origin = new URL(wallUrl).origin;
      assert.deepEqual(requests.filter((url) => !url.startsWith('data:') && new URL(url).origin !== origin), []);
      assert.deepEqual(errors, []);
    } finally {
      await close();
    }
  });
}

test('a press on a figure opens its history over the map, and Esc goes back', async () => {
  const { page, errors, close } = await openWall(wallUrl, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    await page.click('[data-panel=bus] [data-row] [role=button]');
    await page.waitForSelector('[data-detail] .history canvas', { timeout: 10_000 });
    await until('the figure in the detail panel', () => page.$eval('[data-detail] [data-figure]', (e) => /\d/.test(e.textContent) || e.textContent), 5_000);
    await shot(page, 'detail-1920x1080');
    await page.keyboard.press('Escape');
    await page.waitForSelector('[data-detail]', { state: 'detached', timeout: 2_000 });
    await page.focus('[data-panel=elder] [role=button]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-detail]', { timeout: 2_000 });
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test('a feed that stops makes its card silent, without a figure, and comes back fresh', { skip: process.env.WALL_URL && !controlUrl ? 'CONTROL_URL is not set' : false, timeout: 2 * SILENT_MS }, async () => {
  const { page, close } = await openWall(wallUrl, { width: 3840, height: 2160 });
  const post = (action) => fetch(new URL(`demo/feeds/bus/${action}`, controlUrl.replace(/\/*$/, '/')), { method: 'POST' });
  const bus = (state) => async () => {
    const seen = await states(page);
    return seen.bus === state || seen;
  };
  try {
    await until('a fresh card', bus('fresh'), 20_000);
    assert.ok((await post('stop')).ok);
    await until('a silent card', bus('silent'), SILENT_MS);
    assert.equal((await figures(page)).bus, null, 'a silent card must not show its last figure as if it were true');
    assert.equal((await states(page)).elder, 'fresh', 'the other feeds speak on');
    assert.match(await page.textContent('footer'), /公交 (数据静默|计算停滞)/);
    assert.match(await page.textContent('#top'), /数据异常 1\/4 路/);
    await until('no overflowing text', async () => { const wrong = await overflowing(page); return wrong.length === 0 || wrong; }, 5_000);
    await shot(page, 'bus-silent-3840x2160');
    assert.ok((await post('start')).ok);
    await until('a fresh card again', bus('fresh'), SILENT_MS);
    await until('its figure again', allFigures(page), 20_000);
  } finally {
    await post('start').catch(() => undefined);
    await close();
  }
});

// they mostly wait, each in a browser of its own
describe('beside each other', { concurrency: true }, () => {
  for (const mode of ['stall', 'refuse', 'down']) {
    it(`when the server is lost (${mode}) the wall says so, stops its clock, and heals by itself`, { timeout: 150_000 }, async () => {
      const proxy = new Proxy(wallUrl);
      await proxy.listen();
      const { page, close } = await openWall(proxy.url, { width: 1920, height: 1080 });
      const lost = async () => (await page.$('#top [data-lost]')) !== null;
      try {
        await until('figures in all four panels', allFigures(page), 20_000);
        await proxy.mode(mode);
        await until('the band', lost, 25_000);
        const clock = await page.textContent('#top .clock');
        assert.deepEqual(new Set(Object.values(await states(page))), new Set(['lost']));
        assert.match(await page.textContent('footer'), /告警情况不明/);
        await page.waitForFunction(() => Number(document.querySelector('#top [data-lost]')?.textContent.match(/(\d+) 秒/)?.[1] ?? 0) >= 20, null, { timeout: 15_000 });
        assert.equal(await page.textContent('#top .clock'), clock, 'the clock stands still');
        assert.deepEqual(await overflowing(page), []);
        await shot(page, `lost-${mode}-1920x1080`);
        await proxy.mode('pass');
        await until('the band gone', async () => !(await lost()), 60_000);
        await until('figures in all four panels', allFigures(page), 20_000);
      } finally {
        await close();
        await proxy.mode('pass');
        await proxy.close();
      }
    });
  }

  it('the page posts its pulse', { timeout: 60_000 }, async () => {
    const { page, close } = await openWall(wallUrl, { width: 1440, height: 900 });
    try {
      const request = await page.waitForRequest((r) => r.url().endsWith('/api/heartbeat'), { timeout: 40_000 });
      const { page: id, heap_bytes: heap, fps, last_id: lastId } = request.postDataJSON();
      assert.match(id, /^[0-9a-f]{16}$/);
      assert.ok(heap > 0 && fps > 0 && lastId !== '', JSON.stringify({ heap, fps, lastId }));
    } finally {
      await close();
    }
  });
});

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

test('the page is small, and its first figure is there as soon as its data', async () => {
  const { page, close } = await openWall(wallUrl, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    const files = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => ({ name: new URL(name).pathname, size: encodedBodySize })));
    const weight = files.filter(({ name }) => /\.(js|css)$/.test(name));
    const bytes = weight.reduce((sum, { size }) => sum + size, 0);
    console.log(`    scripts and styles: ${Math.round(bytes / 1024)} KB as they came`);
    // the mock server does not compress
    if (!mock) assert.ok(bytes > 0 && bytes <= 400 * 1024, JSON.stringify(weight));
  } finally {
    await close();
  }
});

test('a press on a figure opens its history over the map, and Esc goes back', async () => {
  const { page, errors, close } = await openWall(wallUrl, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    const address = () => new URL(page.url()).hash;
    await page.click('[data-panel=bus] [data-row] [role=button]');
    // before the first buses of a day there is nothing to draw, and the page says so
    await page.waitForSelector('[data-detail] .history canvas, [data-detail] .chart p:text-is("尚无历史")', { timeout: 10_000 });
    await until('the figure in the detail panel', () => page.$eval('[data-detail] [data-figure]', (e) => /\d|—/.test(e.textContent) || e.textContent), 5_000);
    await until('no overflowing text', async () => { const wrong = await overflowing(page); return wrong.length === 0 || wrong; }, 5_000);
    await shot(page, 'detail-1920x1080');
    const asked = page.waitForRequest((r) => r.url().includes('/api/metrics'), { timeout: 5_000 });
    await page.keyboard.press('3');
    const week = new URL((await asked).url()).searchParams;
    assert.equal(Date.parse(week.get('to')) - Date.parse(week.get('from')), 7 * 86_400_000);
    assert.match(address(), /^#metric=bus\.on_time_ratio&span=1h&back=7d$/);
    const link = page.url();
    await page.keyboard.press('Escape');
    await page.waitForSelector('[data-detail]', { state: 'detached', timeout: 2_000 });
    await page.goBack();
    await page.waitForSelector('[data-detail]', { timeout: 2_000 });
    await page.keyboard.press('Escape');
    await page.focus('[data-panel=elder] [role=button]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-detail]', { timeout: 2_000 });
    await page.goto('about:blank');
    await page.goto(link, { waitUntil: 'domcontentloaded' });
    await page.waitForSelector('[data-detail] code', { timeout: 20_000 });
    assert.equal(await page.textContent('[data-detail] code'), 'bus.on_time_ratio', 'a sent link shows the same');
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test('every figure of the catalogue is at the desk, by keyboard alone, with words for who listens', async () => {
  const { page, errors, close } = await openWall(wallUrl, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    const { metrics } = await (await fetch(new URL('api/catalogue', wallUrl))).json();
    await page.keyboard.press('k');
    await page.waitForSelector('[data-entry]', { timeout: 5_000 });
    const listed = await page.$$eval('[data-entry]', (lines) => lines.map((line) => line.dataset.entry));
    assert.deepEqual([...new Set(listed)].sort(), metrics.filter((m) => m.spans.length).map((m) => m.id).sort());
    await shot(page, 'catalogue-1920x1080');
    await page.focus('[data-entry="hotline.urge_ratio"]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-detail]', { timeout: 2_000 });
    await until('its Chinese name and formula', async () => /催办率[^]*在办工单中被催办过的/.test(await page.textContent('[data-detail]')), 5_000);
    await page.keyboard.press('Escape');
    await page.focus('[data-panel=bus] [role=button]');
    await page.keyboard.press('ArrowDown');
    assert.match(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), /准点率/);
    await page.keyboard.press('a');
    await page.waitForSelector('[data-alarms]', { timeout: 2_000 });
    await shot(page, 'alarms-1920x1080');
    await page.keyboard.press('Escape');
    const unnamed = await page.$$eval('[role=button], button', (all) => all.filter((one) => !(one.getAttribute('aria-label') ?? one.textContent).trim()).length);
    assert.equal(unnamed, 0, 'everything that can be pressed has a name');
    assert.ok(await page.$('[aria-live=assertive]'));
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test('figures stand out by 7 : 1 from what is behind them', async () => {
  const { page, close } = await openWall(wallUrl, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    const ratios = await page.$$eval('[data-panel] [data-figure], .zones [data-figure], .clock b', (all) => {
      const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
          const colour = parts(getComputedStyle(e).backgroundColor);
          if ((colour[3] ?? 1) > 0) return colour;
        }
        return [0, 0, 0];
      };
      return all.map((element) => {
        const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
        return { text: element.textContent, ratio: (a + 0.05) / (b + 0.05) };
      });
    });
    assert.ok(ratios.length > 10);
    assert.deepEqual(ratios.filter(({ ratio }) => ratio < 7), []);
  } finally {
    await close();
  }
});

test('visitors are shown no place of a case', async () => {
  const { page, close } = await openWall(new URL('?visitors=1', wallUrl).href, { width: 1920, height: 1080 });
  try {
    await until('figures in all four panels', allFigures(page), 20_000);
    assert.equal(await page.textContent('[data-mode=visitors]'), '参观模式');
    assert.equal((await page.$$('.map .mark, .map .callout')).length, 0);
  } finally {
    await close();
  }
});

test('a past day is shown on a page of its own, plainly marked, while the live one goes on', { skip: process.env.WALL_URL ? false : 'the mock has no past' }, async () => {
  const from = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 900_000).toISOString();
  const { page, errors, close } = await openWall(new URL(`?replay=${from}&speed=60`, wallUrl).href, { width: 1920, height: 1080 });
  try {
    await page.waitForSelector('[data-replay]', { timeout: 20_000 });
    assert.match(await page.textContent('#top'), /回放[^]*60×[^]*不是当前数据/);
    await until('a figure of then', async () => { const shown = await figures(page); return /\d/.test(shown.hotline ?? '') || shown; }, 30_000);
    const clock = () => page.textContent('#top .clock b');
    const before = await clock();
    await until('time runs at its pace', async () => { const now = await clock(); return now !== before || now; }, 20_000);
    await shot(page, 'replay-1920x1080');
    assert.deepEqual(await overflowing(page), []);
    assert.deepEqual(errors, []);
  } finally {
    await close();
  }
});

test('a feed that stops makes its card silent, without a figure, and comes back fresh', { skip: process.env.WALL_URL && !controlUrl ? 'CONTROL_URL is not set' : false, timeout: 3 * SILENT_MS }, async () => {
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
    assert.match(await page.textContent('footer'), /公交 (数据静默|计算停滞)/);
    // (on a busy machine others may be late for a while)
    await until('the other feeds fresh', async () => { const { bus: _, ...others } = await states(page); return Object.values(others).every((state) => state === 'fresh') || others; }, 180_000);
    await until('one feed of four in trouble', async () => { const top = await page.textContent('#top'); return /数据异常 1\/4 路/.test(top) || top; }, 60_000);
    assert.equal((await states(page)).bus, 'silent');
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

// 天地图 under the map, in a real browser: the page before the mock server, which hands tiles on as the wall's server does, and a
// stand-in for 天地图 on loopback. That the server keeps the token and asks once is tested where the server is (services/wall).
//
//   WALL_URL     takes the page's files from this wall; without it from the built page

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { figures, openWall } from './browser.mjs';
import { tianditu } from './tianditu.mjs';

const SIZE = { width: 1920, height: 1080 };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const mocks = [];
let upstream;

async function mock(...args) {
  const page = process.env.WALL_URL ? ['--page', process.env.WALL_URL] : [];
  const server = spawn(process.execPath, [fileURLToPath(new URL('mock-server.mjs', import.meta.url)), '--port', '0', ...page, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  mocks.push(server);
  return new Promise((done, fail) => {
    createInterface(server.stdout).once('line', done);
    server.once('exit', (code) => fail(new Error(`the mock server ended with ${code}`)));
  });
}

before(async () => (upstream = await tianditu('abc123')));
after(() => {
  for (const server of mocks) server.kill();
  upstream.close();
});

async function until(what, condition) {
  const deadline = Date.now() + 30_000;
  for (let seen; (seen = await condition()) !== true; await pause(200)) assert.ok(Date.now() < deadline, `${what}: last seen ${JSON.stringify(seen)}`);
}

/** What is seen of the map: its credit; how opaque it is in the west, beyond the city, where only 天地图 has land; and on the city's own land. */
const seen = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('.whole canvas');
    const alpha = (x, y) => canvas.getContext('2d').getImageData(Math.round(canvas.width * x), Math.round(canvas.height * y), 1, 1).data[3];
    return { credit: document.querySelector('.approval').textContent, beyond: alpha(0.02, 0.8), land: alpha(0.62, 0.6) };
  });

async function withWall(url, look) {
  const { page, requests, errors, close } = await openWall(url, SIZE);
  try {
    await until('figures', async () => /\d/.test((await figures(page)).bus ?? '') || (await figures(page)));
    await until('the land', async () => (await seen(page)).land === 255 || (await seen(page)));
    await look(page);
    assert.deepEqual(errors, []);
    const origin = new URL(url).origin;
    assert.deepEqual(requests.filter((one) => !one.startsWith('data:') && new URL(one).origin !== origin), []);
    assert.ok(requests.every((one) => !one.includes('abc123')));
    return requests.filter((one) => one.includes('/api/tiles/')).length;
  } finally {
    await close();
  }
}

test('天地图 lies under the map and is named, and the page asks nobody but its server', { timeout: 120_000 }, async () => {
  const url = await mock('--tiles', upstream.url.replace('{token}', 'abc123'));
  const asked = await withWall(url, async (page) => {
    await until('天地图', async () => (await seen(page)).credit.startsWith('天地图 · 审图号') || (await seen(page)));
    await until('land beyond the city', async () => (await seen(page)).beyond > 60 || (await seen(page)));
    // fainter than the city's own
    assert.ok((await seen(page)).beyond < 160, JSON.stringify(await seen(page)));
  });
  assert.ok(asked > 10, `${asked} tiles`);
});

test('when 天地图 refuses, the map stands as it is drawn here, and nothing says 天地图', { timeout: 120_000 }, async () => {
  const url = await mock('--tiles', upstream.url.replace('{token}', 'wrong'));
  const asked = await withWall(url, async (page) => {
    const refused = () => page.evaluate(() => performance.getEntriesByType('resource').filter(({ name, responseStatus }) => name.includes('/api/tiles/') && responseStatus === 503).length);
    await until('a refusal', async () => (await refused()) > 0);
    const { credit, beyond } = await seen(page);
    assert.deepEqual([credit.startsWith('审图号'), beyond], [true, 0]);
  });
  // the first refusals end the round, on each of the two maps
  assert.ok(asked >= 1 && asked <= 8, `${asked} tiles`);
});

test('where none is configured, none is asked for', { timeout: 120_000 }, async () => {
  const before = upstream.asked.length;
  const asked = await withWall(await mock(), async (page) => {
    await pause(1_000); // longer than the first tile took above
    const { credit, beyond } = await seen(page);
    assert.deepEqual([credit.startsWith('审图号'), beyond], [true, 0]);
  });
  assert.deepEqual([asked, upstream.asked.length - before], [0, 0]);
});

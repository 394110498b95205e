// A stand-in for the wall's server: serves the built page and an invented city in the API's shapes, so that the page can
// be looked at, and tested, in every state without the rest of the system.
//
//   node mock-server.mjs [--port 8099] [--mode normal|trouble|silent|lost|big] [--dist DIR] [--page URL] [--outline FILE] [--expected 10]
//                        [--distance 10] [--every 1000] [--tiles URL]
//
// --page takes the page's files from a running wall instead of a folder; --every is the time between two deltas, in ms. --tiles
// is where 天地图's tiles come from, with {z}, {x}, {y}: handed on as the wall's server does, which has the token.
//
// POST /mock/mode/NAME changes the mode; POST /demo/feeds/STREAM/stop and /start stop and start a feed.

import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { City } from './mock-city.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8099' },
    mode: { type: 'string', default: 'normal' },
    dist: { type: 'string', default: join(here, '../../services/wall/web/dist') },
    outline: { type: 'string', default: join(here, '../../deploy/cities/weihai/districts.geojson') },
    expected: { type: 'string', default: '10' },
    distance: { type: 'string', default: '10' },
    page: { type: 'string' },
    every: { type: 'string', default: '1000' },
    tiles: { type: 'string' },
  },
});

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2', '.txt': 'text/plain' };
const build = options.page ? (await (await fetch(new URL('build.txt', options.page))).text()).trim() : existsSync(join(options.dist, 'build.txt')) ? readFileSync(join(options.dist, 'build.txt'), 'utf8').trim() : 'none';
const city = new City({ build, expectedS: Number(options.expected), distanceM: Number(options.distance), tiles: options.tiles !== undefined, outline: existsSync(options.outline) ? JSON.parse(readFileSync(options.outline, 'utf8')) : null });
city.mode(options.mode);

const streams = new Set();
const heartbeats = [];
let id = 0;

function send(response, event, body) {
  id += 1;
  response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
}

// In `lost` the streams say nothing more after three seconds: the sockets stay open, as stalled ones do.
setInterval(() => {
  city.advance(Date.now());
  if (city.stalled) return;
  for (const response of streams) send(response, 'delta', city.delta(Date.now()));
}, Number(options.every));
setInterval(() => {
  if (city.stalled) return;
  for (const response of streams) send(response, 'heartbeat', { server_time: new Date().toISOString() });
}, 5000);

function json(response, body, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function file(response, path) {
  if (options.page) {
    const answer = await fetch(new URL(path.slice(1), options.page)).catch(() => null);
    if (!answer?.ok) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': answer.headers.get('content-type') ?? 'application/octet-stream' }).end(Buffer.from(await answer.arrayBuffer()));
  }
  const name = normalize(path === '/' ? '/index.html' : path);
  const full = join(options.dist, name);
  if (!full.startsWith(options.dist) || !existsSync(full) || !statSync(full).isFile()) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': TYPES[extname(full)] ?? 'application/octet-stream' });
  createReadStream(full).pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://wall');
  const [, first, second, third, fourth] = url.pathname.split('/');
  if (request.method === 'POST') {
    if (url.pathname === '/api/heartbeat') {
      let text = '';
      request.on('data', (chunk) => (text += chunk));
      request.on('end', () => (heartbeats.push(JSON.parse(text)), heartbeats.splice(0, heartbeats.length - 10), response.writeHead(204).end()));
      return;
    }
    if (first === 'mock' && second === 'mode') return city.mode(third), json(response, { mode: third });
    if (first === 'demo' && second === 'feeds') return city.feed(third, fourth === 'start'), json(response, { stream: third, running: fourth === 'start' });
    return json(response, {}, 404);
  }
  const now = Date.now();
  if (url.pathname === '/api/snapshot') return json(response, city.snapshot(now));
  if (second === 'tiles' && options.tiles) {
    const [z, x, y] = url.pathname.split('/').slice(3);
    const answer = (upstream) => (upstream.ok ? upstream.arrayBuffer() : Promise.reject(new Error(String(upstream.status))));
    return void fetch(options.tiles.replace('{z}', z).replace('{x}', x).replace('{y}', y)).then(answer).then(
      (image) => response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from(image)),
      () => json(response, {}, 503),
    );
  }
  if (url.pathname === '/api/outline') return json(response, city.outline);
  if (url.pathname === '/api/catalogue') return json(response, { metrics: city.catalogue() });
  if (url.pathname === '/api/metrics') return json(response, { rows: city.history(url.searchParams) });
  if (url.pathname === '/api/usual') return json(response, city.usualOf(url.searchParams));
  if (url.pathname === '/mock/heartbeats') return json(response, heartbeats);
  if (url.pathname === '/api/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.flushHeaders();
    if (!city.stalled) send(response, 'snapshot', city.snapshot(now));
    streams.add(response);
    response.on('close', () => streams.delete(response));
    return;
  }
  void file(response, url.pathname);
});
server.listen(Number(options.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));

// A stand-in for 天地图: tiles of an invented light map of Weihai, for whoever brings the token. Land is the city's outline, a
// little off as a better survey would have it, with land beyond its border; roads are lines of latitude and longitude.
//
//   node tianditu.mjs [--port 8100] [--token TOKEN]
//
// POST /closed and /open: nobody, or everybody with the token, gets tiles. GET /asked: how many tiles were asked for, and by whom.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32, deflateSync } from 'node:zlib';

const SIZE = 256;
const PALETTE = { sea: [172, 205, 245], land: [250, 248, 242], town: [240, 232, 222], road: [255, 226, 150], street: [255, 255, 255], wood: [205, 230, 190], lake: [165, 200, 242] };
const outline = JSON.parse(readFileSync(fileURLToPath(new URL('../../deploy/cities/weihai/districts.geojson', import.meta.url)), 'utf8'));
const rings = outline.features.flatMap(({ geometry }) => (geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates).flat());

/** Whether each pixel of a level line lies on land: even and odd, ring by ring. */
function landOn(lat, lons) {
  const cuts = rings.flatMap((ring) => ring.flatMap(([ax, ay], i) => {
    const [bx, by] = ring[(i + 1) % ring.length];
    return ay > lat !== by > lat ? [((bx - ax) * (lat - ay)) / (by - ay) + ax] : [];
  })).sort((a, b) => a - b);
  return lons.map((lon) => lon < 121.3 || cuts.filter((cut) => cut < lon).length % 2 === 1);
}

function colour(land, lon, lat, degree) {
  if (!land) return PALETTE.sea;
  const near = (value, every, width) => Math.abs(value / every - Math.round(value / every)) * every < width * degree;
  const bend = 0.01 * Math.sin(lon * 40) + 0.012 * Math.cos(lat * 55);
  if (near(lat + bend, 0.12, 2) || near(lon + bend, 0.15, 2)) return PALETTE.road;
  if (degree < 0.0006 && (near(lat + bend, 0.012, 1) || near(lon - bend, 0.015, 1))) return [205, 203, 198];
  const hill = Math.sin(lon * 25) * Math.cos(lat * 31);
  if (hill > 0.8) return PALETTE.wood;
  if (hill < -0.97) return PALETTE.lake;
  return Math.hypot(lon - 122.12, (lat - 37.5) * 1.25) < 0.06 ? PALETTE.town : PALETTE.land;
}

function picture(z, x, y) {
  const n = 2 ** z;
  const degree = 360 / n / SIZE;
  const lons = Array.from({ length: SIZE }, (_, i) => ((x + (i + 0.5) / SIZE) / n) * 360 - 180);
  const raw = Buffer.alloc(SIZE * (1 + 3 * SIZE));
  for (let j = 0; j < SIZE; j++) {
    const lat = (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + (j + 0.5) / SIZE)) / n))) * 180) / Math.PI;
    const land = landOn(lat - 0.002, lons.map((lon) => lon - 0.003));
    lons.forEach((lon, i) => raw.set(colour(land[i], lon, lat, degree), j * (1 + 3 * SIZE) + 1 + 3 * i));
  }
  return raw;
}

function png(raw) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(data.length, 0);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc32(body), body.length + 4);
    return whole;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(SIZE, 0);
  head.writeUInt32BE(SIZE, 4);
  head.set([8, 2, 0, 0, 0], 8); // eight bits a channel, RGB
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(raw)), chunk('IEND', Buffer.alloc(0))]);
}

/** Serves on loopback; `url` is as the settings write it. */
export async function tianditu(token, port = 0) {
  const asked = [];
  let open = true;
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://tianditu');
    if (request.method === 'POST') return (open = url.pathname !== '/closed'), response.writeHead(204).end();
    if (url.pathname === '/asked') return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(asked));
    asked.push({ from: request.headers['user-agent'] ?? '', path: url.pathname, token: url.searchParams.get('tk') });
    const [z, x, y] = url.pathname.split('/').slice(1).map(Number);
    if (!open || url.searchParams.get('tk') !== token) return response.writeHead(403, { 'content-type': 'application/json' }).end('{"code":301012}');
    response.writeHead(200, { 'content-type': 'image/png' }).end(png(picture(z, x, y)));
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}/{z}/{x}/{y}?tk={token}`, asked, set: (to) => (open = to), close: () => server.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8100' }, token: { type: 'string', default: 'abc123' } } });
  console.log((await tianditu(values.token, Number(values.port))).url);
}

// Many screens on one server: what they cost it, whether each of them is told everything in time, and how fast a snapshot is.
// Needs a running system: tests/browser.
//
//   WALL_URL, SERVER_PID
//   SCREENS      how many (default 20: a short form)
//   SCREENS_S    for how many seconds (default 8)

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { test } from 'node:test';

const { WALL_URL, SERVER_PID } = process.env;
const SCREENS = Number(process.env.SCREENS ?? 20);
const SECONDS = Number(process.env.SCREENS_S ?? 8);
/** Clock ticks a second, as Linux counts a process's time for people. */
const TICKS = 100;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Seconds of processor time that the server has used. */
function used() {
  const stat = readFileSync(`/proc/${SERVER_PID}/stat`, 'utf8');
  const [, ...rest] = stat.slice(stat.lastIndexOf(')')).split(' ');
  return (Number(rest[11]) + Number(rest[12])) / TICKS;
}

async function costOf(ms) {
  const before = used();
  const began = performance.now();
  await pause(ms);
  return (used() - before) / ((performance.now() - began) / 1000);
}

/** So much of a message's beginning is looked at: it names the message and its time. (Whoever reads all of 200 screens' bytes is measured itself.) */
const HEAD = 400;
const END = Buffer.from('\n\n');

/** A screen that listens and notes of each message that it was told: its id, and how long after the server's own time it was there. */
function listen(url) {
  const told = new Map();
  let head = '';
  let last = 0; // the byte before this chunk: an end may be cut in two
  const note = () => {
    const id = head.match(/"id":"([^"]+)"/)?.[1];
    const at = head.match(/"server_time":"([^"]+)"/)?.[1];
    if (id && at) told.set(id, Date.now() - Date.parse(at));
    head = '';
  };
  const request = get(new URL('api/stream', url), (response) => {
    response.on('data', (chunk) => {
      let from = 0;
      if (last === END[0] && chunk[0] === END[0]) {
        note();
        from = 1;
      }
      for (;;) {
        const end = chunk.indexOf(END, from);
        if (head.length < HEAD) head += chunk.toString('latin1', from, Math.min(end < 0 ? chunk.length : end, from + HEAD));
        if (end < 0) break;
        note();
        from = end + END.length;
      }
      last = chunk[chunk.length - 1];
    });
  });
  request.on('error', () => undefined); // it is hung up below
  return { told, close: () => request.destroy() };
}

test(`${SCREENS} screens cost one server less than a core, and each is told everything within two seconds`, { skip: WALL_URL && SERVER_PID ? false : 'needs a running system', timeout: 300_000 }, async () => {
  const alone = await costOf(5_000);
  const screens = Array.from({ length: SCREENS }, () => listen(WALL_URL));
  try {
    await pause(5_000); // all have their first snapshot
    for (const { told } of screens) told.clear();
    const together = await costOf(SECONDS * 1000);
    const lags = screens.flatMap(({ told }) => [...told.values()]).sort((a, b) => a - b);
    const at = (share) => lags[Math.min(lags.length - 1, Math.floor(share * lags.length))];
    console.log(`    the whole demo: ${alone.toFixed(2)} cores without screens, ${together.toFixed(2)} with ${SCREENS}; told after ms: p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}, of ${lags.length}`);
    // what all of them were told between the first and the last seconds: nobody missed any of it
    const lists = screens.map(({ told }) => [...told.keys()]);
    const whole = lists[0].slice(1, -2);
    assert.ok(whole.length >= SECONDS / 2, `${whole.length} messages in ${SECONDS} s`);
    for (const list of lists) assert.deepEqual(whole.filter((id) => !list.includes(id)), []);
    assert.ok(at(1) < 2_000, `the slowest message took ${at(1)} ms`);
    assert.ok(together - alone < 1, `${SCREENS} screens cost ${(together - alone).toFixed(2)} cores`);
  } finally {
    for (const screen of screens) screen.close();
  }
});

test('a snapshot is answered at once', { skip: WALL_URL ? false : 'needs a running system', timeout: 60_000 }, async () => {
  const took = [];
  let bytes = 0;
  for (let round = 0; round < 100; round++) {
    const began = performance.now();
    const answer = await fetch(new URL('api/snapshot', WALL_URL));
    bytes = (await answer.arrayBuffer()).byteLength;
    assert.equal(answer.status, 200);
    took.push(performance.now() - began);
    await pause(20); // over two seconds: some of them are the first after a change
  }
  took.sort((a, b) => a - b);
  console.log(`    a snapshot of ${Math.round(bytes / 1024)} KB: p50 ${took[50].toFixed(1)} ms, p99 ${took[99].toFixed(1)} ms`);
  // a machine that others use too gets ten times as long; the line says what it is here
  assert.ok(took[99] < 500, `p99 ${took[99].toFixed(1)} ms`);
});

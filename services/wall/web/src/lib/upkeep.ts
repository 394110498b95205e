// What keeps a page alive that nobody looks after: it reloads for a new build and once a night, and says every half minute
// that it lives. Decisions are pure; the doing is at the end.

import { clock } from './format';

const BUILD_KEY = 'reloaded-for';

/** A new build is reloaded for once; a server that keeps announcing another build than it serves must not cause a loop. */
export function shouldReload(own: string, announced: string, reloadedFor: string | null): boolean {
  return own !== '' && announced !== '' && announced !== own && announced !== reloadedFor;
}

/** Once a night, in the quietest minute, and only after some hours of running. */
export function nightlyReloadDue(nowMs: number, loadedMs: number, zone: string): boolean {
  return nowMs - loadedMs > 3_600_000 && clock(nowMs, zone).hm === '04:00';
}

export const ownBuild = () => document.querySelector<HTMLMetaElement>('meta[name="build"]')?.content ?? '';

export function reloadForBuild(announced: string): void {
  if (!shouldReload(ownBuild(), announced, sessionStorage.getItem(BUILD_KEY))) return;
  sessionStorage.setItem(BUILD_KEY, announced);
  location.reload();
}

/** Reloads only if the server answers now: a page that shows old figures is better than a browser's error. */
export async function reloadIfServed(): Promise<void> {
  try {
    const answer = await fetch('/', { cache: 'no-store' });
    if (answer.ok) location.reload();
  } catch {
    // tomorrow, then
  }
}

const HEARTBEAT_MS = 30_000;
const SAMPLE_MS = 1_000;

/** Posts the page's pulse; `lastId` is the id of the newest message it has shown. */
export function pulse(lastId: () => string): () => void {
  const page = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const beat = async () => {
    const fps = await framesPerSecond();
    const memory = (performance as { memory?: { usedJSHeapSize: number } }).memory;
    const body = JSON.stringify({ page, heap_bytes: memory?.usedJSHeapSize ?? 0, fps, last_id: lastId() });
    // Nobody is told when it fails: that it is missing is the message.
    await fetch('/api/heartbeat', { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(() => undefined);
  };
  const timer = setInterval(() => void beat(), HEARTBEAT_MS);
  const first = setTimeout(() => void beat(), 3_000);
  return () => {
    clearInterval(timer);
    clearTimeout(first);
  };
}

function framesPerSecond(): Promise<number> {
  return new Promise((done) => {
    const began = performance.now();
    let frames = 0;
    const frame = (now: number) => {
      frames += 1;
      if (now - began >= SAMPLE_MS) done(Math.round((frames * 10_000) / (now - began)) / 10);
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

// The one reactive object of the page: the world, the time and the line, joined from their pure parts.

import { cardAge, missing } from './ages';
import { isMuted, mute, quiet, ring, sound, soundAllowed, unmute } from './alarm-sound';
import { lostForMs, start, type Line } from './connection';
import { troubles } from './notices';
import { replayStream, type Replay } from './replay';
import { applyDelta, fromSnapshot, timeMs, type World } from './state';
import { follow, type Message } from './stream';
import { STREAMS, type Delta, type Snapshot } from './types';
import { nightlyReloadDue, pulse, reloadForBuild, reloadIfServed } from './upkeep';

export class Wall {
  world = $state.raw<World | null>(null);
  /** Server's time; stands still while the server is lost. */
  nowMs = $state(Date.now());
  /** How long the page has been without its server. */
  lostMs = $state<number | null>(null);
  attempt = $state(0);
  /** Since when nothing has been wrong, as far as this page has seen. */
  calmSinceMs = $state<number | null>(null);

  muted = $state(false);
  /** Whether this browser would let an alarm sound. */
  audible = $state(false);

  #alarm = quiet();
  #line: Line = start(performance.now());
  #server = { ms: Date.now(), at: performance.now() };
  #lastId = '';
  #loadedMs = 0;

  /** A replay shows a past day; it neither sounds nor reports nor reloads. */
  constructor(readonly replay: Replay | null = null) {}

  /** Streams whose figures can't be relied on, or lack a source. Merely late is no trouble yet. */
  get abnormal(): number {
    const world = this.world;
    return world ? STREAMS.filter((id) => !['fresh', 'late', 'waiting'].includes(cardAge(world.streams[id], this.nowMs).state) || missing(world.streams[id]).length > 0).length : 0;
  }

  run(): () => void {
    const replay = this.replay;
    // A line that breaks goes on where it was.
    const url = () => (replay ? replayStream(this.world ? this.#server.ms : replay.fromMs, replay.speed) : '/api/stream');
    const unfollow = follow(url, (message) => this.#take(message), (line) => this.#onLine(line));
    const timer = setInterval(() => this.#tick(), 1_000);
    const stopPulse = replay ? () => undefined : pulse(() => this.#lastId);
    return () => {
      unfollow();
      clearInterval(timer);
      stopPulse();
    };
  }

  toggleMute(): void {
    this.#alarm = this.muted ? unmute(this.#alarm) : mute(this.#alarm, this.nowMs);
    this.muted = isMuted(this.#alarm, this.nowMs);
  }

  #take({ kind, id, body }: Message): void {
    const delta = body as Delta;
    const serverMs = timeMs(delta.server_time) ?? this.nowMs;
    this.#server = { ms: serverMs, at: performance.now() };
    if (id) this.#lastId = id;
    if (kind === 'snapshot') {
      this.world = fromSnapshot(body as Snapshot, serverMs);
      this.#loadedMs ||= serverMs;
    } else if (kind === 'delta' && this.world) {
      this.world = applyDelta(this.world, delta, serverMs);
    }
    if (delta.build) reloadForBuild(delta.build);
    this.#tick();
  }

  #onLine(line: Line): void {
    this.#line = line;
    this.attempt = line.attempt;
  }

  #tick(): void {
    const mono = performance.now();
    this.lostMs = lostForMs(this.#line, mono);
    if (this.lostMs !== null) {
      this.nowMs = this.#server.ms;
      return;
    }
    // A replay's time goes with its messages.
    this.nowMs = this.#server.ms + (this.replay ? 0 : mono - this.#server.at);
    if (!this.world) return;
    this.calmSinceMs = troubles(this.world, this.nowMs).length ? null : (this.calmSinceMs ?? this.nowMs);
    if (this.replay) return;
    const [alarm, sounds] = ring(this.#alarm, this.world.sos, this.nowMs);
    this.#alarm = alarm;
    if (sounds) sound();
    this.muted = isMuted(alarm, this.nowMs);
    this.audible = soundAllowed();
    if (nightlyReloadDue(this.nowMs, this.#loadedMs, this.world.city.zone)) {
      this.#loadedMs = this.nowMs; // one try a night
      void reloadIfServed();
    }
  }
}

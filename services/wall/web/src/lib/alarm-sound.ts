// The call that somebody in the room hears: two short tones for a new unanswered SOS, and again every ten seconds while one waits
// beyond its limit. When it sounds is decided by a pure function; the sound itself is made here, no file is fetched.

import { SOS_LIMIT_MS } from './panels';
import { timeMs } from './state';
import type { Sos } from './types';

const AGAIN_MS = 10_000;
/** So long a mute lasts; a new case ends it at once, so that nobody mutes what has not happened yet. */
export const MUTE_MS = 600_000;

export interface Alarm {
  /** Cases that have been called out. */
  called: ReadonlySet<string>;
  lastMs: number;
  mutedUntilMs: number;
}

export const quiet = (): Alarm => ({ called: new Set(), lastMs: -Infinity, mutedUntilMs: -Infinity });
export const mute = (alarm: Alarm, nowMs: number): Alarm => ({ ...alarm, mutedUntilMs: nowMs + MUTE_MS });
export const unmute = (alarm: Alarm): Alarm => ({ ...alarm, mutedUntilMs: -Infinity });
export const isMuted = (alarm: Alarm, nowMs: number): boolean => nowMs < alarm.mutedUntilMs;

/** What is remembered next, and whether it sounds now. */
export function ring(alarm: Alarm, sos: Sos[], nowMs: number): [Alarm, boolean] {
  const open = sos.filter((one) => one.state === 'open');
  const fresh = open.some((one) => !alarm.called.has(one.case));
  const beyond = open.some((one) => nowMs - (timeMs(one.raised) ?? nowMs) > SOS_LIMIT_MS);
  const mutedUntilMs = fresh ? -Infinity : alarm.mutedUntilMs;
  const sounds = fresh || (beyond && nowMs >= mutedUntilMs && nowMs - alarm.lastMs >= AGAIN_MS);
  return [{ called: new Set(open.map((one) => one.case)), lastMs: sounds ? nowMs : alarm.lastMs, mutedUntilMs }, sounds];
}

let context: AudioContext | null = null;

/** A browser lets a page sound only after somebody pressed something there, or when its kiosk was started so. */
export const soundAllowed = (): boolean => context?.state === 'running';

export function allowSound(): void {
  context ??= new AudioContext();
  if (context.state !== 'running') void context.resume().catch(() => undefined);
}

export function sound(): void {
  allowSound();
  if (!context || context.state !== 'running') return;
  const start = context.currentTime;
  for (const [after, pitch] of [[0, 880], [0.28, 660]] as const) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, start + after);
    volume.gain.linearRampToValueAtTime(0.35, start + after + 0.02);
    volume.gain.linearRampToValueAtTime(0, start + after + 0.24);
    tone.connect(volume).connect(context.destination);
    tone.start(start + after);
    tone.stop(start + after + 0.26);
  }
}

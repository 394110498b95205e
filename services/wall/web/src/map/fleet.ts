// The vehicles between two messages: where each was, where it is, and what it counts as. Knows no canvas.

import type { Vehicles } from '../lib/types';

export type Kind = 'running' | 'late' | 'lost';
export interface Counts {
  running: number;
  late: number;
  lost: number;
}
export interface Step {
  lon: number;
  lat: number;
  fromLon: number;
  fromLat: number;
  kind: Kind;
}

export const LATE_S = 300;
export const LOST_S = 180;
/** A vehicle that moved farther than this between two messages did not drive there: no line is drawn, nothing slides. */
const JUMP_DEG = 0.02;

/** `extraAgeS`: how long ago the ages were true. When the whole feed is silent nobody's place is known any more. */
export function kindOf(ageS: number, delayS: number | null, extraAgeS: number, silent: boolean): Kind {
  if (silent || ageS + extraAgeS > LOST_S) return 'lost';
  return delayS !== null && delayS > LATE_S ? 'late' : 'running';
}

export function counts(vehicles: Vehicles, extraAgeS: number, silent: boolean): Counts {
  const sum: Counts = { running: 0, late: 0, lost: 0 };
  for (const [, , ageS, delayS] of vehicles.rows) sum[kindOf(ageS, delayS, extraAgeS, silent)] += 1;
  return sum;
}

export class Fleet {
  steps: Step[] = [];
  #last = new Map<string, [lon: number, lat: number]>();

  /** Takes the newest positions; what is kept is one place a vehicle of this message, no history. */
  update(vehicles: Vehicles, extraAgeS: number, silent: boolean): void {
    const now = new Map<string, [number, number]>();
    this.steps = vehicles.rows.map(([lonE5, latE5, ageS, delayS], i) => {
      const id = vehicles.ids[i] ?? String(i);
      const [lon, lat] = [lonE5 / 1e5, latE5 / 1e5];
      const before = this.#last.get(id);
      const [fromLon, fromLat] = before && Math.abs(before[0] - lon) + Math.abs(before[1] - lat) < JUMP_DEG ? before : [lon, lat];
      now.set(id, [lon, lat]);
      return { lon, lat, fromLon, fromLat, kind: kindOf(ageS, delayS, extraAgeS, silent) };
    });
    this.#last = now;
  }
}

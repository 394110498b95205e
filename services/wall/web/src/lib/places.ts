// Open calls for help by street: the map shows a street, never a point, and one mark however many calls it has.

import { age } from './format';
import { timeMs } from './state';
import type { Sos } from './types';

export interface SosPlace {
  id: string;
  lon: number;
  lat: number;
  name: string;
  /** Somebody waits here, and the oldest for so long. */
  open: boolean;
  waitedMs: number;
  waited: string;
}

export function sosPlaces(list: Sos[], nowMs: number): SosPlace[] {
  const places = new Map<string, SosPlace>();
  for (const sos of list) {
    if (sos.lon === null || sos.lat === null) continue;
    const id = `${sos.district}/${sos.street ?? ''}`;
    const place = places.get(id) ?? { id, lon: sos.lon, lat: sos.lat, name: sos.street || sos.district, open: false, waitedMs: 0, waited: '' };
    if (sos.state === 'open') {
      place.open = true;
      place.waitedMs = Math.max(place.waitedMs, nowMs - (timeMs(sos.raised) ?? nowMs));
      place.waited = age(place.waitedMs);
    }
    places.set(id, place);
  }
  return [...places.values()];
}

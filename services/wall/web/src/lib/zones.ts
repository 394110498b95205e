// The functional zones have no outline on the map: their figures stand in cards (and, on the widest wall, in a table
// together with the districts).

import { cardAge } from './ages';
import { figure } from './format';
import { row, type World } from './state';

export interface ZoneFigure {
  label: string;
  text: string | null;
}

/** Whether buses are told of each of them: a bus is in a zone only where the profile draws the zone, and a table with holes tells less than one of orders. */
export function haveBuses(world: World, names: string[]): boolean {
  return names.length > 0 && names.every((name) => row(world, 'bus.speed_kmh', '15m', 'district', name) !== undefined);
}

/** `buses`: whether the first figure is that of buses; else the orders that are open. */
export function zoneFigures(world: World, name: string, nowMs: number, buses: boolean): ZoneFigure[] {
  const speaks = (id: 'bus' | 'parking' | 'hotline') => !['silent', 'not_connected', 'waiting'].includes(cardAge(world.streams[id], nowMs).state);
  const of = (metric: string, span: string) => row(world, metric, span, 'district', name)?.value ?? null;
  const speed = of('bus.speed_kmh', '15m');
  const orders = of('hotline.open_orders', 'now');
  const calls = of('hotline.calls', '1h');
  return [
    buses
      ? { label: '车速 km/h', text: speaks('bus') && speed !== null ? figure(speed, 1) : null }
      : { label: '在办工单', text: speaks('hotline') && orders !== null ? figure(orders) : null },
    { label: '空余 %', text: speaks('parking') ? freeShare(world, name) : null },
    { label: '来电/时', text: speaks('hotline') && calls !== null ? figure(calls) : null },
  ];
}

function freeShare(world: World, district: string): string | null {
  let capacity = 0;
  let free = 0;
  for (const lot of world.lots.values()) {
    if (lot.district !== district || lot.occupied === null) continue;
    capacity += lot.capacity;
    free += Math.min(lot.capacity, Math.max(0, lot.capacity - lot.occupied));
  }
  return capacity > 0 ? figure((100 * free) / capacity) : null;
}

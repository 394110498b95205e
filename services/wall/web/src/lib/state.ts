// The city as this page knows it: one snapshot, then changes folded in. Everything held here is bounded: metric rows
// and lots by their identities, curves by their length. It knows neither the connection nor the screen.

import type { Alerts, Breach, City, Delta, Lot, MetricRow, Orders, Snapshot, Sos, SparkPoint, StoreStatus, StreamId, StreamStatus, UsualCurve, UsualPoint, Vehicles } from './types';

const SPARK_POINTS = 72;
const STORE_WELL: StoreStatus = { ok: true, since: null };
const NO_ORDERS: Orders = { total: 0, streets: [], categories: [] };
const SPARK_MS = 4 * 3_600_000;

export interface World {
  city: City;
  build: string;
  store: StoreStatus;
  streams: Partial<Record<StreamId, StreamStatus>>;
  metrics: Map<string, MetricRow>;
  breaches: Breach[];
  vehicles: Vehicles;
  /** Server's time at which the vehicles' ages were true. */
  vehiclesAtMs: number;
  lots: Map<string, Lot>;
  sos: Sos[];
  sosLive: boolean;
  orders: Orders;
  alerts: Alerts | null;
  usual: Record<string, UsualCurve>;
  spark: Map<string, SparkPoint[]>;
}

export const identity = (metric: string, level: string, key: string, span: string) => `${metric}|${level}|${key}|${span}`;

export function timeMs(time: string | null | undefined): number | null {
  const ms = time ? Date.parse(time) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

export function fromSnapshot(snapshot: Snapshot, serverMs: number): World {
  return {
    city: snapshot.city,
    build: snapshot.build,
    store: snapshot.store ?? STORE_WELL,
    streams: snapshot.streams,
    metrics: new Map(snapshot.metrics.map((row) => [identity(row.metric, row.level, row.key, row.span), row])),
    breaches: snapshot.breaches,
    vehicles: snapshot.vehicles,
    vehiclesAtMs: serverMs,
    lots: new Map(snapshot.lots.map((lot) => [lot.lot_id, lot])),
    sos: snapshot.sos,
    sosLive: snapshot.sos_live ?? false,
    orders: snapshot.orders ?? NO_ORDERS,
    alerts: snapshot.alerts ?? null,
    usual: snapshot.usual ?? {},
    spark: new Map(Object.entries(snapshot.spark).map(([key, points]) => [key, points.slice(-SPARK_POINTS)])),
  };
}

/**
 * Folds a change in. The large maps of rows and curves are reused (the old world must not be looked at again); the world
 * itself is new, and so are vehicles and lots where they changed, so that a reader who compares identities sees it.
 */
export function applyDelta(world: World, delta: Delta, serverMs: number): World {
  for (const row of delta.metrics ?? []) world.metrics.set(identity(row.metric, row.level, row.key, row.span), row);
  for (const [key, points] of Object.entries(delta.spark ?? {})) world.spark.set(key, extend(world.spark.get(key) ?? [], points));
  return {
    ...world,
    city: delta.city ?? world.city,
    build: delta.build ?? world.build,
    store: delta.store ?? world.store,
    streams: delta.streams ? { ...world.streams, ...delta.streams } : world.streams,
    breaches: delta.breaches ?? world.breaches,
    vehicles: delta.vehicles ?? world.vehicles,
    vehiclesAtMs: delta.vehicles ? serverMs : world.vehiclesAtMs,
    lots: delta.lots?.length ? new Map([...world.lots, ...delta.lots.map((lot): [string, Lot] => [lot.lot_id, lot])]) : world.lots,
    sos: delta.sos ?? world.sos,
    sosLive: delta.sos_live ?? world.sosLive,
    orders: delta.orders ?? world.orders,
    alerts: delta.alerts ?? world.alerts,
    usual: delta.usual ?? world.usual,
  };
}

/** New points behind the old ones; a point that comes again replaces itself. */
export function extend(old: SparkPoint[], fresh: SparkPoint[]): SparkPoint[] {
  const first = fresh[0];
  if (!first) return old;
  const joined = [...old.filter(([t]) => t < first[0]), ...fresh];
  const last = joined[joined.length - 1]?.[0] ?? 0;
  return joined.filter(([t]) => t > last - SPARK_MS).slice(-SPARK_POINTS);
}

export function row(world: World, metric: string, span: string, level = 'city', key = 'city'): MetricRow | undefined {
  return world.metrics.get(identity(metric, level, key, span));
}

/** Before the first snapshot: a city of which nothing is known. */
export function emptyWorld(): World {
  const city: City = { name: '威海', title: '一屏观全城', zone: 'Asia/Shanghai', approval: '', fleet: 0, bounds: [0, 0, 1, 1], core: [0, 0, 1, 1], districts: [], zones: [] };
  const vehicles: Vehicles = { columns: [], ids: [], rows: [] };
  return { city, build: '', store: STORE_WELL, streams: {}, metrics: new Map(), breaches: [], vehicles, vehiclesAtMs: 0, lots: new Map(), sos: [], sosLive: false, orders: NO_ORDERS, alerts: null, usual: {}, spark: new Map() };
}

/** How far a figure's time may lie from the nearest time of which it is known what is usual. */
const USUAL_NEAR_MS = 600_000;

/** What a figure of the city is usually at a time, and of how many days that is made. */
export function usualAt(world: World, metric: string, span: string, ms: number): { point: UsualPoint; days: number } | null {
  const curve = world.usual[identity(metric, 'city', 'city', span)];
  if (!curve) return null;
  let best: UsualPoint | null = null;
  for (const point of curve.points) if (!best || Math.abs(point[0] - ms) < Math.abs(best[0] - ms)) best = point;
  return best && Math.abs(best[0] - ms) <= USUAL_NEAR_MS ? { point: best, days: curve.days } : null;
}

/** Four weeks make a habit; fewer days are named as what they are. */
export const usualWord = (days: number): string => (days >= 7 ? '常时' : days === 1 ? '昨日' : '近日');

// The server's JSON, as it comes over the wire. Nothing here computes.

export const STREAMS = ['bus', 'parking', 'hotline', 'elder'] as const;
export type StreamId = (typeof STREAMS)[number];

/** RFC 3339 in UTC. */
export type Time = string;
export type LonLatBox = [west: number, south: number, east: number, north: number];
/** Milliseconds since 1970 UTC, and the figure (null: too few events to say). */
export type SparkPoint = [timeMs: number, value: number | null];

export interface City {
  name: string;
  title: string;
  zone: string;
  approval: string;
  /** The server has 天地图's tiles to give. */
  tiles?: boolean;
  /** Visitors are in the room: nobody is told where an SOS case is. */
  visitors?: boolean;
  fleet: number;
  /** Pitch of the panel, and the distance that people read it from; together they set the size of type. */
  mm_per_px?: number;
  distance_m?: number;
  bounds: LonLatBox;
  core: LonLatBox;
  districts: string[];
  zones: string[];
  /** Where they are, in the same order: they have no outline. */
  zone_centers?: [lon: number, lat: number][];
  /** What people call the sources that the profile names. */
  sources?: Record<string, string>;
}

export interface SourceStatus {
  source: string;
  state: FeedState;
  last_contact: Time | null;
  expected_s: number;
}
export type FeedState = 'fresh' | 'late' | 'silent' | 'not_connected';
export interface StreamStatus {
  state: FeedState;
  watermark: Time | null;
  last_event: Time | null;
  sources_online: number;
  sources_total: number;
  sources: SourceStatus[];
}

export interface MetricRow {
  stream: string;
  metric: string;
  level: string;
  key: string;
  span: string;
  window_start: Time;
  window_end: Time;
  value: number | null;
  numerator: number;
  denominator: number;
  n: number;
  is_final: boolean;
  revision: string;
  watermark: Time | null;
}

export interface Breach {
  metric: string;
  level: string;
  key: string;
  span: string;
  severity: 'warning' | 'critical';
  opened_at: Time;
  closed_at: Time | null;
  value: number | null;
  threshold: number;
  /** The worst value so far. */
  worst?: number | null;
  id?: string;
  /** Who acts, and what they do. */
  owner?: string;
  action?: string;
}

/** What a figure was at this hour on the days before: time, a low, the median and a high of them. */
export type UsualPoint = [timeMs: number, low: number, median: number, high: number];
export interface UsualCurve {
  days: number;
  points: UsualPoint[];
}

/** Open orders of 12345, created within the last day, by street. */
export interface Orders {
  total: number;
  streets: { name: string; lon: number; lat: number; orders: number }[];
  categories: [name: string, orders: number][];
}

/** Integers, a row a vehicle: [lon × 1e5, lat × 1e5, age in s, delay in s or null]. */
export type VehicleRow = [lonE5: number, latE5: number, ageS: number, delayS: number | null];
export interface Vehicles {
  columns: string[];
  ids: string[];
  rows: VehicleRow[];
}

export interface Lot {
  lot_id: string;
  name: string;
  district: string;
  lon: number;
  lat: number;
  capacity: number;
  occupied: number | null;
  time: Time | null;
}

export interface Sos {
  case: string;
  district: string;
  street: string | null;
  /** The street's centre, never the caller's place; null where nobody may know it. */
  lon: number | null;
  lat: number | null;
  raised: Time;
  state: 'open' | 'acknowledged';
}

/** Alertmanager's alerts about the system itself. */
export interface Alerts {
  ok: boolean;
  firing: { severity: 'warning' | 'critical'; title: string; starts_at: Time; owner: string; action: string }[];
}

/** Whether the server gets answers from its store, and since when that is so. */
export interface StoreStatus {
  ok: boolean;
  since: Time | null;
}

export interface Snapshot {
  server_time: Time;
  build: string;
  city: City;
  store?: StoreStatus;
  streams: Partial<Record<StreamId, StreamStatus>>;
  metrics: MetricRow[];
  breaches: Breach[];
  vehicles: Vehicles;
  lots: Lot[];
  sos: Sos[];
  /** The cases come from their service itself, and are true whatever the store says. */
  sos_live?: boolean;
  orders?: Orders;
  alerts?: Alerts | null;
  usual?: Record<string, UsualCurve>;
  spark: Record<string, SparkPoint[]>;
}
export type Delta = Partial<Snapshot>;

export interface Threshold {
  severity: string;
  when: string;
  limit: number;
  of?: string;
  /** The limit is a factor of what is usual. */
  norm?: number | boolean | null;
  levels?: string[];
  spans?: string[];
  source?: string;
  owner?: string;
  action?: string;
}

export interface CatalogueEntry {
  id: string;
  stream: string;
  name_zh: string;
  unit: string;
  formula: string;
  levels: string[];
  spans: string[];
  min_n: number;
  value?: string;
  higher_is?: 'better' | 'worse' | 'neutral';
  formula_zh?: string;
  thresholds?: Threshold[];
}

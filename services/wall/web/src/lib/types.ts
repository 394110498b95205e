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
  fleet: number;
  /** Pitch of the panel, and the distance that people read it from; together they set the size of type. */
  mm_per_px?: number;
  distance_m?: number;
  bounds: LonLatBox;
  core: LonLatBox;
  districts: string[];
  zones: string[];
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
  spark: Record<string, SparkPoint[]>;
}
export type Delta = Partial<Snapshot>;

export interface Threshold {
  severity: string;
  when: string;
  limit: number;
  of?: string;
  spans?: string[];
  source?: string;
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
  formula_zh?: string;
  thresholds?: Threshold[];
}

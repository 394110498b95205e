// How large is a unit? The page is drawn for 3840×2160 at one pixel a unit and fits the window. Where the wall's pitch and
// the distance of its readers ask for larger type, the unit grows beyond that, and the page gives things up for it.

/** The design's size. */
const DESIGN = { width: 3840, height: 2160 };
/** Past this the figures themselves would no longer fit their places. */
const MOST_GROWTH = 1.15;
/** From here on captions of rows, ages of feeds that are well, and the zones give way. */
const TIGHT_FROM = 1.03;
/** Ideographs of 54 units are read from `distance / 150`. */
const READ = { ratio: 150, units: 54 };
/** Below this width it is a desk or a laptop: somebody sits before it, whatever the wall's distance is. */
const WALL_FROM_PX = 3000;

export interface Units {
  /** Pixels a unit. */
  unit: number;
  /** The unit is larger than the window's own: less is shown. */
  tight: boolean;
  /** Wide enough for a trend column at each side. */
  wide: boolean;
}

export function units(width: number, height: number, city?: { mm_per_px?: number; distance_m?: number }): Units {
  const fit = Math.min(width / DESIGN.width, height / DESIGN.height);
  const wide = width / fit >= 2 * DESIGN.width - 16;
  const wanted = width >= WALL_FROM_PX && city?.mm_per_px && city.distance_m ? (city.distance_m * 1000) / (READ.ratio * city.mm_per_px * READ.units) : 0;
  const growth = Math.min(MOST_GROWTH, Math.max(1, wanted / fit));
  return { unit: growth >= TIGHT_FROM ? fit * growth : fit, tight: growth >= TIGHT_FROM, wide };
}

const RING: [number, number][] = [[0, 0], [4, 0], [4, 4], [0, 4], [-4, 4], [-4, 0], [-4, -4], [0, -4], [4, -4]];
const SHIFT_EVERY_MS = 180_000;

/** The whole picture wanders by ±4 px every few minutes, so that no still edge burns in. */
export function pixelShift(nowMs: number): [x: number, y: number] {
  return RING[Math.floor(nowMs / SHIFT_EVERY_MS) % RING.length] ?? [0, 0];
}

// How large is a unit? The grid is drawn for 3840×2160 at one pixel a unit and fits the window; type may grow beyond the
// grid where the wall's pitch and the distance of its readers ask for it.

/** The grid's design size. */
const DESIGN = { width: 3840, height: 2160 };
/** Past this the lines would no longer fit their places. */
const MOST_GROWTH = 1.1;
/** Ideographs of 54 units are read from `distance / 150`. */
const READ = { ratio: 150, units: 54 };
/** Below this width it is a desk or a laptop: somebody sits before it, whatever the wall's distance is. */
const WALL_FROM_PX = 3000;

export interface Units {
  /** Pixels a unit of the grid. */
  grid: number;
  /** Pixels a unit of type. */
  type: number;
  /** Wide enough for a trend column at each side. */
  wide: boolean;
}

export function units(width: number, height: number, city?: { mm_per_px?: number; distance_m?: number }): Units {
  const grid = Math.min(width / DESIGN.width, height / DESIGN.height);
  const wide = width / grid >= 2 * DESIGN.width - 16;
  const wanted = city?.mm_per_px && city.distance_m ? (city.distance_m * 1000) / (READ.ratio * city.mm_per_px * READ.units) : 0;
  const type = width >= WALL_FROM_PX ? Math.min(grid * MOST_GROWTH, Math.max(grid, wanted)) : grid;
  return { grid, type, wide };
}

const RING: [number, number][] = [[0, 0], [4, 0], [4, 4], [0, 4], [-4, 4], [-4, 0], [-4, -4], [0, -4], [4, -4]];
const SHIFT_EVERY_MS = 180_000;

/** The whole picture wanders by ±4 px every few minutes, so that no still edge burns in. */
export function pixelShift(nowMs: number): [x: number, y: number] {
  return RING[Math.floor(nowMs / SHIFT_EVERY_MS) % RING.length] ?? [0, 0];
}

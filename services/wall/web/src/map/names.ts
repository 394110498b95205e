// Where a name stands in the close-up: as near to its own place as it can without lying on a mark. Pure, in pixels.

export type Point = readonly [x: number, y: number];

/** A mark that stays where it is, or that drives on. */
export interface Mark {
  at: Point;
  /** Half its width and height. */
  half: Point;
  /** What it costs to lie under a name. */
  weight: number;
}

export interface Room {
  width: number;
  height: number;
  /** Half of what a name takes, its halo included. */
  half: Point;
}

/** So far from its place, in halves of its own size, a name may stand and still be understood. */
const REACH = 3;
const STEPS = 6;

/** A step away costs little, but of equals the nearest is taken; names that were set before are marks, too. */
export function nameBeside(place: Point, marks: Mark[], { width, height, half }: Room): Point {
  let best = { cost: Infinity, at: place };
  for (let i = -STEPS; i <= STEPS; i++) {
    for (let j = -STEPS; j <= STEPS; j++) {
      const away: Point = [(i / STEPS) * REACH, (j / STEPS) * REACH];
      const at: Point = [place[0] + away[0] * half[0], place[1] + away[1] * half[1]];
      if (at[0] < half[0] || at[1] < half[1] || at[0] > width - half[0] || at[1] > height - half[1]) continue;
      const under = marks.reduce((sum, mark) => sum + (covers(at, half, mark) ? mark.weight : 0), 0);
      const cost = under + Math.hypot(...away) / (10 * REACH);
      if (cost < best.cost) best = { cost, at };
    }
  }
  return best.at;
}

export const covers = (at: Point, half: Point, mark: Mark) =>
  Math.abs(at[0] - mark.at[0]) < half[0] + mark.half[0] && Math.abs(at[1] - mark.at[1]) < half[1] + mark.half[1];

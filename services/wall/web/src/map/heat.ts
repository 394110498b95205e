// Where orders pile up: three flat steps of lightness around the streets' centres, without a hue, so that it never looks like an
// alarm. Each street is a soft hill as high as its orders; hills add up; the steps are contour lines of the sum.

import type { Orders } from '../lib/types';
import type { Brush } from './canvas-layer';

/** Radius of a street's hill, in degrees of latitude, and how much wider it is seen on the whole map. */
const RADIUS_DEG = 0.017;
const LEAST_PX = 46;
/** Contour lines as shares of the highest hill; on a calm day, when nothing stands out, of one of this height. */
const STEPS = [0.2, 0.42, 0.7];
const LEAST_ORDERS = 4;
/** Lightness that each further step adds. */
const ALPHA = 26;

/** The steps of a field of hills: 0 … 3 for each cell. Pure, so that it can be tested without a canvas. */
export function contours(hills: { x: number; y: number; orders: number }[], radius: number, width: number, height: number, least = LEAST_ORDERS): Uint8Array {
  const field = new Float32Array(width * height);
  for (const { x, y, orders } of hills) {
    const [x0, x1] = [Math.max(0, Math.floor(x - 3 * radius)), Math.min(width, Math.ceil(x + 3 * radius))];
    const [y0, y1] = [Math.max(0, Math.floor(y - 3 * radius)), Math.min(height, Math.ceil(y + 3 * radius))];
    for (let j = y0; j < y1; j++) {
      for (let i = x0; i < x1; i++) {
        const at = j * width + i;
        field[at] = (field[at] ?? 0) + orders * Math.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * radius * radius));
      }
    }
  }
  let top = least;
  for (const value of field) if (value > top) top = value;
  return Uint8Array.from(field, (value) => STEPS.filter((step) => value >= step * top).length);
}

export class Heat {
  #orders: Orders['streets'] = [];
  #version = 0;

  constructor(private readonly unit: () => number) {}

  /** None while the feed of the orders is silent: what derives from it goes with it. */
  set(streets: Orders['streets']): void {
    this.#orders = streets;
    this.#version += 1;
  }

  version(): number {
    return this.#version;
  }

  /** Onto the land only. */
  paint({ g, at, width, height }: Brush, land: Path2D): void {
    if (!this.#orders.length) return;
    const cell = Math.max(2, Math.round(4 * this.unit()));
    const [w, h] = [Math.ceil(width / cell), Math.ceil(height / cell)];
    const [first] = this.#orders;
    if (!first || w < 1 || h < 1) return;
    const [, y0] = at(first.lon, first.lat);
    const [, y1] = at(first.lon, first.lat + RADIUS_DEG);
    const radius = Math.max(Math.abs(y1 - y0), LEAST_PX * this.unit()) / cell;
    const hills = this.#orders.map(({ lon, lat, orders }) => {
      const [x, y] = at(lon, lat);
      // By the root: the city's middle has ten times the orders of a town, and a town's trouble is to be seen too.
      return { x: x / cell, y: y / cell, orders: Math.sqrt(orders) };
    });
    const steps = contours(hills, radius, w, h);
    const picture = new OffscreenCanvas(w, h);
    const brush = picture.getContext('2d');
    if (!brush) return;
    const image = brush.createImageData(w, h);
    steps.forEach((step, i) => {
      image.data.fill(255, 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = step * ALPHA;
    });
    brush.putImageData(image, 0, 0);
    g.save();
    g.clip(land);
    g.imageSmoothingEnabled = true;
    g.drawImage(picture, 0, 0, w * cell, h * cell);
    g.restore();
  }
}

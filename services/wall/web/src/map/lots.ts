// Car parks: a small gauge each, filled from below; a full one is an amber plate with the word.

import type { Lot, LonLatBox } from '../lib/types';
import type { Brush, Painter } from './canvas-layer';
import type { Theme } from './theme';

const FULL = 0.98;

export class LotPainter implements Painter {
  #lots: Lot[] = [];
  #known = true;
  #version = 0;

  constructor(
    private readonly theme: Theme,
    private readonly unit: () => number,
    private readonly close: boolean,
    private readonly hidden: LonLatBox | null,
  ) {}

  /** `known` false: the feed is silent, the gauges stand empty and grey. */
  set(lots: Lot[], known: boolean): void {
    this.#lots = lots;
    this.#known = known;
    this.#version += 1;
  }

  version(): string {
    return `${this.#version}/${this.unit()}`;
  }

  paint({ g, at, width, height }: Brush): void {
    const full: [number, number][] = [];
    for (const lot of this.#lots) {
      const box = this.hidden;
      if (box && lot.lon > box[0] && lot.lon < box[2] && lot.lat > box[1] && lot.lat < box[3]) continue;
      const [x, y] = at(lot.lon, lot.lat);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const share = this.#known && lot.occupied !== null && lot.capacity > 0 ? Math.min(1, Math.max(0, lot.occupied / lot.capacity)) : null;
      if (share !== null && share >= FULL) full.push([x, y]);
      else this.#gauge(g, x, y, share);
    }
    for (const [x, y] of full) this.#plate(g, x, y);
  }

  #gauge(g: CanvasRenderingContext2D, x: number, y: number, share: number | null): void {
    const u = this.unit();
    const [w, h] = this.close ? [22 * u, 34 * u] : [15 * u, 23 * u];
    const colour = share === null ? this.theme.mute : this.theme.lot;
    g.fillStyle = this.theme.sea;
    g.fillRect(x - w / 2 - 3 * u, y - h / 2 - 3 * u, w + 6 * u, h + 6 * u);
    g.fillStyle = colour;
    const inner = h - 6 * u;
    if (share !== null) g.fillRect(x - w / 2 + 3 * u, y + h / 2 - 3 * u - inner * share, w - 6 * u, inner * share);
    g.strokeStyle = colour;
    g.lineWidth = Math.max(1, 2.5 * u);
    g.strokeRect(x - w / 2, y - h / 2, w, h);
  }

  #plate(g: CanvasRenderingContext2D, x: number, y: number): void {
    const u = this.unit();
    const z = (this.close ? 66 : 44) * u;
    g.fillStyle = this.theme.sea;
    g.fillRect(x - z / 2 - 4 * u, y - z / 2 - 4 * u, z + 8 * u, z + 8 * u);
    g.fillStyle = this.theme.warn;
    g.fillRect(x - z / 2, y - z / 2, z, z);
    g.fillStyle = this.theme.sea;
    g.font = `700 ${(this.close ? 52 : 34) * u}px ${this.theme.font}`;
    g.textAlign = 'center';
    g.textBaseline = 'middle';
    g.fillText('满', x, y + 3 * u);
  }
}

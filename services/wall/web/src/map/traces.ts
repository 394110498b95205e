// Instead of streets: the thin lines that buses themselves have drawn. They stay in the still picture, so their memory is
// the picture's whatever the running time, and a road driven often is no brighter than the street colour.

import type { Brush, Painter } from './canvas-layer';
import type { Fleet } from './fleet';
import type { Theme } from './theme';

export class TracePainter implements Painter {
  #version = 0;

  constructor(
    private readonly fleet: Fleet,
    private readonly theme: Theme,
    private readonly unit: () => number,
    private readonly close: boolean,
  ) {}

  /** The fleet has made a step, which is drawn once. */
  moved(): void {
    this.#version += 1;
  }

  version(): number {
    return this.#version;
  }

  paint({ g, at, width, height }: Brush): void {
    g.strokeStyle = this.theme.street;
    g.globalAlpha = 0.5;
    g.lineWidth = Math.max(0.7, (this.close ? 4 : 2.5) * this.unit());
    g.lineCap = 'round';
    for (const { lon, lat, fromLon, fromLat } of this.fleet.steps) {
      if (lon === fromLon && lat === fromLat) continue;
      const [x, y] = at(lon, lat);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      // A path of its own for each: one path of a thousand strokes costs a multiple of it.
      g.beginPath();
      g.moveTo(...at(fromLon, fromLat));
      g.lineTo(x, y);
      g.stroke();
    }
    g.globalAlpha = 1;
  }
}

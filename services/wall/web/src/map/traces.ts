// Instead of streets: the thin lines that buses themselves have drawn. They are kept as a picture, so their memory is the
// picture's whatever the running time, and a road driven often is no brighter than the street colour.

import type { Brush, Painter } from './canvas-layer';
import type { Fleet } from './fleet';
import type { Theme } from './theme';

export class TracePainter implements Painter {
  #kept = document.createElement('canvas');
  #key = '';
  #version = 0;

  constructor(
    private readonly fleet: Fleet,
    private readonly theme: Theme,
    private readonly unit: () => number,
    private readonly close: boolean,
  ) {}

  moved(): void {
    this.#version += 1;
  }

  version(): string {
    return `${this.#version}/${this.unit()}`;
  }

  paint({ g, at, width, height }: Brush): void {
    const [x0, y0] = at(0, 0);
    const key = `${width}×${height}@${x0.toFixed(1)},${y0.toFixed(1)}`;
    const ratio = g.getTransform().a;
    if (key !== this.#key) {
      this.#key = key;
      this.#kept.width = width * ratio;
      this.#kept.height = height * ratio;
    }
    const pen = this.#kept.getContext('2d');
    if (!pen) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.strokeStyle = this.theme.street;
    pen.globalAlpha = 0.5;
    pen.lineWidth = Math.max(0.7, (this.close ? 4 : 2.5) * this.unit());
    pen.lineCap = 'round';
    pen.beginPath();
    for (const { lon, lat, fromLon, fromLat } of this.fleet.steps) {
      if (lon === fromLon && lat === fromLat) continue;
      pen.moveTo(...at(fromLon, fromLat));
      pen.lineTo(...at(lon, lat));
    }
    pen.stroke();
    g.drawImage(this.#kept, 0, 0, width, height);
  }
}

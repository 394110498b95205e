// Buses as points, over thin traces that the page learns from them. Each kind is stamped from a small prepared picture:
// 1,400 stamps are cheap, 1,400 paths are not.

import type { LonLatBox } from '../lib/types';
import type { Brush, Painter } from './canvas-layer';
import type { Fleet, Kind } from './fleet';
import type { Theme } from './theme';

/** A dot takes this long from its old place to its new one. */
export const MOVE_MS = 300;

export interface Manner {
  /** Dots are larger, and traces wider, in the close-up. */
  close: boolean;
  /** Inside this box the picture is muted: the close-up shows it. */
  muted: LonLatBox | null;
}

/** A small picture in device pixels, and how far its middle lies from its edge. */
type Stamp = { bitmap: ImageBitmap; half: number };

export class VehiclePainter implements Painter {
  #version = 0;
  #movedMs = -Infinity;
  #stamps: { key: string; kinds: Record<Kind, Stamp>; small: Record<Kind, Stamp> } | null = null;

  constructor(
    private readonly fleet: Fleet,
    private readonly theme: Theme,
    private readonly unit: () => number,
    private readonly manner: Manner,
  ) {}

  /** The fleet has new places; `timeMs` 0 shows them at once. */
  moved(timeMs: number): void {
    this.#version += 1;
    this.#movedMs = timeMs;
  }

  moving(timeMs: number): boolean {
    return timeMs - this.#movedMs < MOVE_MS;
  }

  version(timeMs: number): string {
    return `${this.#version}/${this.unit()}/${this.moving(timeMs) ? timeMs : ''}`;
  }

  paint({ g, at, timeMs, width, height, ratio }: Brush): void {
    const stamps = this.#prepare(ratio);
    g.resetTransform(); // stamps lie on whole device pixels: copied, not resampled
    const f = Math.min(1, Math.max(0, (timeMs - this.#movedMs) / MOVE_MS));
    const eased = f * (2 - f);
    const box = this.manner.muted;
    for (const kind of ['running', 'lost', 'late'] as const) {
      for (const step of this.fleet.steps) {
        if (step.kind !== kind) continue;
        const lon = step.fromLon + (step.lon - step.fromLon) * eased;
        const lat = step.fromLat + (step.lat - step.fromLat) * eased;
        const inMuted = box && lon > box[0] && lon < box[2] && lat > box[1] && lat < box[3];
        if (inMuted && kind === 'late') continue;
        const [x, y] = at(lon, lat);
        if (x < -20 || y < -20 || x > width + 20 || y > height + 20) continue;
        const stamp = (inMuted ? stamps.small : stamps.kinds)[kind];
        g.drawImage(stamp.bitmap, Math.round(x * ratio - stamp.half), Math.round(y * ratio - stamp.half));
      }
    }
  }

  #prepare(ratio: number) {
    const u = this.unit();
    const key = `${u}@${ratio}`;
    if (this.#stamps?.key === key) return this.#stamps;
    const { accent, warn, mute, sea, land } = this.theme;
    const r = Math.max(1.6, (this.manner.close ? 7 : 5.5) * u);
    const disc = (radius: number, alpha: number, colour: string) =>
      stamp(radius + 1, ratio, (g) => {
        g.globalAlpha = alpha;
        g.fillStyle = colour;
        g.arc(0, 0, radius, 0, 7);
        g.fill();
      });
    this.#stamps = {
      key,
      kinds: {
        running: disc(r, 0.92, accent),
        late: stamp(r * 1.7 + 2, ratio, (g) => {
          const d = r * 1.65;
          g.fillStyle = warn;
          g.strokeStyle = sea;
          g.lineWidth = 2 * u;
          g.moveTo(0, -d);
          g.lineTo(d, 0);
          g.lineTo(0, d);
          g.lineTo(-d, 0);
          g.closePath();
          g.fill();
          g.stroke();
        }),
        lost: stamp(r * 1.4 + 2, ratio, (g) => {
          g.fillStyle = land;
          g.strokeStyle = mute;
          g.lineWidth = Math.max(1, 3 * u);
          g.arc(0, 0, r * 1.15, 0, 7);
          g.fill();
          g.stroke();
        }),
      },
      small: { running: disc(r * 0.7, 0.4, accent), late: disc(r * 0.7, 0.4, warn), lost: disc(r * 0.7, 0.3, mute) },
    };
    return this.#stamps;
  }
}

/** As a bitmap: a canvas as source would be looked at anew with every copy. */
function stamp(half: number, ratio: number, draw: (g: OffscreenCanvasRenderingContext2D) => void): Stamp {
  const middle = Math.ceil(half * ratio);
  const canvas = new OffscreenCanvas(2 * middle, 2 * middle);
  const g = canvas.getContext('2d');
  if (g) {
    g.setTransform(ratio, 0, 0, ratio, middle, middle);
    g.beginPath();
    draw(g);
  }
  return { bitmap: canvas.transferToImageBitmap(), half: middle };
}

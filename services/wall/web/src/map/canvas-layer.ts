// An OpenLayers layer that paints on a canvas of its own. OpenLayers knows the projection and when to draw; what is drawn
// is ours, in pixels.

import type { FrameState } from 'ol/Map';
import Layer from 'ol/layer/Layer';
import { apply, type Transform } from 'ol/transform';
import { fromLonLat } from 'ol/proj';

export interface Brush {
  g: CanvasRenderingContext2D;
  width: number;
  height: number;
  /** Device pixels a pixel. */
  ratio: number;
  /** Where a place is on the canvas. */
  at: (lon: number, lat: number) => [x: number, y: number];
  timeMs: number;
}

export interface Painter {
  paint(brush: Brush): void;
  /** Changes whenever the picture would. */
  version(timeMs: number): number | string;
}

/** In the order in which they lie over each other. */
export interface Painters {
  /** Painted once behind the scenes. */
  still: Painter;
  /** Leaves its strokes over the still picture, also when that is painted anew, until places move. */
  trail: Painter;
  /** Painted over a copy of it in each frame. */
  moving: Painter[];
}

/** One canvas for all painters of a map, for the browser pays for every further one in each frame. */
export function canvasLayer({ still, trail, moving }: Painters): Layer {
  const canvas = document.createElement('canvas');
  canvas.style.cssText = 'position: absolute; left: 0; top: 0';
  const front = canvas.getContext('2d');
  const back = document.createElement('canvas').getContext('2d');
  const strokes = document.createElement('canvas').getContext('2d');
  const painted = { place: '', still: '', trail: '', front: '' };

  return new Layer({
    render: (frame: FrameState) => {
      const [width = 0, height = 0] = frame.size;
      const ratio = frame.pixelRatio;
      const place = [width, height, ratio, frame.coordinateToPixelTransform.join()].join('|');
      const version = {
        place,
        still: `${place}|${still.version(frame.time)}`,
        trail: String(trail.version(frame.time)),
        front: [place, ...[still, trail, ...moving].map((painter) => painter.version(frame.time))].join('|'),
      };
      if (!front || !back || !strokes || version.front === painted.front) return canvas;
      const paint = (g: CanvasRenderingContext2D, painter: Painter) => {
        g.setTransform(ratio, 0, 0, ratio, 0, 0);
        painter.paint({ g, width, height, ratio, at: (lon, lat) => toPixel(frame.coordinateToPixelTransform, lon, lat), timeMs: frame.time });
      };
      const [w, h] = [width * ratio, height * ratio];
      if (place !== painted.place) wipe(strokes, w, h);
      if (version.trail !== painted.trail) paint(strokes, trail);
      if (version.still !== painted.still) {
        wipe(back, w, h);
        paint(back, still);
        back.resetTransform();
        back.drawImage(strokes.canvas, 0, 0);
      } else if (version.trail !== painted.trail) paint(back, trail);
      if (fit(canvas, w, h)) {
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
      }
      front.resetTransform();
      front.globalCompositeOperation = 'copy';
      front.drawImage(back.canvas, 0, 0);
      front.globalCompositeOperation = 'source-over';
      for (const painter of moving) paint(front, painter);
      Object.assign(painted, version);
      return canvas;
    },
  });
}

function wipe(g: CanvasRenderingContext2D, width: number, height: number): void {
  fit(g.canvas, width, height);
  g.resetTransform();
  g.clearRect(0, 0, g.canvas.width, g.canvas.height);
}

/** Gives the canvas its size in device pixels; true if it had another. */
function fit(canvas: HTMLCanvasElement, width: number, height: number): boolean {
  const [w, h] = [Math.round(width), Math.round(height)];
  if (canvas.width === w && canvas.height === h) return false;
  canvas.width = w;
  canvas.height = h;
  return true;
}

export function toPixel(transform: Transform, lon: number, lat: number): [number, number] {
  const pixel = apply(transform, fromLonLat([lon, lat]));
  return [pixel[0] ?? 0, pixel[1] ?? 0];
}

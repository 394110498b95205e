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
  /** Where a place is on the canvas. */
  at: (lon: number, lat: number) => [x: number, y: number];
  timeMs: number;
}

export interface Painter {
  paint(brush: Brush): void;
  /** Changes whenever the picture would. */
  version(timeMs: number): number | string;
}

/**
 * One canvas for all painters of a map, for the browser pays for every further one in each frame. What stands still is
 * painted behind the scenes and copied; what moves is painted over it.
 */
export function canvasLayer(still: Painter[], moving: Painter[]): Layer {
  const canvas = document.createElement('canvas');
  canvas.style.cssText = 'position: absolute; left: 0; top: 0';
  const front = canvas.getContext('2d');
  const back = document.createElement('canvas').getContext('2d');
  const painted = { front: '', back: '' };

  return new Layer({
    render: (frame: FrameState) => {
      const [width = 0, height = 0] = frame.size;
      const ratio = frame.pixelRatio;
      const place = [width, height, ratio, frame.coordinateToPixelTransform.join()].join('|');
      const version = (painters: Painter[]) => `${place}|${painters.map((painter) => painter.version(frame.time)).join('|')}`;
      const [backVersion, frontVersion] = [version(still), version([...still, ...moving])];
      if (!front || !back || frontVersion === painted.front) return canvas;
      const paint = (g: CanvasRenderingContext2D, painters: Painter[]) => {
        g.setTransform(ratio, 0, 0, ratio, 0, 0);
        for (const painter of painters) {
          painter.paint({ g, width, height, at: (lon, lat) => toPixel(frame.coordinateToPixelTransform, lon, lat), timeMs: frame.time });
        }
      };
      if (backVersion !== painted.back) {
        fit(back.canvas, width * ratio, height * ratio);
        back.resetTransform();
        back.clearRect(0, 0, back.canvas.width, back.canvas.height);
        paint(back, still);
        painted.back = backVersion;
      }
      if (fit(canvas, width * ratio, height * ratio)) {
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
      }
      front.resetTransform();
      front.globalCompositeOperation = 'copy';
      front.drawImage(back.canvas, 0, 0);
      front.globalCompositeOperation = 'source-over';
      paint(front, moving);
      painted.front = frontVersion;
      return canvas;
    },
  });
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

// An OpenLayers layer that paints on a canvas of its own. OpenLayers knows the projection and when to draw; what is drawn
// is ours, in pixels. A layer that has not changed keeps its canvas, so one that moves costs nothing to the others.

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

export function canvasLayer(painter: Painter): Layer {
  const canvas = document.createElement('canvas');
  canvas.style.cssText = 'position: absolute; left: 0; top: 0';
  const g = canvas.getContext('2d');
  let painted = '';
  return new Layer({
    render: (frame: FrameState) => {
      const [width = 0, height = 0] = frame.size;
      const ratio = frame.pixelRatio;
      const state = [width, height, ratio, frame.coordinateToPixelTransform.join(), painter.version(frame.time)].join('|');
      if (!g || state === painted) return canvas;
      painted = state;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
        canvas.style.width = `${width}px`;
        canvas.style.height = `${height}px`;
      }
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.clearRect(0, 0, width, height);
      painter.paint({ g, width, height, at: (lon, lat) => toPixel(frame.coordinateToPixelTransform, lon, lat), timeMs: frame.time });
      return canvas;
    },
  });
}

export function toPixel(transform: Transform, lon: number, lat: number): [number, number] {
  const pixel = apply(transform, fromLonLat([lon, lat]));
  return [pixel[0] ?? 0, pixel[1] ?? 0];
}

// One view of the city: an OpenLayers map that stands still, with our painters on its one layer. The wall shows two of them,
// the whole city and the close-up, which share the fleet.

import OlMap from 'ol/Map';
import View from 'ol/View';
import { fromLonLat, transformExtent } from 'ol/proj';
import type { LonLatBox, Lot, Orders } from '../lib/types';
import { canvasLayer, toPixel } from './canvas-layer';
import type { Fleet } from './fleet';
import { Ground, type District } from './ground';
import { Heat } from './heat';
import { LotPainter } from './lots';
import { readTheme } from './theme';
import { Tiles } from './tiles';
import { TracePainter } from './traces';
import { VehiclePainter, type Manner } from './vehicles';

/** Dots glide a few pixels at a time: thirty frames a second are smooth, and half the work of sixty. */
const FRAME_MS = 30;

export interface MapOptions extends Manner {
  box: LonLatBox;
  /** The close-up fills its frame and cuts what does not fit; the large map shows its box whole. */
  cover: boolean;
  fleet: Fleet;
  /** Pixels a unit. */
  unit: () => number;
  /** Room kept free, in units: top, right, bottom, left. */
  padding: [number, number, number, number];
  still: boolean;
  /** The server has 天地图's tiles to give. */
  tiles: boolean;
  /** Called whenever places have moved on the screen. */
  onView: () => void;
  /** 天地图 came, or went. */
  onGround: () => void;
}

export class CityMap {
  #map: OlMap;
  #next: ReturnType<typeof setTimeout> | undefined;
  #ground: Ground;
  #heat: Heat;
  #tiles: Tiles | null;
  #traces: TracePainter;
  #vehicles: VehiclePainter;
  #lots: LotPainter;

  constructor(
    target: HTMLElement,
    private readonly options: MapOptions,
  ) {
    const theme = readTheme();
    const { fleet, unit, close, muted } = options;
    this.#heat = new Heat(unit);
    this.#tiles = options.tiles ? new Tiles(theme, () => this.#tilesChanged()) : null;
    this.#ground = new Ground(theme, unit, this.#heat, this.#tiles);
    this.#traces = new TracePainter(fleet, theme, unit, close);
    this.#vehicles = new VehiclePainter(fleet, theme, unit, { close, muted });
    this.#lots = new LotPainter(theme, unit, close, muted);
    this.#map = new OlMap({
      target,
      controls: [],
      interactions: [],
      layers: [canvasLayer({ still: this.#ground, trail: this.#traces, moving: [this.#vehicles, this.#lots] })],
      view: new View({ center: fromLonLat([(options.box[0] + options.box[2]) / 2, (options.box[1] + options.box[3]) / 2]), zoom: 9 }),
    });
    this.#map.on('change:size', () => this.fit());
    this.#map.on('postrender', (event) => {
      // A last frame is due after the move's end as well, to set the dots where they belong.
      if (event.frameState && this.#vehicles.moving(event.frameState.time)) this.#next = setTimeout(() => this.#map.render(), FRAME_MS);
    });
    this.fit();
  }

  fit(): void {
    const size = this.#map.getSize();
    if (!size?.[0] || !size[1]) return;
    const u = this.options.unit();
    const [top, right, bottom, left] = this.options.padding.map((n) => n * u) as [number, number, number, number];
    const extent = transformExtent(this.options.box, 'EPSG:4326', 'EPSG:3857');
    const [w, s, e, n] = extent as [number, number, number, number];
    const [across, down] = [(e - w) / (size[0] - left - right), (n - s) / (size[1] - top - bottom)];
    const resolution = this.options.cover ? Math.min(across, down) : Math.max(across, down);
    const view = this.#map.getView();
    view.setResolution(resolution);
    view.setCenter([(w + e) / 2 + ((right - left) / 2) * resolution, (s + n) / 2 + ((top - bottom) / 2) * resolution]);
    this.#map.renderSync();
    // EPSG:3857 at the view's middle: no rotation, no other zoom.
    const [x = 0, y = 0] = view.getCenter() ?? [];
    const [width, height] = size;
    this.#tiles?.want({ west: x - (width / 2) * resolution, north: y + (height / 2) * resolution, resolution, width, height, ratio: devicePixelRatio });
    this.options.onView();
  }

  /** 天地图 is what the map stands on. */
  get tiled(): boolean {
    return this.#tiles?.there === true;
  }

  #tilesChanged(): void {
    this.#map.render();
    this.options.onGround();
  }

  setOutline(list: District[]): void {
    this.#ground.set(list);
    this.#map.render();
  }

  /** The shared fleet has been updated. */
  moved(): void {
    this.#traces.moved();
    this.#vehicles.moved(this.options.still ? 0 : Date.now());
    this.#map.render();
  }

  setHeat(streets: Orders['streets']): void {
    this.#heat.set(streets);
    this.#map.render();
  }

  setLots(lots: Lot[], known: boolean): void {
    this.#lots.set(lots, known);
    this.#map.render();
  }

  pixel(lon: number, lat: number): [x: number, y: number] | null {
    // OpenLayers keeps the transform of the last frame; before the first one no place is known.
    const origin = this.#map.getPixelFromCoordinate([0, 0]);
    const step = this.#map.getPixelFromCoordinate([1, 1]);
    if (!origin || !step) return null;
    const [ox = 0, oy = 0] = origin;
    const [sx = 0, sy = 0] = step;
    return toPixel([sx - ox, 0, 0, sy - oy, ox, oy], lon, lat);
  }

  close(): void {
    clearTimeout(this.#next);
    this.#tiles?.close();
    this.#map.setTarget(undefined);
    this.#map.dispose();
  }
}

// Land, coast and the districts' borders: figure and ground without any glow; on the land the heat of the orders. Where 天地图 is
// there, land and coast are its own, and what lies beyond the city's borders is fainter. Drawn anew when one of them changes.

import type { Brush, Painter } from './canvas-layer';
import type { Heat } from './heat';
import type { Theme } from './theme';
import type { Tiles } from './tiles';

export type Ring = [lon: number, lat: number][];
export interface District {
  name: string;
  rings: Ring[];
}

interface Feature {
  properties?: { name?: string } | null;
  geometry: { type: string; coordinates: unknown } | null;
}

/** Districts from the server's GeoJSON: polygons and multipolygons; anything else is left out. */
export function districts(collection: { features?: Feature[] }): District[] {
  return (collection.features ?? []).flatMap((feature) => {
    const geometry = feature.geometry;
    if (geometry?.type !== 'Polygon' && geometry?.type !== 'MultiPolygon') return [];
    const polygons = (geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates) as Ring[][];
    return [{ name: feature.properties?.name ?? '', rings: polygons.flat() }];
  });
}

export function contains(district: District, lon: number, lat: number): boolean {
  let inside = false;
  for (const ring of district.rings) {
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [ax, ay] = ring[i] ?? [0, 0];
      const [bx, by] = ring[j] ?? [0, 0];
      if (ay > lat !== by > lat && lon < ((bx - ax) * (lat - ay)) / (by - ay) + ax) inside = !inside;
    }
  }
  return inside;
}

/** Half the room that a name takes on the whole map, in degrees. */
const NAME = { lon: 0.11, lat: 0.03 };

/**
 * Where a district's name stands: on land with room to both sides, where the fewest marks of `crowd` lie under it; among
 * equals, near the middle. Looked for on a few level lines.
 */
export function namePlace(district: District, crowd: Ring): [lon: number, lat: number] {
  const lats = district.rings.flat().map(([, lat]) => lat);
  const [south, north] = [Math.min(...lats), Math.max(...lats)];
  let best = { cost: Infinity, place: [0, 0] as [number, number] };
  for (const f of [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]) {
    const lat = south + (north - south) * f;
    for (const [west, east] of stretches(district, lat)) {
      const room = Math.max(0, (east - west) / 2 - NAME.lon);
      const cramped = east - west < 2 * NAME.lon ? 1000 : 0;
      for (const g of [0, -0.5, 0.5, -1, 1]) {
        const lon = (west + east) / 2 + g * room;
        const under = crowd.filter(([x, y]) => Math.abs(x - lon) < NAME.lon && Math.abs(y - lat) < NAME.lat).length;
        const cost = under + cramped + Math.abs(f - 0.5) * 4 + Math.abs(g);
        if (cost < best.cost) best = { cost, place: [lon, lat] };
      }
    }
  }
  return best.place;
}

/** From where to where a level line runs over the district. */
function stretches(district: District, lat: number): [west: number, east: number][] {
  const cuts: number[] = [];
  for (const ring of district.rings) {
    ring.forEach(([ax, ay], i) => {
      const [bx, by] = ring[(i + 1) % ring.length] ?? [ax, ay];
      if (ay > lat !== by > lat) cuts.push(((bx - ax) * (lat - ay)) / (by - ay) + ax);
    });
  }
  cuts.sort((a, b) => a - b);
  return Array.from({ length: cuts.length >> 1 }, (_, i) => [cuts[2 * i] ?? 0, cuts[2 * i + 1] ?? 0]);
}

/** How faint 天地图 is beyond the city. */
const BEYOND = 0.4;

export class Ground implements Painter {
  #districts: District[] = [];
  #version = 0;

  constructor(
    private readonly theme: Theme,
    private readonly unit: () => number,
    private readonly heat: Heat,
    private readonly tiles: Tiles | null,
  ) {}

  set(list: District[]): void {
    this.#districts = list;
    this.#version += 1;
  }

  version(): string {
    return `${this.#version}/${this.unit()}/${this.heat.version()}/${this.tiles?.version()}`;
  }

  paint(brush: Brush): void {
    const { g, at } = brush;
    const u = this.unit();
    const land = new Path2D();
    for (const ring of this.#districts.flatMap((district) => district.rings)) {
      ring.forEach(([lon, lat], i) => (i ? land.lineTo(...at(lon, lat)) : land.moveTo(...at(lon, lat))));
      land.closePath();
    }
    g.lineJoin = 'round';
    if (this.tiles?.there) this.#tiled(brush, land, this.tiles);
    else this.#drawn(g, land);
    this.heat.paint(brush, land);
    g.save();
    g.clip(land);
    g.strokeStyle = this.theme.sea;
    g.lineWidth = 3.5 * u;
    g.stroke(land);
    g.restore();
  }

  #drawn(g: CanvasRenderingContext2D, land: Path2D): void {
    const u = this.unit();
    g.strokeStyle = this.theme.land;
    for (const [width, alpha] of [[64, 0.16], [36, 0.22], [14, 0.34]] as const) {
      g.globalAlpha = alpha;
      g.lineWidth = width * u;
      g.stroke(land);
    }
    g.globalAlpha = 1;
    g.strokeStyle = this.theme.coast;
    g.lineWidth = 6 * u;
    g.stroke(land);
    g.fillStyle = this.theme.land;
    g.fill(land);
  }

  #tiled(brush: Brush, land: Path2D, tiles: Tiles): void {
    const { g } = brush;
    g.globalAlpha = BEYOND;
    tiles.paint(brush);
    g.globalAlpha = 1;
    g.save();
    g.clip(land);
    tiles.paint(brush);
    g.restore();
  }
}

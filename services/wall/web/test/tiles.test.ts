import { describe, expect, it } from 'vitest';
import { mute, tilesOf, type Shown } from '../src/map/tiles';

const HALF = Math.PI * 6_378_137;
/** Weihai on the map of a 3840×2160 wall. */
const SHOWN: Shown = { west: 13_480_000, north: 4_520_000, resolution: 90, width: 1952, height: 1384, ratio: 1 };

describe('the tiles of a view', () => {
  for (const [what, shown] of Object.entries({
    'as it is': SHOWN,
    'on a screen of two device pixels a pixel': { ...SHOWN, ratio: 2 },
    'at half the size': { ...SHOWN, resolution: 180, width: 976, height: 692 },
    'the close-up': { ...SHOWN, resolution: 15.5, width: 1792, height: 1176 },
  })) {
    it(`cover it without a gap, and are neither coarse nor far too many: ${what}`, () => {
      const tiles = tilesOf(shown);
      const [w, h] = [shown.width * shown.ratio, shown.height * shown.ratio];
      const area = tiles.reduce((sum, { x, y, size }) => sum + Math.max(0, Math.min(w, x + size) - Math.max(0, x)) * Math.max(0, Math.min(h, y + size) - Math.max(0, y)), 0);
      expect(area).toBeCloseTo(w * h, 0);
      for (const { x, y, size } of tiles) {
        expect(size).toBeGreaterThan(256 / Math.SQRT2 - 1);
        expect(size).toBeLessThan(256 * Math.SQRT2 + 1);
        expect(x < w && y < h && x + size > 0 && y + size > 0).toBe(true);
      }
      expect(new Set(tiles.map(({ path }) => path)).size).toBe(tiles.length);
    });
  }
  it('are those of the place', () => {
    const [lon, lat] = [122.12, 37.51];
    const [x, y] = [(lon / 180) * HALF, Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) * 6_378_137];
    const [only] = tilesOf({ west: x, north: y, resolution: (2 * HALF) / 256 / 2 ** 10, width: 1, height: 1, ratio: 1 });
    expect(only?.path).toBe('10/859/396');
  });
  it('stop at the closest that the server gives', () => {
    for (const { path } of tilesOf({ ...SHOWN, resolution: 0.2, width: 100, height: 100 })) expect(path).toMatch(/^16\//);
  });
});

describe('a light map in the dark', () => {
  const [land, coast] = [[34, 44, 51], [85, 99, 109]] as [[number, number, number], [number, number, number]];
  const muted = (...rgb: number[]) => {
    const pixels = Uint8ClampedArray.from([...rgb, 255]);
    mute(pixels, land, coast);
    return [...pixels];
  };
  it('leaves water to the sea, and land as our land is', () => {
    expect(muted(172, 205, 245)[3]).toBe(0);
    const [r = 0, g = 0, b = 0, a] = muted(250, 248, 242);
    expect(a).toBe(255);
    expect(Math.max(Math.abs(r - 34), Math.abs(g - 44), Math.abs(b - 51))).toBeLessThan(3);
  });
  it('lets roads and names stand out, and nothing beyond the coast', () => {
    const green = (...rgb: number[]) => muted(...rgb)[1] ?? 0;
    expect(green(255, 226, 150)).toBeGreaterThan(55);
    expect(green(190, 190, 190)).toBeGreaterThan(55);
    expect(green(0, 0, 0)).toBe(99);
    expect(green(255, 0, 0)).toBe(99);
  });
});

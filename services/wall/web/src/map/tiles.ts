// 天地图 as ground: which tiles cover a view, and their picture in the wall's own colours. The tiles come from our server, which
// asks for them where it is configured. A view has all of its tiles or none: a map in patches looks broken, and nobody before
// the wall could say what the gaps mean. Until then, and whenever they don't come, the map stands as the page draws it itself.

import type { Painter, Brush } from './canvas-layer';
import type { Theme } from './theme';

/** A browser has six ways to one server. The figures' stream and the desk's questions go before the ground. */
const AT_ONCE = 2;
const AGAIN_MS = 60_000;
const TILE_PX = 256;
const ZOOMS = { least: 5, most: 16 };
/** Half the length of the equator in EPSG:3857. */
const HALF = Math.PI * 6_378_137;

/** What a map shows, in EPSG:3857: its north-western corner, metres a pixel, size in pixels, device pixels a pixel. */
export interface Shown {
  west: number;
  north: number;
  resolution: number;
  width: number;
  height: number;
  ratio: number;
}

/** A tile, and where it lies in the view, in device pixels. */
export interface Placed {
  path: string;
  x: number;
  y: number;
  size: number;
}

/** The tiles of a view, none smaller than half of what it can show, none larger than it needs. */
export function tilesOf({ west, north, resolution, width, height, ratio }: Shown): Placed[] {
  const z = Math.min(ZOOMS.most, Math.max(ZOOMS.least, Math.round(Math.log2((2 * HALF * ratio) / (TILE_PX * resolution)))));
  const metres = (2 * HALF) / 2 ** z;
  const size = (metres / resolution) * ratio;
  const [left, top] = [(west + HALF) / metres, (HALF - north) / metres];
  const [right, bottom] = [left + (width * resolution) / metres, top + (height * resolution) / metres];
  const placed: Placed[] = [];
  for (let y = Math.floor(top); y < bottom; y++) {
    for (let x = Math.floor(left); x < right; x++) placed.push({ path: `${z}/${x}/${y}`, x: (x - left) * size, y: (y - top) * size, size });
  }
  return placed;
}

type Rgb = [number, number, number];

/**
 * A light map in the wall's dark: water, where blue prevails, is left out and shows the sea beneath; land keeps our land's
 * tone; the darker or the more coloured something is, the more it stands out, up to the coast's tone and never beyond it:
 * whatever moves is brighter.
 */
export function mute(pixels: Uint8ClampedArray, land: Rgb, coast: Rgb): void {
  for (let i = 0; i < pixels.length; i += 4) {
    const [r = 0, g = 0, b = 0] = [pixels[i], pixels[i + 1], pixels[i + 2]];
    if (b - r > 16 && b >= g) {
      pixels[i + 3] = 0;
      continue;
    }
    const dark = 1 - (0.3 * r + 0.59 * g + 0.11 * b) / 255;
    const colour = (Math.max(r, g, b) - Math.min(r, g, b)) / 255;
    const f = Math.min(1, Math.max(0, 1.3 * dark + 0.8 * colour - 0.08));
    for (let c = 0; c < 3; c++) pixels[i + c] = (land[c] ?? 0) + f * ((coast[c] ?? 0) - (land[c] ?? 0));
  }
}

const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Rgb;

export class Tiles implements Painter {
  #picture: OffscreenCanvas | null = null;
  #wanted: { key: string; placed: Placed[]; shown: Shown } | null = null;
  #round: AbortController | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #version = 0;

  /** `onChange`: the picture came, or went. */
  constructor(
    private readonly theme: Theme,
    private readonly onChange: () => void,
  ) {}

  /** The whole view has its tiles. */
  get there(): boolean {
    return this.#picture !== null;
  }

  want(shown: Shown): void {
    const key = Object.values(shown).join();
    if (this.#wanted?.key === key) return;
    this.close();
    this.#wanted = { key, placed: tilesOf(shown), shown };
    this.#set(null);
    void this.#fetch();
  }

  close(): void {
    clearTimeout(this.#again);
    this.#round?.abort();
    this.#wanted = null;
  }

  version(): number {
    return this.#version;
  }

  paint({ g, width, height }: Brush): void {
    if (this.#picture) g.drawImage(this.#picture, 0, 0, width, height);
  }

  #set(picture: OffscreenCanvas | null): void {
    if (picture === this.#picture) return;
    this.#picture = picture;
    this.#version += 1;
    this.onChange();
  }

  async #fetch(): Promise<void> {
    const wanted = this.#wanted;
    if (!wanted) return;
    const round = (this.#round = new AbortController());
    const { width, height, ratio } = wanted.shown;
    const picture = new OffscreenCanvas(Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio)));
    const waiting = wanted.placed.values();
    const some = async () => {
      for (const placed of waiting) await this.#draw(picture, placed, round.signal);
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, some));
      if (!round.signal.aborted) this.#set(picture);
    } catch {
      // The first that does not come ends the round: others are not waited for in vain.
      if (round.signal.aborted) return;
      round.abort();
      this.#again = setTimeout(() => void this.#fetch(), AGAIN_MS);
    }
  }

  async #draw(picture: OffscreenCanvas, { path, x, y, size }: Placed, signal: AbortSignal): Promise<void> {
    const answer = await fetch(`/api/tiles/${path}`, { signal });
    if (!answer.ok) throw new Error(String(answer.status));
    const image = await createImageBitmap(await answer.blob());
    const tile = new OffscreenCanvas(image.width, image.height);
    const g = tile.getContext('2d', { willReadFrequently: true });
    const onto = picture.getContext('2d');
    if (!g || !onto) throw new Error('no canvas');
    g.drawImage(image, 0, 0);
    image.close();
    const pixels = g.getImageData(0, 0, tile.width, tile.height);
    mute(pixels.data, rgb(this.theme.land), rgb(this.theme.coast));
    g.putImageData(pixels, 0, 0);
    // On whole device pixels, or seams would show between tiles.
    const [left, top, right, bottom] = [x, y, x + size, y + size].map(Math.round) as [number, number, number, number];
    onto.drawImage(tile, left, top, right - left, bottom - top);
  }
}

import { describe, expect, it } from 'vitest';
import { covers, nameBeside, type Mark, type Point, type Room } from '../src/map/names';

const ROOM: Room = { width: 1792, height: 1176, half: [130, 48] };
const lot = (x: number, y: number): Mark => ({ at: [x, y], half: [37, 37], weight: 10 });
const PLACE: Point = [300, 310];

describe('a name in the close-up', () => {
  it('stands at its place where nothing is under it', () => {
    expect(nameBeside(PLACE, [lot(900, 300)], ROOM)).toEqual(PLACE);
  });
  it('covers no mark, and stays near', () => {
    const marks = [lot(300, 310), lot(210, 300), lot(390, 330), lot(300, 480)];
    const at = nameBeside(PLACE, marks, ROOM);
    // as it was: at its place it lies on three of them
    expect(marks.filter((mark) => covers(PLACE, ROOM.half, mark))).toHaveLength(3);
    expect(marks.filter((mark) => covers(at, ROOM.half, mark))).toEqual([]);
    expect(Math.abs(at[0] - PLACE[0]) <= 3 * 130 && Math.abs(at[1] - PLACE[1]) <= 3 * 48).toBe(true);
  });
  it('rather covers one that drives on than one that stays', () => {
    const everywhere = Array.from({ length: 400 }, (_, i): Mark => ({ at: [(i % 20) * 90, Math.floor(i / 20) * 60], half: [8, 8], weight: 1 }));
    const lots = [lot(300, 310), lot(420, 310)];
    const at = nameBeside(PLACE, [...everywhere, ...lots], ROOM);
    expect(lots.filter((mark) => covers(at, ROOM.half, mark))).toEqual([]);
  });
  it('leaves neither the picture nor its place in a corner', () => {
    const at = nameBeside([5, 5], [], ROOM);
    expect(at[0] >= 130 && at[1] >= 48).toBe(true);
  });
});

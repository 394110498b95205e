// A replay's address, "/?replay=2026-11-20T10:00:00.000Z&speed=60", and what of it is asked of the server. Pure.

export interface Replay {
  fromMs: number;
  speed: number;
}

export function replayOf(search: string): Replay | null {
  const query = new URLSearchParams(search);
  const fromMs = Date.parse(query.get('replay') ?? '');
  if (Number.isNaN(fromMs)) return null;
  const speed = Number(query.get('speed') ?? 60);
  return { fromMs, speed: Number.isFinite(speed) ? Math.min(600, Math.max(1, Math.round(speed))) : 60 };
}

export const replayAddress = (fromMs: number, speed: number): string => `/?${new URLSearchParams({ replay: new Date(fromMs).toISOString(), speed: String(speed) })}`;

export const replayStream = (fromMs: number, speed: number): string => `/api/replay?${new URLSearchParams({ from: new Date(fromMs).toISOString(), speed: String(speed) })}`;

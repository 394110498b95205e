// Figures, ages and clock times as people read them on the wall. Pure text: no state, no DOM.

const MINUS = '−';

/** 1386 → "1,386"; digits are the decimals that are kept. */
export function figure(value: number, digits = 0): string {
  const [whole = '0', rest] = Math.abs(value).toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  const text = rest ? `${grouped}.${rest}` : grouped;
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** A share as percent with one decimal. Only a true 1 is "100": 0.9999 must not look perfect, nor 0.0001 like nothing. */
export function percent(share: number): string {
  if (share === 1) return '100';
  if (share === 0) return '0';
  const rounded = Math.round(share * 1000) / 10;
  if (share < 1 && rounded >= 100) return '99.9';
  if (share > 0 && rounded <= 0) return '0.1';
  return figure(share * 100, 1);
}

/** A difference always has its sign; none is "±0". */
export function difference(value: number, digits = 0): string {
  const text = figure(value, digits);
  if (!/[1-9]/.test(text)) return '±0';
  return value > 0 ? `+${text}` : text;
}

/** How long ago, in two units at most: "4 秒", "1 分 40 秒", "6 分", "2 时 05 分", "3 天". */
export function age(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} 秒`;
  const min = Math.floor(s / 60);
  if (min < 5) return `${min} 分 ${two(s % 60)} 秒`;
  if (min < 60) return `${min} 分`;
  const h = Math.floor(min / 60);
  return h < 24 ? `${h} 时 ${two(min % 60)} 分` : `${Math.floor(h / 24)} 天`;
}

/** The same in one unit, for the header. */
export function shortAge(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} 秒`;
  if (s < 3600) return `${Math.floor(s / 60)} 分`;
  return s < 86_400 ? `${Math.floor(s / 3600)} 时` : `${Math.floor(s / 86_400)} 天`;
}

/** A wait as the alarm shows it, number and unit in turn: ["2","分","06","秒"]. */
export function wait(ms: number): string[] {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return [String(s), '秒'];
  if (s < 3600) return [String(Math.floor(s / 60)), '分', two(s % 60), '秒'];
  return [String(Math.floor(s / 3600)), '时', two(Math.floor(s / 60) % 60), '分'];
}

export const two = (n: number) => String(n).padStart(2, '0');

export interface WallClock {
  hm: string;
  s: string;
  hms: string;
  date: string;
  weekday: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** The moment in the city's zone. */
export function clock(ms: number, zone: string): WallClock {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('zh-CN', {
      timeZone: zone,
      hourCycle: 'h23',
      month: 'numeric',
      day: 'numeric',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
  const hm = `${two(Number(part['hour']))}:${two(Number(part['minute']))}`;
  const s = two(Number(part['second']));
  return { hm, s, hms: `${hm}:${s}`, date: `${part['month']}月${part['day']}日`, weekday: part['weekday'] ?? '' };
}

/** Width of a line in em, as Noto Sans SC sets it: full ideographs, 0.555 digits, narrow signs. Measured, rounded up. */
export function widthEm(text: string): number {
  let em = 0;
  for (const c of text) {
    if (/[0-9]/.test(c)) em += 0.556;
    else if (/[.,: ]/.test(c)) em += 0.28;
    else if (/[/()]/.test(c)) em += 0.4;
    else if (/[%mW]/.test(c)) em += 0.93;
    else if (c < '\u2e80' && !'·…'.includes(c)) em += 0.62;
    else em += 1;
  }
  return em;
}

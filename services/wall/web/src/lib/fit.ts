// What a line holds, counted in ems before it is drawn, by the widths of Noto Sans SC, rounded up.

const WIDE = /[\u2e80-\u9fff\uf900-\ufaff\uff00-\uff60]/;
const em = (char: string) => (WIDE.test(char) || /[…·]/.test(char) ? 1 : /[ .]/.test(char) ? 0.3 : /[A-Z%]/.test(char) ? 0.95 : 0.57);

/** Width in ems. */
export const width = (text: string) => [...text].reduce((sum, char) => sum + em(char), 0);

/** The text, or as much of its beginning as fits, with an ellipsis. */
export function fit(text: string, ems: number): string {
  if (width(text) <= ems) return text;
  let kept = '';
  for (const char of text) {
    if (width(kept) + em(char) + 1 > ems) break;
    kept += char;
  }
  return `${kept}…`;
}

// The tokens' colours for the canvas, read once from the page's own style sheet.

export interface Theme {
  sea: string;
  land: string;
  coast: string;
  street: string;
  accent: string;
  warn: string;
  mute: string;
  lot: string;
  font: string;
}

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    sea: token('sea'),
    land: token('land'),
    coast: token('coast'),
    street: token('street'),
    accent: token('accent'),
    warn: token('warn'),
    mute: token('mute'),
    lot: token('lot'),
    font: token('font'),
  };
}

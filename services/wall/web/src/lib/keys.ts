// The keyboard: what a press on something that acts like a button is, and how the arrows go from one to the next.

/** Enter and space press what has the focus. */
export const onPress = (act: () => void) => (event: KeyboardEvent): void => {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  act();
};

const ARROWS: Record<string, [x: number, y: number]> = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** Moves the focus to the nearest button in the arrow's direction; true if there was one. */
export function moveFocus(key: string): boolean {
  const direction = ARROWS[key];
  if (!direction) return false;
  const all = [...document.querySelectorAll<HTMLElement>('[role=button], button, a[href]')].filter((e) => e.offsetParent !== null);
  const from = document.activeElement instanceof HTMLElement && all.includes(document.activeElement) ? document.activeElement : null;
  if (!from) {
    all[0]?.focus();
    return all.length > 0;
  }
  const middle = (e: HTMLElement): [number, number] => {
    const box = e.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [fx, fy] = middle(from);
  let best: { cost: number; element: HTMLElement } | null = null;
  for (const element of all) {
    const [dx, dy] = [middle(element)[0] - fx, middle(element)[1] - fy];
    const along = dx * direction[0] + dy * direction[1];
    const across = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
    if (element === from || along <= 1) continue;
    const cost = along + 3 * across;
    if (!best || cost < best.cost) best = { cost, element };
  }
  best?.element.focus();
  return best !== null;
}

// Chromium as the wall's kiosk runs it: without graphics card, without calls home, with a profile of its own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Opens the wall in a new browser; `requests` collects every address it asks for, `errors` what its scripts throw. */
export async function openWall(url, { width, height }) {
  const profile = await mkdtemp(join(tmpdir(), 'wall-profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport: { width, height },
    args: ARGS,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const requests = [];
  const errors = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(error.message));
  // what the policy forbids is an error of the page's, too
  page.on('console', (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()));
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page, requests, errors, close };
}

/** Leading figures by panel; null where a panel shows none. */
export const figures = (page) =>
  page.$$eval('[data-panel]', (panels) =>
    Object.fromEntries(panels.map((panel) => [panel.dataset.panel, panel.querySelector(':scope > [role=button] [data-figure]')?.textContent ?? null])),
  );

export const states = (page) => page.$$eval('[data-panel]', (panels) => Object.fromEntries(panels.map((panel) => [panel.dataset.panel, panel.dataset.state])));

/** Texts that are wider than their boxes, or that leave their card, their slot or the window. */
export const overflowing = (page) =>
  page.evaluate(() => {
    const wrong = [];
    const text = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim());
    for (const element of document.querySelectorAll('main *')) {
      if (!text(element) || getComputedStyle(element).visibility === 'hidden') continue;
      const box = element.getBoundingClientRect();
      const name = `${element.tagName.toLowerCase()} "${element.textContent.trim()}"`;
      if (element.clientWidth > 0 && element.scrollWidth > element.clientWidth) wrong.push(`${name}: ${element.scrollWidth} > ${element.clientWidth}`);
      const frame = (element.closest('[data-panel], [data-notice], .zones section, header, .legend, article') ?? document.documentElement).getBoundingClientRect();
      if (box.right > frame.right + 1 || box.left < frame.left - 1 || box.bottom > innerHeight + 4) wrong.push(`${name} leaves its frame`);
    }
    // Neighbours on one line must not run into each other.
    for (const line of document.querySelectorAll('header#top > *, .feeds, [data-panel] > header, .hero, [data-row] .body, .legend, .zones dl')) {
      const boxes = [...line.children].map((child) => child.getBoundingClientRect()).filter((box) => box.width > 0);
      boxes.forEach((box, i) => {
        const next = boxes[i + 1];
        const sameLine = next && next.top < box.bottom && next.bottom > box.top;
        if (sameLine && box.right > next.left + 1) wrong.push(`"${line.children[i].textContent.trim()}" runs into "${line.children[i + 1].textContent.trim()}"`);
      });
    }
    return wrong;
  });
